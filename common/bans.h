/* bans.h - sources that workers refuse before the first byte */
#ifndef COMMON_BANS_H
#define COMMON_BANS_H
#include "common/err.h"
#include "common/net.h"
#include "common/reason.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define BANS_MAX 256
#define BANS_MS  (10 * 60 * 1000)

#define BANS_SETS 1024 /* of the limits: a source belongs into one, by a */
#define BANS_WAYS 8    /* hash, and so many fit there */

/*
 * A memfd page, mapped twice: the master writes to a view that no child has,
 * children inherit one that F_SEAL_FUTURE_WRITE keeps read-only for good. Fork
 * without exec shares the address layout, so a source gets no second guess, and
 * the check must stand before the first byte is parsed, without a round trip.
 *
 * Two tables. Sources that crashed a worker: for every service. Sources that
 * have reached a limit: for one pool; it is only a short cut, because the master
 * ends what it must when the connection is reported.
 *
 * A reader that looks while an entry changes sees it as it was before or as it
 * is behind, or not at all when it is leaving for another source.
 */
struct bans;

/* bans_new - both views; once at a time. bans_free unmaps them. */
enum err bans_new(struct bans **out, struct why *why);
void bans_free(struct bans *bans);
/* bans_add - refuse addr (16 bytes, IPv4 mapped) until until_ms; the entry that
 * ends first makes room when the table is full. Like bans_limit and bans_lift
 * in the process alone that called bans_new. */
void bans_add(struct bans *bans, const uint8_t addr[16], int64_t until_ms);
/* bans_leave - in a child that has no business with them: not mapped any more */
enum err bans_leave(struct why *why);
/* bans_has - is this source refused now? unix sockets never
 * are: their address is all zero */
bool bans_has(const struct bans *bans, const uint8_t addr[16], int64_t now_ms);
/*
 * bans_scope - one pool's workers of one generation: after a reload other limits
 * hold
 * bans_limit - refuse a network there for a reason until then; that of 0 bits
 * means everybody. In a set that is full the one that ends first
 * makes room.
 * bans_lift - no more
 * bans_limited - why is this source refused there now? REASON_NONE: it
 * is not. mask: how much of the address the service's sources have.
 */
uint64_t bans_scope(unsigned generation, size_t pool);
void bans_limit(struct bans *bans, const struct net *net, uint64_t scope,
                enum reason reason, int64_t until_ms);
void bans_lift(struct bans *bans, const struct net *net, uint64_t scope);
enum reason bans_limited(const struct bans *bans, const uint8_t addr[16],
                         const struct net_mask *mask, uint64_t scope,
                         int64_t now_ms);
#endif
