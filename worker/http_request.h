/* http_request.h - one request, judged */
#ifndef WORKER_HTTP_REQUEST_H
#define WORKER_HTTP_REQUEST_H
#include "worker/http_head.h"
#include <stdbool.h>
#include <stddef.h>

#define HTTP_LOG_MAX 256 /* of method and target in the log */

struct http_request {
    struct http_head *head;  /* whose texts last until its bytes move */
    struct http_text host;   /* Host, or the absolute target's; may be "" */
    struct http_text origin; /* target in origin-form, or "*" */
    size_t route;
    /* these outlast the head's bytes */
    unsigned minor;
    bool is_head; /* HEAD */
    bool again;   /* idempotent and without a body: may be sent twice */
    bool keep;    /* the client wants the connection to stay */
    bool expects; /* Expect: 100-continue */
    bool upgrade; /* to WebSocket */
    bool body;    /* it has one */
    char method[32];
    char target[HTTP_LOG_MAX]; /* as it came, cut, for the log */
};

/* http_request_note - what can be said of a request that may be refused: its
 * method and target for the log, HEAD */
void http_request_note(const struct http_head *head, struct http_request *out);

/* http_request_judge - everything but route and body; HTTP_NONE, or why it is
 * refused */
enum http_fault http_request_judge(struct http_head *head,
                                   struct http_request *out);
#endif
