/* upstream.h - get a connected descriptor from the connector */
#ifndef WORKER_UPSTREAM_H
#define WORKER_UPSTREAM_H
#include "common/addr.h"
#include "common/err.h"
#include "common/reason.h"
#include <stdint.h>

struct upstream {
    int fd;                    /* connected, non-blocking; the caller closes */
    char text[ADDR_TEXT_MAX];  /* the address, for the log */
    char local[ADDR_TEXT_MAX]; /* getsockname: joins our line to theirs */
};

/*
 * upstream_open - ask (connwire.h), wait for the connection, try the next
 * address when one fails, until `timeout_ms` in all has gone by.
 * connector_fd  the worker's pair; borrowed.
 * client_fd     watched while waiting: its RST or a vanished client ends the
 *               attempt (ERR_RESET); client half-closed or sending is fine.
 * ERR_OK; ERR_TIMEOUT (UPSTREAM_TIMEOUT), ERR_IO (UPSTREAM_REFUSED), ERR_CONF
 * (UPSTREAM_NAME), ERR_STOP (STOPPED), ERR_EOF (the connector is gone:
 * INTERNAL), ERR_PEER; *reason is set to the word in parentheses, why says
 * address and errno.
 */
enum err upstream_open(int connector_fd, int client_fd, int64_t timeout_ms,
                       struct upstream *out, enum reason *reason,
                       struct why *why);
#endif
