/* respond.h - the built-in answer: respond:CODE "text" */
#ifndef WORKER_RESPOND_H
#define WORKER_RESPOND_H
#include "common/reason.h"
#include <stddef.h>
#include <stdint.h>

struct stream;

/*
 * respond_run - read one HTTP/1.x request head (llhttp, at most 16 KiB, within
 * head_ms in all), answer it once with Connection: close, then half-close.
 * HEAD gets no body; 1xx/204/304 codes get none and no length (RFC 9110 6.4,
 * 15). A head that is not HTTP is answered with 400. Date and Content-Length
 * and Content-Type: text/plain; charset=utf-8 are always there (except as the
 * RFC forbids). A request body is not read here: the caller drains.
 * in, out: payload counts, out parameters.
 * Returns RESPONDED, BAD_REQUEST (400 was sent), CLIENT_EOF (nothing sent by
 * the client), CLIENT_RESET, CLIENT_TRUNCATED, CLIENT_ERROR, IDLE_TIMEOUT
 * (head_ms went by), STOPPED.
 */
enum reason respond_run(struct stream *client, int code, const char *body,
                        int64_t head_ms, uint64_t *in, uint64_t *out);
#endif
