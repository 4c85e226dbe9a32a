/*
 * session_io.c - how the TLS library reaches the client's descriptor
 *
 * Owns the reads and send(2) of a handshake, and what they tell apart that the
 * library does not: end, reset, silence, and bytes that are no TLS at all. Never
 * waits. Once the client has its alert, nothing more is sent.
 */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "worker/ahead.h"
#include "worker/session.h"
#include "worker/session_io.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>

/* head_check - a TLS client begins with a handshake record of version 3.x; a
 * server may begin with an alert */
static bool
head_check(struct session_io *io, const char *buf, size_t len)
{
    size_t i;

    for (i = 0; i < len && io->in + i < sizeof(io->head); i++)
        io->head[io->in + i] = (uint8_t)buf[i];
    if ((io->head[0] != 0x16 && !(io->upstream && io->head[0] == 0x15)) ||
        (io->in + len > 1 && io->head[1] != 3))
        io->not_tls = true;
    return !io->not_tls;
}

static int
io_recv(WOLFSSL *ssl, char *buf, int size, void *ctx)
{
    struct session_io *io = ctx;
    ssize_t n;

    (void)ssl;
    n = ahead_recv(&io->ahead, io->fd, buf, (size_t)size);
    if (n == 0) {
        io->eof = true;
        return WOLFSSL_CBIO_ERR_CONN_CLOSE;
    }
    if (n > 0) {
        if (io->in < sizeof(io->head) && !head_check(io, buf, (size_t)n)) {
            io->in += (uint64_t)n;
            return WOLFSSL_CBIO_ERR_GENERAL;
        }
        if (io->in == 0 && io->heard != NULL)
            atomic_store(io->heard, 1);
        io->in += (uint64_t)n;
        return (int)n;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    io->error = errno;
    io->reset = errno == ECONNRESET;
    return io->reset ? WOLFSSL_CBIO_ERR_CONN_RST : WOLFSSL_CBIO_ERR_GENERAL;
}

static int
io_send(WOLFSSL *ssl, char *buf, int size, void *ctx)
{
    struct session_io *io = ctx;
    ssize_t n;

    (void)ssl;
    if (io->muted)
        return size;
    do
        n = send(io->fd, buf, (size_t)size, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return (int)n;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return WOLFSSL_CBIO_ERR_WANT_WRITE;
    io->error = errno;
    io->reset = errno == ECONNRESET || errno == EPIPE;
    return io->reset ? WOLFSSL_CBIO_ERR_CONN_RST : WOLFSSL_CBIO_ERR_GENERAL;
}

bool
session_bytes_seen(const struct session *session)
{
    return session->io.in > 0;
}

void
session_io_install(struct WOLFSSL_CTX *ctx)
{
    wolfSSL_CTX_SetIORecv(ctx, io_recv);
    wolfSSL_CTX_SetIOSend(ctx, io_send);
}

void
session_io_attach(struct WOLFSSL *ssl, struct session_io *io)
{
    ahead_begin(&io->ahead);
    wolfSSL_SetIOReadCtx(ssl, io);
    wolfSSL_SetIOWriteCtx(ssl, io);
}
