/* keeper.h - the processes that hold private keys and sign for workers */
#ifndef MASTER_KEEPER_H
#define MASTER_KEEPER_H
#include "common/err.h"
#include "common/keywire.h"
#include "master/jail.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* one private key, as the master hands it over: never its bytes */
struct keeper_key {
    uint16_t service;
    uint8_t side;     /* enum keywire_side */
    uint8_t index;    /* within that side */
    int fd;           /* the open file; read with pread by every keeper */
    const char *path; /* for errors */
    const char
        *name; /* of the service, for the keeper's own log lines; may be NULL */
    uint32_t budget; /* signatures that one worker of the service may ask for in
                       * its life, both sides together; 0: no cap */
};

/* signatures a second that one worker may ask for, and as many at once: no
 * honest worker comes near, a taken-over one cannot starve the others */
#define KEEPER_RATE 4000

struct keepers; /* the K keepers of one generation, the master's view */

/*
 * keepers_start - fork `count` keepers, each holding every key
 * jail    borrowed; fd -1: no jail.
 * charges  where keepers say, for their lives, which workers they have refused:
 *         a pid_t in a packet, as the kernel named it; -1: nobody listens.
 * Called by the dropped master (boot and reload alike): a keeper does
 * jail_enter, limits, then makes its secret memory, loads the keys through the
 * passed descriptors and answers with the public keys.
 * Waits for all of them (10 s at most). The caller closes the key files.
 * ERR_OK; ERR_FILE: a key does not parse, is encrypted ("is encrypted: ...; make an
 * unencrypted copy with: openssl pkey -in ... -out ..."), is of an unknown
 * kind, RSA below 2048 or above 4096 bits; why names path and reason; no
 * keeper is left behind. ERR_SYS, ERR_PRIV (jail).
 * Keys are told apart by file: a file that many services name is held once.
 * Memory: keymem_need(number of files), locked, per keeper (keymem.h); the
 * error names RLIMIT_MEMLOCK when it does not fit.
 */
enum err keepers_start(size_t count, const struct keeper_key *keys,
                       size_t key_count, const struct jail *jail, int charges,
                       struct keepers **out, struct why *why);

/* keepers_public - SubjectPublicKeyInfo (DER) of keys[i] as the keeper says;
 * valid as long as keepers lives */
void keepers_public(const struct keepers *keepers, size_t i,
                    const uint8_t **der, size_t *len);

/* keepers_register - give the pairs of count workers of a service (the keeper's
 * ends; the caller closes its copies) to the keepers that live, in turn and in
 * equal shares, many in one packet. ERR_EOF: none lives. */
enum err keepers_register(struct keepers *keepers, uint16_t service,
                          const int *fds, size_t count, struct why *why);

/* keepers_lost - a process ended: was it one of ours? Its workers see their
 * pair close and retire. True once per keeper. */
bool keepers_lost(struct keepers *keepers, pid_t pid);

/* keepers_memory - "memfd_secret" or "locked": for the start line */
const char *keepers_memory(const struct keepers *keepers);

/* keepers_free - close the control pairs: each keeper ends when its last
 * worker's pair has closed */
void keepers_free(struct keepers *keepers);
#endif
