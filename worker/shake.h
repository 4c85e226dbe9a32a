/* shake.h - what the handshakes of both sides have in common */
#ifndef WORKER_SHAKE_H
#define WORKER_SHAKE_H
#include "common/err.h"
#include <stdint.h>

struct WOLFSSL;
struct WOLFSSL_CTX;
struct session;

/*
 * shake_run - call step (wolfSSL_accept, wolfSSL_connect) until it is done: try
 * first, wait only when the library wants more, one deadline for all of it
 * ERR_TLS: *code is the library's. ERR_TIMEOUT, ERR_STOP, ERR_SYS.
 */
enum err shake_run(struct session *session, int (*step)(struct WOLFSSL *ssl),
                   int64_t deadline, int *code);

/* shake_describe - version, suite, group, ALPN of an established session */
void shake_describe(struct session *session);

/* shake_install - our callback on the context, once, in the master */
void shake_install(struct WOLFSSL_CTX *ctx);

/* shake_forget - intermediates that a peer's chain taught the context: they must
 * not help the next peer. Around every handshake, since what is learnt is that
 * context's for which it was called last. */
enum err shake_forget(struct WOLFSSL_CTX *ctx, struct why *why);

/* shake_words - the library's code as a sentence */
enum err shake_words(struct why *why, enum err err, int code);
#endif
