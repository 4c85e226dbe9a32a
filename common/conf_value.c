/*
 * conf_value.c - one value: from its text to its field
 *
 * Owns the conversion of every type in conf_keys.h. A value is understood as a
 * whole or refused with a sentence that says what is allowed.
 * Never looks at another key: checks across keys are in conf_check.c.
 */
#include "common/conf_value.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/suite.h"
#include "common/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* one conversion under way */
struct convert {
    const struct conf_key *key;
    const char *text;
    bool quoted;
    const char *dir;
    struct conf_list *files;
    struct why *why;
};

/* refuse - ERR_CONF with what is allowed, and the nearest of words (NULL: no
 * words) */
static enum err
refuse(const struct convert *c, const char *const *words, const char *allowed)
{
    const char *near = words != NULL ? text_nearest(c->text, words) : NULL;

    return why_set(c->why, ERR_CONF, "allowed %s%s%s%s", allowed,
                   near != NULL ? "; did you mean \"" : "",
                   near != NULL ? near : "", near != NULL ? "\"?" : "");
}

/* replace - a new text for a field that owns one */
static void
replace(char **field, char *text)
{
    free(*field);
    *field = text;
}

static enum err
set_bool(const struct convert *c, bool *out)
{
    static const char *const words[] = { "yes", "no", NULL };

    if (text_bool(c->text, out) != ERR_OK)
        return refuse(c, words, "are yes, no");
    return ERR_OK;
}

static enum err
set_long(const struct convert *c, long *out)
{
    const struct conf_key *key = c->key;
    bool never_ok = key->type == CONF_T_COUNT;

    if (never_ok && strcmp(c->text, "never") == 0) {
        *out = 0;
        return ERR_OK;
    }
    if (text_long(c->text, (long)key->min, (long)key->max, out) == ERR_OK)
        return ERR_OK;
    return why_set(c->why, ERR_CONF, "allowed are numbers from %ld to %ld%s",
                   (long)key->min, (long)key->max,
                   never_ok ? ", and never" : "");
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
    char min[32], max[32];
    long plain;

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
                   never_ok ? ", and never" : "");
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
    return refuse(c, words, allowed);
}

/* ---- names of users and groups ---- */

