/*
 * http_body.c - where a body's payload is in the bytes, and where it ends
 *
 * Owns the framing of bodies. Counts for itself, and asks llhttp after every
 * piece whether it has seen as much payload and the same end.
 * Must never hold a byte of a body. Pure but for the parser.
 *
 *   SIZE --hex--> DIGITS [--;--> EXTENSION] --CR--> SIZE_LF --LF--> CHUNK
 *   CHUNK --all--> CHUNK_CR --CR--> CHUNK_LF --LF--> SIZE
 *   SIZE_LF --LF, size 0--> TRAILERS --empty line--> DONE
 */
#include "worker/http_body.h"
#include <stdlib.h>

#define DIGITS_MAX 15  /* of a chunk's size: no overflow to think of */
#define LINE_MAX_  256 /* of a size line with its extensions */

void
http_body_begin(struct http_body *body, const struct http_head *head,
                struct http_parser *parser, size_t head_max, size_t fields_max)
{
    body->framing = head->framing;
    body->left = head->length;
    body->line = 0;
    body->parser = parser;
    body->state = HTTP_BODY_PLAIN;
    http_scan_begin(&body->trailers, HTTP_SCAN_LINE, head_max, fields_max);
    if (head->framing == HTTP_CHUNKED)
        body->state = HTTP_BODY_SIZE;
    if (head->framing == HTTP_NO_BODY ||
        (head->framing == HTTP_LENGTH && head->length == 0))
        body->state = HTTP_BODY_DONE;
}

/* plain - payload as far as it goes */
static void
plain(struct http_body *body, const char *at, size_t len, size_t *used,
      struct http_text *payload, enum http_body_state next)
{
    *used = len;
    if (body->framing != HTTP_UNTIL_END) {
        if (body->left < len)
            *used = (size_t)body->left;
        body->left -= *used;
        if (body->left == 0)
            body->state = next;
    }
    *payload = (struct http_text){ at, *used };
}

/* digit - one of a chunk's size */
static enum http_fault
digit(struct http_body *body, char byte)
{
    int value = http_hex(byte);

    if (value < 0 || ++body->line > DIGITS_MAX)
        return HTTP_BAD_CHUNK;
    body->left = body->left * 16 + (unsigned)value;
    body->state = HTTP_BODY_DIGITS;
    return HTTP_NONE;
}

/* extension - printable, no longer than reasonable */
static enum http_fault
extension(struct http_body *body, char byte)
{
    if (byte == '\r') {
        body->state = HTTP_BODY_SIZE_LF;
        return HTTP_NONE;
    }
    if (((unsigned char)byte < 0x20 && byte != '\t') || byte == 0x7f ||
        ++body->line > LINE_MAX_)
        return HTTP_BAD_CHUNK;
    return HTTP_NONE;
}

/* turn_to - expect one byte, then go on there */
static enum http_fault
turn_to(struct http_body *body, char byte, char want, enum http_body_state next)
{
    body->state = next;
    return byte == want ? HTTP_NONE : HTTP_BAD_CHUNK;
}

/* frame - one byte of what stands around the chunks */
static enum http_fault
frame(struct http_body *body, char byte)
{
    switch (body->state) {
    case HTTP_BODY_SIZE:
        body->left = 0;
        body->line = 0;
        return digit(body, byte);
    case HTTP_BODY_DIGITS:
        if (byte != ';' && byte != '\r')
            return digit(body, byte);
        body->state = HTTP_BODY_EXTENSION;
        return byte == '\r' ? extension(body, byte) : HTTP_NONE;
    case HTTP_BODY_EXTENSION:
        return extension(body, byte);
    case HTTP_BODY_SIZE_LF:
        return turn_to(body, byte, '\n',
                       body->left == 0 ? HTTP_BODY_TRAILERS : HTTP_BODY_CHUNK);
    case HTTP_BODY_CHUNK_CR:
        return turn_to(body, byte, '\r', HTTP_BODY_CHUNK_LF);
    case HTTP_BODY_CHUNK_LF:
        return turn_to(body, byte, '\n', HTTP_BODY_SIZE);
    case HTTP_BODY_PLAIN:
    case HTTP_BODY_CHUNK:
    case HTTP_BODY_TRAILERS:
    case HTTP_BODY_DONE:
        break;
    }
    abort(); /* advance sends those elsewhere */
}

/* advance - our own count */
static enum http_fault
advance(struct http_body *body, const char *at, size_t len, size_t *used,
        struct http_text *payload)
{
    enum http_fault fault;

    if (body->state == HTTP_BODY_PLAIN) {
        plain(body, at, len, used, payload, HTTP_BODY_DONE);
        return HTTP_NONE;
    }
    if (body->state == HTTP_BODY_CHUNK) {
        plain(body, at, len, used, payload, HTTP_BODY_CHUNK_CR);
        return HTTP_NONE;
    }
    if (body->state == HTTP_BODY_TRAILERS) {
        fault = http_scan_feed(&body->trailers, at, len, used);
        if (body->trailers.state == HTTP_SCAN_DONE)
            body->state = HTTP_BODY_DONE;
        return fault;
    }
    *used = 1;
    return frame(body, *at);
}

enum http_fault
http_body_feed(struct http_body *body, const char *at, size_t len, size_t *used,
               struct http_text *payload)
{
    enum http_fault fault;
    size_t seen;
    bool done;

    *payload = (struct http_text){ at, 0 };
    *used = 0;
    if ((fault = advance(body, at, len, used, payload)) != HTTP_NONE)
        return fault;
    if (!http_parser_body(body->parser, at, *used, &seen, &done) ||
        seen != payload->len || done != http_body_done(body))
        return HTTP_BAD_CHUNK;
    return HTTP_NONE;
}
