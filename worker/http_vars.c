/*
 * http_vars.c - nginx's variables in header.NAME
 *
 * Owns what the upstream is told about the client. Everything about the
 * certificate comes from the verified session, never from a request.
 * Pure.
 */
#include "worker/http_vars.h"
#include "common/conf.h"
#include "common/suite.h"
#include "worker/http.h"
#include "worker/http_path.h"
#include "worker/http_request.h"
#include "worker/session.h"
#include <string.h>

/* A name cut between two escapes has less than this free. */
#define CUT_SLACK 16

typedef void expander(const struct http_vars *vars, struct http_out *out);

/* identity - of a client that was verified with a certificate, or NULL */
static const struct identity *
identity(const struct http_vars *vars)
{
    const struct session *session = vars->peer->session;

    if (session == NULL || !session->verified || !session->id.present)
        return NULL;
    return &session->id;
}

/* --- the connection ------------------------------------------------------- */

static void
remote_addr(const struct http_vars *vars, struct http_out *out)
{
    http_puts(out, vars->peer->remote_addr);
}

static void
remote_port(const struct http_vars *vars, struct http_out *out)
{
    if (vars->peer->remote_port != 0) /* unix sockets have none */
        http_put_number(out, vars->peer->remote_port);
}

static void
scheme(const struct http_vars *vars, struct http_out *out)
{
    http_puts(out, vars->peer->session != NULL ? "https" : "http");
}

static void
server_name(const struct http_vars *vars, struct http_out *out)
{
    http_puts(out, vars->service->name);
}

static void
proxy_host(const struct http_vars *vars, struct http_out *out)
{
    http_puts(out, vars->proxy_host);
}

static void
ssl_protocol(const struct http_vars *vars, struct http_out *out)
{
    if (vars->peer->session == NULL || vars->peer->session->version == NULL)
        return;
    http_puts(out, "TLSv");
    http_puts(out, vars->peer->session->version);
}

static void
ssl_cipher(const struct http_vars *vars, struct http_out *out)
{
    const struct session *session = vars->peer->session;

    if (session == NULL || session->cipher == NULL)
        return;
    for (const struct suite *suite = suites; suite->name != NULL; suite++)
        if (strcmp(suite->iana, session->cipher) == 0) {
            http_puts(out, suite->name);
            return;
        }
    http_puts(out, session->cipher);
}

/* --- the certificate ------------------------------------------------------ */

static void
ssl_client_verify(const struct http_vars *vars, struct http_out *out)
{
    if (vars->peer->session != NULL)
        http_puts(out, identity(vars) != NULL ? "SUCCESS" : "NONE");
}

/* whole - a name, unless it may have been cut */
static void
whole(const struct identity *id, const char *name, struct http_out *out)
{
    if (!id->cut || strlen(name) < IDENTITY_NAME_MAX - CUT_SLACK)
        http_puts(out, name);
}

static void
ssl_client_s_dn(const struct http_vars *vars, struct http_out *out)
{
    const struct identity *id = identity(vars);

    if (id != NULL)
        whole(id, id->subject, out);
}

static void
ssl_client_i_dn(const struct http_vars *vars, struct http_out *out)
{
    const struct identity *id = identity(vars);

    if (id != NULL)
        whole(id, id->issuer, out);
}

static void
ssl_client_serial(const struct http_vars *vars, struct http_out *out)
{
    const struct identity *id = identity(vars);

    if (id != NULL)
        http_puts(out, id->serial);
}

static void
ssl_client_fingerprint(const struct http_vars *vars, struct http_out *out)
{
    const struct identity *id = identity(vars);

    if (id != NULL)
        http_puts(out, id->sha1_hex);
}

/* escaped - as a URI component (RFC 3986 2.3) */
static void
escaped(struct http_out *out, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        char code[3] = { '%', digits[byte >> 4], digits[byte & 15] };

        if (http_tchar(byte) && strchr("!#$%&'*+^`|", byte) == NULL)
            http_put(out, text, 1);
        else
            http_put(out, code, 3);
    }
}

