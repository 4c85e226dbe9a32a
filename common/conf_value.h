/* conf_value.h - one value: from its text to its field, and back */
#ifndef COMMON_CONF_VALUE_H
#define COMMON_CONF_VALUE_H
#include "common/conf.h"
#include "common/conf_keys.h"

/*
 * conf_value_set - convert text into the field of key
 * quoted  double quotes stood around the whole text.
 * dir     where relative paths start, absolute.
 * files   list files that were read (@FILE) are added; may be NULL.
 * base    the struct conf_global, conf_service or conf_route.
 * ERR_CONF: why is a sentence without the key: what is wrong, what is allowed.
 *           The field is as before.
 */
enum err conf_value_set(const struct conf_key *key, const char *text,
                        bool quoted, const char *dir, struct conf_list *files,
                        void *base, struct why *why);

/*
 * conf_header_set - header NAME of a route; an empty text removes the header
 * name    as in the key, behind "header.".
 * ERR_CONF: why is a sentence, as above.
 * conf_headers_inherit - behind its own, those of from that to does not have
 */
enum err conf_header_set(const char *name, const char *text,
                         struct conf_route *route, struct why *why);
void conf_headers_inherit(const struct conf_route *from, struct conf_route *to);

/* conf_value_text - the field as it is written in a file: `KEY = ` and a
 * newline around it read back to the same. NULL: it is not set; the caller
 * frees. */
char *conf_value_text(const struct conf_key *key, const void *base);

/* conf_printed - sprintf into memory of the right size; the caller frees */
char *conf_printed(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* conf_value_copy - the field of from becomes that of to, whose own is freed;
 * not for CONF_T_HEADER */
void conf_value_copy(const struct conf_key *key, const void *from, void *to);

void conf_value_free(const struct conf_key *key, void *base);

/* conf_list_add - a copy of text at the end */
void conf_list_add(struct conf_list *list, const char *text);
void conf_list_free(struct conf_list *list);

/*
 * conf_split - a list's text: commas separate outside double quotes, the
 * quotes go, an item `@FILE` stands for the lines of that file.
 * ERR_CONF: an item is empty, a file cannot be read.
 */
enum err conf_split(const char *text, bool quoted, const char *dir,
                    struct conf_list *files, struct conf_list *out,
                    struct why *why);

/* conf_path - text, or dir/text when it does not start with '/'; the caller
 * frees */
char *conf_path(const char *text, const char *dir);

/* conf_read_file - the whole of a file; the caller frees, a NUL stands behind
 * the last byte. ERR_FILE: why goes on behind the path: "cannot be opened". */
enum err conf_read_file(const char *path, char **text, size_t *len,
                        struct why *why);
#endif
