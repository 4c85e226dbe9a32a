/* http_end.h - a stream with what was read of it and what waits to be written
 */
#ifndef WORKER_HTTP_END_H
#define WORKER_HTTP_END_H
#include "worker/http_body.h"
#include "worker/http_text.h"
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stream;

struct http_bytes { /* at + off: len bytes that are still wanted */
    char *at;
    size_t size, off, len;
    size_t top; /* how far it was ever used, for wiping */
};

struct http_end {
    struct stream *stream; /* NULL: not open */
    struct http_bytes in, out;
    bool eof;                  /* it ended in order */
    bool dead;                 /* it takes no more */
    uint64_t got, sent, taken; /* bytes in all: read, written, consumed */
};

/* http_end_init - buffers, once; false: no memory */
bool http_end_init(struct http_end *end, size_t in, size_t out);
void http_end_fini(struct http_end *end);
/* http_end_open - a new stream: counters and buffers start anew */
void http_end_open(struct http_end *end, struct stream *stream);
/* http_end_wipe - forget what went through */
void http_end_wipe(struct http_end *end);

/* http_end_trim - forget what is not wanted any more; its memory goes back */
void http_end_trim(struct http_end *end);

/* http_end_fill - read more behind what is there; stream_read's results; 0 once
 * it ended. -ERR_IO also when there is no room. */
ssize_t http_end_fill(struct http_end *end);
/* http_end_flush - write what waits; > 0 some went, 0 there was nothing */
ssize_t http_end_flush(struct http_end *end);
/* http_end_take - n bytes of what was read are used up */
void http_end_take(struct http_end *end, size_t n);

/* http_end_out - the free room of out; http_end_put_done keeps what was put */
struct http_out http_end_out(struct http_end *end);
void http_end_out_done(struct http_end *end, const struct http_out *out);

/* http_end_roomy - is it worth while to put more into out? */
bool http_end_roomy(const struct http_end *end);

/*
 * http_end_pump - body bytes that `from` has read go to what `to` will write
 * chunked  they go as chunks of ours, and the last chunk follows the end.
 * *moved   is set when something did.
 */
enum http_fault http_end_pump(struct http_body *body, struct http_end *from,
                              struct http_end *to, bool chunked, bool *moved);
/* http_end_last_chunk - the end of a chunked body */
void http_end_last_chunk(struct http_end *to);
#endif
