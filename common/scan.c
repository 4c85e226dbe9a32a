/*
 * scan.c - the strict reading of a configuration file's bytes
 *
 * Owns lines and keys (mtlsd.conf(5)); values and sections are beside it.
 * iniparser by itself reads on where it does not understand: it cuts values,
 * joins lines and lets the last of two win. So every line is understood here
 * first, and anything doubtful is an error, never a guess.
 * Pure: no I/O, no logging. Knows no key and no kind of section.
 */
#include "common/scan.h"
#include "common/mem.h"
#include "common/scan_line.h"
#include "common/text.h"
#include <stdlib.h>
#include <string.h>

/* ---- a key ---- */

static bool
is_key_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

static char *
lower_copy(const char *key, size_t len)
{
    char *copy = mem_new(len + 1), low[SCAN_KEY_MAX + 1];

    memcpy(copy, key, len);
    (void)text_copy(copy, scan_lower(copy, low), len + 1);
    return copy;
}

/* check_key - the bytes before `=`; told when they are no key. True: it could
 * be one, if only it were written in lower case. */
static bool
check_key(struct scan_line *l, const char *key, size_t len)
{
    char shown[SCAN_SHOWN_MAX], low[SCAN_KEY_MAX + 1];
    bool upper = false, fits = len > 0 && len <= SCAN_KEY_MAX;
    size_t i;

    (void)scan_show(key, key + len, shown);
    if (len == 0)
        scan_tell(l, "a key is missing before =");
    else if (len > SCAN_KEY_MAX)
        scan_tell(l, "\"%s...\": a key has at most %d bytes", shown,
                  SCAN_KEY_MAX);
    for (i = 0; i < len && fits; i++) {
        bool big = key[i] >= 'A' && key[i] <= 'Z';

        upper |= big;
        fits = big || (is_key_byte(key[i]) && (i > 0 || key[i] != '-'));
    }
    if (!fits)
        scan_tell(l, "\"%s\" is no key: a key is made of a-z 0-9 _ . -", shown);
    else if (upper)
        scan_tell(l, "\"%s\": keys are written in lower case: %s", shown,
                  scan_lower(shown, low));
    return fits;
}

/* add_entry - room for one more key; NULL: the key cannot stand here. A key
 * on a bad line is kept without value: nobody shall say that it is missing. */
static struct scan_entry *
add_entry(struct scan_line *l, const char *key, size_t len)
{
    struct scan_section *section;
    const struct scan_entry *first;
    struct scan_entry *entry;
    char *name;

    if (!check_key(l, key, len))
        return NULL;
    if (l->scan->count == 0) {
        scan_tell(
            l, "%.*s: stands before the first section; write [mtlsd] above it",
            (int)len, key);
        return NULL;
    }
    section = &l->scan->section[l->scan->count - 1];
    name = lower_copy(key, len);
    if ((first = scan_find(section, name)) != NULL) {
        scan_tell(l, "%s: stands twice in this section, first on line %u", name,
                  first->line);
        free(name);
        return NULL;
    }
    section->entry =
        mem_array(section->entry, section->count + 1, sizeof(*section->entry));
    entry = &section->entry[section->count++];
    *entry = (struct scan_entry){ .key = name, .line = l->number };
    return entry;
}

static void
scan_key(struct scan_line *l)
{
    const char *from = l->at, *equals, *stop;
    struct scan_entry *entry;
    char shown[SCAN_SHOWN_MAX];

    equals = memchr(from, '=', (size_t)(l->end - from));
    if (equals == NULL) {
        scan_tell(l, "\"%s\" is neither a [section] nor KEY = VALUE",
                  scan_show(from, l->end, shown));
        return;
    }
    for (stop = equals; stop > from && scan_is_blank(stop[-1]);)
        stop--;
    if ((entry = add_entry(l, from, (size_t)(stop - from))) == NULL)
        return;
    l->at = equals + 1;
    if (!l->bad)
        scan_value(l, entry);
}

/* ---- a line ---- */

static void
check_ends(struct scan_line *l)
{
    if (l->number == 1 && l->end - l->at >= 3 &&
        memcmp(l->at, "\xef\xbb\xbf", 3) == 0) {
        scan_tell(
            l, "the file begins with a byte-order mark; save it without one");
        l->at += 3;
    }
    if (l->end > l->at && l->end[-1] == '\r') {
        l->end--;
        if (!l->crlf_told)
            scan_tell(l,
                      "lines end in CR LF; convert the file, for example with "
                      "dos2unix");
        l->crlf_told = true;
    }
    if (l->end - l->at > SCAN_LINE_MAX)
        scan_tell(l, "the line has %zu bytes, %d are allowed",
                  (size_t)(l->end - l->at), SCAN_LINE_MAX);
}

static void
check_bytes(struct scan_line *l)
{
    const char *at;

    for (at = l->at; at < l->end && !l->bad; at++) {
        unsigned char c = (unsigned char)*at;

        if (c == '\0')
            scan_tell(l, "the line holds a NUL byte");
        else if ((c < 0x20 && c != '\t') || c == 0x7f)
            scan_tell(l, "the line holds the control byte \\x%02x",
                      (unsigned)c);
    }
}

static void
one_line(struct scan_line *l)
{
    l->bad = false;
    check_ends(l);
    check_bytes(l);
    scan_skip_blanks(l);
    if (l->at < l->end && *l->at == '[')
        scan_section(l);
    else if (l->at < l->end && !scan_is_comment(*l->at))
        scan_key(l);
    scan_copy(l, "\n");
}

void
scan_run(const void *bytes, size_t len, struct scan *out)
{
    const char *at = len > 0 ? bytes : "", *end = at + len, *newline;
    struct scan_line l = { .scan = out };

    memset(out, 0, sizeof(*out));
    while (at < end) {
        newline = memchr(at, '\n', (size_t)(end - at));
        l.number++;
        l.at = at;
        l.end = newline != NULL ? newline : end;
        at = newline != NULL ? newline + 1 : end;
        if (out->error_count == SCAN_ERRORS_MAX) {
            l.bad = false;
            scan_tell(&l, "too many errors; the rest of the file was not read");
            break;
        }
        one_line(&l);
    }
    scan_copy(&l, ""); /* so that even an empty file has a copy */
}

void
scan_free(struct scan *scan)
{
    struct scan_section *section;
    size_t i, k;

    for (i = 0; i < scan->count; i++) {
        section = &scan->section[i];
        for (k = 0; k < section->count; k++) {
            free(section->entry[k].key);
            free(section->entry[k].value);
        }
        free(section->entry);
    }
    for (i = 0; i < scan->error_count; i++)
        free(scan->error[i].text);
    free(scan->section);
    free(scan->error);
    free(scan->copy);
    memset(scan, 0, sizeof(*scan));
}

const struct scan_entry *
scan_find(const struct scan_section *section, const char *key)
{
    size_t i;

    for (i = 0; i < section->count; i++)
        if (strcmp(section->entry[i].key, key) == 0)
            return &section->entry[i];
    return NULL;
}
