/* http.h - requests of one client connection, one after the other */
#ifndef WORKER_HTTP_H
#define WORKER_HTTP_H
#include "common/conf.h"
#include "common/err.h"
#include "common/reason.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;
struct stream;
struct why;

struct http_peer {                 /* what the variables of header.NAME show */
    const struct session *session; /* NULL: a plain listener */
    char remote_addr[64];          /* without port; "unix:" for unix sockets */
    uint16_t remote_port;
};

/* an open upstream; owned by the opener */
struct http_upstream {
    struct stream *stream;
    const char *text; /* its address, for logs */
    const char
        *proxy_host; /* $proxy_host: host, with the port unless default */
};

struct http_links {
    void *ctx;
    /* open - connect (and handshake) to an upstream of this route; ERR_OK, else
     * *reason (UPSTREAM_REFUSED 502, UPSTREAM_TIMEOUT 504, others 502) */
    enum err (*open)(void *ctx, size_t route, struct http_upstream *out,
                     enum reason *reason, struct why *why);
    /* close - orderly or, after stream_abort, as a reset */
    void (*close)(void *ctx, size_t route);
    /* blame - the upstream broke; called before close, may be NULL: what the
     * opener knows of why (UPSTREAM_REFUSED_OUR_CERTIFICATE), or NONE */
    enum reason (*blame)(void *ctx, size_t route);
    /* retiring - has this worker's time come? Then the request that is served is
     * the connection's last; may be NULL */
    bool (*retiring)(void *ctx);
    /* progress - payload so far, for the scoreboard; may be NULL */
    void (*progress)(void *ctx, uint64_t in, uint64_t out);
};

struct http_result {
    uint64_t in, out; /* bytes from and to the client */
    uint64_t requests;
    enum reason end; /* CLIENT_EOF, RESPONDED (we end it in order), BAD_REQUEST
                      * (refused, and said so), IDLE_TIMEOUT, STOPPED, CLIENT_*,
                      * UPSTREAM_* */
    bool abort;      /* the client is marked with stream_abort, because it must
                      * not take what it has for complete: no farewell */
};

/*
 * http_run - serve requests until the connection ends
 * Every request is parsed with llhttp (strict), judged, given its headers and
 * re-serialised canonically; every response likewise. Requests are served one
 * after the other; an upstream connection is kept for the next request to the
 * same route. Writes one `request` line per request into the log. The caller
 * closes the client.
 */
void http_run(const struct conf_service *service, struct stream *client,
              const struct http_peer *peer, const struct http_links *links,
              struct http_result *result);
#endif
