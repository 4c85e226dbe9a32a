/*
 * http_text.c - pieces of a head
 *
 * Owns when two names are the same. Pure: no I/O, no allocation, no locale.
 */
#include "worker/http_text.h"
#include <stdio.h>
#include <string.h>

bool
http_tchar(unsigned char byte)
{
    if ((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
        (byte >= 'A' && byte <= 'Z'))
        return true;
    return byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL;
}

char
http_lower(char byte)
{
    return (char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
}

int
http_hex(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte = http_lower(byte);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool
blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

struct http_text
http_trim(struct http_text text)
{
    while (text.len > 0 && blank(text.at[0])) {
        text.at++;
        text.len--;
    }
    while (text.len > 0 && blank(text.at[text.len - 1]))
        text.len--;
    return text;
}

bool
http_same(struct http_text a, struct http_text b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (http_lower(a.at[i]) != http_lower(b.at[i]))
            return false;
    return true;
}

bool
http_is(struct http_text text, const char *word)
{
    return http_same(text, (struct http_text){ word, strlen(word) });
}

/* folded - as a CGI program would see it */
static char
folded(char byte)
{
    byte = http_lower(byte);
    return (char)((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9')
                      ? byte
                      : '-');
}

bool
http_alike(struct http_text a, struct http_text b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (folded(a.at[i]) != folded(b.at[i]))
            return false;
    return true;
}

bool
http_like(struct http_text a, const char *name)
{
    return http_alike(a, (struct http_text){ name, strlen(name) });
}

bool
http_word(struct http_text *list, struct http_text *word)
{
    while (list->len > 0) {
        const char *comma = memchr(list->at, ',', list->len);
        size_t len = comma == NULL ? list->len : (size_t)(comma - list->at);

        *word = http_trim((struct http_text){ list->at, len });
        if (comma != NULL)
            len++;
        list->at += len;
        list->len -= len;
        if (word->len > 0)
            return true;
    }
    return false;
}

void
http_put(struct http_out *out, const void *data, size_t len)
{
    if (out->full || out->size - out->len < len) {
        out->full = true;
        return;
    }
    if (len > 0)
        memcpy(out->at + out->len, data, len);
    out->len += len;
}

void
http_puts(struct http_out *out, const char *text)
{
    http_put(out, text, strlen(text));
}

void
http_put_text(struct http_out *out, struct http_text text)
{
    http_put(out, text.at, text.len);
}

void
http_put_number(struct http_out *out, uint64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);

    http_put(out, text, n < 0 ? 0 : (size_t)n);
}
