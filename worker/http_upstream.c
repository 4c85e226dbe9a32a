/*
 * http_upstream.c - the connection to the upstream, kept between requests
 *
 * Owns the decision whether a kept connection may be used again: only when the
 * upstream has said nothing that nobody asked for.
 */
#include "common/text.h"
#include "worker/http_conn.h"
#include "worker/stream.h"

void
http_upstream_drop(struct http_conn *conn, bool abort)
{
    if (!conn->open)
        return;
    if (abort)
        stream_abort(conn->up.stream);
    else
        (void)stream_shut(conn->up.stream); /* close_notify: RFC 8446 6.1 */
    conn->links->close(conn->links->ctx, conn->route);
    conn->open = false;
    conn->upstream.stream = NULL;
}

/* quiet - nothing to read, and no end: bytes between two responses would be
 * taken for the answer to the next request */
static bool
quiet(struct http_conn *conn)
{
    stream_recheck(conn->upstream.stream);
    return conn->upstream.in.len == 0 && !conn->upstream.eof &&
           http_end_fill(&conn->upstream) == -ERR_AGAIN;
}

/* no_upstream - the fault for an opener's reason */
static enum http_fault
no_upstream(enum reason reason)
{
    if (reason == REASON_UPSTREAM_TIMEOUT)
        return HTTP_UPSTREAM_OPEN_TIMEOUT;
    if (reason == REASON_STOPPED)
        return HTTP_STOPPED;
    if (reason == REASON_CLIENT_GONE || reason == REASON_CLIENT_RESET)
        return HTTP_CLIENT_GONE;
    return HTTP_UPSTREAM_OPEN;
}

enum http_fault
http_upstream_get(struct http_conn *conn, bool fresh)
{
    size_t route = conn->request.route;

    if (conn->open && (fresh || conn->route != route || !quiet(conn)))
        http_upstream_drop(conn, false);
    conn->reused = conn->open;
    if (conn->open) {
        (void)text_copy(conn->up_text, conn->up.text, sizeof(conn->up_text));
        return HTTP_NONE;
    }
    conn->open_reason = REASON_UPSTREAM_REFUSED;
    conn->up = (struct http_upstream){ NULL, "", "" };
    if (conn->links->open(conn->links->ctx, route, &conn->up,
                          &conn->open_reason, &conn->why) != ERR_OK)
        return no_upstream(conn->open_reason);
    conn->open_reason = REASON_NONE;
    conn->why.text[0] = '\0'; /* of attempts that came to nothing */
    conn->open = true;
    conn->route = route;
    (void)text_copy(conn->up_text, conn->up.text, sizeof(conn->up_text));
    http_end_open(&conn->upstream, conn->up.stream);
    return HTTP_NONE;
}
