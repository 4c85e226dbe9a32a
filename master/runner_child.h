/* runner_child.h - between a runner's fork and its program */
#ifndef MASTER_RUNNER_CHILD_H
#define MASTER_RUNNER_CHILD_H
#include "master/runner_env.h"
#include "master/runner_table.h"
#include <stdint.h>

struct runner_child {
    const struct runner_table *table;
    const struct runner_env *env;
    int socket; /* becomes 0 and 1 */
    int errors; /* becomes 2 */
    int fault;  /* close-on-exec pipe: end-of-file says that the program runs */
};

struct runner_fault { /* or this, and then end-of-file */
    uint8_t step;     /* enum runwire_step */
    int32_t error;
};

/* runner_child_run - a session and a process group of its own, no descriptor but
 * 0, 1 and 2, no signal ignored or blocked, umask 022, limits, directory,
 * program */
_Noreturn void runner_child_run(const struct runner_child *child);
#endif
