/*
 * scan_value.c - what stands behind `=`
 *
 * Owns quotes, commas, comments behind a value, and how a value is written so
 * that iniparser 4.1 and 4.2 read it alike. Pure; knows no key.
 */
#include "common/mem.h"
#include "common/scan_line.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* bare - can a value stand without quotes? */
static bool
bare(const char *value)
{
    size_t len = strlen(value);

    return len > 0 && strpbrk(value, ";#") == NULL && value[0] != '"' &&
           value[0] != '\'' && !scan_is_blank(value[0]) &&
           !scan_is_blank(value[len - 1]) && value[len - 1] != '\\';
}

enum err
scan_quote(const char *value, bool quoted, char *out, size_t size)
{
    char quote[2] = "";
    int n;

    if (value[0] == '\0' || (quoted && strchr(value, '"') == NULL))
        quote[0] = '"';
    else if (quoted)
        return ERR_FORMAT;
    else if (bare(value))
        quote[0] = '\0';
    else if (strchr(value, '\'') == NULL)
        quote[0] = '\'';
    else
        return ERR_FORMAT;
    if (strchr(value, '\\') != NULL &&
        (quote[0] != '\0' || strchr(value, '"') != NULL))
        return ERR_FORMAT;
    n = snprintf(out, size, "%s%s%s", quote, value, quote);
    return n < 0 || (size_t)n >= size ? ERR_RANGE : ERR_OK;
}

/* take - the bytes of a value become the entry's */
static void
take(struct scan_entry *entry, const char *from, const char *to, bool quoted)
{
    entry->value = mem_new((size_t)(to - from) + 1);
    memcpy(entry->value, from, (size_t)(to - from));
    entry->quoted = quoted;
}

/* single_quoted - 'all of it'; at stands on the opening quote */
static void
single_quoted(struct scan_line *l, struct scan_entry *entry)
{
    const char *from = l->at + 1, *at;

    for (at = from; at < l->end && *at != '\''; at++)
        if (*at == '\\' || *at == '\t')
            scan_tell(l, "%s: a %s cannot stand inside quotes", entry->key,
                      *at == '\t' ? "tab" : "backslash");
    if (at == l->end) {
        scan_tell(l, "%s: the single quote is never closed", entry->key);
        return;
    }
    l->at = at + 1;
    if (!scan_at_end(l, false))
        scan_tell(
            l,
            "%s: text after the closing quote; single quotes stand around "
            "a whole value",
            entry->key);
    else
        take(entry, from, at, at == from);
}

/* what stands in a value without single quotes around it */
struct value {
    bool open;   /* inside double quotes */
    bool closed; /* behind a closing quote, no comma yet */
    bool rest;   /* respond: and exec: take all that follows */
    bool backslash;
    unsigned quotes;  /* opening ones */
    const char *stop; /* behind the last byte that is not blank */
};

static void
inside_quotes(struct scan_line *l, struct value *v,
              const struct scan_entry *entry)
{
    if (*l->at == '"') {
        v->open = false;
        v->closed = true;
    } else if (*l->at == '\\' || *l->at == '\t') {
        scan_tell(l, "%s: a %s cannot stand inside quotes", entry->key,
                  *l->at == '\t' ? "tab" : "backslash");
    }
    v->stop = l->at + 1;
}

/* outside_quotes - false: a comment begins, the value is over */
static bool
outside_quotes(struct scan_line *l, struct value *v,
               const struct scan_entry *entry)
{
    char c = *l->at;
    bool gap = v->stop != l->at; /* blank space stands before it */

    if (scan_is_blank(c))
        return true;
    if (scan_is_comment(c) && gap)
        return false;
    if (scan_is_comment(c))
        scan_tell(
            l,
            "%s: %c is glued to the value; write a blank before a comment, "
            "or quotes around a value that holds %c",
            entry->key, c, c);
    if (v->closed && c != ',' && !(v->rest && gap))
        scan_tell(
            l,
            "%s: text after a closing quote; only a comma or a comment may "
            "follow",
            entry->key);
    v->closed = false;
    v->open = c == '"';
    v->quotes += v->open;
    v->backslash |= c == '\\';
    v->stop = l->at + 1;
    return true;
}

/* end_value - the whole value was seen: what does it look like? */
static void
end_value(struct scan_line *l, const struct value *v, const char *from,
          struct scan_entry *entry)
{
    if (v->open)
        scan_tell(l, "%s: a double quote is never closed", entry->key);
    else if (v->stop[-1] == '\\')
        scan_tell(l, "%s: ends in a backslash; lines are not continued here",
                  entry->key);
    else if (v->backslash && v->quotes > 0)
        scan_tell(l, "%s: a backslash and quotes cannot stand in one value",
                  entry->key);
    if (l->bad)
        return;
    if (v->quotes == 1 && *from == '"' && v->stop[-1] == '"')
        take(entry, from + 1, v->stop - 1, true);
    else
        take(entry, from, v->stop, false);
}

static void
plain_value(struct scan_line *l, struct scan_entry *entry)
{
    size_t left = (size_t)(l->end - l->at);
    const char *from = l->at;
    struct value v = { .stop = from };

    v.rest = (left >= 8 && memcmp(from, "respond:", 8) == 0) ||
             (left >= 5 && memcmp(from, "exec:", 5) == 0);
    for (; l->at < l->end; l->at++) {
        if (v.open)
            inside_quotes(l, &v, entry);
        else if (!outside_quotes(l, &v, entry))
            break;
    }
    end_value(l, &v, from, entry);
}

void
scan_value(struct scan_line *l, struct scan_entry *entry)
{
    char text[SCAN_LINE_MAX + 8];

    scan_skip_blanks(l);
    if (l->at == l->end || scan_is_comment(*l->at))
        scan_tell(
            l,
            "%s: has no value; leave the line out, or put quotes around a "
            "value that begins with ; or #",
            entry->key);
    else if (*l->at == '\'')
        single_quoted(l, entry);
    else
        plain_value(l, entry);
    if (entry->value == NULL)
        return;
    if (scan_quote(entry->value, entry->quoted, text, sizeof(text)) != ERR_OK) {
        scan_tell(
            l,
            "%s: both kinds of quotes in a value that needs quotes around "
            "it",
            entry->key);
        free(entry->value);
        entry->value = NULL;
        return;
    }
    scan_copy(l, entry->key);
    scan_copy(l, " = ");
    scan_copy(l, text);
}
