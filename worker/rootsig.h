/* rootsig.h - roots that come along with a chain, and their own signatures */
#ifndef WORKER_ROOTSIG_H
#define WORKER_ROOTSIG_H
#include "common/x509_der.h"
#include <stdbool.h>

struct tls_side;

/*
 * Many peers send the root behind their certificate. What it signed itself
 * proves nothing (RFC 5280 6.1: the anchor is no part of the path), but the
 * library verifies it, at the price of a third of all that a handshake verifies.
 * So each anchor's own signature is verified once per worker.
 */
struct rootsig { /* what a signature is about */
    struct span signature;
    struct span digest; /* of what was signed */
    struct span spki;   /* the key's SubjectPublicKeyInfo */
};

/* rootsig_known - an anchor's signature over itself, found good before? */
bool rootsig_known(const struct tls_side *side, const struct rootsig *what);

/* rootsig_keep - found good just now; kept when it is an anchor's over itself */
void rootsig_keep(const struct tls_side *side, const struct rootsig *what);
#endif
