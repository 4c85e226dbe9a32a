/*
 * conf_print.c - a configuration as text, and what differs between two
 *
 * Owns the way back from field to text. What it prints, conf_load reads to the
 * same configuration; two fields are equal when their texts are.
 */
#include "common/conf.h"
#include "common/conf_keys.h"
#include "common/conf_value.h"
#include "common/mem.h"
#include "common/scan.h"
#include "common/text.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static char *printed(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* printed - sprintf into memory of the right size */
static char *
printed(const char *format, ...)
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
        return printed("%s%s%s", q, item, q);
    out = printed("%s, %s%s%s", list, q, item, q);
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

    if (addrs->count == 1 && item[0].kind == ADDR_RESPOND)
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
long_text(const struct conf_key *key, long value)
{
    if (key->type == CONF_T_OCTAL)
        return printed("0%lo", value);
    if (key->type == CONF_T_COUNT && value == 0)
        return mem_copy("never");
    if (key->preset == NULL && value == 0)
        return NULL; /* not given: decided at boot */
    return printed("%ld", value);
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

char *
conf_value_text(const struct conf_key *key, const void *base)
{
    const void *field = (const char *)base + key->field;
    char *const *text = field;
    char time[32];

    switch (key->type) {
    case CONF_T_INCLUDE:
        return NULL;
    case CONF_T_ID:
    case CONF_T_OWNER:
    case CONF_T_CHROOT:
    case CONF_T_LOG:
    case CONF_T_PATH:
    case CONF_T_CIPHERS:
    case CONF_T_CIPHERSUITES:
    case CONF_T_GROUPS:
        return *text != NULL ? written(mem_copy(*text)) : NULL;
    case CONF_T_IDS:
    case CONF_T_PATHS:
        return list_text(field);
    case CONF_T_BOOL:
        return mem_copy(*(const bool *)field ? "yes" : "no");
    case CONF_T_LONG:
    case CONF_T_COUNT:
    case CONF_T_OCTAL:
        return long_text(key, *(const long *)field);
    case CONF_T_TIME:
    case CONF_T_TIME_NEVER:
        return mem_copy(
            text_time_print(*(const int64_t *)field, time, sizeof(time)));
    case CONF_T_WORD:
        return word_text(key, *(const long *)field);
    case CONF_T_LISTEN:
    case CONF_T_UPSTREAM:
        return addrs_text(key, field);
    }
    return NULL;
}

/* reads_back - does the scanner take this line? A list that came from a file
 * may be too long for one, or hold more kinds of quotes than one can. */
static bool
reads_back(const char *line)
{
    char *text = printed("[x]\n%s\n", line);
    struct scan scan;
    bool good;

    scan_run(text, strlen(text), &scan);
    good = scan.error_count == 0;
    scan_free(&scan);
    free(text);
    return good;
}

static void
print_key(const struct conf_key *key, const void *base, FILE *out)
{
    char *text = conf_value_text(key, base), *line;

    if (text == NULL)
        return;
    line = printed("%s = %s", key->name, text);
    (void)fprintf(
        out, "%s%s\n",
        reads_back(line) ? "" : "# needs a list file, see @FILE: ", line);
    free(line);
    free(text);
}

static void
print_section(enum conf_section section, const void *base, FILE *out)
{
    const struct conf_key *key;

    for (key = conf_keys; key->name != NULL; key++)
        if (key->section == section)
            print_key(key, base, out);
}

void
conf_print(const struct conf *conf, FILE *out)
{
    size_t i;

    (void)fprintf(out, "[mtlsd]\n");
    print_section(CONF_IN_MTLSD, &conf->global, out);
    for (i = 0; i < conf->service_count; i++) {
        (void)fprintf(out, "\n[service %s]\n", conf->service[i].name);
        print_section(CONF_IN_SERVICE, &conf->service[i], out);
    }
}

/* ---- what differs ---- */

/* differ - is the field of key not the same in both? */
static bool
differ(const struct conf_key *key, const void *one, const void *two)
{
    char *a = conf_value_text(key, one), *b = conf_value_text(key, two);
    bool same = a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;

    free(a);
    free(b);
    return !same;
}

static void
tell_service(const struct conf_service *running,
             const struct conf_service *fresh,
             void (*tell)(void *ctx, const char *what), void *ctx)
{
    const struct conf_key *key;
    char what[128];

    for (key = conf_keys; key->name != NULL; key++) {
        if (key->section != CONF_IN_SERVICE || !key->fixed ||
            !differ(key, running, fresh))
            continue;
        (void)snprintf(what, sizeof(what), "%s of [service %s]", key->name,
                       running->name);
        tell(ctx, what);
    }
}

/* tell_missing - services of one that the other does not have */
static void
tell_missing(const struct conf *one, const struct conf *other, const char *how,
             void (*tell)(void *ctx, const char *what), void *ctx)
{
    char what[128];
    size_t i;

    for (i = 0; i < one->service_count; i++) {
        const char *name = one->service[i].name;

        if (conf_service_find(other, name) != NULL)
            continue;
        (void)snprintf(what, sizeof(what),
                       "listen of [service %s], which is %s", name, how);
        tell(ctx, what);
    }
}

void
conf_fixed_changes(const struct conf *running, const struct conf *fresh,
                   void (*tell)(void *ctx, const char *what), void *ctx)
{
    const struct conf_service *service;
    const struct conf_key *key;
    size_t i;

    for (key = conf_keys; key->name != NULL; key++)
        if (key->section == CONF_IN_MTLSD && key->fixed &&
            differ(key, &running->global, &fresh->global))
            tell(ctx, key->name);
    for (i = 0; i < running->service_count; i++) {
        service = conf_service_find(fresh, running->service[i].name);
        if (service != NULL)
            tell_service(&running->service[i], service, tell, ctx);
    }
    tell_missing(fresh, running, "new", tell, ctx);
    tell_missing(running, fresh, "gone", tell, ctx);
}
