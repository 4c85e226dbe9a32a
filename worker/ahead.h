/* ahead.h - many TLS records by one recv(2) */
#ifndef WORKER_AHEAD_H
#define WORKER_AHEAD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define AHEAD_SIZE 131072
#define AHEAD_ENDS 4

/*
 * Ciphertext that has come and that the library has not asked for yet: it asks
 * for five bytes, then for a body. It begins with the handshake and goes on
 * with the stream, so it belongs to the session. At most AHEAD_ENDS live at a
 * time in a process; none may move.
 */
struct ahead {
    uint8_t *at; /* AHEAD_SIZE bytes, ahead.c's; NULL: not begun */
    size_t off, len;
    size_t high; /* most that was ever there */
    bool dry;    /* the last recv(2) gave less than it might have */
};

/* ahead_begin - for a new connection: empty */
void ahead_begin(struct ahead *ahead);

/*
 * ahead_recv - recv(2), its results and errno; EINTR retried
 * What is here comes first. When a recv(2) has emptied the socket, the next
 * call that finds nothing here says EAGAIN without asking, once: then it is
 * time to wait. EAGAIN means therefore: nothing is here, poll(2) will tell.
 */
ssize_t ahead_recv(struct ahead *ahead, int fd, void *buf, size_t size);

/* ahead_holds - is something here, so that no recv(2) is needed? */
static inline bool
ahead_holds(const struct ahead *ahead)
{
    return ahead->len > 0;
}

/* ahead_trim - after bulk: pages that are not needed now go back */
void ahead_trim(struct ahead *ahead);

/* ahead_end - nothing is left for the next connection */
void ahead_end(struct ahead *ahead);

#endif
