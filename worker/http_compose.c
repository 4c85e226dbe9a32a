/*
 * http_compose.c - heads as we send them
 *
 * Owns every line of a head that leaves us, but those of answers of our own.
 * A head is rebuilt from what was understood of it, so that the next reader
 * can't understand something else. Pure.
 */
#include "worker/http_compose.h"
#include "common/conf.h"
#include <string.h>

/* clean - may this stand in a field's value? The configuration and the peers'
 * readers have seen to it; this is the last look. */
static bool
clean(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)at[i] < 0x20 && at[i] != '\t') || at[i] == 0x7f)
            return false;
    return true;
}

/* field - NAME: expanded text; nothing at all when that is empty. false: so */
static bool
field(const char *name, const char *text, const struct http_vars *vars,
      struct http_out *out)
{
    size_t before = out->len, start;

    http_puts(out, name);
    http_puts(out, ": ");
    start = out->len;
    http_vars_expand(text, vars, out);
    if (!clean(out->at + start, out->len - start))
        out->full = true;
    if (out->len == start) {
        out->len = before;
        return false;
    }
    http_puts(out, "\r\n");
    return true;
}

static bool
name_is(const char *name, const char *other)
{
    return http_like((struct http_text){ name, strlen(name) }, other);
}

/* hop_of_ours - names that are written by us alone, whatever is configured */
static bool
hop_of_ours(const char *name)
{
    static const struct http_head none;

    return name_is(name, "host") || name_is(name, "expect") ||
           http_hop(&none, (struct http_text){ name, strlen(name) });
}

/* host - the configured one; by default, and when that is empty, the
 * upstream's: a request without Host is none */
static void
host(const struct conf_route *route, const struct http_vars *vars,
     struct http_out *out)
{
    for (size_t i = 0; i < route->header_count; i++)
        if (name_is(route->header[i].name, "host") &&
            field("Host", route->header[i].value, vars, out))
            return;
    if (!field("Host", "$proxy_host", vars, out))
        http_puts(out, "Host: localhost\r\n");
}

/* ours - is it the name of a header that the route sets or removes? */
static bool
ours(const struct conf_route *route, struct http_text name)
{
    for (size_t i = 0; i < route->header_count; i++)
        if (http_like(name, route->header[i].name))
            return true;
    return http_like(name, "host") || http_like(name, "expect");
}

static void
pass_field(const struct http_field *from, struct http_out *out)
{
    http_put_text(out, from->name);
    http_puts(out, ": ");
    http_put_text(out, from->value);
    http_puts(out, "\r\n");
}

/* request_end - the one framing field, and what else is about this hop */
static void
request_end(const struct http_request *request, struct http_out *out)
{
    const struct http_head *head = request->head;

    if (head->framing == HTTP_CHUNKED) {
        http_puts(out, "Transfer-Encoding: chunked\r\n");
    } else if (head->framing == HTTP_LENGTH) {
        http_puts(out, "Content-Length: ");
        http_put_number(out, head->length);
        http_puts(out, "\r\n");
    }
    if (request->expects)
        http_puts(out, "Expect: 100-continue\r\n");
    if (request->upgrade)
        http_puts(out, "Upgrade: websocket\r\nConnection: upgrade\r\n");
    http_puts(out, "\r\n");
}

void
http_compose_request(const struct http_request *request,
                     const struct conf_route *route,
                     const struct http_vars *vars, struct http_out *out)
{
    const struct http_head *head = request->head;

    http_put_text(out, head->method);
    http_puts(out, " ");
    http_put_text(out, request->origin);
    http_puts(out, " HTTP/1.1\r\n");
    host(route, vars, out);
    for (size_t i = 0; i < route->header_count; i++)
        if (!hop_of_ours(route->header[i].name))
            (void)field(route->header[i].name, route->header[i].value, vars,
                        out);
    for (size_t i = 0; i < head->count; i++)
        if (!ours(route, head->field[i].name) &&
            !http_hop(head, head->field[i].name))
            pass_field(&head->field[i], out);
    request_end(request, out);
}

/* response_end - framing, and what becomes of the connection */
static void
response_end(const struct http_head *head, const struct http_reply *reply,
             struct http_out *out)
{
    if (reply->chunked) {
        http_puts(out, "Transfer-Encoding: chunked\r\n");
    } else if (head->has_length && head->status >= 200 &&
               head->status != 204) { /* also of HEAD and 304: what would be */
        http_puts(out, "Content-Length: ");
        http_put_number(out, head->length);
        http_puts(out, "\r\n");
    }
    if (reply->upgrade)
        http_puts(out, "Upgrade: websocket\r\nConnection: upgrade\r\n");
    else if (reply->close)
        http_puts(out, "Connection: close\r\n");
    else if (reply->keep)
        http_puts(out, "Connection: keep-alive\r\n");
    http_puts(out, "\r\n");
}

void
http_compose_response(const struct http_head *head,
                      const struct http_reply *reply, struct http_out *out)
{
    http_puts(out, "HTTP/1.1 ");
    http_put_number(out, (uint64_t)head->status);
    http_puts(out, " ");
    http_put_text(out, head->phrase);
    http_puts(out, "\r\n");
    for (size_t i = 0; i < head->count; i++)
        if (!http_hop(head, head->field[i].name))
            pass_field(&head->field[i], out);
    response_end(head, reply, out);
}
