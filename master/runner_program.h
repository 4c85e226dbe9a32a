/* runner_program.h - the processes that a runner has started */
#ifndef MASTER_RUNNER_PROGRAM_H
#define MASTER_RUNNER_PROGRAM_H
#include "common/runwire.h"
#include "master/runner_pair.h"
#include <stdbool.h>
#include <stdint.h>

struct program;

/*
 *   STARTING --runs--> RUNNING      (STARTED to the pair, or FAILED)
 *   either --session over--> LEFT --kill_ms--> ASKED (SIGTERM) --1 s--> KILLED
 *   any of them --ended--> gone     (ENDED to the pair, while there is one)
 *
 * Signals go to the process group. What a program leaves running when it ends
 * by itself is left alone; when it was asked to end, its group is killed.
 */

/* program_start - NULL: step and errno say why */
struct program *program_start(struct runner_pair *pair,
                              const struct runwire_request *run,
                              enum runwire_step *step);

/* program_leave - its session is over: nobody wants to know how it ends */
void program_leave(struct program *program, int64_t now);

/* program_started, program_errors - events of its two pipes */
void program_started(struct program *program, int64_t now);
void program_errors(struct program *program, int64_t now);

/* programs_reap - whoever has ended */
void programs_reap(int64_t now);
/* programs_tend - who is due; the next time, CLOCK_NEVER: nobody */
int64_t programs_tend(int64_t now);
/* programs_end - no more patience: everybody is due */
void programs_end(int64_t now);
/* programs_any - is there one that has not been sent SIGKILL? */
bool programs_any(void);
/* programs_sweep - free those that are gone, after a round of events */
void programs_sweep(void);
#endif
