/*
 * http_path.c - request targets: their forms, their dangers, their route
 *
 * Owns the decision which route a path belongs to. Whatever two programs could
 * read differently in a path is refused, so that the route that we choose is
 * the place that the upstream serves.
 * Never changes a path. Pure.
 */
#include "worker/http_path.h"
#include "common/conf.h"
#include <string.h>

/* --- hosts ---------------------------------------------------------------- */

static bool
host_byte(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') ||
           (byte != '\0' && strchr("-._~", byte) != NULL);
}

struct http_text
http_host_name(struct http_text host)
{
    const char *end;

    if (host.len > 0 && host.at[0] == '[') {
        end = memchr(host.at, ']', host.len);
        if (end != NULL)
            host.len = (size_t)(end - host.at) + 1;
    } else if ((end = memchr(host.at, ':', host.len)) != NULL) {
        host.len = (size_t)(end - host.at);
    }
    return host;
}

/* port_of - digits behind the colon; -1 bad, 0 none */
static long
port_of(struct http_text rest)
{
    long port = 0;

    if (rest.len == 0)
        return 0;
    if (rest.at[0] != ':' || rest.len < 2 || rest.len > 6)
        return -1;
    for (size_t i = 1; i < rest.len; i++) {
        if (rest.at[i] < '0' || rest.at[i] > '9')
            return -1;
        port = port * 10 + (rest.at[i] - '0');
    }
    return port >= 1 && port <= 65535 ? port : -1;
}

static struct http_text
behind(struct http_text all, struct http_text part)
{
    return (struct http_text){ part.at + part.len, all.len - part.len };
}

bool
http_host(struct http_text host)
{
    struct http_text name = http_host_name(host);

    if (name.len == 0 || name.len > 255 || port_of(behind(host, name)) < 0)
        return false;
    if (name.at[0] == '[') {
        if (name.len < 4 || name.at[name.len - 1] != ']')
            return false;
        for (size_t i = 1; i < name.len - 1; i++)
            if (http_hex(name.at[i]) < 0 && name.at[i] != ':' &&
                name.at[i] != '.')
                return false;
        return true;
    }
    for (size_t i = 0; i < name.len; i++)
        if (!host_byte(name.at[i]))
            return false;
    return true;
}

/* same_host - by name and port, where a default port may be left out */
static bool
same_host(struct http_text a, struct http_text b, long standard)
{
    struct http_text name_a = http_host_name(a), name_b = http_host_name(b);
    long port_a = port_of(behind(a, name_a)),
         port_b = port_of(behind(b, name_b));

    return http_same(name_a, name_b) && (port_a == 0 ? standard : port_a) ==
                                            (port_b == 0 ? standard : port_b);
}

/* --- paths ---------------------------------------------------------------- */

/* decoded - the byte at i of a judged path; *i moves to its last character */
static char
decoded(struct http_text path, size_t *i)
{
    char byte = path.at[*i];

    if (byte == '%' && path.len - *i > 2) {
        byte =
            (char)(http_hex(path.at[*i + 1]) * 16 + http_hex(path.at[*i + 2]));
        *i += 2;
    }
    return byte;
}

/* escape - what stands behind a '%' */
static enum http_fault
escape(struct http_text path, size_t i)
{
    size_t at = i;

    if (path.len - i < 3 || http_hex(path.at[i + 1]) < 0 ||
        http_hex(path.at[i + 2]) < 0)
        return HTTP_BAD_ESCAPE;
    switch (decoded(path, &at)) {
    case '\0':
        return HTTP_ENCODED_NUL;
    case '/':
        return HTTP_ENCODED_SLASH;
    case '\\':
        return HTTP_BACKSLASH;
    default:
        return HTTP_NONE;
    }
}

/* visible - no control byte, blank, fragment or byte beyond ASCII */
static bool
visible(char byte)
{
    return byte > 0x20 && byte < 0x7f && byte != '#';
}

/* dots - "." or "..", with whatever parameters behind: some programs cut a
 * segment at its semicolon before they look */
static bool
dots(struct http_text segment)
{
    size_t count = 0;

    for (size_t i = 0; i < segment.len; i++) {
        char byte = decoded(segment, &i);

        if (byte == ';')
            break;
        if (byte != '.' || ++count > 2)
            return false;
    }
    return count > 0;
}

