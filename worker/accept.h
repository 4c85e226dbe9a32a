/* accept.h - an idle worker waits for its next connection, or for its end */
#ifndef WORKER_ACCEPT_H
#define WORKER_ACCEPT_H
#include "common/err.h"
#include <stdbool.h>
#include <sys/socket.h>

struct worker_brief;

struct accept {
    int epoll_fd;
    const struct worker_brief *brief;
};

/* accept_init - listeners (EPOLLEXCLUSIVE: one connection wakes one worker),
 * leash, and the pairs to keeper and connector */
enum err accept_init(const struct worker_brief *brief, struct accept *out,
                     struct why *why);

/* accept_over - has this worker's time come: the leash, SIGTERM, or a pair that
 * has closed? Never waits. */
bool accept_over(const struct worker_brief *brief);

/*
 * accept_next - block until there is a connection
 * *fd is it: non-blocking, close-on-exec; *sa and *len its address.
 * ERR_OK.  ERR_STOP: retire (leash, SIGTERM, keeper or connector gone); a
 * connection that had already woken us is served first, because nobody else
 * was woken for it.  ERR_SYS: epoll failed.
 */
enum err accept_next(struct accept *accept, int *fd,
                     struct sockaddr_storage *sa, socklen_t *len,
                     struct why *why);
#endif
