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

/* days_of - since 1970; years begin in March, so that a leap day is their last.
 * Not timegm(3): it takes the time zone's lock, and whoever does gets a page of
 * the C library's of its own. */
static time_t
days_of(int year, int month, int day)
{
    int march = year - (month <= 2) + 400; /* never negative */
    int leap = march / 4 - march / 100 + march / 400;

    return 365 * march + leap + (153 * ((month + 9) % 12) + 2) / 5 + day - 1 -
           719468 - 146097;
}

bool
der_time(struct span *rest, time_t *out)
{
    struct span text;
    unsigned tag;
    int part[7], count = 6, year, i;
    const int *at;

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
    if (tag == TAG_GENERALIZED_TIME)
        year = part[0] * 100 + part[1];
    else
        year = part[0] < 50 ? part[0] + 2000 : part[0] + 1900;
    at = part + count - 5; /* month, day, hour, minute, second */
    if (at[0] < 1 || at[0] > 12 || at[1] < 1 || at[1] > 31 || at[2] > 23 ||
        at[3] > 59 || at[4] > 60)
        return false;
    *out =
        days_of(year, at[0], at[1]) * 86400 + at[2] * 3600 + at[3] * 60 + at[4];
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
