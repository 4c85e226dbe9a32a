/*
 * http_exchange.c - one request to the upstream, one response back
 *
 * Owns the loop that moves both bodies at once, the deadlines of an exchange,
 * and the one retry on a connection that had gone stale.
 * Must never hold a body, wait for one side while the other could go on, or
 * send a request twice that is not safe to send twice.
 */
#include "worker/http_conn.h"
#include "worker/stream.h"
#include "worker/wait.h"
#include "worker/yield.h"

/* An exchange that never has to wait must still see SIGTERM. */
#define LOOK_EVERY 64

/* --- the request's way ---------------------------------------------------- */

static enum http_fault
compose(struct http_conn *conn)
{
    const struct http_vars vars = { conn->service, conn->peer, &conn->request,
                                    conn->up.proxy_host };
    struct http_out out = http_end_out(&conn->upstream);

    http_compose_request(&conn->request,
                         &conn->service->route[conn->request.route], &vars,
                         &out);
    if (out.full)
        return HTTP_HEADER_ROOM;
    http_end_out_done(&conn->upstream, &out);
    return HTTP_NONE;
}

/* wants_body - should more of the request's body be read now? */
static bool
wants_body(const struct http_conn *conn)
{
    return !http_body_done(&conn->request_body) && !conn->upstream.dead &&
           http_end_roomy(&conn->upstream);
}

/* body_fill - more of the body from the client */
static enum http_fault
body_fill(struct http_conn *conn, bool *moved)
{
    ssize_t n = http_end_fill(&conn->client);

    if (n == -ERR_AGAIN)
        return HTTP_NONE;
    if (n == 0)
        return HTTP_BODY_CUT;
    if (n < 0)
        return HTTP_CLIENT_GONE;
    *moved = true;
    conn->client_read = conn->any = clock_ms();
    return HTTP_NONE;
}

/* request_flush - write what waits. An upstream that takes no more may have
 * answered already: what it said is read before it is given up. */
static void
request_flush(struct http_conn *conn, bool *moved)
{
    ssize_t n =
        conn->upstream.dead ? -ERR_AGAIN : http_end_flush(&conn->upstream);

    if (n > 0) {
        *moved = true;
        conn->upstream_write = conn->client_read = conn->any = clock_ms();
    } else if (n < 0 && n != -ERR_AGAIN) {
        conn->upstream.dead = true;
        conn->upstream.out.len = 0;
    }
}

/* request_step - what has been read of the body goes with the head, in one
 * write; then more is read */
static enum http_fault
request_step(struct http_conn *conn, bool *moved)
{
    enum http_fault fault;

    if (conn->client.in.len > 0 && wants_body(conn)) {
        fault =
            http_end_pump(&conn->request_body, &conn->client, &conn->upstream,
                          conn->request_body.framing == HTTP_CHUNKED, moved);
        if (fault != HTTP_NONE)
            return fault;
    }
    request_flush(conn, moved);
    if (conn->client.in.len > 0 || !wants_body(conn))
        return HTTP_NONE;
    return body_fill(conn, moved);
}

/* --- the client's side of the response ------------------------------------ */

static enum http_fault
client_step(struct http_conn *conn, bool *moved)
{
    ssize_t n = http_end_flush(&conn->client);

    if (n > 0) {
        *moved = true;
        conn->client_write = conn->any = clock_ms();
    } else if (n < 0 && n != -ERR_AGAIN) {
        return HTTP_CLIENT_GONE;
    }
    return HTTP_NONE;
}

/* --- waiting -------------------------------------------------------------- */

static short
both(short a, short b)
{
    return (short)((int)a | (int)b);
}

/* ask - what poll(2) shall look for. The client is watched even when nothing
 * is wanted from it: it may have gone away. */
static void
ask(const struct http_conn *conn, struct pollfd items[2])
{
    const struct stream *client = conn->client.stream,
                        *upstream = conn->upstream.stream;
    short wants[2] = { 0, 0 };

    if (conn->client.out.len > 0)
        wants[0] = client->write_events;
    if (wants_body(conn))
        wants[0] = both(wants[0], client->read_events);
    if (conn->upstream.out.len > 0)
        wants[1] = upstream->write_events;
    if (http_response_wants(conn))
        wants[1] = both(wants[1], upstream->read_events);
    items[0] = (struct pollfd){ .fd = client->fd, .events = wants[0] };
    items[1] = (struct pollfd){ .fd = wants[1] == 0 ? -1 : upstream->fd,
                                .events = wants[1] };
}

/* after - at + ms, where either may be never */
static int64_t
after(int64_t at, int64_t ms)
{
    return ms == CLOCK_NEVER || at > CLOCK_NEVER - ms ? CLOCK_NEVER : at + ms;
}

/* overdue - the earliest deadline of all that we wait for, and whose it is */
static int64_t
overdue(const struct http_conn *conn, enum http_fault *fault)
{
    int64_t body = conn->service->body_timeout, first = CLOCK_NEVER;
    const struct {
        bool on;
        int64_t at;
        enum http_fault fault;
    } waits[] = {
        { conn->client.out.len > 0, after(conn->client_write, body),
          HTTP_CLIENT_STUCK },
        { wants_body(conn), after(conn->client_read, body), HTTP_BODY_TIMEOUT },
        { conn->upstream.out.len > 0, after(conn->upstream_write, body),
          HTTP_RESPONSE_TIMEOUT },
        { http_response_wants(conn),
          after(conn->any, conn->service->idle_timeout),
          HTTP_RESPONSE_TIMEOUT },
    };

    *fault = HTTP_RESPONSE_TIMEOUT;
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
        if (waits[i].on && waits[i].at < first) {
            first = waits[i].at;
            *fault = waits[i].fault;
        }
    return first;
}

