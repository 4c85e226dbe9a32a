/*
 * http_head.c - a whole head, as both readers understand it
 *
 * Owns llhttp for protocol = http. The bytes come here after http_scan has
 * found nothing wrong with them. They are read twice, by us and by llhttp, and
 * both must find the same start line, the same fields in the same places, and
 * the same end, or the head is refused: two readers that differ are how
 * requests are smuggled.
 * Must never allow a lenient flag, or keep a byte.
 */
#include "worker/http_head.h"
#include <llhttp.h>
#include <stdlib.h>
#include <string.h>

struct http_parser {
    llhttp_t llhttp;
    bool request, head_only;
    bool complete, done; /* of the head; of the message */
    bool broken;         /* it reads something else than we do */
    size_t payload;
    const struct http_head *head; /* as we read it; NULL: behind it */
    struct http_text target;      /* as llhttp reads it */
    struct http_field field;      /* the one that it is at */
    size_t count;                 /* that it has read */
};

/* grow - a piece of a text: the first, or one right behind what is there */
static int
grow(struct http_parser *parser, struct http_text *text, const char *at,
     size_t len)
{
    if (text->at == NULL)
        *text = (struct http_text){ at, len };
    else if (text->at + text->len == at)
        text->len += len;
    else
        parser->broken = true;
    return 0;
}

static int
on_url(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parser *parser = llhttp->data;

    return grow(parser, &parser->target, at, len);
}

static int
on_field(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parser *parser = llhttp->data;

    return parser->head == NULL ? 0
                                : grow(parser, &parser->field.name, at, len);
}

static int
on_value(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parser *parser = llhttp->data;

    return parser->head == NULL ? 0
                                : grow(parser, &parser->field.value, at, len);
}

/* same_bytes - the very same place, or both empty */
static bool
same_bytes(struct http_text a, struct http_text b)
{
    return a.len == b.len && (a.len == 0 || a.at == b.at);
}

/* on_value_end - the field that llhttp has read must be the one that we have;
 * trailers are read and thrown away */
static int
on_value_end(llhttp_t *llhttp)
{
    struct http_parser *parser = llhttp->data;
    const struct http_head *head = parser->head;

    if (head == NULL)
        return 0;
    if (parser->count >= head->count ||
        !same_bytes(parser->field.name, head->field[parser->count].name) ||
        !same_bytes(http_trim(parser->field.value),
                    head->field[parser->count].value))
        parser->broken = true;
    parser->count++;
    parser->field = (struct http_field){ { NULL, 0 }, { NULL, 0 } };
    return 0;
}

/* bodiless - no body whatever the fields say, RFC 9112 6.3 */
static bool
bodiless(int status, bool head_only)
{
    return head_only || status / 100 == 1 || status == 204 || status == 304;
}

static int
on_head_end(llhttp_t *llhttp)
{
    struct http_parser *parser = llhttp->data;

    parser->complete = true;
    return !parser->request && bodiless(llhttp->status_code, parser->head_only)
               ? 1
               : 0;
}

static int
on_body(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parser *parser = llhttp->data;

    (void)at;
    parser->payload += len;
    return 0;
}

static int
on_end(llhttp_t *llhttp)
{
    struct http_parser *parser = llhttp->data;

    parser->done = true;
    return 0;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_end,
    .on_headers_complete = on_head_end,
    .on_body = on_body,
    .on_message_complete = on_end,
};

struct http_parser *
http_parser_new(bool request)
{
    struct http_parser *parser = calloc(1, sizeof(*parser));

    if (parser != NULL)
        parser->request = request;
    return parser;
}

/* --- the start line ------------------------------------------------------- */

/* version - "HTTP/1.0" or "HTTP/1.1" */
static enum http_fault
version(struct http_text text, unsigned *minor)
{
    if (text.len != 8 || memcmp(text.at, "HTTP/", 5) != 0 || text.at[5] < '0' ||
        text.at[5] > '9' || text.at[6] != '.' || text.at[7] < '0' ||
        text.at[7] > '9')
        return HTTP_BAD_REQUEST_LINE;
    if (text.at[5] != '1' || text.at[7] > '1')
        return HTTP_VERSION;
    *minor = (unsigned)(text.at[7] - '0');
    return HTTP_NONE;
}

