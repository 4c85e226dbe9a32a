/* generation.h - everything built from one reading of configuration and files */
#ifndef MASTER_GENERATION_H
#define MASTER_GENERATION_H
#include "common/conf.h"
#include "common/err.h"
#include "master/jail.h"

#include <stdbool.h>

struct keepers;
struct tls_side;

/* the TLS material of one service */
struct generation_sides {
    struct tls_side *client;    /* NULL: listen_tls = no */
    struct tls_side **upstream; /* one per route, NULL: not tls:// */
};

/* immutable once built; a new reading makes a new one beside it */
struct generation {
    unsigned number;
    struct conf *conf;              /* owned, unless keep_conf */
    bool keep_conf;                 /* generation_free leaves it */
    struct generation_sides *sides; /* owned, one per service, same order */
    struct keepers *keepers;        /* owned; NULL: no key is configured */
};

/*
 * generation_build - the whole, or nothing
 * number  1 at boot, counted up by every reload.
 * conf    taken over when ERR_OK, else still the caller's.
 * jail, charges  for the keepers (keeper.h); borrowed.
 * Reads every certificate, CA and CRL file once, opens every key, starts the
 * keepers, and finds for each key the certificate with its public key.
 * Warnings go to the log. Boot and reload take the same way, after the drop
 * and inside the fence: what boot could do, a reload can.
 * ERR_FILE, ERR_CONF, ERR_TLS, ERR_SYS, ERR_PRIV: why names service and file;
 * no process and no descriptor is left behind.
 */
enum err generation_build(unsigned number, struct conf *conf,
                          const struct jail *jail, int charges,
                          struct generation **out, struct why *why);

/* generation_free - contexts and configuration; the keepers go on until the
 * last worker of this generation has gone. NULL is fine. */
void generation_free(struct generation *generation);
#endif
