/* accept.h - an idle worker waits for its next connection, or for its end */
#ifndef WORKER_ACCEPT_H
#define WORKER_ACCEPT_H
#include "common/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct worker_brief;

struct accept {
    int epoll_fd;
    const struct worker_brief *brief;
    bool watching;   /* the listeners are in the epoll set */
    int64_t said_at; /* when accept_failed was last written, 0: never */
};

/* accept_init - what an idle worker waits for: listeners and leash
 * (EPOLLEXCLUSIVE: one connection, or one byte, wakes one worker), the pairs to
 * keeper and connector */
enum err accept_init(const struct worker_brief *brief, struct accept *out,
                     struct why *why);

/* accept_over - must this worker go after its connection: the end of the leash,
 * SIGTERM, or a pair that has closed? A byte on the leash is for idle ones.
 * Never waits. */
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
