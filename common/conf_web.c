/*
 * conf_web.c - values that peers see: a name to verify, protocols, paths
 *
 * Owns what they may be made of. What is refused here could never match, or
 * would match more than it seems to.
 */
#include "common/addr.h"
#include "common/conf_convert.h"
#include "common/conf_value.h"
#include "common/mem.h"
#include "common/text.h"
#include <string.h>

enum err
conf_set_host(const struct convert *c, char **out)
{
    size_t len = strlen(c->text);

    /* RFC 6066, 3: no dot stands at the end of the name that is sent */
    if (!addr_is_host(c->text) || c->text[len - 1] == '.')
        return conf_refuse(c, NULL,
                           "is a host name or an address, without port, "
                           "brackets and wildcard");
    conf_replace(out, mem_copy(c->text));
    return ERR_OK;
}

/* eight of them with a comma each fit into the 512 bytes of a worker's list */
#define ALPN_MAX      8
#define ALPN_NAME_MAX 60

/* is_alpn - a protocol name (RFC 7301, 3.1) that the TLS library's list, which
 * has commas, can hold */
static bool
is_alpn(const char *name)
{
    const char *at;

    for (at = name; *at != '\0'; at++)
        if (*at <= 0x20 || *at >= 0x7f || *at == ',')
            return false;
    return at > name && at - name <= ALPN_NAME_MAX;
}

enum err
conf_set_alpn(const struct convert *c, struct conf_list *out)
{
    struct conf_list list = { 0, NULL };
    enum err code;
    size_t i;

    code = conf_split(c->text, c->quoted, c->dir, c->files, &list, c->why);
    for (i = 0; i < list.count && code == ERR_OK; i++)
        if (!is_alpn(list.item[i]))
            code = conf_refuse(c, NULL,
                               "are names of protocols of up to 60 bytes, "
                               "such as http/1.1, commas between them");
    if (code == ERR_OK && list.count > ALPN_MAX)
        code = why_set(c->why, ERR_CONF, "at most %d protocols are allowed",
                       ALPN_MAX);
    if (code != ERR_OK) {
        conf_list_free(&list);
        return code;
    }
    conf_list_free(out);
    *out = list;
    return ERR_OK;
}

/* ---- paths of requests ---- */

/* odd_byte - the first byte that no normalised path has (RFC 3986, 3.3), NULL
 * when there is none */
static const char *
odd_byte(const char *path)
{
    static const char bytes[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "/-._~!$&'()*+,;=:@";
    const char *at = path + strspn(path, bytes);

    return *at != '\0' ? at : NULL;
}

/* bad_segment - what is wrong with a segment of the path, NULL: nothing */
static const char *
bad_segment(const char *path)
{
    const char *at = path;
    size_t len;

    if (strcmp(path, "/") == 0)
        return NULL;
    while (*at == '/') {
        len = strcspn(++at, "/");
        if (len == 0)
            return *at == '\0' ? "leave out the slash at the end: the path "
                                 "stands for itself and all that is below it"
                               : "an empty segment: two slashes in a row";
        if ((len == 1 && at[0] == '.') ||
            (len == 2 && at[0] == '.' && at[1] == '.'))
            return "requests with the segments . and .. are refused, this "
                   "would never match";
        at += len;
    }
    return NULL;
}

enum err
conf_set_url_path(const struct convert *c, char **out)
{
    const char *odd = odd_byte(c->text), *bad;

    if (c->text[0] != '/')
        return why_set(c->why, ERR_CONF, "a path begins with a slash");
    if (odd != NULL && (*odd == '?' || *odd == '#'))
        return why_set(c->why, ERR_CONF,
                       "only the path of a request is compared, what begins "
                       "with %c is no part of it",
                       *odd);
    if (odd != NULL && *odd == '%')
        return why_set(c->why, ERR_CONF,
                       "a path is compared as it is sent, write it without "
                       "%%-escapes");
    if (odd != NULL)
        return why_set(c->why, ERR_CONF,
                       "a path is made of A-Z a-z 0-9 and / - . _ ~ ! $ & ' ( "
                       ") * + , ; = : @");
    if ((bad = bad_segment(c->text)) != NULL)
        return why_set(c->why, ERR_CONF, "%s", bad);
    conf_replace(out, mem_copy(c->text));
    return ERR_OK;
}
