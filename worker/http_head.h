/* http_head.h - a whole head, as both readers understand it */
#ifndef WORKER_HTTP_HEAD_H
#define WORKER_HTTP_HEAD_H
#include "worker/http_fault.h"
#include "worker/http_text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_field {
    struct http_text name, value; /* value: trimmed */
};

enum http_framing {
    HTTP_NO_BODY,
    HTTP_LENGTH,
    HTTP_CHUNKED,
    HTTP_UNTIL_END /* responses only: the body ends with the connection */
};

/* all texts point into the bytes that were read */
struct http_head {
    struct http_text method, target; /* requests */
    int status;                      /* responses */
    struct http_text phrase;
    unsigned minor; /* HTTP/1.minor: 0 or 1 */
    size_t count, room;
    struct http_field *field; /* `room` of them, the owner's */
    enum http_framing framing;
    bool has_length; /* Content-Length was there, framing or not */
    uint64_t length;
};

struct http_parser; /* llhttp, hidden here */

/* http_parser_new - one for requests, one for responses, as long as the
 * process lives; NULL: no memory */
struct http_parser *http_parser_new(bool request);

/*
 * http_head_read - a head that http_scan has found whole: start line, fields,
 * framing (RFC 9112 6.3, without its leniencies: exactly one Content-Length of
 * digits, or exactly `Transfer-Encoding: chunked`, never both).
 * head->field, head->room  given; `room` is at least the scan's count.
 * count     the scan's: llhttp must have found as many.
 * head_only for a response: the request was HEAD.
 * Requests are not judged beyond that: http_request.h.
 */
enum http_fault http_head_read(struct http_parser *parser, const char *at,
                               size_t len, size_t count, bool head_only,
                               struct http_head *head);

/* http_parser_body - the body's raw bytes, for the second opinion: how much
 * payload llhttp saw in them, and whether the message ended. false: refused. */
bool http_parser_body(struct http_parser *parser, const char *at, size_t len,
                      size_t *payload, bool *done);

/* http_find - the first field of this name, NULL: none; *count, may be NULL:
 * how many there are */
const struct http_field *http_find(const struct http_head *head,
                                   const char *name, size_t *count);
/* http_connection_has - does a Connection field name it? */
bool http_connection_has(const struct http_head *head, struct http_text name);
/* http_hop - is this field about one hop only: Connection and what it names,
 * Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade, and
 * Content-Length, which we write anew; also when spelled with `_`? */
bool http_hop(const struct http_head *head, struct http_text name);
#endif