static void
tell(const struct http_conn *conn)
{
    if (conn->links->progress != NULL)
        conn->links->progress(conn->links->ctx, conn->client.got,
                              conn->client.sent);
}

/* rest - nothing moves: wait. paid: something has, since the last rest */
static enum http_fault
rest(struct http_conn *conn, bool paid)
{
    enum http_fault late;
    int64_t deadline = overdue(conn, &late);
    struct pollfd items[2];
    enum err err;

    tell(conn);
    if (clock_left(deadline) != 0 && yield_first(paid)) {
        conn->heard = true;
        return HTTP_NONE;
    }
    ask(conn, items);
    err = wait_for(items, 2, deadline);
    if (err == ERR_TIMEOUT)
        return late;
    if (err != ERR_OK)
        return HTTP_STOPPED;
    if (items[0].events == 0 && items[0].revents != 0)
        return HTTP_CLIENT_GONE;
    if (items[1].revents != 0)
        conn->heard = true;
    return HTTP_NONE;
}

/* --- the exchange --------------------------------------------------------- */

static bool
finished(const struct http_conn *conn)
{
    return (conn->stage == HTTP_COMPLETE || conn->stage == HTTP_UPGRADED) &&
           conn->client.out.len == 0;
}

/* turn - each part once */
static enum http_fault
turn(struct http_conn *conn, bool *moved)
{
    enum http_fault fault;

    /* a response that is whole ends the matter: its request may not be */
    if (conn->stage == HTTP_AWAIT_HEAD || conn->stage == HTTP_IN_BODY) {
        if ((fault = request_step(conn, moved)) != HTTP_NONE)
            return fault;
        if ((fault = http_response_step(conn, moved)) != HTTP_NONE)
            return fault;
    }
    return client_step(conn, moved);
}

static void
begin(struct http_conn *conn)
{
    conn->stage = HTTP_AWAIT_HEAD;
    conn->interim = 0;
    conn->replied = conn->keep = conn->keep_upstream = conn->chunked = false;
    conn->heard = !conn->reused; /* a kept one was just found to be silent */
    conn->any = conn->client_read = conn->client_write = conn->upstream_write =
        clock_ms();
    http_scan_begin(&conn->response_scan, HTTP_SCAN_START,
                    (size_t)conn->service->head_max,
                    (size_t)conn->service->headers_max);
}

static enum http_fault
attempt(struct http_conn *conn)
{
    enum http_fault fault;
    bool paid = true;

    begin(conn);
    if ((fault = compose(conn)) != HTTP_NONE)
        return fault;
    for (unsigned count = 1; !finished(conn); count++) {
        bool moved = false;

        if ((fault = turn(conn, &moved)) != HTTP_NONE)
            return fault;
        if (count % LOOK_EVERY == 0 && wait_stopped())
            return HTTP_STOPPED;
        paid = paid || moved;
        if (moved || finished(conn))
            continue;
        if ((fault = rest(conn, paid)) != HTTP_NONE)
            return fault;
        paid = false;
    }
    return HTTP_NONE;
}

/* stale - did a kept connection end before it said anything, so that the
 * request may be sent again? */
static bool
stale(const struct http_conn *conn, enum http_fault fault)
{
    return (fault == HTTP_UPSTREAM_EOF || fault == HTTP_UPSTREAM_RESET ||
            fault == HTTP_UPSTREAM_ERROR) &&
           conn->reused && conn->request.again && conn->interim == 0 &&
           conn->stage == HTTP_AWAIT_HEAD && conn->upstream.in.len == 0;
}

/* settle - may the upstream's connection stay? */
static void
settle(struct http_conn *conn, enum http_fault fault)
{
    bool whole = http_body_done(&conn->request_body) &&
                 conn->upstream.out.len == 0 && !conn->upstream.dead;

    if (fault == HTTP_NONE && conn->stage == HTTP_UPGRADED)
        return;
    if (fault != HTTP_NONE || !whole || !conn->keep_upstream ||
        conn->upstream.in.len > 0 || conn->upstream.eof)
        http_upstream_drop(conn, fault != HTTP_NONE || !whole);
    if (!whole)
        conn->keep = false;
}

/* blame - an upstream that broke may have said why in TLS's own words */
static void
blame(struct http_conn *conn, enum http_fault fault)
{
    if (conn->links->blame != NULL &&
        (fault == HTTP_UPSTREAM_EOF || fault == HTTP_UPSTREAM_RESET ||
         fault == HTTP_UPSTREAM_ERROR))
        conn->open_reason = conn->links->blame(conn->links->ctx, conn->route);
}

enum http_fault
http_exchange(struct http_conn *conn)
{
    enum http_fault fault = http_upstream_get(conn, false);

    if (fault != HTTP_NONE)
        return fault;
    fault = attempt(conn);
    if (stale(conn, fault)) {
        if ((fault = http_upstream_get(conn, true)) != HTTP_NONE)
            return fault;
        fault = attempt(conn);
    }
    blame(conn, fault);
    settle(conn, fault);
    tell(conn);
    return fault;
}
