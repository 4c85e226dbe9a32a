/*
 * tcp.c - options of TCP sockets
 *
 * Owns how times of the configuration become those of the kernel.
 */
#include "common/tcp.h"
#include "common/clock.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define PROBES 4 /* keep-alive probes in the second half of the time */

static void
set(int fd, int level, int option, int value)
{
    /* fails on unix sockets, which have no such thing */
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* seconds - rounded up, at least one */
static int
seconds(int64_t ms)
{
    return ms <= 1000 ? 1 : (int)((ms + 999) / 1000);
}

void
tcp_nodelay(int fd)
{
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void
tcp_ack_now(int fd)
{
    set(fd, IPPROTO_TCP, TCP_QUICKACK, 1);
}

void
tcp_dead_peer(int fd, int64_t ms)
{
    if (ms == CLOCK_NEVER) {
        set(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
        set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
        return;
    }
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds(ms / 2));
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds(ms / 2 / PROBES));
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)ms);
}

void
tcp_defer(int fd, int64_t ms)
{
    set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, ms > 0 ? seconds(ms) : 0);
}