/* request_line - METHOD SP TARGET SP VERSION, one space each */
static enum http_fault
request_line(struct http_text line, struct http_head *head)
{
    const char *end = line.at + line.len, *first, *second;

    first = memchr(line.at, ' ', line.len);
    if (first == NULL || first == line.at)
        return HTTP_BAD_REQUEST_LINE;
    for (const char *at = line.at; at < first; at++)
        if (!http_tchar((unsigned char)*at))
            return HTTP_BAD_REQUEST_LINE;
    second = memchr(first + 1, ' ', (size_t)(end - first - 1));
    if (second == NULL || second == first + 1)
        return HTTP_BAD_REQUEST_LINE;
    head->method = (struct http_text){ line.at, (size_t)(first - line.at) };
    head->target =
        (struct http_text){ first + 1, (size_t)(second - first - 1) };
    return version((struct http_text){ second + 1, (size_t)(end - second - 1) },
                   &head->minor);
}

/* status_line - VERSION SP 3DIGIT [SP PHRASE] */
static enum http_fault
status_line(struct http_text line, struct http_head *head)
{
    if (line.len < 12 || line.at[8] != ' ' ||
        version((struct http_text){ line.at, 8 }, &head->minor) != HTTP_NONE)
        return HTTP_BAD_RESPONSE;
    head->status = 0;
    for (int i = 9; i < 12; i++) {
        if (line.at[i] < '0' || line.at[i] > '9')
            return HTTP_BAD_RESPONSE;
        head->status = head->status * 10 + (line.at[i] - '0');
    }
    if (head->status < 100 || (line.len > 12 && line.at[12] != ' '))
        return HTTP_BAD_RESPONSE;
    head->phrase = (struct http_text){ "", 0 };
    if (line.len > 13)
        head->phrase = (struct http_text){ line.at + 13, line.len - 13 };
    return HTTP_NONE;
}

/* --- fields --------------------------------------------------------------- */

/* fields - all lines up to the empty one; http_scan has seen to their form.
 * false: they are not as it said */
static bool
fields(struct http_text rest, struct http_head *head, size_t count)
{
    for (head->count = 0; head->count < count; head->count++) {
        const char *end = memchr(rest.at, '\r', rest.len), *colon;
        size_t len = end == NULL ? 0 : (size_t)(end - rest.at);

        colon = memchr(rest.at, ':', len);
        if (end == NULL || colon == NULL || head->count >= head->room)
            return false;
        head->field[head->count].name =
            (struct http_text){ rest.at, (size_t)(colon - rest.at) };
        head->field[head->count].value = http_trim(
            (struct http_text){ colon + 1, (size_t)(end - colon - 1) });
        rest.at = end + 2;
        rest.len -= len + 2;
    }
    return rest.len == 2;
}

/* --- framing -------------------------------------------------------------- */

/* length_of - digits, and not more than any file has */
static enum http_fault
length_of(struct http_text text, uint64_t *out)
{
    if (text.len == 0 || text.len > 18)
        return HTTP_BAD_LENGTH;
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return HTTP_BAD_LENGTH;
        *out = *out * 10 + (uint64_t)(text.at[i] - '0');
    }
    return HTTP_NONE;
}

static enum http_fault
framing(struct http_head *head)
{
    size_t lengths, encodings;
    const struct http_field *length =
        http_find(head, "content-length", &lengths);
    const struct http_field *encoding =
        http_find(head, "transfer-encoding", &encodings);

    head->framing = HTTP_NO_BODY;
    head->has_length = false;
    head->length = 0;
    if (lengths > 0 && encodings > 0)
        return HTTP_LENGTH_AND_ENCODING;
    if (lengths > 1 || (lengths == 1 && memchr(length->value.at, ',',
                                               length->value.len) != NULL))
        return HTTP_TWO_LENGTHS;
    if (encodings > 1 ||
        (encodings == 1 &&
         (head->minor == 0 || !http_is(encoding->value, "chunked"))))
        return HTTP_TRANSFER_ENCODING;
    if (encodings == 1)
        head->framing = HTTP_CHUNKED;
    if (lengths == 0)
        return HTTP_NONE;
    head->framing = HTTP_LENGTH;
    head->has_length = true;
    return length_of(length->value, &head->length);
}

/* response_framing - what a status or the request's method changes */
static enum http_fault
response_framing(struct http_head *head, bool head_only)
{
    if (framing(head) != HTTP_NONE)
        return HTTP_BAD_RESPONSE;
    if ((head->status / 100 == 1 || head->status == 204) &&
        head->framing == HTTP_CHUNKED)
        return HTTP_BAD_RESPONSE;
    if (bodiless(head->status, head_only))
        head->framing = HTTP_NO_BODY;
    else if (head->framing == HTTP_NO_BODY)
        head->framing = HTTP_UNTIL_END;
    return HTTP_NONE;
}

/* --- both together -------------------------------------------------------- */

