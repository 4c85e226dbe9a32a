/*
 * ahead.c - many TLS records by one recv(2)
 *
 * Owns the buffers between the socket and the library's way in.
 * Must never wait, read for anybody but the library, or say EAGAIN while it
 * holds a byte: whoever waits in poll(2) then would wait for bytes that are
 * here.
 */
#include "worker/ahead.h"
#include "common/mem.h"
#include "worker/pages.h"
#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>

/* Of the process: the pages that no connection needed do not exist. */
static alignas(PAGES_SIZE) uint8_t buffers[AHEAD_ENDS][AHEAD_SIZE];
static MEM_TOUCHED const struct ahead *owners[AHEAD_ENDS];

/* claim - the one that it had before (a worker's sessions are at the same place
 * for each connection), else the one claimed longest ago */
static uint8_t *
claim(const struct ahead *ahead)
{
    static MEM_TOUCHED unsigned next;
    unsigned i;

    for (i = 0; i < AHEAD_ENDS; i++)
        if (owners[i] == ahead)
            return buffers[i];
    i = next++ % AHEAD_ENDS;
    owners[i] = ahead;
    return buffers[i];
}

void
ahead_begin(struct ahead *ahead)
{
    ahead->at = claim(ahead);
    ahead->off = ahead->len = ahead->high = 0;
    ahead->dry = false;
}

/* fill - recv(2)'s results */
static ssize_t
fill(struct ahead *ahead, int fd)
{
    ssize_t n;

    if (ahead->dry) {
        ahead->dry = false;
        errno = EAGAIN;
        return -1;
    }
    do {
        n = recv(fd, ahead->at, AHEAD_SIZE, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n;
    ahead->off = 0;
    ahead->len = (size_t)n;
    if (ahead->len > ahead->high)
        ahead->high = ahead->len;
    ahead->dry = ahead->len < AHEAD_SIZE;
    return n;
}

ssize_t
ahead_recv(struct ahead *ahead, int fd, void *buf, size_t size)
{
    ssize_t n;

    if (ahead->len == 0 && (n = fill(ahead, fd)) <= 0)
        return n;
    if (size > ahead->len)
        size = ahead->len;
    memcpy(buf, ahead->at + ahead->off, size);
    ahead->off += size;
    ahead->len -= size;
    return (ssize_t)size;
}

void
ahead_trim(struct ahead *ahead)
{
    if (ahead->len > 0)
        return;
    pages_return(ahead->at, ahead->high);
    ahead->high = 0;
}

void
ahead_end(struct ahead *ahead)
{
    pages_forget(ahead->at, ahead->high);
    ahead->off = ahead->len = ahead->high = 0;
}
