/*
 * conf_header.c - header.NAME = text with $variables
 *
 * Owns which headers may be set, and what a variable looks like. The value
 * stays as it is written: workers put it together for each request.
 */
#include "common/conf_convert.h"
#include "common/conf_value.h"
#include "common/mem.h"
#include "common/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* nginx's names; worker/http_vars.c gives them their meaning */
static const char *const variables[] = {
    "remote_addr",
    "remote_port",
    "host",
    "http_host",
    "proxy_host",
    "scheme",
    "server_name",
    "proxy_add_x_forwarded_for",
    "ssl_protocol",
    "ssl_cipher",
    "ssl_client_verify",
    "ssl_client_s_dn",
    "ssl_client_i_dn",
    "ssl_client_serial",
    "ssl_client_fingerprint",
    "ssl_client_escaped_cert",
    NULL,
};

/* ---- checks ---- */

static const struct {
    const char *name, *because;
} forbidden[] = {
    { "content-length", "it says where the body ends" },
    { "transfer-encoding", "it says where the body ends" },
    { "trailer", "it belongs to how the body is sent" },
    { "te", "it belongs to one connection, and we write our own" },
    { "connection", "it belongs to one connection, and we write our own" },
    { "keep-alive", "it belongs to one connection, and we write our own" },
    { "proxy-connection", "it belongs to one connection" },
    { "upgrade", "it is passed on when the client asks for it" },
    { "expect", "we answer it ourselves" },
};

static enum err
check_name(const char *name, struct why *why)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "!#$%&'*+-.^_`|~"; /* RFC 9110, 5.6.2 */
    size_t i;

    if (name[0] == '\0' || name[strspn(name, token)] != '\0')
        return why_set(why, ERR_CONF, "this is no name of a header");
    for (i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        if (strcasecmp(forbidden[i].name, name) == 0)
            return why_set(why, ERR_CONF, "%s cannot be set: %s",
                           forbidden[i].name, forbidden[i].because);
    return ERR_OK;
}

static bool
is_variable(const char *name, size_t len)
{
    size_t i;

    for (i = 0; variables[i] != NULL; i++)
        if (strlen(variables[i]) == len && memcmp(variables[i], name, len) == 0)
            return true;
    return false;
}

/* bad_variable - name, of len bytes, is none */
static enum err
bad_variable(const char *name, size_t len, struct why *why)
{
    const char *near;
    char word[64];

    if (len == 0)
        return why_set(why, ERR_CONF,
                       "a variable's name follows $, such as $remote_addr; a "
                       "dollar itself is written $$");
    (void)snprintf(word, sizeof(word), "%.*s", (int)len, name);
    near = text_nearest(word, variables);
    return why_set(why, ERR_CONF,
                   "$%s is no variable; a dollar itself is written $$%s%s%s",
                   word, near != NULL ? "; did you mean \"$" : "",
                   near != NULL ? near : "", near != NULL ? "\"?" : "");
}

/* check_variable - what stands behind a $: $, NAME or {NAME}; *at moves on */
static enum err
check_variable(const char **at, struct why *why)
{
    bool braces = **at == '{';
    const char *name = *at + (braces ? 1 : 0);
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    if (**at == '$') {
        ++*at;
        return ERR_OK;
    }
    if (braces && len > 0 && name[len] != '}')
        return why_set(why, ERR_CONF, "the } behind ${%.*s is missing",
                       (int)len, name);
    if (!is_variable(name, len))
        return bad_variable(name, len, why);
    *at = name + len + (braces ? 1 : 0);
    return ERR_OK;
}

static enum err
check_value(const char *text, struct why *why)
{
    enum err code = ERR_OK;
    const char *at;

    for (at = text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return why_set(why, ERR_CONF, "a control byte stands in the value");
    at = text;
    while (code == ERR_OK && (at = strchr(at, '$')) != NULL) {
        at++;
        code = check_variable(&at, why);
    }
    return code;
}

/* ---- the list ---- */

static bool
has(const struct conf_route *route, const char *name)
{
    size_t i;

    for (i = 0; i < route->header_count; i++)
        if (strcasecmp(route->header[i].name, name) == 0)
            return true;
    return false;
}

static void
add(struct conf_route *route, const char *name, const char *value)
{
    struct conf_header *header;

    route->header = mem_array(route->header, route->header_count + 1,
                              sizeof(*route->header));
    header = &route->header[route->header_count++];
    header->name = mem_copy(name);
    header->value = mem_copy(value);
}

enum err
conf_header_set(const char *name, const char *text, struct conf_route *route,
                struct why *why)
{
    enum err code;

    if ((code = check_name(name, why)) == ERR_OK &&
        (code = check_value(text, why)) == ERR_OK)
        add(route, name, text);
    return code;
}

void
conf_headers_inherit(const struct conf_route *from, struct conf_route *to)
{
    size_t i;

    for (i = 0; i < from->header_count; i++)
        if (!has(to, from->header[i].name))
            add(to, from->header[i].name, from->header[i].value);
}

void
conf_headers_free(struct conf_route *route)
{
    size_t i;

    for (i = 0; i < route->header_count; i++) {
        free(route->header[i].name);
        free(route->header[i].value);
    }
    free(route->header);
    route->header = NULL;
    route->header_count = 0;
}