/* base64 - three bytes as four letters; fewer are padded */
static void
base64(const uint8_t *at, size_t len, char out[5])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = (unsigned)at[0] << 16;

    if (len > 1)
        bits |= (unsigned)at[1] << 8;
    if (len > 2)
        bits |= at[2];
    for (int i = 0; i < 4; i++)
        out[i] = letters[bits >> (18 - 6 * i) & 63];
    if (len < 3)
        out[3] = '=';
    if (len < 2)
        out[2] = '=';
    out[4] = '\0';
}

static void
ssl_client_escaped_cert(const struct http_vars *vars, struct http_out *out)
{
    const struct identity *id = identity(vars);
    char four[5];

    if (id == NULL || id->der == NULL)
        return;
    escaped(out, "-----BEGIN CERTIFICATE-----\n");
    for (size_t i = 0; i < id->der_len; i += 3) {
        size_t left = id->der_len - i;

        base64(id->der + i, left < 3 ? left : 3, four);
        escaped(out, four);
        if (i % 48 == 45 || left <= 3)
            escaped(out, "\n");
    }
    escaped(out, "-----END CERTIFICATE-----\n");
}

/* --- the request ---------------------------------------------------------- */

static void
host(const struct http_vars *vars, struct http_out *out)
{
    struct http_text name = http_host_name(vars->request->host);

    if (name.len == 0) /* as nginx: the server's own name */
        http_puts(out, vars->service->name);
    for (size_t i = 0; i < name.len; i++) {
        char byte = http_lower(name.at[i]);

        http_put(out, &byte, 1);
    }
}

static void
http_host_(const struct http_vars *vars, struct http_out *out)
{
    http_put_text(out, vars->request->host);
}

/* what the client sent, and the client's address behind it */
static void
proxy_add_x_forwarded_for(const struct http_vars *vars, struct http_out *out)
{
    const struct http_head *head = vars->request->head;

    for (size_t i = 0; i < head->count; i++) {
        const struct http_field *field = &head->field[i];

        if (!http_is(field->name, "x-forwarded-for") || field->value.len == 0 ||
            http_connection_has(head, field->name))
            continue;
        http_put_text(out, field->value);
        http_puts(out, ", ");
    }
    http_puts(out, vars->peer->remote_addr);
}

/* --- the table ------------------------------------------------------------ */

static const struct {
    const char *name;
    expander *expand;
} variables[] = {
    { "remote_addr", remote_addr },
    { "remote_port", remote_port },
    { "scheme", scheme },
    { "server_name", server_name },
    { "host", host },
    { "http_host", http_host_ },
    { "proxy_host", proxy_host },
    { "proxy_add_x_forwarded_for", proxy_add_x_forwarded_for },
    { "ssl_protocol", ssl_protocol },
    { "ssl_cipher", ssl_cipher },
    { "ssl_client_verify", ssl_client_verify },
    { "ssl_client_s_dn", ssl_client_s_dn },
    { "ssl_client_i_dn", ssl_client_i_dn },
    { "ssl_client_serial", ssl_client_serial },
    { "ssl_client_fingerprint", ssl_client_fingerprint },
    { "ssl_client_escaped_cert", ssl_client_escaped_cert },
};

static void
variable(struct http_text name, const struct http_vars *vars,
         struct http_out *out)
{
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        if (strlen(variables[i].name) == name.len &&
            memcmp(variables[i].name, name.at, name.len) == 0)
            variables[i].expand(vars, out);
}

static size_t
name_len(const char *at)
{
    return strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
}

void
http_vars_expand(const char *text, const struct http_vars *vars,
                 struct http_out *out)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "$");
        bool braces;

        http_put(out, text, len);
        text += len;
        if (*text == '\0')
            return;
        text++;
        if (*text == '$') {
            http_puts(out, "$");
            text++;
            continue;
        }
        braces = *text == '{';
        text += braces ? 1 : 0;
        len = name_len(text);
        variable((struct http_text){ text, len }, vars, out);
        text += len;
        if (braces && *text == '}')
            text++;
    }
}
