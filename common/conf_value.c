/*
 * conf_value.c - one value: from its text to its field
 *
 * Owns the conversion of every type in conf_keys.h. A value is understood as a
 * whole or refused with a sentence that says what is allowed.
 * Never looks at another key: checks across keys are in conf_check.c.
 */
#include "common/conf_value.h"
#include "common/clock.h"
#include "common/conf_convert.h"
#include "common/mem.h"
#include "common/suite.h"
#include "common/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err
conf_refuse(const struct convert *c, const char *const *words,
            const char *allowed)
{
    const char *near = words != NULL ? text_nearest(c->text, words) : NULL;

    return why_set(c->why, ERR_CONF, "allowed %s%s%s%s", allowed,
                   near != NULL ? "; did you mean \"" : "",
                   near != NULL ? near : "", near != NULL ? "\"?" : "");
}

void
conf_replace(char **field, char *text)
{
    free(*field);
    *field = text;
}

static enum err
set_bool(const struct convert *c, bool *out)
{
    static const char *const words[] = { "yes", "no", NULL };

    if (text_bool(c->text, out) != ERR_OK)
        return conf_refuse(c, words, "are yes, no");
    return ERR_OK;
}

static enum err
set_long(const struct convert *c, long *out)
{
    const struct conf_key *key = c->key;
    const char *zero = key->type == CONF_T_COUNT   ? "never"
                       : key->type == CONF_T_LIMIT ? "none"
                                                   : NULL;

    if (zero != NULL && strcmp(c->text, zero) == 0) {
        *out = 0;
        return ERR_OK;
    }
    if (text_long(c->text, (long)key->min, (long)key->max, out) == ERR_OK)
        return ERR_OK;
    return why_set(c->why, ERR_CONF, "allowed are numbers from %ld to %ld%s%s",
                   (long)key->min, (long)key->max, zero != NULL ? ", and " : "",
                   zero != NULL ? zero : "");
}

/* set_range - out[0] the least, out[1] the most */
static enum err
set_range(const struct convert *c, long *out)
{
    const struct conf_key *key = c->key;
    const char *dash = strchr(c->text, '-');
    size_t len = dash != NULL ? (size_t)(dash - c->text) : strlen(c->text);
    long min = (long)key->min, max = (long)key->max;
    char least[16];

    if (len < sizeof(least)) {
        memcpy(least, c->text, len);
        least[len] = '\0';
        if (text_long(least, min, max, &out[0]) == ERR_OK &&
            text_long(dash != NULL ? dash + 1 : least, out[0], max, &out[1]) ==
                ERR_OK)
            return ERR_OK;
    }
    return why_set(c->why, ERR_CONF,
                   "allowed are numbers from %ld to %ld, and two of them as "
                   "MIN-MAX",
                   min, max);
}

static enum err
set_size(const struct convert *c, long *out)
{
    const struct conf_key *key = c->key;
    bool none_ok = key->type == CONF_T_SIZE_NONE;
    char min[32], max[32];

    if (none_ok && strcmp(c->text, "none") == 0) {
        *out = 0;
        return ERR_OK;
    }
    if (text_size(c->text, (long)key->min, (long)key->max, out) == ERR_OK)
        return ERR_OK;
    return why_set(
        c->why, ERR_CONF,
        "allowed are sizes from %s to %s, with a unit k m g or without%s",
        text_size_print((long)key->min, min, sizeof(min)),
        text_size_print((long)key->max, max, sizeof(max)),
        none_ok ? ", and none" : "");
}

static enum err
set_octal(const struct convert *c, long *out)
{
    if (text_octal(c->text, out) == ERR_OK)
        return ERR_OK;
    return why_set(c->why, ERR_CONF,
                   "allowed are octal modes with a leading "
                   "zero, such as 0660");
}

static enum err
set_time(const struct convert *c, int64_t *out)
{
    const struct conf_key *key = c->key;
    bool never_ok = key->type == CONF_T_TIME_NEVER;
    bool none_ok = key->type == CONF_T_TIME_NONE;
    char min[32], max[32];
    long plain;

    if (none_ok && strcmp(c->text, "none") == 0) {
        *out = 0;
        return ERR_OK;
    }
    if (text_time(c->text, key->min, key->max, never_ok, out) == ERR_OK)
        return ERR_OK;
    if (text_long(c->text, 0, 1000000000, &plain) == ERR_OK)
        return why_set(c->why, ERR_CONF,
                       "a time needs a unit, one of ms s m h d; did you mean "
                       "\"%lds\"?",
                       plain);
    return why_set(c->why, ERR_CONF,
                   "allowed are times from %s to %s, with a unit ms s m h d%s",
                   text_time_print(key->min, min, sizeof(min)),
                   text_time_print(key->max, max, sizeof(max)),
                   never_ok  ? ", and never"
                   : none_ok ? ", and none"
                             : "");
}

