/*
 * http_request.c - one request, judged
 *
 * Owns what a head that parses must say before it is served. Pure.
 */
#include "worker/http_request.h"
#include "worker/http_path.h"
#include <string.h>

/* keep_text - a terminated copy, cut where there is no more room */
static void
keep_text(struct http_text text, char *out, size_t size)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;

    if (len > 0)
        memcpy(out, text.at, len);
    out[len] = '\0';
}

void
http_request_note(const struct http_head *head, struct http_request *out)
{
    keep_text(head->method, out->method, sizeof(out->method));
    keep_text(head->target, out->target, sizeof(out->target));
    out->is_head = strcmp(out->method, "HEAD") == 0;
    out->minor = head->minor;
}

/* host - exactly one (RFC 9112 3.2); HTTP/1.0 may leave it out */
static enum http_fault
host(const struct http_head *head, struct http_request *out)
{
    size_t count;
    const struct http_field *field = http_find(head, "host", &count);

    out->host = (struct http_text){ "", 0 };
    if (count > 1)
        return HTTP_TWO_HOSTS;
    if (count == 0)
        return head->minor == 0 ? HTTP_NONE : HTTP_NO_HOST;
    out->host = field->value;
    return http_host(field->value) ? HTTP_NONE : HTTP_BAD_HOST;
}

/* expect - 100-continue, and only where there is something to wait for */
static enum http_fault
expect(const struct http_head *head, struct http_request *out)
{
    size_t count;
    const struct http_field *field = http_find(head, "expect", &count);

    if (count == 0 || head->minor == 0) /* RFC 9110 10.1.1 */
        return HTTP_NONE;
    if (count > 1 || !http_is(field->value, "100-continue"))
        return HTTP_EXPECT;
    out->expects = out->body;
    return HTTP_NONE;
}

/* connection - whether it stays, and whether it turns into something else. Only
 * WebSocket may: h2c would be a second protocol that nobody judges. */
static void
connection(const struct http_head *head, struct http_request *out)
{
    const struct http_text close = { "close", 5 }, keep = { "keep-alive", 10 },
                           upgrade = { "upgrade", 7 };
    size_t count;
    const struct http_field *field = http_find(head, "upgrade", &count);

    out->keep = head->minor == 1 || http_connection_has(head, keep);
    if (http_connection_has(head, close))
        out->keep = false;
    out->upgrade = head->minor == 1 && !out->body && count == 1 &&
                   http_is(field->value, "websocket") &&
                   strcmp(out->method, "GET") == 0 &&
                   http_connection_has(head, upgrade);
}

/* idempotent - RFC 9110 9.2.2 */
static bool
idempotent(const char *method)
{
    static const char *const methods[] = { "GET", "HEAD",   "OPTIONS",
                                           "PUT", "DELETE", "TRACE" };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

enum http_fault
http_request_judge(struct http_head *head, struct http_request *out)
{
    enum http_fault fault;

    out->head = head;
    http_request_note(head, out);
    out->body = head->framing == HTTP_CHUNKED || head->length > 0;
    if (strcmp(out->method, "CONNECT") == 0)
        return HTTP_METHOD;
    if ((fault = host(head, out)) != HTTP_NONE)
        return fault;
    fault = http_target(head->target, strcmp(out->method, "OPTIONS") == 0,
                        &out->host, &out->origin);
    if (fault != HTTP_NONE)
        return fault;
    if ((fault = expect(head, out)) != HTTP_NONE)
        return fault;
    connection(head, out);
    out->again = !out->body && idempotent(out->method);
    return HTTP_NONE;
}