static enum http_fault
judge_path(struct http_text path)
{
    enum http_fault fault;
    size_t start = 0;

    for (size_t i = 0; i < path.len; i++) {
        if (path.at[i] == '\\')
            return HTTP_BACKSLASH;
        if (!visible(path.at[i]))
            return HTTP_BAD_TARGET;
        if (path.at[i] == '%' && (fault = escape(path, i)) != HTTP_NONE)
            return fault;
    }
    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.at[i] != '/')
            continue;
        if (dots((struct http_text){ path.at + start, i - start }))
            return HTTP_DOT_SEGMENT;
        start = i + 1;
    }
    return HTTP_NONE;
}

/* path_of - without the query */
static struct http_text
path_of(struct http_text origin)
{
    const char *query = memchr(origin.at, '?', origin.len);

    if (query != NULL)
        origin.len = (size_t)(query - origin.at);
    return origin;
}

static enum http_fault
judge_origin(struct http_text origin)
{
    struct http_text path = path_of(origin);

    for (size_t i = path.len; i < origin.len; i++)
        if (!visible(origin.at[i]))
            return HTTP_BAD_TARGET;
    return judge_path(path);
}

/* --- forms ---------------------------------------------------------------- */

/* scheme - the length of http:// or https:// and its port, 0: neither */
static size_t
scheme(struct http_text target, long *port)
{
    *port = 80;
    if (target.len > 7 &&
        http_is((struct http_text){ target.at, 7 }, "http://"))
        return 7;
    *port = 443;
    if (target.len > 8 &&
        http_is((struct http_text){ target.at, 8 }, "https://"))
        return 8;
    return 0;
}

/* absolute - scheme://authority/path?query */
static enum http_fault
absolute(struct http_text target, struct http_text *host,
         struct http_text *origin)
{
    long port;
    size_t start = scheme(target, &port), end;
    struct http_text authority;

    if (start == 0)
        return HTTP_BAD_TARGET;
    for (end = start; end < target.len; end++)
        if (strchr("/?#", target.at[end]) != NULL)
            break;
    authority = (struct http_text){ target.at + start, end - start };
    if (!http_host(authority))
        return HTTP_BAD_HOST;
    if (host->len > 0 && !same_host(authority, *host, port))
        return HTTP_OTHER_HOST;
    if (host->len == 0)
        *host = authority;
    *origin = (struct http_text){ "/", 1 };
    if (end == target.len)
        return HTTP_NONE;
    if (target.at[end] != '/')
        return HTTP_BAD_TARGET;
    *origin = (struct http_text){ target.at + end, target.len - end };
    return judge_origin(*origin);
}

enum http_fault
http_target(struct http_text target, bool options, struct http_text *host,
            struct http_text *origin)
{
    *origin = target;
    if (target.len == 1 && target.at[0] == '*')
        return options ? HTTP_NONE : HTTP_BAD_TARGET;
    if (target.len > 0 && target.at[0] == '/')
        return judge_origin(target);
    return absolute(target, host, origin);
}

/* --- routes --------------------------------------------------------------- */

/* next - the next byte of a path, decoded, slashes merged; -1: the end. bare:
 * path parameters (from a semicolon to the end of the segment) are left out. */
static int
next(struct http_text path, size_t *i, int before, bool bare)
{
    while (*i < path.len) {
        char byte = decoded(path, i);

        ++*i;
        if (bare && byte == ';') {
            while (*i < path.len && path.at[*i] != '/')
                ++*i;
            continue;
        }
        if (byte != '/' || before != '/')
            return (unsigned char)byte;
    }
    return -1;
}

/* covers - is prefix, which may end with a slash, a whole-segment prefix? */
static bool
covers(const char *prefix, struct http_text path, bool bare)
{
    size_t len = strlen(prefix), at = 0;
    int byte = 0;

    while (len > 0 && prefix[len - 1] == '/')
        len--;
    for (size_t i = 0; i < len; i++)
        if ((byte = next(path, &at, byte, bare)) != (unsigned char)prefix[i])
            return false;
    byte = next(path, &at, byte, bare);
    return byte == '/' || byte == -1;
}

/* longest - the route with the longest path that covers, 0: none does */
static size_t
longest(const struct conf_service *service, struct http_text origin, bool bare)
{
    struct http_text path = path_of(origin);
    size_t best = 0, best_len = 0;

    for (size_t i = 1; i < service->route_count; i++) {
        const char *prefix = service->route[i].path;

        if (prefix == NULL || !covers(prefix, path, bare))
            continue;
        if (best == 0 || strlen(prefix) > best_len) {
            best = i;
            best_len = strlen(prefix);
        }
    }
    return best;
}

enum http_fault
http_route(const struct conf_service *service, struct http_text origin,
           size_t *route)
{
    *route = longest(service, origin, false);
    return longest(service, origin, true) == *route ? HTTP_NONE
                                                    : HTTP_PATH_PARAMETER;
}