#define WORDS_MAX 16

static enum err
set_word(const struct convert *c, long *out)
{
    const struct conf_word *row = c->key->words;
    const char *words[WORDS_MAX + 1];
    char allowed[256] = "are";
    size_t n, used;

    for (n = 0; n < WORDS_MAX && row[n].word != NULL; n++) {
        if (strcmp(row[n].word, c->text) == 0) {
            *out = row[n].number;
            return ERR_OK;
        }
        words[n] = row[n].word;
        used = strlen(allowed);
        (void)snprintf(allowed + used, sizeof(allowed) - used, "%s %s",
                       n > 0 ? "," : "", row[n].word);
    }
    words[n] = NULL;
    if (n == 1)
        (void)snprintf(allowed, sizeof(allowed), "is only %s", words[0]);
    return conf_refuse(c, words, allowed);
}

static enum err
set_suites(const struct convert *c, char **out)
{
    char list[SUITE_LIST_MAX];
    enum err code;

    if (c->key->type == CONF_T_GROUPS)
        code = group_check(c->text, list, sizeof(list), c->why);
    else if (c->key->type == CONF_T_CIPHERS)
        code = suite_expand(c->text, list, sizeof(list), c->why);
    else
        code = suite_check(c->text, true, list, sizeof(list), c->why);
    if (code == ERR_OK)
        conf_replace(out, mem_copy(list));
    return code;
}

static enum err
set(const struct convert *c, void *field)
{
    switch (c->key->type) {
    case CONF_T_INCLUDE: /* was read before anything else */
    case CONF_T_SERVICE: /* was looked for when its section was */
    case CONF_T_HEADER:  /* has a name besides its text: conf_header_set */
        return ERR_OK;
    case CONF_T_ID:
        return conf_set_id(c, field);
    case CONF_T_IDS:
        return conf_set_ids(c, field);
    case CONF_T_OWNER:
        return conf_set_owner(c, field);
    case CONF_T_CHROOT:
        return conf_set_chroot(c, field);
    case CONF_T_LOG:
        return conf_set_log(c, field);
    case CONF_T_PATH:
        return conf_set_path(c, field);
    case CONF_T_PATHS:
        return conf_set_paths(c, field);
    case CONF_T_BOOL:
        return set_bool(c, field);
    case CONF_T_LONG:
    case CONF_T_COUNT:
    case CONF_T_LIMIT:
        return set_long(c, field);
    case CONF_T_RANGE:
        return set_range(c, field);
    case CONF_T_SHARE:
        return conf_set_share(c, field);
    case CONF_T_RATE:
        return conf_set_rate(c, field);
    case CONF_T_MASK:
        return conf_set_mask(c, field);
    case CONF_T_NETS:
        return conf_set_nets(c, field);
    case CONF_T_SIZE:
    case CONF_T_SIZE_NONE:
        return set_size(c, field);
    case CONF_T_OCTAL:
        return set_octal(c, field);
    case CONF_T_TIME:
    case CONF_T_TIME_NEVER:
    case CONF_T_TIME_NONE:
        return set_time(c, field);
    case CONF_T_WORD:
        return set_word(c, field);
    case CONF_T_LISTEN:
    case CONF_T_UPSTREAM:
        return conf_set_addrs(c, field);
    case CONF_T_HOST:
        return conf_set_host(c, field);
    case CONF_T_CIPHERS:
    case CONF_T_CIPHERSUITES:
    case CONF_T_GROUPS:
        return set_suites(c, field);
    case CONF_T_ALPN:
        return conf_set_alpn(c, field);
    case CONF_T_URL_PATH:
        return conf_set_url_path(c, field);
    }
    return ERR_CONF;
}

enum err
conf_value_set(const struct conf_key *key, const char *text, bool quoted,
               const char *dir, struct conf_list *files, void *base,
               struct why *why)
{
    struct convert c = { .key = key,
                         .text = text,
                         .quoted = quoted,
                         .dir = dir,
                         .files = files,
                         .why = why };

    if (text[0] == '\0')
        return why_set(why, ERR_CONF, "an empty value; leave the line out");
    return set(&c, (char *)base + key->field);
}

