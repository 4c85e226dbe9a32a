/* runner_pair.h - the workers' pairs in a runner */
#ifndef MASTER_RUNNER_PAIR_H
#define MASTER_RUNNER_PAIR_H
#include "common/runwire.h"
#include "master/runner_table.h"
#include "master/runner_watch.h"

struct program;

struct runner_pair { /* one worker */
    struct runner_watch watch;
    struct runner_table *table;
    struct program *program; /* of the session that is open; NULL: none */
    uint32_t seq;            /* of that session */
    struct runner_pair *next, *prev;
};

/* runner_pair_add - a worker of that table; fd is taken. False: it cannot be
 * served, and sees the end. */
bool runner_pair_add(struct runner_table *table, int fd);

/* runner_pair_event - one request, or the end of the worker */
void runner_pair_event(struct runner_pair *pair, int64_t now);

/* runner_pair_tell - a reply about its session; fd may be -1. A worker that does
 * not take it is let go. */
void runner_pair_tell(struct runner_pair *pair, enum runwire_answer kind,
                      enum runwire_step step, int value, int fd, int64_t now);

/* runner_pairs_any - is there a worker left? */
bool runner_pairs_any(void);

/* runner_pairs_sweep - free those that have closed, after a round of events */
void runner_pairs_sweep(void);
#endif
