/* sources.h - who is connected from where, and how it behaves: pure */
#ifndef MASTER_SOURCES_H
#define MASTER_SOURCES_H
#include "common/conf.h"
#include "common/net.h"
#include "common/reason.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One entry for each network of the service's per_source_mask and pool that was
 * seen. Bounded: when all entries are in use, the one without connections that
 * was seen longest ago is forgotten; if it still had a penalty or a rate to
 * remember, that is counted. Keyed with a seed, because attackers choose their
 * addresses. Asks no clock: every time comes from the caller (clock_ms).
 *
 * The memory is not inherited by children: a worker must not learn who else is
 * connected, nor the seed.
 */
#define SOURCES_MIN        65536
#define SOURCES_PENALTY_MS (10 * 60 * 1000) /* no penalty is longer */
#define SOURCES_SAY_MS     1000 /* lines about one source are that far apart */

struct source {
    struct net net;
    unsigned pool;
    long connections;
    long handshaking;      /* of these */
    int64_t rate_us;       /* when the bucket is full again */
    int64_t penalty_until; /* the sum of the penalties, as its end */
    int64_t refused_until; /* for them */
    bool blocked;          /* the caller's: refused without a question */
    /* of the refusals: */
    int64_t said_at;    /* 0: never */
    unsigned unsaid;    /* since then */
    uint8_t client[16]; /* the last one: */
    uint16_t port;      /* host order */
    enum reason reason;
    struct source *chain;         /* of the hash */
    struct source *older, *newer; /* of those without connections */
    struct source *unsaid_before, *unsaid_next;
    bool waits; /* to be said */
};

struct source_limits { /* 0: none */
    long connections, handshaking;
    struct conf_rate rate;
};

struct sources;

/* sources_new - room for max sources, at least one more than there can be
 * connections. NULL: no memory. */
struct sources *sources_new(size_t max, const uint8_t seed[16]);
void sources_free(struct sources *sources);

/* sources_get - the entry of a network at a pool, a new one when there is none.
 * Valid while it has connections, else until the next sources_get. */
struct source *sources_get(struct sources *sources, const struct net *net,
                           unsigned pool, int64_t now);

/* source_blocked - why would its next connection be refused now? *until is when
 * that ends by itself, CLOCK_NEVER: when others have ended */
enum reason source_blocked(const struct source *source,
                           const struct source_limits *limits, int64_t now,
                           int64_t *until);

/* sources_enter - a connection begins, with its handshake. rate: NULL: it was
 * refused and costs nothing. sources_leave - it ends */
void sources_enter(struct sources *sources, struct source *source,
                   const struct conf_rate *rate, int64_t now);
void sources_leave(struct sources *sources, struct source *source,
                   bool handshaking);
/* source_verified - its handshake is over */
void source_verified(struct source *source);

/*
 * source_fail - a handshake failed by the client's doing
 * Penalties add up and run out with time. Once the sum is more than two of
 * them, the source is refused until all has run out.
 */
void source_fail(struct source *source, int64_t penalty, int64_t now);

/*
 * sources_refused - one of its connections was refused
 * Returns how many the line is about that should be written now, 0: it is too
 * early, and sources_unsaid will hand it out.
 */
unsigned sources_refused(struct sources *sources, struct source *source,
                         const uint8_t client[16], uint16_t port,
                         enum reason reason, int64_t now);
/* sources_unsaid - a source with refusals whose time has come, *count of them;
 * NULL: none, *next is when there will be */
struct source *sources_unsaid(struct sources *sources, int64_t now,
                              unsigned *count, int64_t *next);

/* sources_forgotten - how many had something to remember */
uint64_t sources_forgotten(const struct sources *sources);
/* sources_count - entries in use */
size_t sources_count(const struct sources *sources);
#endif
