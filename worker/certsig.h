/* certsig.h - signatures of certificates that were found good */
#ifndef WORKER_CERTSIG_H
#define WORKER_CERTSIG_H
#include <stdbool.h>
#include <stdint.h>

/*
 * A fifth of a handshake's user CPU goes into the signature of a certificate
 * that this worker has verified before: of a client that comes again, of the
 * intermediate of many, of the root that some send along, of our upstream.
 * What is remembered is arithmetic, no trust: this key has signed these bytes so.
 * That the key is an authority's, the dates, the lists and the rules are asked
 * every time, and so is the peer's proof that it holds its own key.
 */
#define CERTSIG_MARK 32 /* SHA-256 of key, digest and signature */

/* certsig_known - found good before? */
bool certsig_known(const uint8_t mark[CERTSIG_MARK]);

/* certsig_keep - found good just now; may take the place of another one */
void certsig_keep(const uint8_t mark[CERTSIG_MARK]);
#endif
