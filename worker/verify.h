/* verify.h - one handshake's verdict about the peer's certificates */
#ifndef WORKER_VERIFY_H
#define WORKER_VERIFY_H
#include "common/reason.h"
#include "common/slotchain.h"
#include "worker/chain.h"
#include <stdbool.h>

struct WOLFSSL;
struct WOLFSSL_CTX;
struct conf_tls;
struct session;
struct tls_side;

/* verify_leaf - one more question about a leaf that is good so far: does it bear
 * the upstream's name? REASON_NONE: yes */
typedef enum reason verify_leaf(void *ctx, const struct x509 *leaf);

struct verify { /* lives as long as one handshake; the caller fills */
    enum chain_side side;
    const struct tls_side *tls;  /* CRLs and anchors */
    const struct conf_tls *conf; /* verify, verify_depth, crl_*, unsafe_* */
    struct session *session;     /* its id, leaf, depth, tls_error are set */
    verify_leaf *leaf;           /* NULL: nothing more is asked */
    void *leaf_ctx;
    bool sha1;              /* the identity is to have it */
    struct slotchain *keep; /* where an accepted chain goes; may be NULL */
    /* from here on verify.c's own, zero at the start */
    enum reason reason; /* why the peer was refused, or REASON_NONE */
    bool accepted;      /* the leaf was seen, and found good */
};

/* verify_install - our callbacks on the context, once, in the master */
void verify_install(struct WOLFSSL_CTX *ctx, bool require);

/* verify_attach - the verdict of this session goes there; NULL: none any more,
 * every certificate is refused */
void verify_attach(struct WOLFSSL *ssl, struct verify *verify);

/* verify_chain - the verdict about a chain once the library's objection is in it:
 * the rules of chain.c, then revocation. *depth: the certificate that the reason
 * is about. */
enum reason verify_chain(const struct tls_side *side,
                         const struct conf_tls *conf,
                         const struct chain_case *what, int *depth);

/* verify_code - the library's code about a certificate, as our word */
enum reason verify_code(int code);

/* verify_tell - send the reason's alert, if it has one and none is out yet; what
 * the library sends after it goes nowhere */
void verify_tell(struct session *session, enum reason reason);

#endif
