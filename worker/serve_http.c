/*
 * serve_http.c - a client's requests (protocol = http)
 *
 * Owns the links by which http.h reaches upstreams, the log and the scoreboard.
 */
#include "common/conf.h"
#include "common/text.h"
#include "worker/accept.h"
#include "worker/http.h"
#include "worker/serve_conn.h"
#include "worker/wait.h"

/* open_route, close_route, blame_route, retiring - http.h's links to the outside */
static enum err
open_route(void *ctx, size_t route, struct http_upstream *up,
           enum reason *reason, struct why *why)
{
    struct conn *conn = ctx;
    struct outbound *out = &conn->serve->outbound;
    struct program_client client = serve_client(conn);
    enum err err = outbound_open(&conn->serve->outbounds, &client, route, out,
                                 reason, why);

    if (err != ERR_OK) {
        serve_refused(conn, "upstream",
                      *reason == REASON_STOPPED ? serve_stop_reason(conn)
                                                : *reason,
                      out, why);
        outbound_close(&conn->serve->outbounds, out);
        return err;
    }
    up->stream = &out->stream;
    up->text = out->at.text;
    up->proxy_host = outbound_proxy_host(&conn->serve->outbounds, out);
    return ERR_OK;
}

static void
close_route(void *ctx, size_t route)
{
    struct conn *conn = ctx;

    (void)route;
    outbound_close(&conn->serve->outbounds, &conn->serve->outbound);
}

static enum reason
blame_route(void *ctx, size_t route)
{
    struct conn *conn = ctx;
    struct outbound *out = &conn->serve->outbound;
    struct why why = { "" };

    (void)route;
    if (!outbound_refusal(&conn->serve->outbounds, out, out->stream.alert,
                          &why))
        return REASON_NONE;
    serve_refused(conn, "upstream", REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE,
                  out, &why);
    return REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE;
}

static bool
retiring(void *ctx)
{
    const struct conn *conn = ctx;

    return accept_over(conn->serve->brief);
}

void
serve_requests(struct conn *conn)
{
    const struct http_links links = { conn,        open_route, close_route,
                                      blame_route, retiring,   serve_progress };
    struct http_peer peer = { .session = conn->who.session,
                              .remote_port = conn->port };
    struct http_result result = { .end = REASON_INTERNAL };

    serve_state(conn, SLOT_RELAY);
    conn->upstream = "http";
    text_copy(peer.remote_addr, conn->host_text, sizeof(peer.remote_addr));
    http_run(serve_service(conn), &conn->client, &peer, &links, &result);
    conn->requests = result.requests;
    conn->result.in = result.in;
    conn->result.out = result.out;
    conn->result.end = result.end;
    /* in order, behind an answer; but not because the client wanted it so */
    if (result.end == REASON_RESPONDED && wait_life_over() != REASON_NONE)
        conn->result.end = REASON_STOPPED;
    conn->aborted = result.abort;
}