enum conf_keep
conf_keep_of(const struct conf_key *key)
{
    switch (key->type) {
    case CONF_T_ID:
    case CONF_T_OWNER:
    case CONF_T_CHROOT:
    case CONF_T_LOG:
    case CONF_T_PATH:
    case CONF_T_HOST:
    case CONF_T_CIPHERS:
    case CONF_T_CIPHERSUITES:
    case CONF_T_GROUPS:
    case CONF_T_URL_PATH:
        return CONF_KEEP_TEXT;
    case CONF_T_IDS:
    case CONF_T_PATHS:
    case CONF_T_ALPN:
        return CONF_KEEP_LIST;
    case CONF_T_LISTEN:
    case CONF_T_UPSTREAM:
        return CONF_KEEP_ADDRS;
    case CONF_T_HEADER:
        return CONF_KEEP_HEADERS;
    case CONF_T_BOOL:
        return CONF_KEEP_BOOL;
    case CONF_T_LONG:
    case CONF_T_COUNT:
    case CONF_T_LIMIT:
    case CONF_T_SIZE:
    case CONF_T_SIZE_NONE:
    case CONF_T_OCTAL:
    case CONF_T_WORD:
        return CONF_KEEP_LONG;
    case CONF_T_RANGE:
        return CONF_KEEP_RANGE;
    case CONF_T_TIME:
    case CONF_T_TIME_NEVER:
    case CONF_T_TIME_NONE:
        return CONF_KEEP_TIME;
    case CONF_T_SHARE:
        return CONF_KEEP_SHARE;
    case CONF_T_RATE:
        return CONF_KEEP_RATE;
    case CONF_T_MASK:
        return CONF_KEEP_MASK;
    case CONF_T_NETS:
        return CONF_KEEP_NETS;
    case CONF_T_INCLUDE:
    case CONF_T_SERVICE:
        break;
    }
    return CONF_KEEP_NOTHING;
}

void
conf_value_free(const struct conf_key *key, void *base)
{
    void *field = (char *)base + key->field;

    switch (conf_keep_of(key)) {
    case CONF_KEEP_TEXT:
        conf_replace(field, NULL);
        break;
    case CONF_KEEP_LIST:
        conf_list_free(field);
        break;
    case CONF_KEEP_ADDRS:
        conf_addrs_free(field);
        break;
    case CONF_KEEP_NETS:
        conf_nets_free(field);
        break;
    case CONF_KEEP_HEADERS:
        conf_headers_free(field);
        break;
    case CONF_KEEP_NOTHING:
    case CONF_KEEP_BOOL:
    case CONF_KEEP_LONG:
    case CONF_KEEP_RANGE:
    case CONF_KEEP_TIME:
    case CONF_KEEP_SHARE:
    case CONF_KEEP_RATE:
    case CONF_KEEP_MASK:
        break;
    }
}

static void
list_copy(const struct conf_list *from, struct conf_list *to)
{
    size_t i;

    for (i = 0; i < from->count; i++)
        conf_list_add(to, from->item[i]);
}

void
conf_value_copy(const struct conf_key *key, const void *from, void *to)
{
    const void *source = (const char *)from + key->field;
    void *field = (char *)to + key->field;
    const char *text;

    switch (conf_keep_of(key)) {
    case CONF_KEEP_TEXT:
        text = *(char *const *)source;
        conf_replace(field, text != NULL ? mem_copy(text) : NULL);
        break;
    case CONF_KEEP_LIST:
        conf_list_free(field);
        list_copy(source, field);
        break;
    case CONF_KEEP_ADDRS:
        conf_addrs_free(field);
        conf_addrs_copy(source, field);
        break;
    case CONF_KEEP_BOOL:
        *(bool *)field = *(const bool *)source;
        break;
    case CONF_KEEP_LONG:
        *(long *)field = *(const long *)source;
        break;
    case CONF_KEEP_RANGE:
        memcpy(field, source, 2 * sizeof(long));
        break;
    case CONF_KEEP_TIME:
        *(int64_t *)field = *(const int64_t *)source;
        break;
    case CONF_KEEP_SHARE:
        *(struct conf_share *)field = *(const struct conf_share *)source;
        break;
    case CONF_KEEP_RATE:
        *(struct conf_rate *)field = *(const struct conf_rate *)source;
        break;
    case CONF_KEEP_MASK:
        *(struct net_mask *)field = *(const struct net_mask *)source;
        break;
    case CONF_KEEP_NETS:
        conf_nets_free(field);
        conf_nets_copy(source, field);
        break;
    case CONF_KEEP_HEADERS: /* conf_headers_inherit knows whose win */
    case CONF_KEEP_NOTHING:
        break;
    }
}
