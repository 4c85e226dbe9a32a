/* verify.h - one handshake's verdict about the client's certificates */
#ifndef WORKER_VERIFY_H
#define WORKER_VERIFY_H
#include "common/reason.h"
#include <stdbool.h>

struct WOLFSSL;
struct WOLFSSL_CTX;
struct session;
struct session_rules;

struct verify { /* lives as long as one handshake */
    const struct session_rules *rules;
    struct session *session;
    enum reason reason; /* why the client was refused, or REASON_NONE */
    bool accepted;      /* the leaf was seen, and found good */
};

/* verify_install - our callbacks on the context, once per worker */
void verify_install(struct WOLFSSL_CTX *ctx, bool require);

/* verify_attach - the verdict of this session goes there; NULL: none any more,
 * every certificate is refused */
void verify_attach(struct WOLFSSL *ssl, struct verify *verify);

/* verify_code - the library's code about a certificate, as our word */
enum reason verify_code(int code);

/* verify_tell - send the reason's alert, if it has one and none is out yet; what
 * the library sends after it goes nowhere */
void verify_tell(struct session *session, enum reason reason);

#endif
