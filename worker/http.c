/*
 * http.c - requests of one client connection, one after the other
 *
 * Owns the life of a client's HTTP connection: wait for a head, judge it, find
 * its route, have it answered, then the next one. After anything that could not
 * be understood nothing more is read: there is no telling where the next
 * request would begin.
 * Must never close the client, or serve two requests at once.
 */
#include "worker/http.h"
#include "common/mem.h"
#include "common/text.h"
#include "worker/http_answer.h"
#include "worker/http_conn.h"
#include "worker/http_path.h"
#include "worker/relay.h"
#include "worker/stream.h"
#include "worker/wait.h"
#include <stdlib.h>
#include <string.h>

#define LEAD_ROOM 128   /* empty lines before a request */
#define READ_ROOM 16384 /* so that bodies come in large pieces */
#define OURS_ROOM 65536 /* headers of ours: a certificate is one */
#define ANSWER_MS 5000  /* for a client to take an answer of ours */

/* --- answers of our own --------------------------------------------------- */

/* flush_all - everything that waits for an end; false: it does not take it */
static bool
flush_all(struct http_end *end, int64_t deadline)
{
    struct pollfd item = { .fd = end->stream->fd };

    while (end->out.len > 0) {
        ssize_t n = http_end_flush(end);

        if (n > 0)
            continue;
        if (n != -ERR_AGAIN)
            return false;
        item.events = end->stream->write_events;
        if (wait_for(&item, 1, deadline) != ERR_OK)
            return false;
    }
    return true;
}

/* send_body - text that may be longer than the buffer */
static bool
send_body(struct http_end *client, const char *body, int64_t deadline)
{
    size_t left = strlen(body);

    while (left > 0) {
        struct http_out out = http_end_out(client);
        size_t n = left < out.size ? left : out.size;

        http_put(&out, body, n);
        http_end_out_done(client, &out);
        body += n;
        left -= n;
        if (left > 0 && !flush_all(client, deadline))
            return false;
    }
    return flush_all(client, deadline);
}

/* answer - from us; conn->keep says whether the connection stays */
static bool
answer(struct http_conn *conn, int code, const char *body)
{
    int64_t deadline = clock_deadline(ANSWER_MS);
    const char *connection = NULL;
    struct http_out out = http_end_out(&conn->client);

    if (!conn->keep)
        connection = "close";
    else if (conn->request.minor == 0)
        connection = "keep-alive";
    if (out.size < 512) /* an interim response is still in the way */
        return false;
    out.len = http_answer_head(code, strlen(body), connection, out.at, 512);
    http_end_out_done(&conn->client, &out);
    conn->status = code;
    if (conn->request.is_head || http_answer_bodiless(code))
        body = "";
    return send_body(&conn->client, body, deadline);
}

/* --- ends ----------------------------------------------------------------- */

/* fault_end - the word for a connection that ends with a fault */
static enum reason
fault_end(enum http_fault fault)
{
    switch ((int)fault) {
    case HTTP_STOPPED:
        return REASON_STOPPED;
    case HTTP_CLIENT_GONE:
        return REASON_CLIENT_RESET;
    case HTTP_CLIENT_STUCK:
        return REASON_IDLE_TIMEOUT;
    case HTTP_UPSTREAM_EOF:
    case HTTP_UPSTREAM_RESET:
        return REASON_UPSTREAM_RESET;
    case HTTP_UPSTREAM_ERROR:
    case HTTP_BAD_RESPONSE:
    case HTTP_RESPONSE_TIMEOUT:
        return REASON_UPSTREAM_ERROR;
    case HTTP_UPSTREAM_OPEN:
        return REASON_UPSTREAM_REFUSED;
    case HTTP_UPSTREAM_OPEN_TIMEOUT:
        return REASON_UPSTREAM_TIMEOUT;
    case HTTP_NO_ROUTE:
        return REASON_RESPONDED;
    default:
        return REASON_BAD_REQUEST;
    }
}

/* answered_end - the word once the client has been told: the connection then
 * ends in order, whatever happened behind us */
static enum reason
answered_end(enum http_fault fault)
{
    enum reason end = fault_end(fault);

    return end == REASON_STOPPED || end == REASON_BAD_REQUEST
               ? end
               : REASON_RESPONDED;
}

bool
http_may_stay(const struct http_conn *conn)
{
    const struct http_links *links = conn->links;

    return conn->request.keep &&
           (links->retiring == NULL || !links->retiring(links->ctx));
}

