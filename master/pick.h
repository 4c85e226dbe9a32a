/* pick.h - which address of a route an attempt gets */
#ifndef MASTER_PICK_H
#define MASTER_PICK_H
#include "master/tables.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct target { /* an address to connect to */
    struct sockaddr_storage sa;
    socklen_t sa_len;
    uint16_t index; /* in the configured list */
};

/* One worker's walk over the addresses of a route, from attempt 0 on. All zero
 * is none; round_free when the worker is gone. */
struct round {
    uint16_t route;
    size_t turn; /* where it began */
    size_t count, room;
    struct target *tried; /* in order; attempt N may follow N of them */
};

enum tables_pick { PICK_FOUND, PICK_WAIT, PICK_NONE, PICK_NO_NAME };

/*
 * tables_pick - the address for an attempt at a route that tables_has
 * In the route's order (robin: from where this round began) the first one that
 * was not given in this round and did not fail lately; else the one that failed
 * longest ago; a name that is being resolved for the first time is waited for
 * where the order comes to it, and before anything that failed lately; one
 * whose last answer was a failure only when there is nothing else.
 * PICK_FOUND: *out, *more: there is, or may be, an address for another attempt.
 * PICK_WAIT: a name is being resolved; ask again with the same arguments.
 * PICK_NONE: past the last one. PICK_NO_NAME: there is none at all, because
 * *failure did not resolve.
 */
enum tables_pick tables_pick(struct table *table, struct round *round,
                             uint16_t route, uint16_t attempt, int64_t now,
                             struct target *out, bool *more,
                             const struct name **failure);

void round_free(struct round *round);
#endif
