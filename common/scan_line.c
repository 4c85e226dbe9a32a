/*
 * scan_line.c - what every part of the scanner needs of a line
 *
 * Owns how errors are collected and how the cleaned copy grows. Pure.
 */
#include "common/scan_line.h"
#include "common/mem.h"
#include "common/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
scan_tell(struct scan_line *l, const char *format, ...)
{
    struct scan *scan = l->scan;
    struct scan_error *error;
    struct why why;
    va_list args;

    if (l->bad)
        return;
    l->bad = true;
    va_start(args, format);
    (void)vsnprintf(why.text, sizeof(why.text), format, args);
    va_end(args);
    scan->error =
        mem_array(scan->error, scan->error_count + 1, sizeof(*scan->error));
    error = &scan->error[scan->error_count++];
    error->line = l->number;
    error->text = mem_copy(why.text);
}

const char *
scan_show(const char *from, const char *to, char out[SCAN_SHOWN_MAX])
{
    (void)text_escape(from, (size_t)(to - from), out, SCAN_SHOWN_MAX);
    return out;
}

bool
scan_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool
scan_is_comment(char c)
{
    return c == ';' || c == '#';
}

void
scan_skip_blanks(struct scan_line *l)
{
    while (l->at < l->end && scan_is_blank(*l->at))
        l->at++;
}

bool
scan_at_end(struct scan_line *l, bool glued)
{
    const char *from = l->at;

    scan_skip_blanks(l);
    return l->at == l->end ||
           (scan_is_comment(*l->at) && (glued || l->at > from));
}

const char *
scan_lower(const char *word, char out[SCAN_KEY_MAX + 1])
{
    size_t i;

    for (i = 0; i < SCAN_KEY_MAX && word[i] != '\0'; i++)
        out[i] =
            (char)(word[i] | (word[i] >= 'A' && word[i] <= 'Z' ? 0x20 : 0));
    out[i] = '\0';
    return out;
}

static void
copy_bytes(struct scan_line *l, const char *bytes, size_t len)
{
    struct scan *scan = l->scan;

    if (l->copy_room - scan->copy_len < len + 1) {
        l->copy_room = l->copy_room * 2 + len + 1;
        scan->copy = mem_array(scan->copy, l->copy_room, 1);
    }
    memcpy(scan->copy + scan->copy_len, bytes, len);
    scan->copy_len += len;
    scan->copy[scan->copy_len] = '\0';
}

void
scan_copy(struct scan_line *l, const char *text)
{
    copy_bytes(l, text, strlen(text));
}
