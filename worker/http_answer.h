/* http_answer.h - answers of our own: phrases, dates, heads; pure */
#ifndef WORKER_HTTP_ANSWER_H
#define WORKER_HTTP_ANSWER_H
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* http_phrase - RFC 9110 15 and the registry of status codes; "" when unknown */
const char *http_phrase(int code);

/* http_date - IMF-fixdate (RFC 9110 5.6.7) */
void http_date(time_t now, char *out, size_t size);

/* http_answer_bodiless - 1xx, 204, 205 and 304 carry no body of ours */
bool http_answer_bodiless(int code);

/*
 * http_answer_head - the head of a built-in answer of text/plain
 * connection  "close", "keep-alive", or NULL for no such field.
 * Returns its length; 256 bytes of room are enough.
 */
size_t http_answer_head(int code, size_t body_len, const char *connection,
                        char *out, size_t size);
#endif
