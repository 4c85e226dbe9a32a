/*
 * conf_names.c - values that name users, groups, files and where the log goes
 *
 * Owns what such a name looks like. Looks nothing up and opens no file: that a
 * user or a file exists is found out at start.
 */
#include "common/conf_convert.h"
#include "common/conf_value.h"
#include "common/mem.h"
#include "common/text.h"
#include <stdlib.h>
#include <string.h>

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

enum err
conf_set_id(const struct convert *c, char **out)
{
    if (!is_id(c->text))
        return conf_refuse(c, NULL, "is a name or a number");
    conf_replace(out, mem_copy(c->text));
    return ERR_OK;
}

enum err
conf_set_owner(const struct convert *c, char **out)
{
    char *user = mem_copy(c->text), *group = strchr(user, ':');
    bool good;

    if (group != NULL)
        *group++ = '\0';
    good = is_id(user) && (group == NULL || is_id(group));
    free(user);
    if (!good)
        return conf_refuse(c, NULL, "is USER or USER:GROUP, names or numbers");
    conf_replace(out, mem_copy(c->text));
    return ERR_OK;
}

/* ---- paths ---- */

/* no_quote - no double quote inside a value that is one text */
static enum err
no_quote(const struct convert *c)
{
    if (strchr(c->text, '"') == NULL)
        return ERR_OK;
    return why_set(c->why, ERR_CONF,
                   "double quotes stand around the whole "
                   "value or nowhere");
}

enum err
conf_set_path(const struct convert *c, char **out)
{
    enum err code = no_quote(c);

    if (code == ERR_OK)
        conf_replace(out, conf_path(c->text, c->dir));
    return code;
}

enum err
conf_set_chroot(const struct convert *c, char **out)
{
    static const char *const words[] = { "auto", "none", NULL };

    if (strcmp(c->text, "auto") != 0 && strcmp(c->text, "none") != 0 &&
        c->text[0] != '/')
        return conf_refuse(c, words, "are auto, none and an absolute path");
    if (no_quote(c) != ERR_OK)
        return ERR_CONF;
    conf_replace(out, mem_copy(c->text));
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
            conf_replace(out, mem_copy(c->text));
            return ERR_OK;
        }
    near = text_nearest(name, facilities);
    return why_set(c->why, ERR_CONF,
                   "allowed facilities are user, daemon, auth, authpriv, "
                   "local0 to local7 and the others of syslog(3)%s%s%s",
                   near != NULL ? "; did you mean \"syslog:" : "",
                   near != NULL ? near : "", near != NULL ? "\"?" : "");
}

enum err
conf_set_log(const struct convert *c, char **out)
{
    static const char *const words[] = { "stderr", "syslog", NULL };

    if (strncmp(c->text, "syslog:", strlen("syslog:")) == 0)
        return set_syslog(c, out);
    if (strcmp(c->text, "stderr") == 0 || strcmp(c->text, "syslog") == 0) {
        conf_replace(out, mem_copy(c->text));
        return ERR_OK;
    }
    if (strchr(c->text, '/') != NULL) /* else a misspelt word became a file */
        return conf_set_path(c, out);
    return conf_refuse(c, words,
                       "are stderr, syslog, syslog:FACILITY and a path "
                       "with a slash in it");
}

/* ---- lists ---- */

enum err
conf_set_ids(const struct convert *c, struct conf_list *out)
{
    struct conf_list list = { 0, NULL };
    enum err code;
    size_t i;

    code = conf_split(c->text, c->quoted, c->dir, c->files, &list, c->why);
    for (i = 0; i < list.count && code == ERR_OK; i++)
        if (!is_id(list.item[i]))
            code = conf_refuse(c, NULL,
                               "are names or numbers, commas between them");
    if (code != ERR_OK) {
        conf_list_free(&list);
        return code;
    }
    conf_list_free(out);
    *out = list;
    return ERR_OK;
}

enum err
conf_set_paths(const struct convert *c, struct conf_list *out)
{
    struct conf_list list = { 0, NULL };
    enum err code;
    size_t i;

    code = conf_split(c->text, c->quoted, c->dir, c->files, &list, c->why);
    if (code == ERR_OK && c->key->max > 0 && list.count > (size_t)c->key->max)
        code = why_set(c->why, ERR_CONF,
                       c->key->max == 1 ? "only one file can stand here"
                                        : "%zu files; at most %ld are allowed",
                       list.count, (long)c->key->max);
    else if (code == ERR_OK && list.count < (size_t)c->key->min)
        code = why_set(c->why, ERR_CONF, "the list names no file");
    if (code != ERR_OK) {
        conf_list_free(&list);
        return code;
    }
    for (i = 0; i < list.count; i++)
        conf_replace(&list.item[i], conf_path(list.item[i], c->dir));
    conf_list_free(out);
    *out = list;
    return ERR_OK;
}
