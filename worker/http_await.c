/*
 * http_await.c - waiting for a request's head
 *
 * Owns the two clocks of a connection that is between requests or in a head,
 * and the words for how it ends there.
 * Must never read past what the buffer of a head holds, or answer.
 */
#include "worker/http_conn.h"
#include "worker/stream.h"
#include "worker/wait.h"
#include "worker/yield.h"

bool
http_end_with(struct http_conn *conn, enum reason end, bool abort)
{
    conn->result->end = end;
    conn->result->abort = abort;
    if (abort)
        stream_abort(conn->client.stream);
    return false;
}

/* read_end - the word for a client that can't be read from */
static enum reason
read_end(ssize_t error)
{
    if (error == -ERR_RESET)
        return REASON_CLIENT_RESET;
    return error == -ERR_TRUNCATED ? REASON_CLIENT_TRUNCATED
                                   : REASON_CLIENT_ERROR;
}

/* silent - has nothing of a request come yet? */
static bool
silent(const struct http_conn *conn, const struct http_scan *scan)
{
    return conn->client.in.len <= scan->lead;
}

/* doze - wait; for longer than a moment without the memory that requests need */
static enum err
doze(struct http_conn *conn, struct pollfd *item, int64_t deadline)
{
    int64_t moment = clock_deadline(WAIT_MOMENT_MS);
    enum err err;

    if (moment < deadline) {
        if ((err = wait_for(item, 1, moment)) != ERR_TIMEOUT)
            return err;
        http_end_trim(&conn->client);
        http_end_trim(&conn->upstream);
    }
    return wait_for(item, 1, deadline);
}

/* pause_for - until there is more to read. HTTP_LOOK_HEAD: there is */
static enum http_look
pause_for(struct http_conn *conn, const struct http_scan *scan,
          int64_t deadline, enum http_fault *fault)
{
    const struct stream *client = conn->client.stream;
    struct pollfd item = { .fd = client->fd, .events = client->read_events };
    enum err err = doze(conn, &item, deadline);
    bool quiet = silent(conn, scan);

    if (err == ERR_OK && clock_left(deadline) != 0)
        return HTTP_LOOK_HEAD;
    if (err == ERR_OK || err == ERR_TIMEOUT) { /* dripping does not help */
        *fault = HTTP_HEAD_TIMEOUT;
        if (quiet)
            (void)http_end_with(conn, REASON_IDLE_TIMEOUT, false);
    } else {
        *fault = HTTP_STOPPED;
        if (quiet)
            (void)http_end_with(conn, REASON_STOPPED, false);
    }
    return quiet ? HTTP_LOOK_END : HTTP_LOOK_FAULT;
}

/* rest - as pause_for, or yield. paid: something has come since the last rest */
static enum http_look
rest(struct http_conn *conn, const struct http_scan *scan, int64_t deadline,
     bool paid, enum http_fault *fault)
{
    if (clock_left(deadline) != 0 && yield_first(paid))
        return HTTP_LOOK_HEAD;
    return pause_for(conn, scan, deadline, fault);
}

/* ended - the client has finished: between requests, or within one */
static enum http_look
ended(struct http_conn *conn, const struct http_scan *scan,
      enum http_fault *fault)
{
    if (silent(conn, scan)) {
        (void)http_end_with(conn, REASON_CLIENT_EOF, false);
        return HTTP_LOOK_END;
    }
    *fault = HTTP_HEAD_CUT;
    return HTTP_LOOK_FAULT;
}

/* scan_more - what has been read and not yet looked at. HTTP_LOOK_END: not whole
 * yet */
static enum http_look
scan_more(struct http_conn *conn, struct http_scan *scan,
          enum http_fault *fault)
{
    struct http_bytes *in = &conn->client.in;
    size_t seen = scan->lead + scan->len, used;

    *fault =
        http_scan_feed(scan, in->at + in->off + seen, in->len - seen, &used);
    if (*fault != HTTP_NONE)
        return HTTP_LOOK_FAULT;
    return scan->state == HTTP_SCAN_DONE ? HTTP_LOOK_HEAD : HTTP_LOOK_END;
}

enum http_look
http_await(struct http_conn *conn, struct http_scan *scan,
           enum http_fault *fault)
{
    const struct conf_service *service = conn->service;
    bool begun = conn->client.in.len > 0;
    int64_t deadline = clock_deadline(begun || conn->result->requests == 0
                                          ? service->head_timeout
                                          : service->keepalive_timeout);
    enum http_look look;
    bool paid = true; /* something has come since the last rest */

    conn->start = clock_ms();
    for (;;) {
        ssize_t n;

        if ((look = scan_more(conn, scan, fault)) != HTTP_LOOK_END)
            return look;
        n = http_end_fill(&conn->client);
        if (n == -ERR_AGAIN) {
            look = rest(conn, scan, deadline, paid, fault);
            paid = false;
            if (look != HTTP_LOOK_HEAD)
                return look;
            continue;
        }
        if (n == 0)
            return ended(conn, scan, fault);
        if (n < 0) {
            (void)http_end_with(conn, read_end(n), false);
            return HTTP_LOOK_END;
        }
        paid = true;
        if (!begun) {
            begun = true;
            conn->start = clock_ms();
            deadline = clock_deadline(service->head_timeout);
        }
    }
}
