/*
 * x509_der.c - read DER without believing it
 *
 * Owns every length that is read from certificates and revocation lists: each is
 * checked where it is read. Allocates nothing, copies nothing, recurses nowhere.
 */
#include "common/x509_der.h"

#include <string.h>

bool
span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* der_length - minimal, definite, at most four bytes; false otherwise */
static bool
der_length(const uint8_t *at, size_t room, size_t *head, size_t *len)
{
    size_t count, i;

    if (room < 2)
        return false;
    if (at[1] < 0x80) {
        *head = 2;
        *len = at[1];
        return true;
    }
    count = at[1] & 0x7fu;
    if (count == 0 || count > 4 || room < 2 + count || at[2] == 0)
        return false;
    for (*len = 0, i = 0; i < count; i++)
        *len = *len << 8 | at[2 + i];
    *head = 2 + count;
    return *len >= 0x80;
}

bool
der_next(struct span *rest, unsigned *tag, struct span *content,
         struct span *whole)
{
    size_t head, len;

    if (rest->len < 2 || (rest->at[0] & 0x1f) == 0x1f ||
        !der_length(rest->at, rest->len, &head, &len) || len > rest->len - head)
        return false;
    *tag = rest->at[0];
    if (content != NULL)
        *content = (struct span){ rest->at + head, len };
    if (whole != NULL)
        *whole = (struct span){ rest->at, head + len };
    rest->at += head + len;
    rest->len -= head + len;
    return true;
}

bool
der_take(struct span *rest, unsigned want, struct span *content,
         struct span *whole)
{
    unsigned tag;

    return rest->len > 0 && rest->at[0] == want &&
           der_next(rest, &tag, content, whole);
}

bool
der_maybe(struct span *rest, unsigned want, struct span *content, bool *there)
{
    *there = rest->len > 0 && rest->at[0] == want;
    return !*there || der_take(rest, want, content, NULL);
}

bool
der_is(struct span oid, const char *bytes, size_t len)
{
    return oid.len == len && memcmp(oid.at, bytes, len) == 0;
}

/* two_digits - -1 when they are none */
static int
two_digits(const uint8_t *at)
{
    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
        return -1;
    return (at[0] - '0') * 10 + (at[1] - '0');
}

bool
der_time(struct span *rest, time_t *out)
{
    struct span text;
    struct tm tm;
    unsigned tag;
    int part[7], count = 6, i;

    if (!der_next(rest, &tag, &text, NULL))
        return false;
    if (tag == TAG_GENERALIZED_TIME)
        count = 7;
    else if (tag != TAG_UTC_TIME)
        return false;
    if (text.len != (size_t)count * 2 + 1 || text.at[text.len - 1] != 'Z')
        return false;
    for (i = 0; i < count; i++)
        if ((part[i] = two_digits(text.at + 2 * i)) < 0)
            return false;
    memset(&tm, 0, sizeof(tm));
    if (tag == TAG_GENERALIZED_TIME)
        tm.tm_year = part[0] * 100 + part[1] - 1900;
    else
        tm.tm_year = part[0] < 50 ? part[0] + 100 : part[0];
    tm.tm_mon = part[count - 5] - 1;
    tm.tm_mday = part[count - 4];
    tm.tm_hour = part[count - 3];
    tm.tm_min = part[count - 2];
    tm.tm_sec = part[count - 1];
    if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
        tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    *out = timegm(&tm);
    return true;
}

bool
der_extension(struct span *list, struct span *oid, bool *critical,
              struct span *value)
{
    struct span extension, flag;
    bool there;

    if (!der_take(list, TAG_SEQUENCE, &extension, NULL) ||
        !der_take(&extension, TAG_OID, oid, NULL) ||
        !der_maybe(&extension, TAG_BOOLEAN, &flag, &there) ||
        !der_take(&extension, TAG_OCTET_STRING, value, NULL) ||
        extension.len != 0)
        return false;
    *critical = there && (flag.len != 1 || flag.at[0] != 0);
    return true;
}
