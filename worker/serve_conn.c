/*
 * serve_conn.c - what is told of a connection, and what the master tells it
 *
 * Owns what its files write into the slot and send to the master on the way.
 */
#include "worker/serve_conn.h"
#include "common/clock.h"
#include "worker/wait.h"

#include <string.h>
#include <sys/socket.h>

void
serve_state(const struct conn *conn, enum slot_state state)
{
    atomic_store(&serve_slot(conn)->since_ms, clock_ms());
    atomic_store(&serve_slot(conn)->state, state);
}

void
serve_report(const struct conn *conn, enum report_kind kind, uint8_t family,
             uint16_t port, enum reason reason)
{
    struct report record = { .kind = (uint8_t)kind,
                             .family = family,
                             .port = port,
                             .reason = (uint16_t)reason };

    memcpy(record.addr, conn->source, sizeof(record.addr));
    (void)send(conn->serve->brief->report_fd, &record, sizeof(record),
               MSG_NOSIGNAL);
}

void
serve_refused(const struct conn *conn, const char *stage, enum reason reason,
              const struct outbound *upstream, const struct why *why)
{
    tell_refused(&conn->who, stage, reason, upstream, why);
    atomic_fetch_add(&serve_slot(conn)->refused, 1);
}

bool
serve_meant(void *ctx)
{
    struct slot *slot = ctx;
    uint32_t session = atomic_load(&slot->end_session);

    return session == 0 || session == (uint32_t)atomic_load(&slot->connections);
}

enum reason
serve_stop_reason(const struct conn *conn)
{
    struct slot *slot = serve_slot(conn);
    uint32_t reason = serve_meant(slot) ? atomic_load(&slot->end_reason)
                                        : (uint32_t)REASON_NONE;

    if (reason_valid(reason) && reason != REASON_NONE)
        return (enum reason)reason;
    reason = (uint32_t)wait_life_over();
    return reason != REASON_NONE ? (enum reason)reason : REASON_STOPPED;
}

void
serve_progress(void *ctx, uint64_t in, uint64_t out)
{
    struct conn *conn = ctx;

    atomic_fetch_add(&serve_slot(conn)->bytes_in, in - conn->said_in);
    atomic_fetch_add(&serve_slot(conn)->bytes_out, out - conn->said_out);
    conn->said_in = in;
    conn->said_out = out;
}