/* may_stay - the request was understood to its end, only not served */
static bool
may_stay(const struct http_conn *conn, enum http_fault fault)
{
    int code = http_fault_code(fault);

    /* without keeper or connector this worker has nothing more to give */
    if (conn->open_reason == REASON_KEEPER_GONE ||
        conn->open_reason == REASON_SIGNING_BUDGET ||
        conn->open_reason == REASON_INTERNAL)
        return false;
    return (code == 404 || code == 502 || code == 504) && http_may_stay(conn) &&
           !conn->request.body;
}

/* refuse - say what is wrong, if there is still a way to say it */
static bool
refuse(struct http_conn *conn, enum http_fault fault)
{
    int code = http_fault_code(fault);

    conn->fault = fault;
    conn->keep = may_stay(conn, fault);
    if (code == 0 || conn->replied)
        return http_end_with(conn, fault_end(fault), true);
    if (!answer(conn, code, http_phrase(code)))
        return http_end_with(conn, fault_end(fault), true);
    return conn->keep || http_end_with(conn, answered_end(fault), false);
}

/* --- one request ---------------------------------------------------------- */

/* parse - the whole head in the buffer becomes a judged request with a route */
static enum http_fault
parse(struct http_conn *conn, const struct http_scan *scan)
{
    struct http_bytes *in = &conn->client.in;
    struct http_request *request = &conn->request;
    struct http_head *head = &conn->request_head;
    enum http_fault fault;

    http_end_take(&conn->client, scan->lead);
    fault = http_head_read(conn->request_parser, in->at + in->off, scan->len,
                           scan->fields, false, head);
    http_end_take(&conn->client, scan->len);
    if (head->method.at != NULL)
        http_request_note(head, request);
    if (fault != HTTP_NONE)
        return fault;
    if ((fault = http_request_judge(head, request)) != HTTP_NONE)
        return fault;
    fault = http_route(conn->service, request->origin, &request->route);
    if (fault != HTTP_NONE)
        return fault;
    http_body_begin(&conn->request_body, head, conn->request_parser,
                    (size_t)conn->service->head_max,
                    (size_t)conn->service->headers_max);
    return HTTP_NONE;
}

/* respond - the route's own answer. A body is not waited for: the connection
 * ends instead. */
static bool
respond(struct http_conn *conn, const struct addr *addr)
{
    (void)text_copy(conn->up_text, "respond", sizeof(conn->up_text));
    conn->keep = http_may_stay(conn) && !conn->request.body;
    if (!answer(conn, addr->code, addr->body))
        return http_end_with(conn, REASON_CLIENT_RESET, true);
    return conn->keep || http_end_with(conn, REASON_RESPONDED, false);
}

/* relay_progress - the totals of a relay, on top of what was before it */
static void
relay_progress(void *ctx, uint64_t in, uint64_t out)
{
    const struct http_conn *conn = ctx;

    if (conn->links->progress != NULL)
        conn->links->progress(conn->links->ctx, conn->client.got + in,
                              conn->client.sent + out);
}

/* leftover - what one end sent right behind its head goes to the other */
static bool
leftover(struct http_end *from, struct http_end *to, int64_t deadline)
{
    struct http_out out = http_end_out(to);

    http_put(&out, from->in.at + from->in.off, from->in.len);
    http_end_out_done(to, &out);
    http_end_take(from, from->in.len);
    return !out.full && flush_all(to, deadline);
}

/* tunnel - after 101: no more HTTP, until both have finished */
static bool
tunnel(struct http_conn *conn)
{
    const struct relay_times times = { .idle_ms = conn->service->idle_timeout };
    int64_t deadline = clock_deadline(conn->service->body_timeout);
    struct relay_result relayed = { .end = REASON_CLIENT_ERROR };
    bool orderly;

    if (leftover(&conn->client, &conn->upstream, deadline) &&
        leftover(&conn->upstream, &conn->client, deadline))
        relay_run(conn->client.stream, conn->up.stream, &times, relay_progress,
                  conn, &relayed);
    conn->client.got += relayed.in;
    conn->client.taken += relayed.in;
    conn->client.sent += relayed.out;
    orderly =
        relayed.end == REASON_CLIENT_EOF || relayed.end == REASON_UPSTREAM_EOF;
    http_upstream_drop(conn, !orderly);
    return http_end_with(conn, relayed.end,
                         !orderly && relayed.end != REASON_STOPPED);
}

