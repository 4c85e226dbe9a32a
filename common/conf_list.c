/*
 * conf_list.c - lists, paths and the files that hold them
 *
 * Owns the comma, the double quote around an item, and @FILE. Opens only files
 * that the configuration names as its own text; never a key or certificate.
 */
#include "common/conf_value.h"
#include "common/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (16 * 1024 * 1024) /* larger is no configuration */

void
conf_list_add(struct conf_list *list, const char *text)
{
    list->item = mem_array(list->item, list->count + 1, sizeof(*list->item));
    list->item[list->count++] = mem_copy(text);
}

void
conf_list_free(struct conf_list *list)
{
    size_t i;

    for (i = 0; i < list->count; i++)
        free(list->item[i]);
    free(list->item);
    list->item = NULL;
    list->count = 0;
}

char *
conf_path(const char *text, const char *dir)
{
    size_t dir_len = strlen(dir), text_len = strlen(text);
    char *path;

    if (text[0] == '/')
        return mem_copy(text);
    if (dir_len > 0 && dir[dir_len - 1] == '/')
        dir_len--;
    path = mem_new(dir_len + text_len + 2);
    memcpy(path, dir, dir_len);
    path[dir_len] = '/';
    memcpy(path + dir_len + 1, text, text_len);
    return path;
}

/* read_all - everything that fd has, up to FILE_MAX */
static enum err
read_all(int fd, char **text, size_t *len)
{
    size_t room = 4096;
    ssize_t n;

    *text = mem_new(room);
    *len = 0;
    for (;;) {
        if (room - *len < 2)
            *text = mem_array(*text, room *= 2, 1);
        n = read(fd, *text + *len, room - *len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        *len += (size_t)n;
        if (*len > FILE_MAX) {
            errno = EFBIG;
            n = -1;
            break;
        }
    }
    if (n == 0)
        (*text)[*len] = '\0';
    else
        free(*text);
    return n == 0 ? ERR_OK : ERR_FILE;
}

enum err
conf_read_file(const char *path, char **text, size_t *len, struct why *why)
{
    enum err code = ERR_FILE;
    struct stat st;
    int fd;

    /* O_NONBLOCK: a FIFO by mistake must not hold up the daemon */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return why_errno(why, ERR_FILE, "cannot be opened");
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        (void)why_set(why, ERR_FILE, "is no regular file");
    else if ((code = read_all(fd, text, len)) != ERR_OK)
        (void)why_errno(why, ERR_FILE, "cannot be read");
    (void)close(fd);
    return code;
}

/* list_line - one line of a list file: an item, a comment, or nothing */
static enum err
list_line(const char *path, unsigned number, const char *from, const char *to,
          struct conf_list *out, struct why *why)
{
    const char *at;
    char *item;

    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    if (from == to || *from == '#' || *from == ';')
        return ERR_OK;
    for (at = from; at < to; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '"')
            return why_set(why, ERR_CONF,
                           "%s:%u: holds a control byte or a double quote; a "
                           "line is one item as it is",
                           path, number);
    item = mem_new((size_t)(to - from) + 1);
    memcpy(item, from, (size_t)(to - from));
    conf_list_add(out, item);
    free(item);
    return ERR_OK;
}

static enum err
list_file(const char *name, const char *dir, struct conf_list *files,
          struct conf_list *out, struct why *why)
{
    char *path = conf_path(name, dir), *text = NULL;
    const char *at, *end, *newline;
    enum err code;
    unsigned number = 0;
    struct why reason;
    size_t len = 0;

    code = conf_read_file(path, &text, &len, &reason);
    if (code != ERR_OK) {
        code = why_set(why, ERR_CONF, "%s %s", path, reason.text);
    } else {
        if (files != NULL)
            conf_list_add(files, path);
        for (at = text, end = text + len; at < end && code == ERR_OK;
             at = newline + 1) {
            if ((newline = memchr(at, '\n', (size_t)(end - at))) == NULL)
                newline = end;
            code = list_line(path, ++number, at, newline, out, why);
        }
        free(text);
    }
    free(path);
    return code;
}

/* unquote - from..to without its double quotes and the blanks around it */
static char *
unquote(const char *from, const char *to)
{
    char *out = mem_new((size_t)(to - from) + 1), *at = out;

    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    for (; from < to; from++)
        if (*from != '"')
            *at++ = *from;
    *at = '\0';
    return out;
}

/* item_end - the comma or NUL that ends the item at text; NULL: a double quote
 * is open at the end */
static const char *
item_end(const char *text)
{
    bool open = false;

    for (; *text != '\0' && (open || *text != ','); text++)
        if (*text == '"')
            open = !open;
    return open ? NULL : text;
}

static enum err
split_item(const char *from, const char *to, const char *dir,
           struct conf_list *files, struct conf_list *out, struct why *why)
{
    char *item = unquote(from, to);
    enum err code = ERR_OK;

    from += strspn(from, " \t"); /* a quoted "@x" is no file */
    if (item[0] == '\0')
        code = why_set(why, ERR_CONF, "an item of the list is empty");
    else if (*from == '@')
        code = list_file(item + 1, dir, files, out, why);
    else
        conf_list_add(out, item);
    free(item);
    return code;
}

enum err
conf_split(const char *text, bool quoted, const char *dir,
           struct conf_list *files, struct conf_list *out, struct why *why)
{
    enum err code;
    const char *end;

    if (quoted) { /* one item, commas and all */
        conf_list_add(out, text);
        return ERR_OK;
    }
    for (;;) {
        if ((end = item_end(text)) == NULL)
            return why_set(why, ERR_CONF, "a double quote is never closed");
        code = split_item(text, end, dir, files, out, why);
        if (code != ERR_OK || *end == '\0')
            return code;
        text = end + 1;
    }
}
