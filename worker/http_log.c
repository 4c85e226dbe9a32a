/*
 * http_log.c - the one line of a request
 *
 * Owns the fields of the `request` event. Peer text is cut by the keeper of
 * it and escaped by the logger.
 */
#include "common/log.h"
#include "common/text.h"
#include "worker/http_conn.h"
#include <stdio.h>
#include <string.h>

/* client_text - as in all other lines: 192.0.2.9:40112, [2001:db8::1]:443 */
static void
client_text(const struct http_peer *peer, char *out, size_t size)
{
    if (peer->remote_port == 0)
        (void)text_copy(out, peer->remote_addr, size);
    else if (strchr(peer->remote_addr, ':') != NULL)
        (void)snprintf(out, size, "[%s]:%u", peer->remote_addr,
                       peer->remote_port);
    else
        (void)snprintf(out, size, "%s:%u", peer->remote_addr,
                       peer->remote_port);
}

/* reason - the word, or NULL when all went well */
static const char *
reason(const struct http_conn *conn)
{
    if (conn->fault == HTTP_NONE)
        return NULL;
    if (conn->open_reason != REASON_NONE)
        return reason_word(conn->open_reason);
    return http_fault_word(conn->fault);
}

void
http_log_request(struct http_conn *conn)
{
    const struct conf_route *route = &conn->service->route[conn->request.route];
    struct log_line line;
    char client[96];

    log_begin(&line, LOG_L_INFO, "request");
    client_text(conn->peer, client, sizeof(client));
    log_text(&line, "service", conn->service->name);
    if (route->name[0] != '\0')
        log_text(&line, "route", route->name);
    log_text(&line, "client", client);
    if (conn->request.method[0] != '\0') { /* else it was no request line */
        log_text(&line, "method", conn->request.method);
        log_text(&line, "path", conn->request.target);
    }
    if (conn->status != 0)
        log_int(&line, "status", conn->status);
    if (conn->up_text[0] != '\0')
        log_text(&line, "upstream", conn->up_text);
    log_int(&line, "in", (long long)conn->client.taken);
    log_int(&line, "out", (long long)(conn->client.sent - conn->sent_before));
    log_time(&line, "time", clock_ms() - conn->start);
    log_text(&line, "reason", reason(conn));
    if (conn->why.text[0] != '\0')
        log_text(&line, "why", conn->why.text);
    log_send(&line);
}
