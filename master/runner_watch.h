/* runner_watch.h - what a runner's epoll set points to; runner*.c only */
#ifndef MASTER_RUNNER_WATCH_H
#define MASTER_RUNNER_WATCH_H
#include <stdbool.h>

enum runner_source {
    RUNNER_CONTROL,  /* the master's orders */
    RUNNER_CHILDREN, /* a signalfd: somebody has ended */
    RUNNER_PAIR,     /* of a worker */
    RUNNER_STARTING, /* a program runs now, or could not be run */
    RUNNER_ERRORS,   /* its 2 */
};

struct runner_watch {
    enum runner_source source;
    int fd;      /* -1: closed */
    void *owner; /* struct runner_pair, struct program */
};

/* runner_watch_start - owns fd from then on, also when it fails (false): then
 * it is closed */
bool runner_watch_start(struct runner_watch *watch, enum runner_source source,
                        int fd, void *owner);
/* runner_watch_pause - leave it out, and take it in again */
void runner_watch_pause(struct runner_watch *watch, bool pause);
/* runner_watch_end - close it; fine when it is closed */
void runner_watch_end(struct runner_watch *watch);
#endif