/* forward - to the route's upstream and back */
static bool
forward(struct http_conn *conn)
{
    enum http_fault fault = http_exchange(conn);

    if (fault != HTTP_NONE)
        return refuse(conn, fault);
    if (conn->stage == HTTP_UPGRADED)
        return tunnel(conn);
    return conn->keep || http_end_with(conn, REASON_RESPONDED, false);
}

static bool
dispatch(struct http_conn *conn)
{
    const struct conf_route *route = &conn->service->route[conn->request.route];

    if (route->upstream.count == 0)
        return refuse(conn, HTTP_NO_ROUTE);
    if (route->upstream.item[0].kind == ADDR_RESPOND)
        return respond(conn, &route->upstream.item[0]);
    return forward(conn);
}

static void
begin(struct http_conn *conn)
{
    memset(&conn->request, 0, sizeof(conn->request));
    conn->request_head.method = (struct http_text){ NULL, 0 };
    conn->request_head.target = (struct http_text){ NULL, 0 };
    conn->status = 0;
    conn->fault = HTTP_NONE;
    conn->open_reason = REASON_NONE;
    conn->why.text[0] = '\0';
    conn->up_text[0] = '\0';
    conn->keep = conn->replied = false;
    conn->client.taken = 0;
    conn->sent_before = conn->client.sent;
}

/* serve_one - false: it was the last one */
static bool
serve_one(struct http_conn *conn)
{
    enum http_fault fault = HTTP_NONE;
    struct http_scan scan;
    enum http_look look;
    bool more;

    begin(conn);
    http_scan_begin(&scan, HTTP_SCAN_LEAD, (size_t)conn->service->head_max,
                    (size_t)conn->service->headers_max);
    look = http_await(conn, &scan, &fault);
    if (look == HTTP_LOOK_END)
        return false;
    conn->result->requests++;
    if (look == HTTP_LOOK_HEAD)
        fault = parse(conn, &scan);
    more = fault == HTTP_NONE ? dispatch(conn) : refuse(conn, fault);
    http_log_request(conn);
    return more;
}

/* --- the connection ------------------------------------------------------- */

/* fields - room for as many as a head may have */
static struct http_field *
fields(size_t count)
{
    return calloc(count + 1, sizeof(struct http_field));
}

/* fini - a worker serves one service all its life; tests do not */
static void
fini(struct http_conn *conn)
{
    free(conn->request_head.field);
    free(conn->response_head.field);
    free(conn->request_parser);
    free(conn->response_parser);
    http_end_fini(&conn->client);
    http_end_fini(&conn->upstream);
    memset(conn, 0, sizeof(*conn));
}

/* init - memory that lives as long as the worker; false: there is none */
static bool
init(struct http_conn *conn, const struct conf_service *service)
{
    size_t head = (size_t)service->head_max,
           room = (size_t)service->headers_max + 1,
           in = head + LEAD_ROOM > READ_ROOM ? head + LEAD_ROOM : READ_ROOM;

    conn->request_head.room = conn->response_head.room = room;
    conn->request_head.field = fields(room);
    conn->response_head.field = fields(room);
    conn->request_parser = http_parser_new(true);
    conn->response_parser = http_parser_new(false);
    return http_end_init(&conn->client, in, 2 * in + OURS_ROOM) &&
           http_end_init(&conn->upstream, in, 2 * in + OURS_ROOM) &&
           conn->request_head.field != NULL &&
           conn->response_head.field != NULL && conn->request_parser != NULL &&
           conn->response_parser != NULL;
}

void
http_run(const struct conf_service *service, struct stream *client,
         const struct http_peer *peer, const struct http_links *links,
         struct http_result *result)
{
    static MEM_TOUCHED struct http_conn conn;
    static MEM_TOUCHED long head_max, headers_max; /* that the memory is for */

    *result = (struct http_result){ .end = REASON_INTERNAL };
    if (head_max != service->head_max || headers_max != service->headers_max) {
        fini(&conn);
        head_max = headers_max = 0;
        if (!init(&conn, service))
            return;
        head_max = service->head_max;
        headers_max = service->headers_max;
    }
    conn.service = service;
    conn.peer = peer;
    conn.links = links;
    conn.result = result;
    conn.open = false;
    http_end_open(&conn.client, client);
    http_end_open(&conn.upstream, NULL);
    while (serve_one(&conn))
        ;
    http_upstream_drop(&conn, false);
    result->in = conn.client.got;
    result->out = conn.client.sent;
    http_end_wipe(&conn.client);
    http_end_wipe(&conn.upstream);
}
