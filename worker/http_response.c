/*
 * http_response.c - what the upstream says, on its way to the client
 *
 * Owns the reading of responses: heads are judged as strictly as a client's,
 * 1xx ones are passed on, bodies are reframed for the client's version.
 * Must never pass on a byte that it could not place, or let a body that was
 * cut look complete.
 */
#include "worker/http_conn.h"
#include "worker/stream.h"
#include <string.h>

#define INTERIM_MAX 16 /* 1xx responses before the final one */

bool
http_response_wants(const struct http_conn *conn)
{
    return (conn->stage == HTTP_AWAIT_HEAD || conn->stage == HTTP_IN_BODY) &&
           http_end_roomy(&conn->client);
}

/* compose - a head into the client's buffer */
static enum http_fault
compose(struct http_conn *conn, const struct http_reply *reply)
{
    struct http_out out = http_end_out(&conn->client);

    http_compose_response(&conn->response_head, reply, &out);
    if (out.full)
        return HTTP_BAD_RESPONSE;
    http_end_out_done(&conn->client, &out);
    return HTTP_NONE;
}

static bool
connection_says(const struct http_head *head, const char *word, size_t len)
{
    return http_connection_has(head, (struct http_text){ word, len });
}

/* upgraded - 101: is it what was asked for? */
static enum http_fault
upgraded(struct http_conn *conn)
{
    const struct http_head *head = &conn->response_head;
    const struct http_reply reply = { .upgrade = true };
    const struct http_field *field;
    size_t count;

    field = http_find(head, "upgrade", &count);
    if (!conn->request.upgrade || count != 1 ||
        !http_is(field->value, "websocket") ||
        !connection_says(head, "upgrade", 7))
        return HTTP_BAD_RESPONSE;
    conn->stage = HTTP_UPGRADED;
    conn->replied = true;
    conn->keep_upstream = conn->keep = false;
    conn->status = head->status;
    return compose(conn, &reply);
}

/* interim - 1xx: HTTP/1.0 clients don't know them */
static enum http_fault
interim(struct http_conn *conn)
{
    const struct http_reply reply = { .close = false };

    if (conn->response_head.status == 101)
        return upgraded(conn);
    if (++conn->interim > INTERIM_MAX || conn->response_head.minor == 0)
        return HTTP_BAD_RESPONSE;
    http_scan_begin(&conn->response_scan, HTTP_SCAN_START,
                    (size_t)conn->service->head_max,
                    (size_t)conn->service->headers_max);
    return conn->request.minor == 0 ? HTTP_NONE : compose(conn, &reply);
}

/* final - decide how it goes to the client, and whether connections stay */
static enum http_fault
final(struct http_conn *conn)
{
    const struct http_head *head = &conn->response_head;
    bool ends = head->framing == HTTP_UNTIL_END;
    struct http_reply reply = { .close = false };
    enum http_fault fault;

    conn->keep_upstream =
        !ends && !connection_says(head, "close", 5) &&
        (head->minor == 1 || connection_says(head, "keep-alive", 10));
    reply.chunked =
        (ends || head->framing == HTTP_CHUNKED) && conn->request.minor == 1;
    conn->keep = http_may_stay(conn) && http_body_done(&conn->request_body);
    if ((ends || head->framing == HTTP_CHUNKED) && !reply.chunked)
        conn->keep = false;
    reply.close = !conn->keep;
    reply.keep = conn->keep && conn->request.minor == 0;
    if ((fault = compose(conn, &reply)) != HTTP_NONE)
        return fault;
    conn->chunked = reply.chunked;
    conn->replied = true;
    conn->status = head->status;
    http_body_begin(&conn->response_body, head, conn->response_parser,
                    (size_t)conn->service->head_max,
                    (size_t)conn->service->headers_max);
    conn->stage =
        http_body_done(&conn->response_body) ? HTTP_COMPLETE : HTTP_IN_BODY;
    return HTTP_NONE;
}

/* not_http - an upstream of another protocol is known by its first bytes: it
 * may never say anything that ends like a head */
static bool
not_http(const char *at, size_t len)
{
    static const char start[] = "HTTP/1.";

    return memcmp(at, start, len < 7 ? len : 7) != 0;
}

/* head_step - look for a whole head in what is there */
static enum http_fault
head_step(struct http_conn *conn, bool *moved)
{
    struct http_bytes *in = &conn->upstream.in;
    struct http_scan *scan = &conn->response_scan;
    const char *at = in->at + in->off;
    size_t used;

    if (scan->len >= in->len)
        return HTTP_NONE;
    if (not_http(at, in->len) ||
        http_scan_feed(scan, at + scan->len, in->len - scan->len, &used) !=
            HTTP_NONE)
        return HTTP_BAD_RESPONSE;
    *moved = true;
    if (scan->state != HTTP_SCAN_DONE)
        return HTTP_NONE;
    if (http_head_read(conn->response_parser, at, scan->len, scan->fields,
                       conn->request.is_head,
                       &conn->response_head) != HTTP_NONE)
        return HTTP_BAD_RESPONSE;
    http_end_take(&conn->upstream, scan->len);
    return conn->response_head.status < 200 ? interim(conn) : final(conn);
}

/* ended - the upstream finished in order: where it may, or too early */
static enum http_fault
ended(struct http_conn *conn)
{
    if (conn->stage == HTTP_AWAIT_HEAD)
        return conn->upstream.in.len > 0 ? HTTP_BAD_RESPONSE
                                         : HTTP_UPSTREAM_EOF;
    if (conn->response_head.framing != HTTP_UNTIL_END)
        return HTTP_UPSTREAM_EOF;
    if (conn->chunked)
        http_end_last_chunk(&conn->client);
    conn->stage = HTTP_COMPLETE;
    return HTTP_NONE;
}

/* fill - more from the upstream */
static enum http_fault
fill(struct http_conn *conn, bool *moved)
{
    ssize_t n = http_end_fill(&conn->upstream);

    if (n == -ERR_AGAIN) {
        conn->heard = false; /* poll(2) will tell */
        return HTTP_NONE;
    }
    if (n == 0) {
        *moved = true;
        return ended(conn);
    }
    if (n < 0)
        return n == -ERR_RESET || n == -ERR_TRUNCATED ? HTTP_UPSTREAM_RESET
                                                      : HTTP_UPSTREAM_ERROR;
    *moved = true;
    conn->any = clock_ms();
    return HTTP_NONE;
}

/* use - what has been read already */
static enum http_fault
use(struct http_conn *conn, bool *moved)
{
    enum http_fault fault;

    if (conn->stage == HTTP_AWAIT_HEAD)
        return head_step(conn, moved);
    fault = http_end_pump(&conn->response_body, &conn->upstream, &conn->client,
                          conn->chunked, moved);
    if (http_body_done(&conn->response_body))
        conn->stage = HTTP_COMPLETE;
    return fault == HTTP_NONE ? HTTP_NONE : HTTP_BAD_RESPONSE;
}

enum http_fault
http_response_step(struct http_conn *conn, bool *moved)
{
    enum http_fault fault;
    bool used = false, any = false;

    /* all that is here, so that head and body go in one write */
    while (http_response_wants(conn) && conn->upstream.in.len > 0) {
        used = false;
        if ((fault = use(conn, &used)) != HTTP_NONE)
            return fault;
        if (!used)
            break;
        any = *moved = true;
    }
    if (any || !http_response_wants(conn) || !conn->heard)
        return HTTP_NONE;
    return fill(conn, moved);
}
