/* crl.h - is a certificate of this chain revoked? pure */
#ifndef WORKER_CRL_H
#define WORKER_CRL_H
#include "common/reason.h"
#include "common/tlsside.h"
#include <stdbool.h>

struct crl_case {
    const struct span
        *chain;   /* DER as the peer sent it, leaf first; verified */
    size_t count; /* 1 to CHAIN_MAX (chain.h) */
    const struct tls_side *side; /* its CRLs and anchors */
    bool
        scope_chain; /* every certificate below an anchor, not the leaf alone */
    bool admit_missing; /* no list, or an expired one, is no reason to refuse */
    time_t now;
    /* did the key of this SubjectPublicKeyInfo sign the list? */
    bool (*signed_by)(const struct x509_crl *crl, struct span spki);
};

/*
 * crl_judge - REASON_NONE, REVOKED, CRL_EXPIRED, CRL_MISSING or CRL_BAD (there
 * are lists by that issuer's name, and its key made none of them)
 * What an expired list revokes is revoked, whatever admit_missing says. *depth:
 * the certificate that the reason is about, 0 leaf. Believes that the chain was
 * verified; trust anchors are not asked about.
 */
enum reason crl_judge(const struct crl_case *what, int *depth);
#endif
