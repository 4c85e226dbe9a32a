/*
 * serve_end.c - the end of a connection: its log line, the client's goodbye
 *
 * Owns who is ended in order, and who must take it for cut off.
 */
#include "common/clock.h"
#include "common/conf.h"
#include "worker/serve_conn.h"
#include "worker/wait.h"

#define GOODBYE_MS 500        /* of a session that was told to end */
#define DRAIN_MAX  (1u << 20) /* bytes thrown away after our end */

void
serve_farewell(struct conn *conn, int64_t ms)
{
    struct pollfd item = { .fd = conn->client.out_fd, .events = POLLOUT };
    int64_t deadline = clock_deadline(ms);

    while (stream_shut(&conn->client) == -ERR_AGAIN)
        if (wait_for(&item, 1, deadline) != ERR_OK)
            return;
    stream_drain(&conn->client, DRAIN_MAX, deadline);
}

void
serve_say_done(struct conn *conn)
{
    struct outbound *out = &conn->serve->outbound;
    struct why why = { "" };
    struct tell_end end = {
        .upstream = conn->upstream,
        .outbound = out->open ? out : NULL,
        .in = conn->result.in,
        .out = conn->result.out,
        .requests = conn->requests,
        .time_ms = clock_ms() - conn->start,
        .end = conn->result.end,
        .alert = conn->result.alert,
    };

    if (conn->result.end == REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE &&
        outbound_refusal(&conn->serve->outbounds, out, conn->result.alert,
                         &why))
        serve_refused(conn, "upstream", conn->result.end, out, &why);
    else
        tell_done(&conn->who, &end);
}

void
serve_finish(struct conn *conn)
{
    if (conn->aborted)
        return;
    if (conn->stopped) {
        wait_goodbye();
        serve_farewell(conn, GOODBYE_MS);
        return;
    }
    switch ((int)conn->result.end) {
    case REASON_CLIENT_RESET:
    case REASON_CLIENT_TRUNCATED:
    case REASON_CLIENT_ERROR:
    case REASON_UPSTREAM_RESET:
    case REASON_UPSTREAM_TRUNCATED:
    case REASON_UPSTREAM_ERROR:
    case REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE:
        return; /* relay.h has marked what is to be reset */
    case REASON_IDLE_TIMEOUT:
        /* http ends idle connections in order, between two answers */
        if (serve_service(conn)->protocol != CONF_PROTOCOL_HTTP) {
            stream_abort(&conn->client);
            return;
        }
        serve_farewell(conn, serve_service(conn)->close_timeout);
        return;
    default:
        serve_farewell(conn, serve_service(conn)->close_timeout);
        return;
    }
}
