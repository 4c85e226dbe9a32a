/* upstream.h - get a connected descriptor from the connector */
#ifndef WORKER_UPSTREAM_H
#define WORKER_UPSTREAM_H
#include "common/addr.h"
#include "common/err.h"
#include "common/reason.h"
#include <stddef.h>
#include <stdint.h>

struct conf_addrs;

struct upstream {
    int fd;                    /* connected, non-blocking; the caller closes */
    char text[ADDR_TEXT_MAX];  /* the address, for the log */
    char local[ADDR_TEXT_MAX]; /* getsockname: joins our line to theirs */
    size_t index;   /* which configured address of the route it is; the next
                     * three are of that one. Meaningful with ERR_OK alone. */
    char host[256]; /* as written, IPv6 without brackets: the name for TLS;
                     * "localhost" for a unix socket */
    uint16_t port;  /* 0 for a unix socket */
};

/* upstream_ready - once, before the first upstream_open with this pair */
void upstream_ready(int connector_fd);

/*
 * upstream_open - ask (connwire.h), wait for the connection, try the next
 * address when one fails, until `timeout_ms` in all has gone by. The connector
 * hears how each of them went.
 * connector_fd  the worker's pair; borrowed.
 * client_fd     watched while waiting: its RST or a vanished client ends the
 *               attempt (ERR_RESET); client half-closed or sending is fine.
 * route, addrs  index of the service's route, and that route's configured list:
 *               host and port are taken from there and not from the connector,
 *               which must not choose the name that TLS verifies.
 * ERR_OK; ERR_TIMEOUT (UPSTREAM_TIMEOUT), ERR_IO (UPSTREAM_REFUSED), ERR_CONF
 * (UPSTREAM_NAME), ERR_STOP (STOPPED), ERR_EOF (the connector is gone:
 * INTERNAL), ERR_PEER; *reason is set to the word in parentheses, why says
 * address and errno.
 */
enum err upstream_open(int connector_fd, int client_fd, uint16_t route,
                       const struct conf_addrs *addrs, int64_t timeout_ms,
                       struct upstream *out, enum reason *reason,
                       struct why *why);
#endif
