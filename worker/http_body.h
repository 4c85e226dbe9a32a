/* http_body.h - where a body's payload is in the bytes, and where it ends */
#ifndef WORKER_HTTP_BODY_H
#define WORKER_HTTP_BODY_H
#include "worker/http_head.h"
#include "worker/http_scan.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_body_state {
    HTTP_BODY_PLAIN, /* `left` bytes of payload, or until the end */
    HTTP_BODY_SIZE,  /* at the first digit of a chunk's size */
    HTTP_BODY_DIGITS,
    HTTP_BODY_EXTENSION,
    HTTP_BODY_SIZE_LF,
    HTTP_BODY_CHUNK,
    HTTP_BODY_CHUNK_CR,
    HTTP_BODY_CHUNK_LF,
    HTTP_BODY_TRAILERS,
    HTTP_BODY_DONE
};

struct http_body {
    enum http_body_state state;
    enum http_framing framing;
    uint64_t left;
    unsigned line; /* bytes of the chunk's size line */
    struct http_scan trailers;
    struct http_parser *parser; /* borrowed; it has read the head */
};

/* http_body_begin - after a head; the parser that read it gives the second
 * opinion. head_max, fields_max limit the trailers as they do a head. */
void http_body_begin(struct http_body *body, const struct http_head *head,
                     struct http_parser *parser, size_t head_max,
                     size_t fields_max);

/*
 * http_body_feed - the next raw bytes, len > 0, of a body that is not done
 * *used     out: how many were taken, > 0 unless there is a fault.
 * *payload  out: those of them that are payload, in one piece; may be empty.
 * Chunk extensions and trailers are read, judged and thrown away (RFC 9110
 * 6.5.1 allows that; a trailer can't pretend to be a header then).
 * HTTP_NONE or what is wrong.
 */
enum http_fault http_body_feed(struct http_body *body, const char *at,
                               size_t len, size_t *used,
                               struct http_text *payload);

static inline bool
http_body_done(const struct http_body *body)
{
    return body->state == HTTP_BODY_DONE;
}
#endif
