/* http_text.h - pieces of a head: names, lists of words, and text on its way
 * out; pure */
#ifndef WORKER_HTTP_TEXT_H
#define WORKER_HTTP_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* bytes of somebody else's buffer; not terminated */
struct http_text {
    const char *at;
    size_t len;
};

/* http_tchar - may this byte stand in a field name? RFC 9110 5.6.2 */
bool http_tchar(unsigned char byte);
/* http_lower - ASCII only: no locale has a say here */
char http_lower(char byte);
/* http_hex - the value of a hexadecimal digit, -1: it is none */
int http_hex(char byte);
/* http_trim - without spaces and tabs at both ends */
struct http_text http_trim(struct http_text text);

/* http_is - are these the same letters, in any case? */
bool http_is(struct http_text text, const char *word);
bool http_same(struct http_text a, struct http_text b);
/* http_like - the same name for a program that reads headers as CGI does: any
 * case, and `_` is `-` */
bool http_like(struct http_text a, const char *name);
bool http_alike(struct http_text a, struct http_text b);

/* http_word - the next element of a comma-separated list, trimmed; empty ones
 * are left out; false: no more. *list is what remains. */
bool http_word(struct http_text *list, struct http_text *word);

/* a place to write to; what does not fit makes it full, and it stays so */
struct http_out {
    char *at;
    size_t len, size;
    bool full;
};

void http_put(struct http_out *out, const void *data, size_t len);
void http_puts(struct http_out *out, const char *text);
void http_put_text(struct http_out *out, struct http_text text);
void http_put_number(struct http_out *out, uint64_t value);
#endif
