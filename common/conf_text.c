/*
 * conf_text.c - one value: from its field back to its text
 *
 * Owns how each type is written, with the quotes that it needs.
 */
#include "common/conf.h"
#include "common/conf_convert.h"
#include "common/conf_keys.h"
#include "common/conf_value.h"
#include "common/mem.h"
#include "common/scan.h"
#include "common/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *
conf_printed(const char *format, ...)
{
    va_list args;
    char *text = NULL;
    int n;

    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    return n >= 0 ? text : mem_copy("");
}

/* written - value with the quotes that it needs; takes value. Where there is no
 * way to write it, it stays as it is, and print_key finds that out. */
static char *
written(char *value)
{
    size_t size = strlen(value) + 3;
    char *out = mem_new(size);

    if (scan_quote(value, false, out, size) == ERR_OK ||
        scan_quote(value, true, out, size) == ERR_OK) {
        free(value);
        return out;
    }
    free(out);
    return value;
}

/* add_item - one more item behind a comma; double quotes where the list would
 * be read wrong without. Takes the old list, returns the new one. */
static char *
add_item(char *list, const char *item)
{
    size_t len = strlen(item);
    bool quote = strpbrk(item, ",;#") != NULL || item[0] == '@' ||
                 item[0] == '\'' || item[0] == ' ' || item[len - 1] == ' ';
    const char *q = quote ? "\"" : "";
    char *out;

    if (list == NULL)
        return conf_printed("%s%s%s", q, item, q);
    out = conf_printed("%s, %s%s%s", list, q, item, q);
    free(list);
    return out;
}

static char *
list_text(const struct conf_list *list)
{
    char *text = NULL;
    size_t i;

    for (i = 0; i < list->count; i++)
        text = add_item(text, list->item[i]);
    return text != NULL ? written(text) : NULL;
}

static char *
addrs_text(const struct conf_key *key, const struct conf_addrs *addrs)
{
    const struct addr *item = addrs->item;
    char *text = NULL;
    size_t i;

    if (addrs->count == 1 &&
        (item[0].kind == ADDR_RESPOND || item[0].kind == ADDR_EXEC))
        return written(mem_copy(item[0].text));
    for (i = 0; i < addrs->count; i++) {
        /* PORT alone became two addresses with the same text */
        if (key->type == CONF_T_LISTEN && i > 0 &&
            strcmp(item[i].text, item[i - 1].text) == 0)
            continue;
        text = add_item(text, item[i].text);
    }
    return text != NULL ? written(text) : NULL;
}

static char *
word_text(const struct conf_key *key, long value)
{
    const struct conf_word *row;

    for (row = key->words; row->word != NULL; row++)
        if (row->number == value)
            return mem_copy(row->word);
    return NULL; /* not given: decided at boot */
}

static char *
long_text(const struct conf_key *key, long value)
{
    char size[32];

    if (key->type == CONF_T_WORD)
        return word_text(key, value);
    if (key->type == CONF_T_OCTAL)
        return conf_printed("0%lo", value);
    if (key->type == CONF_T_SIZE_NONE && value == 0)
        return mem_copy("none");
    if (key->type == CONF_T_SIZE || key->type == CONF_T_SIZE_NONE)
        return mem_copy(text_size_print(value, size, sizeof(size)));
    if (key->type == CONF_T_COUNT && value == 0)
        return mem_copy("never");
    if (key->type == CONF_T_LIMIT && value == 0)
        return mem_copy("none");
    if (key->preset == NULL && value == 0)
        return NULL; /* not given: decided at boot */
    return conf_printed("%ld", value);
}

static char *
range_text(const long *range)
{
    return range[0] == range[1] ? conf_printed("%ld", range[0])
                                : conf_printed("%ld-%ld", range[0], range[1]);
}

static char *
time_text(const struct conf_key *key, int64_t value)
{
    char time[32];

    if (key->type == CONF_T_TIME_NONE && value == 0)
        return mem_copy("none");
    return mem_copy(text_time_print(value, time, sizeof(time)));
}

char *
conf_value_text(const struct conf_key *key, const void *base)
{
    const void *field = (const char *)base + key->field;
    char *const *text = field;

    switch (conf_keep_of(key)) {
    case CONF_KEEP_NOTHING:
    case CONF_KEEP_HEADERS: /* several keys: print_headers */
        return NULL;
    case CONF_KEEP_BOOL:
        return mem_copy(*(const bool *)field ? "yes" : "no");
    case CONF_KEEP_LONG:
        return long_text(key, *(const long *)field);
    case CONF_KEEP_RANGE:
        return range_text(field);
    case CONF_KEEP_TIME:
        return time_text(key, *(const int64_t *)field);
    case CONF_KEEP_TEXT:
        return *text != NULL ? written(mem_copy(*text)) : NULL;
    case CONF_KEEP_LIST:
        return list_text(field);
    case CONF_KEEP_ADDRS:
        return addrs_text(key, field);
    case CONF_KEEP_SHARE:
        return conf_share_text(field);
    case CONF_KEEP_RATE:
        return conf_rate_text(field);
    case CONF_KEEP_MASK:
        return conf_mask_text(field);
    case CONF_KEEP_NETS:
        return conf_nets_text(field);
    }
    return NULL;
}
