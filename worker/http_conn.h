/* http_conn.h - one client connection, shared by the files that serve it */
#ifndef WORKER_HTTP_CONN_H
#define WORKER_HTTP_CONN_H
#include "common/clock.h"
#include "worker/http.h"
#include "worker/http_compose.h"
#include "worker/http_end.h"
#include "worker/http_request.h"

enum http_stage { /* of a response */
                  HTTP_AWAIT_HEAD,
                  HTTP_IN_BODY,
                  HTTP_COMPLETE,
                  HTTP_UPGRADED
};

struct http_conn {
    const struct conf_service *service;
    const struct http_peer *peer;
    const struct http_links *links;
    struct http_result *result;

    struct http_end client, upstream;
    struct http_parser *request_parser, *response_parser;
    struct http_head request_head, response_head;
    struct http_request request;
    struct http_body request_body, response_body;
    struct http_scan response_scan;

    /* the upstream connection, kept between requests */
    bool open, reused;
    size_t route; /* that it belongs to */
    struct http_upstream up;

    /* this exchange */
    enum http_stage stage;
    unsigned interim;   /* 1xx responses so far */
    bool heard;         /* the upstream may have said something */
    bool replied;       /* bytes of a final response are on their way */
    bool keep;          /* the client's connection stays */
    bool keep_upstream; /* so does the upstream's */
    bool chunked;       /* the response goes in chunks */
    int64_t client_read, client_write, upstream_write, any; /* last progress */

    /* this request, for the log */
    int64_t start;
    uint64_t sent_before;
    int status; /* 0: none was sent */
    enum http_fault fault;
    enum reason open_reason; /* why there is no upstream */
    struct why why;
    char up_text[128];
};

enum http_look { HTTP_LOOK_HEAD, HTTP_LOOK_FAULT, HTTP_LOOK_END };

/*
 * http_await - a whole head in the client's buffer
 * scan  begun with HTTP_SCAN_LEAD. Sets conn->start when the first byte comes.
 * HTTP_LOOK_HEAD it is there; HTTP_LOOK_FAULT *fault says what is wrong with
 * it, or that it did not come in time; HTTP_LOOK_END no request began: the
 * result is filled in.
 */
enum http_look http_await(struct http_conn *conn, struct http_scan *scan,
                          enum http_fault *fault);

/* http_end_with - the connection is over; `abort` as in struct http_result.
 * Always false: there is no next request. */
bool http_end_with(struct http_conn *conn, enum reason end, bool abort);

/* http_may_stay - may another request follow this one on its connection? Not
 * when the client says so, nor when this worker's time has come. */
bool http_may_stay(const struct http_conn *conn);

/* http_upstream_get - an open connection for this request's route; a kept one
 * when it is still good and `fresh` is false */
enum http_fault http_upstream_get(struct http_conn *conn, bool fresh);
/* http_upstream_drop - close it; `abort`: it must not take what it has got for
 * complete */
void http_upstream_drop(struct http_conn *conn, bool abort);

/* http_response_step - read and pass on as far as goes without waiting;
 * *moved is set when something did */
enum http_fault http_response_step(struct http_conn *conn, bool *moved);
/* http_response_wants - should more be read from the upstream? */
bool http_response_wants(const struct http_conn *conn);

/*
 * http_exchange - forward the judged request, whose head has been taken from
 * the client's buffer but still stands there, and pass on the response
 * HTTP_NONE: all of the response is with the client (conn->keep), or it was
 * 101 (conn->stage). Else what went wrong; conn->replied says whether the
 * client can still be answered.
 */
enum http_fault http_exchange(struct http_conn *conn);

/* http_log_request - its one line */
void http_log_request(struct http_conn *conn);
#endif
