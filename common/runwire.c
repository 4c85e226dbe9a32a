/*
 * runwire.c - requests of a worker to the runner: composed, and checked
 *
 * Owns which bytes a field may have. Pure. Must never let a byte through that
 * is not printable ASCII: the fields become a program's environment.
 */
#include "common/runwire.h"
#include <string.h>

enum form { TEXT, WORD, HEX, IP, PORT };

static const struct {
    enum form form;
    size_t longest;
} fields[RUNWIRE_FIELDS] = {
#define FIELD(id, form, longest) [RUNWIRE_##id] = { form, longest },
    RUNWIRE_FIELDS_ALL(FIELD)
#undef FIELD
};

/* the room is enough for all fields at their longest
 * NOLINTNEXTLINE(bugprone-macro-parentheses): it is the sum's sign */
#define FIELD(id, form, longest) +(longest)
_Static_assert(0 RUNWIRE_FIELDS_ALL(FIELD) <= RUNWIRE_TEXT_MAX,
               "RUNWIRE_TEXT_MAX");
#undef FIELD

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* byte_ok - may the byte stand in a field of that form? */
static bool
byte_ok(enum form form, char c)
{
    switch (form) {
    case TEXT:
        return c >= 0x20 && c < 0x7f;
    case WORD:
        return is_letter(c) || is_digit(c) ||
               (c != '\0' && strchr("-_.:+", c) != NULL);
    case HEX:
        return is_hex(c);
    case IP:
        return is_hex(c) || c == '.' || c == ':';
    case PORT:
        return is_digit(c);
    }
    return false;
}

/* port_ok - 1 to 65535, no leading zero; len is at most 5 */
static bool
port_ok(const char *text, size_t len)
{
    unsigned long port = 0;

    for (size_t i = 0; i < len; i++)
        port = port * 10 + (unsigned long)(text[i] - '0');
    return text[0] != '0' && port <= 65535;
}

bool
runwire_field_ok(enum runwire_field field, const char *text, size_t len)
{
    if (len > fields[field].longest)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!byte_ok(fields[field].form, text[i]))
            return false;
    return len == 0 || fields[field].form != PORT || port_ok(text, len);
}

/* length - of all fields together */
static size_t
length(const struct runwire_request *request)
{
    size_t sum = 0;

    for (size_t i = 0; i < RUNWIRE_FIELDS; i++)
        sum += request->len[i];
    return sum;
}

size_t
runwire_begin(struct runwire_request *request, uint32_t seq)
{
    memset(request, 0, RUNWIRE_HEAD);
    request->kind = RUNWIRE_RUN;
    request->seq = seq;
    return RUNWIRE_HEAD;
}

size_t
runwire_add(struct runwire_request *request, enum runwire_field field,
            const char *text)
{
    size_t len = strnlen(text, fields[field].longest), used = length(request);

    if (runwire_field_ok(field, text, len)) {
        memcpy(request->text + used, text, len);
        request->len[field] = (uint16_t)len;
        used += len;
    }
    return RUNWIRE_HEAD + used;
}

bool
runwire_request_ok(const struct runwire_request *request, size_t len)
{
    const char *at = request->text;
    size_t used = 0;

    if (len < RUNWIRE_HEAD)
        return false;
    if (request->kind == RUNWIRE_CLOSE)
        return len == RUNWIRE_HEAD;
    if (request->kind != RUNWIRE_RUN || len > sizeof(*request) ||
        RUNWIRE_HEAD + length(request) != len)
        return false;
    for (size_t i = 0; i < RUNWIRE_FIELDS; i++) {
        if (!runwire_field_ok((enum runwire_field)i, at + used,
                              request->len[i]))
            return false;
        used += request->len[i];
    }
    return true;
}

const char *
runwire_get(const struct runwire_request *request, enum runwire_field field,
            size_t *len)
{
    size_t before = 0;

    for (size_t i = 0; i < (size_t)field; i++)
        before += request->len[i];
    *len = request->len[field];
    return request->text + before;
}
