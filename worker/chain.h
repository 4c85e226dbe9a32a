/* chain.h - judge a peer's certificate chain; pure */
#ifndef WORKER_CHAIN_H
#define WORKER_CHAIN_H
#include "common/reason.h"
#include "common/x509.h"
#include <stddef.h>

#define CHAIN_MAX 16 /* more than the TLS library passes on */

enum chain_side {
    CHAIN_CLIENT,  /* a client's certificates: clientAuth */
    CHAIN_UPSTREAM /* an upstream's: serverAuth */
};

struct chain_case {
    const struct span *chain; /* DER as the peer sent it, leaf first */
    size_t count;             /* 1 to CHAIN_MAX */
    enum reason objection;    /* the TLS library's objection, or REASON_NONE */
    int objection_depth;      /* which certificate it was about, 0 leaf */
    int verify_depth;         /* intermediates that are allowed */
    enum chain_side side;     /* whose certificates they are */
    bool allow_v1;            /* unsafe_x509v1: a leaf may be version 1 */
};

/*
 * chain_judge - REASON_NONE only when neither the library nor we object
 * The library has checked signatures, dates and trust, top down, and stops at
 * the first objection; this makes its word exact. When it has none, our own
 * rules are applied to every certificate, top down: DESIGN lists what the
 * library accepts and must not. *depth: the certificate that the reason is
 * about, 0 leaf.
 */
enum reason chain_judge(const struct chain_case *what, int *depth);

/* chain_has_name - does it say who its holder is: a name in the subject, or a
 * dns, uri, ip or email name? */
bool chain_has_name(const struct x509 *cert);
#endif
