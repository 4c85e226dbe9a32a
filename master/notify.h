/* notify.h - tell the service manager how we are: sd_notify(3), without it */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H
#include "common/err.h"
#include <stdint.h>

/*
 * notify_open - to NOTIFY_SOCKET, a path or @abstract; WATCHDOG_USEC is how often
 * it wants a sign of life, if WATCHDOG_PID, when set, is ours. All three are
 * unset. Before anything forks, and before the fence: the socket stays
 * connected, so that nothing has to be opened later.
 * Without NOTIFY_SOCKET nothing below does anything.
 * ERR_SYS: there is one and it cannot be reached.
 */
enum err notify_open(struct why *why);

/* Each of these is one message; status is shown to people. A message that
 * cannot be sent is lost: there is nobody to tell.
 * notify_ready      serving, after the start or a reload, also one that failed
 * notify_reloading  a reload has begun; notify_ready follows
 * notify_stopping   no new connections */
void notify_ready(const char *status);
void notify_reloading(void);
void notify_stopping(const char *status);

/* notify_watchdog - a sign of life when it is time, twice in the interval;
 * returns the next time (clock_ms), CLOCK_NEVER: none is wanted */
int64_t notify_watchdog(int64_t now);
#endif
