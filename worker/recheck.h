/* recheck.h - a chain that was verified once, verified again without a
 * handshake */
#ifndef WORKER_RECHECK_H
#define WORKER_RECHECK_H
#include "common/reason.h"
#include "common/x509.h"
#include <stddef.h>

struct conf_tls;
struct tls_side;

/*
 * recheck_chain - would this client be admitted now?
 * side, conf  the client side to judge by, of this process alone: what the chain
 *             teaches its context is for this chain, and is unloaded with the
 *             next one that differs.
 * chain       DER, leaf first; count 0: the client showed none. Any bytes.
 * REASON_NONE, or the word that a handshake would have; NO_CERTIFICATE.
 */
enum reason recheck_chain(const struct tls_side *side,
                          const struct conf_tls *conf, const struct span *chain,
                          size_t count);
#endif
