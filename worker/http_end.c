/*
 * http_end.c - a stream with its two buffers
 *
 * Owns the memory that requests and responses pass through: as much as a head
 * may have, never a whole body. A full buffer is not read into: that is the
 * back-pressure.
 * Must never wait, close or log.
 */
#include "worker/http_end.h"
#include "worker/pages.h"
#include "worker/stream.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room that a piece of a body needs beside itself: the chunk's size line and
 * end, and the last chunk. */
#define CHUNK_ROOM  40
#define WORTH_WHILE 1024

/* bytes_init - whole pages, so that they can be given back */
static bool
bytes_init(struct http_bytes *bytes, size_t size)
{
    bytes->size = (size + PAGES_SIZE - 1) / PAGES_SIZE * PAGES_SIZE;
    bytes->off = bytes->len = bytes->top = 0;
    return (bytes->at = aligned_alloc(PAGES_SIZE, bytes->size)) != NULL;
}

/* bytes_forget - what went through, but not what is still wanted */
static void
bytes_forget(struct http_bytes *bytes)
{
    if (bytes->len > 0)
        return;
    pages_forget(bytes->at, bytes->top);
    bytes->off = bytes->top = 0;
}

/* bytes_trim - the same, in a pause */
static void
bytes_trim(struct http_bytes *bytes)
{
    if (bytes->len > 0)
        return;
    pages_return(bytes->at, bytes->top);
    bytes->off = bytes->top = 0;
}

bool
http_end_init(struct http_end *end, size_t in, size_t out)
{
    memset(end, 0, sizeof(*end));
    return bytes_init(&end->in, in) && bytes_init(&end->out, out);
}

void
http_end_fini(struct http_end *end)
{
    free(end->in.at);
    free(end->out.at);
    end->in.at = end->out.at = NULL;
}

void
http_end_open(struct http_end *end, struct stream *stream)
{
    end->stream = stream;
    end->eof = end->dead = false;
    end->got = end->sent = end->taken = 0;
    end->in.off = end->in.len = end->out.off = end->out.len = 0;
}

void
http_end_wipe(struct http_end *end)
{
    http_end_open(end, NULL);
    bytes_forget(&end->in);
    bytes_forget(&end->out);
}

void
http_end_trim(struct http_end *end)
{
    bytes_trim(&end->in);
    bytes_trim(&end->out);
    if (end->stream != NULL)
        stream_trim(end->stream);
}

/* pack - what is wanted moves to the front */
static void
pack(struct http_bytes *bytes)
{
    if (bytes->off > 0 && bytes->len > 0)
        memmove(bytes->at, bytes->at + bytes->off, bytes->len);
    bytes->off = 0;
}

/* added - n bytes more are there */
static void
added(struct http_bytes *bytes, size_t n)
{
    bytes->len += n;
    if (bytes->off + bytes->len > bytes->top)
        bytes->top = bytes->off + bytes->len;
}

ssize_t
http_end_fill(struct http_end *end)
{
    struct http_bytes *in = &end->in;
    size_t used;
    ssize_t n;

    if (end->eof)
        return 0;
    pack(in);
    used = in->len;
    if (used == in->size)
        return -ERR_IO;
    n = stream_read(end->stream, in->at + used, in->size - used);
    if (n > 0) {
        added(in, (size_t)n);
        end->got += (uint64_t)n;
    }
    if (n == 0)
        end->eof = true;
    return n;
}

ssize_t
http_end_flush(struct http_end *end)
{
    struct http_bytes *out = &end->out;
    ssize_t n;

    if (out->len == 0)
        return 0;
    n = stream_write(end->stream, out->at + out->off, out->len);
    if (n <= 0)
        return n;
    end->sent += (uint64_t)n;
    out->off += (size_t)n;
    out->len -= (size_t)n;
    return n;
}

void
http_end_take(struct http_end *end, size_t n)
{
    end->in.off += n;
    end->in.len -= n;
    end->taken += n;
}

struct http_out
http_end_out(struct http_end *end)
{
    struct http_out out = { NULL, 0, 0, false };

    pack(&end->out);
    out.at = end->out.at + end->out.len;
    out.size = end->out.size - end->out.len;
    return out;
}

void
http_end_out_done(struct http_end *end, const struct http_out *out)
{
    added(&end->out, out->len);
}

bool
http_end_roomy(const struct http_end *end)
{
    return end->out.size - end->out.len >= WORTH_WHILE;
}

void
http_end_last_chunk(struct http_end *to)
{
    struct http_out out = http_end_out(to);

    http_puts(&out, "0\r\n\r\n");
    http_end_out_done(to, &out);
}

/* put_piece - payload, as a chunk when it goes in chunks */
static void
put_piece(struct http_end *to, struct http_text payload, bool chunked)
{
    struct http_out out = http_end_out(to);
    char line[24];

    if (payload.len == 0)
        return;
    if (chunked) {
        (void)snprintf(line, sizeof(line), "%zx\r\n", payload.len);
        http_puts(&out, line);
    }
    http_put_text(&out, payload);
    if (chunked)
        http_puts(&out, "\r\n");
    http_end_out_done(to, &out);
}

enum http_fault
http_end_pump(struct http_body *body, struct http_end *from,
              struct http_end *to, bool chunked, bool *moved)
{
    enum http_fault fault;

    while (!http_body_done(body) && from->in.len > 0 && http_end_roomy(to)) {
        size_t room = to->out.size - to->out.len - CHUNK_ROOM, used;
        size_t len = from->in.len < room ? from->in.len : room;
        struct http_text payload;

        fault = http_body_feed(body, from->in.at + from->in.off, len, &used,
                               &payload);
        if (fault != HTTP_NONE)
            return fault;
        put_piece(to, payload, chunked);
        http_end_take(from, used);
        *moved = true;
        if (http_body_done(body) && chunked)
            http_end_last_chunk(to);
    }
    return HTTP_NONE;
}
