/* sign.h - signatures by the keeper: wolfSSL's private-key callbacks */
#ifndef WORKER_SIGN_H
#define WORKER_SIGN_H
#include "common/err.h"
#include "common/keywire.h"
#include "common/reason.h"
#include <stdbool.h>

struct WOLFSSL;
struct WOLFSSL_CTX;

struct sign {      /* one per worker and key; must outlive its sessions */
    int keeper_fd; /* the worker's pair, blocking, borrowed; shared by all */
    uint8_t side;  /* enum keywire_side */
    uint8_t key;
    bool gone;           /* the keeper closed or broke the pair: retire */
    bool spent;          /* gone, because it gives us no more signatures */
    bool timed;          /* sign_ready has run */
    unsigned long count; /* signatures so far */
};

/* sign_ready - timeouts on the pair (5 s, setsockopt): call it before a filter
 * that refuses setsockopt; otherwise the first signature does it. */
void sign_ready(struct sign *sign);

/* sign_install - set every PK callback on the context, once, in the
 * master */
void sign_install(struct WOLFSSL_CTX *ctx);

/* sign_reason - KEEPER_GONE, SIGNING_BUDGET; NONE: the keeper is there. sign may
 * be NULL. */
enum reason sign_reason(const struct sign *sign);

/* sign_attach - use this sign for that session */
void sign_attach(struct WOLFSSL *ssl, struct sign *sign);
#endif
