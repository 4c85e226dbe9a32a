/* session_io.h - the library's way to the descriptor; session.h has the struct */
#ifndef WORKER_SESSION_IO_H
#define WORKER_SESSION_IO_H

struct WOLFSSL;
struct WOLFSSL_CTX;
struct session_io;

/* session_io_install - our callbacks for every session of the context,
 * once, in the master */
void session_io_install(struct WOLFSSL_CTX *ctx);

/* session_io_attach - this session uses that descriptor; io must not move */
void session_io_attach(struct WOLFSSL *ssl, struct session_io *io);

#endif