static void
parser_begin(struct http_parser *parser, bool head_only,
             const struct http_head *head)
{
    llhttp_init(&parser->llhttp, parser->request ? HTTP_REQUEST : HTTP_RESPONSE,
                &settings);
    parser->llhttp.data = parser;
    parser->head_only = head_only;
    parser->complete = parser->done = parser->broken = false;
    parser->payload = parser->count = 0;
    parser->target = (struct http_text){ NULL, 0 };
    parser->field = (struct http_field){ { NULL, 0 }, { NULL, 0 } };
    parser->head = head;
}

/* llhttp_fault - the word for what llhttp refused */
static enum http_fault
llhttp_fault(const struct http_parser *parser, llhttp_errno_t error)
{
    if (!parser->request)
        return HTTP_BAD_RESPONSE;
    /* the version was in order, so these are about methods of RTSP and HTTP/2 */
    if (error == HPE_INVALID_METHOD || error == HPE_INVALID_CONSTANT ||
        error == HPE_INVALID_VERSION)
        return HTTP_METHOD;
    return error == HPE_INVALID_URL ? HTTP_BAD_TARGET : HTTP_BAD_HEAD;
}

/* same_start - does llhttp say the same of the start line? */
static bool
same_start(const struct http_parser *parser)
{
    const struct http_head *head = parser->head;

    if (parser->llhttp.http_major != 1 ||
        parser->llhttp.http_minor != head->minor)
        return false;
    return parser->request ? same_bytes(parser->target, head->target)
                           : parser->llhttp.status_code == head->status;
}

/* agree - llhttp's opinion of what we have read */
static enum http_fault
agree(struct http_parser *parser, const char *at, size_t len, bool head_only,
      const struct http_head *head)
{
    enum http_fault fault = HTTP_NONE;
    llhttp_errno_t error;

    parser_begin(parser, head_only, head);
    error = llhttp_execute(&parser->llhttp, at, len);
    if ((error != HPE_OK && error != HPE_PAUSED_UPGRADE) || !parser->complete ||
        parser->broken || parser->payload != 0 ||
        parser->count != head->count || !same_start(parser))
        fault = llhttp_fault(parser, error);
    parser->head = NULL; /* from here on fields are trailers */
    return fault;
}

enum http_fault
http_head_read(struct http_parser *parser, const char *at, size_t len,
               size_t count, bool head_only, struct http_head *head)
{
    const char *end = memchr(at, '\r', len);
    struct http_text line = { at, end == NULL ? 0 : (size_t)(end - at) };
    struct http_text rest = { at + line.len + 2, len - line.len - 2 };
    enum http_fault fault;

    head->count = 0;
    head->method = head->target = (struct http_text){ NULL, 0 };
    if (end == NULL || len < line.len + 4)
        return HTTP_BAD_HEAD;
    fault =
        parser->request ? request_line(line, head) : status_line(line, head);
    if (fault != HTTP_NONE)
        return fault;
    if (!fields(rest, head, count))
        return HTTP_BAD_HEAD;
    fault = parser->request ? framing(head) : response_framing(head, head_only);
    if (fault != HTTP_NONE)
        return fault;
    return agree(parser, at, len, head_only, head);
}

bool
http_parser_body(struct http_parser *parser, const char *at, size_t len,
                 size_t *payload, bool *done)
{
    llhttp_errno_t error;

    parser->payload = 0;
    error = llhttp_execute(&parser->llhttp, at, len);
    *payload = parser->payload;
    *done = parser->done;
    return error == HPE_OK || (error == HPE_PAUSED_UPGRADE && parser->done);
}

/* --- looking fields up ---------------------------------------------------- */

const struct http_field *
http_find(const struct http_head *head, const char *name, size_t *count)
{
    const struct http_field *found = NULL;
    size_t n = 0;

    for (size_t i = 0; i < head->count; i++)
        if (http_is(head->field[i].name, name)) {
            if (n++ == 0)
                found = &head->field[i];
        }
    if (count != NULL)
        *count = n;
    return found;
}

bool
http_connection_has(const struct http_head *head, struct http_text name)
{
    for (size_t i = 0; i < head->count; i++) {
        struct http_text list = head->field[i].value, word;

        if (!http_is(head->field[i].name, "connection"))
            continue;
        while (http_word(&list, &word))
            if (http_alike(word, name))
                return true;
    }
    return false;
}

bool
http_hop(const struct http_head *head, struct http_text name)
{
    static const char *const names[] = {
        "connection",     "keep-alive",        "te",
        "trailer",        "transfer-encoding", "upgrade",
        "content-length", "http2-settings"
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (http_like(name, names[i]))
            return true;
    if (name.len > 6 && http_like((struct http_text){ name.at, 6 }, "proxy-"))
        return true;
    return http_connection_has(head, name);
}
