/*
 * serve_upstream.c - a client's bytes to an upstream and back (protocol = tcp)
 *
 * Owns what the client hears when there is no upstream, and the upstream when we
 * cut a session short.
 */
#include "common/conf.h"
#include "worker/serve_conn.h"

struct program_client
serve_client(const struct conn *conn)
{
    return (struct program_client){ .fd = conn->client.out_fd,
                                    .session = conn->who.session,
                                    .host = conn->host_text,
                                    .port = conn->port };
}

/* no_upstream - said to the log and to the client */
static void
no_upstream(struct conn *conn, enum reason reason, const struct why *why)
{
    enum reason told = REASON_INTERNAL;

    if (reason == REASON_STOPPED)
        reason = told = serve_stop_reason(conn);
    conn->result.end = reason;
    if (reason_alert(told) < 0)
        told = REASON_INTERNAL;
    session_alert(&conn->serve->session, told);
    serve_refused(conn, "upstream", reason, &conn->serve->outbound, why);
    /* TLS has its alert; a plain end would look like all was delivered */
    if (!serve_service(conn)->listen_tls)
        stream_abort(&conn->client);
    else
        serve_farewell(conn, SERVE_REFUSED_MS);
}

bool
serve_forward(struct conn *conn)
{
    struct outbound *out = &conn->serve->outbound;
    const struct relay_times times = { .idle_ms =
                                           serve_service(conn)->idle_timeout };
    enum reason reason = REASON_INTERNAL;
    struct program_client client = serve_client(conn);
    struct why why = { "" };

    serve_state(conn, SLOT_CONNECT);
    if (outbound_open(&conn->serve->outbounds, &client, 0, out, &reason,
                      &why) != ERR_OK) {
        no_upstream(conn, reason, &why);
        return false;
    }
    serve_state(conn, SLOT_RELAY);
    conn->upstream = out->at.text;
    relay_run(&conn->client, &out->stream, &times, serve_progress, conn,
              &conn->result);
    /* cut short by us: neither end has said that it is complete */
    if (conn->result.end == REASON_IDLE_TIMEOUT ||
        conn->result.end == REASON_STOPPED)
        stream_abort(&out->stream);
    outbound_settle(&conn->serve->outbounds, out,
                    serve_service(conn)->close_timeout);
    return true;
}