/* is_id - a name as adduser(8) takes them, or a number that is an id */
static bool
is_id(const char *text)
{
    static const char bytes[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    long number;

    if (text[0] == '\0' || text[0] == '-' || text[0] == '.' ||
        strlen(text) > 32 || text[strspn(text, bytes)] != '\0')
        return false;
    if (text[strspn(text, "0123456789")] != '\0')
        return true;
    /* (uid_t)-1 means "leave it" to setresuid(2) */
    return text_long(text, 0, 4294967294, &number) == ERR_OK;
}

static enum err
set_id(const struct convert *c, char **out)
{
    if (!is_id(c->text))
        return refuse(c, NULL, "is a name or a number");
    replace(out, mem_copy(c->text));
    return ERR_OK;
}

static enum err
set_owner(const struct convert *c, char **out)
{
    char *user = mem_copy(c->text), *group = strchr(user, ':');
    bool good;

    if (group != NULL)
        *group++ = '\0';
    good = is_id(user) && (group == NULL || is_id(group));
    free(user);
    if (!good)
        return refuse(c, NULL, "is USER or USER:GROUP, names or numbers");
    replace(out, mem_copy(c->text));
    return ERR_OK;
}

/* ---- paths ---- */

/* has_quote - a double quote inside a value that is one text */
static enum err
no_quote(const struct convert *c)
{
    if (strchr(c->text, '"') == NULL)
        return ERR_OK;
    return why_set(c->why, ERR_CONF,
                   "double quotes stand around the whole "
                   "value or nowhere");
}

static enum err
set_path(const struct convert *c, char **out)
{
    enum err code = no_quote(c);

    if (code == ERR_OK)
        replace(out, conf_path(c->text, c->dir));
    return code;
}

static enum err
set_chroot(const struct convert *c, char **out)
{
    static const char *const words[] = { "auto", "none", NULL };

    if (strcmp(c->text, "auto") != 0 && strcmp(c->text, "none") != 0 &&
        c->text[0] != '/')
        return refuse(c, words, "are auto, none and an absolute path");
    if (no_quote(c) != ERR_OK)
        return ERR_CONF;
    replace(out, mem_copy(c->text));
    return ERR_OK;
}

static enum err
set_syslog(const struct convert *c, char **out)
{
    static const char *const facilities[] = {
        "user",   "mail",   "daemon", "auth",   "authpriv", "syslog", "lpr",
        "news",   "uucp",   "cron",   "ftp",    "local0",   "local1", "local2",
        "local3", "local4", "local5", "local6", "local7",   NULL,
    };
    const char *name = c->text + strlen("syslog:"), *near;
    size_t i;

    for (i = 0; facilities[i] != NULL; i++)
        if (strcmp(facilities[i], name) == 0) {
            replace(out, mem_copy(c->text));
            return ERR_OK;
        }
    near = text_nearest(name, facilities);
    return why_set(c->why, ERR_CONF,
                   "allowed facilities are user, daemon, auth, authpriv, "
                   "local0 to local7 and the others of syslog(3)%s%s%s",
                   near != NULL ? "; did you mean \"syslog:" : "",
                   near != NULL ? near : "", near != NULL ? "\"?" : "");
}

static enum err
set_log(const struct convert *c, char **out)
{
    static const char *const words[] = { "stderr", "syslog", NULL };

    if (strncmp(c->text, "syslog:", strlen("syslog:")) == 0)
        return set_syslog(c, out);
    if (strcmp(c->text, "stderr") == 0 || strcmp(c->text, "syslog") == 0) {
        replace(out, mem_copy(c->text));
        return ERR_OK;
    }
    if (strchr(c->text, '/') != NULL) /* else a misspelt word became a file */
        return set_path(c, out);
    return refuse(c, words,
                  "are stderr, syslog, syslog:FACILITY and a path "
                  "with a slash in it");
}

/* ---- lists ---- */

static enum err
set_ids(const struct convert *c, struct conf_list *out)
{
    struct conf_list list = { 0, NULL };
    enum err code;
    size_t i;

    code = conf_split(c->text, c->quoted, c->dir, c->files, &list, c->why);
    for (i = 0; i < list.count && code == ERR_OK; i++)
        if (!is_id(list.item[i]))
            code = refuse(c, NULL, "are names or numbers, commas between them");
    if (code != ERR_OK) {
        conf_list_free(&list);
        return code;
    }
    conf_list_free(out);
    *out = list;
    return ERR_OK;
}

static enum err
set_paths(const struct convert *c, struct conf_list *out)
{
    struct conf_list list = { 0, NULL };
    enum err code;
    size_t i;

    code = conf_split(c->text, c->quoted, c->dir, c->files, &list, c->why);
    if (code != ERR_OK) {
        conf_list_free(&list);
        return code;
    }
    for (i = 0; i < list.count; i++)
        replace(&list.item[i], conf_path(list.item[i], c->dir));
    conf_list_free(out);
    *out = list;
    return ERR_OK;
}

/* ---- addresses ---- */

static void
addrs_free(struct conf_addrs *addrs)
{
    size_t i;

    for (i = 0; i < addrs->count; i++) {
        free(addrs->item[i].body);
        free(addrs->item[i].text);
    }
    free(addrs->item);
    addrs->item = NULL;
    addrs->count = 0;
}

static void
addrs_add(struct conf_addrs *addrs, const struct addr *addr, const char *text)
{
    struct addr *item;

    addrs->item =
        mem_array(addrs->item, addrs->count + 1, sizeof(*addrs->item));
    item = &addrs->item[addrs->count++];
    *item = *addr;
    item->text = mem_copy(text);
}

/* add_addr - one item of the list, which may be two addresses */
static enum err
add_addr(const struct convert *c, const char *text, struct conf_addrs *addrs)
{
    bool listen = c->key->type == CONF_T_LISTEN;
    struct addr found[2];
    size_t count = 1, i;
    struct why why;
    enum err code;
    char shown[128];

    code = listen ? addr_parse_listen(text, found, &count, &why)
                  : addr_parse_upstream(text, &found[0], &why);
    if (code != ERR_OK) {
        (void)text_escape(text, strlen(text), shown, sizeof(shown));
        return why_set(c->why, ERR_CONF, "%s%s%s", why.text,
                       strcmp(text, c->text) == 0 ? "" : ": ",
                       strcmp(text, c->text) == 0 ? "" : shown);
    }
    for (i = 0; i < count; i++)
        addrs_add(addrs, &found[i], text);
    return ERR_OK;
}

/* split_addrs - respond: takes the rest of the value, commas and quotes too */
static enum err
split_addrs(const struct convert *c, struct conf_list *out)
{
    if (c->key->type == CONF_T_UPSTREAM &&
        strncmp(c->text, "respond:", strlen("respond:")) == 0) {
        conf_list_add(out, c->text);
        return ERR_OK;
    }
    return conf_split(c->text, c->quoted, c->dir, c->files, out, c->why);
}

static enum err
set_addrs(const struct convert *c, struct conf_addrs *out)
{
    struct conf_addrs addrs = { 0, NULL };
    struct conf_list list = { 0, NULL };
    enum err code;
    size_t i;

    code = split_addrs(c, &list);
    for (i = 0; i < list.count && code == ERR_OK; i++)
        code = add_addr(c, list.item[i], &addrs);
    conf_list_free(&list);
    if (code == ERR_OK) {
        addrs_free(out);
        *out = addrs;
    } else {
        addrs_free(&addrs);
    }
    return code;
}

static enum err
set_suites(const struct convert *c, char **out)
{
    char list[SUITE_LIST_MAX];
    enum err code;

    if (c->key->type == CONF_T_GROUPS)
        code = group_check(c->text, list, sizeof(list), c->why);
    else
        code = suite_check(c->text, c->key->type == CONF_T_CIPHERSUITES, list,
                           sizeof(list), c->why);
    if (code == ERR_OK)
        replace(out, mem_copy(list));
    return code;
}

static enum err
set(const struct convert *c, void *field)
{
    switch (c->key->type) {
    case CONF_T_INCLUDE:
        return ERR_OK; /* was read before anything else */
    case CONF_T_ID:
        return set_id(c, field);
    case CONF_T_IDS:
        return set_ids(c, field);
    case CONF_T_OWNER:
        return set_owner(c, field);
    case CONF_T_CHROOT:
        return set_chroot(c, field);
    case CONF_T_LOG:
        return set_log(c, field);
    case CONF_T_PATH:
        return set_path(c, field);
    case CONF_T_PATHS:
        return set_paths(c, field);
    case CONF_T_BOOL:
        return set_bool(c, field);
    case CONF_T_LONG:
    case CONF_T_COUNT:
        return set_long(c, field);
    case CONF_T_OCTAL:
        return set_octal(c, field);
    case CONF_T_TIME:
    case CONF_T_TIME_NEVER:
        return set_time(c, field);
    case CONF_T_WORD:
        return set_word(c, field);
    case CONF_T_LISTEN:
    case CONF_T_UPSTREAM:
        return set_addrs(c, field);
    case CONF_T_CIPHERS:
    case CONF_T_CIPHERSUITES:
    case CONF_T_GROUPS:
        return set_suites(c, field);
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

void
conf_value_free(const struct conf_key *key, void *base)
{
    void *field = (char *)base + key->field;

    switch (key->type) {
    case CONF_T_ID:
    case CONF_T_OWNER:
    case CONF_T_CHROOT:
    case CONF_T_LOG:
    case CONF_T_PATH:
    case CONF_T_CIPHERS:
    case CONF_T_CIPHERSUITES:
    case CONF_T_GROUPS:
        replace(field, NULL);
        break;
    case CONF_T_IDS:
    case CONF_T_PATHS:
        conf_list_free(field);
        break;
    case CONF_T_LISTEN:
    case CONF_T_UPSTREAM:
        addrs_free(field);
        break;
    case CONF_T_INCLUDE:
    case CONF_T_BOOL:
    case CONF_T_LONG:
    case CONF_T_COUNT:
    case CONF_T_OCTAL:
    case CONF_T_TIME:
    case CONF_T_TIME_NEVER:
    case CONF_T_WORD:
        break;
    }
}
