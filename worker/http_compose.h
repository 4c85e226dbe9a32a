/* http_compose.h - heads as we send them: rebuilt, never copied; pure */
#ifndef WORKER_HTTP_COMPOSE_H
#define WORKER_HTTP_COMPOSE_H
#include "worker/http_request.h"
#include "worker/http_text.h"
#include "worker/http_vars.h"
#include <stdbool.h>

struct conf_route;

/*
 * http_compose_request - for the upstream, HTTP/1.1
 * Host, then the route's headers, then what the client sent of other names,
 * then one framing field. A client's field whose name is one of ours for a
 * program that reads headers as CGI does never passes; neither does anything
 * that is about one hop.
 */
void http_compose_request(const struct http_request *request,
                          const struct conf_route *route,
                          const struct http_vars *vars, struct http_out *out);

struct http_reply { /* how a response goes to the client */
    bool chunked;   /* else: the upstream's length, or until we close */
    bool close;     /* Connection: close */
    bool keep;      /* Connection: keep-alive, which HTTP/1.0 wants to hear */
    bool upgrade;   /* 101: Connection and Upgrade pass */
};

/* http_compose_response - for the client, HTTP/1.1 */
void http_compose_response(const struct http_head *head,
                           const struct http_reply *reply,
                           struct http_out *out);
#endif
