/* wait.h - the one place where a worker with a connection sleeps */
#ifndef WORKER_WAIT_H
#define WORKER_WAIT_H
#include "common/err.h"
#include "common/reason.h"
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * SIGTERM means: end your session now. It is blocked everywhere but inside
 * ppoll(2) here, so no code ever runs half-way. The end of a session's life
 * (lifetime.h) means the same. Once either came, wait_for says
 * ERR_STOP until wait_goodbye allows a last bounded wait for the farewell.
 * It may come late, for a session that is over: wait_meant names who knows.
 */

/* wait_init - in a fresh worker: handlers and mask (SIGTERM blocked, SIGPIPE
 * ignored, SIGHUP SIGINT SIGUSR1 ignored) */
enum err wait_init(struct why *why);

/*
 * wait_for - until one descriptor is ready, the deadline passes, SIGTERM,
 * or the end of the session's life
 * deadline  clock_ms based, CLOCK_NEVER allowed.
 * ERR_OK: at least one revents is set.  ERR_TIMEOUT.  ERR_STOP.  ERR_SYS.
 * Items with fd -1 or events 0 are allowed (poll(2) skips fd -1).
 */
enum err wait_for(struct pollfd *items, size_t count, int64_t deadline);

/* wait_beside - wait_for fd, -1: only for the deadline, while the client is
 * watched, -1: none is. ERR_RESET: the client is gone; one that has sent or
 * finished its half is not. */
enum err wait_beside(int fd, short events, int client_fd, int64_t deadline);

/* a wait that is longer gives memory back (ground_rest), and calls what
 * wait_on_rest named */
#define WAIT_MOMENT_MS 300
void wait_on_rest(void (*rest)(void *ctx), void *ctx);

/* wait_idle_mask - for the idle epoll_pwait: a mask that lets SIGTERM in */
const void *wait_idle_mask(void); /* sigset_t * */

/* wait_meant - who says whether a SIGTERM that came is for what is done now; if
 * not, it is forgotten. Without: it always is. */
void wait_meant(bool (*meant)(void *ctx), void *ctx);

/* wait_stopped - did SIGTERM come, and is it meant? Or is the session's life
 * over? */
bool wait_stopped(void);

/* wait_life - a session begins: what ends it is as if SIGTERM came, but the
 * worker lives on. NULL: it has ended, and so has a goodbye. */
struct lifetime;
void wait_life(const struct lifetime *life);
/* wait_life_over - why its life is over, REASON_NONE: it is not */
enum reason wait_life_over(void);

/* wait_goodbye - from now on SIGTERM no longer cuts waits short */
void wait_goodbye(void);
#endif
