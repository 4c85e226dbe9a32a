/* daemon.h - into the background, and back with an answer */
#ifndef MASTER_DAEMON_H
#define MASTER_DAEMON_H
#include "common/err.h"

/*
 * daemon_fork - the caller's process waits for the child's answer and exits
 * with it; only the child returns, in a session of its own, with the
 * descriptor on which to answer.
 */
enum err daemon_fork(int *answer_fd, struct why *why);

/* daemon_answer - let the waiting parent exit with this code; for 0 also point
 * descriptors 0, 1 and 2 to /dev/null. Does nothing with answer_fd -1. */
void daemon_answer(int *answer_fd, int exit_code);
#endif
