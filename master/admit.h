/* admit.h - limits against abuse: what workers report, against the keys */
#ifndef MASTER_ADMIT_H
#define MASTER_ADMIT_H
#include "common/err.h"
#include "common/reason.h"
#include "common/report.h"
#include <stddef.h>
#include <stdint.h>

struct admit;
struct crew_member;
struct log_line;
struct master;
struct pool;

/*
 * Every decision about the limits of a service is made here, from what its
 * workers report. A connection beyond a limit is ended by its worker, which is
 * told the reason; from then on the table of common/bans.h has workers refuse
 * the source by themselves, before they read a byte.
 *
 * A taken-over worker can lie about its own connections: it has one at a time,
 * and a penalty needs a connection each and ends by itself.
 */

/* admit_new - for so many pools, and workers in so many slots of the board */
enum err admit_new(size_t pools, size_t slots, struct admit **out,
                   struct why *why);

/* admit_taken, admit_verified, admit_ended - of the connection of a member, in
 * this order; the last one also for a member that died. Decisions are carried
 * out by admit_due, when all that was reported has been read (reap_end). */
void admit_taken(struct master *master, const struct crew_member *member,
                 int64_t now);
void admit_verified(struct master *master, const struct crew_member *member,
                    int64_t now);
void admit_ended(struct master *master, const struct crew_member *member,
                 enum reason reason, int64_t now);
/* admit_refused - a worker has closed a connection without reading from it */
void admit_refused(struct master *master, const struct pool *pool,
                   const struct report *report, int64_t now);

/* admit_due - end who must end, write what is to be said of refusals; the next
 * time */
int64_t admit_due(struct master *master, int64_t now);

/* admit_status - a pool's counters, one for each limit, into a line */
void admit_status(const struct master *master, size_t pool,
                  struct log_line *line);
#endif
