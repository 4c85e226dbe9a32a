/* slotchain.h - a client's certificates in its worker's slot, for the judge */
#ifndef COMMON_SLOTCHAIN_H
#define COMMON_SLOTCHAIN_H
#include "common/x509.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOTCHAIN_CERTS 16

/* The TLS library takes Certificate messages of 3 + 12 * (2048 + 3) bytes at
 * most (its MAX_CERTIFICATE_SZ with the MAX_CHAIN_DEPTH of etc/build-wolfssl). */
#define SLOTCHAIN_ROOM 25600

/*
 * One worker writes, the judge reads, and neither waits: `turn` is odd while the
 * worker writes, and a reader who finds it changed has read nothing. Shared
 * memory: it may hold anything once the worker is taken over.
 */
struct slotchain {
    _Atomic uint32_t turn;
    _Atomic uint32_t held;  /* a session of a verified client is running */
    _Atomic uint32_t count; /* certificates; 0: the client has none */
    uint16_t len[SLOTCHAIN_CERTS];
    uint8_t der[SLOTCHAIN_ROOM]; /* one behind the other, leaf first */
};

/* slotchain_put - the chain as the client sent it; false: it has no room, and
 * nothing is there then */
bool slotchain_put(struct slotchain *chain, const struct span *certs,
                   size_t count);

/* slotchain_hold - the client is verified, its session begins: with the chain
 * that was put, or without any */
void slotchain_hold(struct slotchain *chain);

/* slotchain_clear - the session is over */
void slotchain_clear(struct slotchain *chain);

struct slotchain_copy {
    size_t count;
    struct span cert[SLOTCHAIN_CERTS]; /* into der */
    uint8_t der[SLOTCHAIN_ROOM];
};

/* slotchain_get - a whole copy, whose lengths are within it. false: there is no
 * session, or it began or ended while we read, or the numbers cannot be. */
bool slotchain_get(const struct slotchain *chain, struct slotchain_copy *out);
#endif
