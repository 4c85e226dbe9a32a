/*
 * x509_text.c - turn a certificate into the words that logs and rules use
 *
 * Owns the escaping of names: what leaves this file holds no byte that could
 * break a log line or look like another name. Pure. A text that does not fit is
 * cut and said to be so, never quietly shortened into somebody else's name.
 */
#include "common/x509_text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define RDNS_MAX 32

/* byte by byte, for every client: printf(3) would cost more than the parsing */
static const char hex_upper[] = "0123456789ABCDEF";
static const char hex_lower[] = "0123456789abcdef";

/* a text under construction: whole pieces or nothing */
struct pen {
    char *at;
    size_t len, room;
    bool cut;
};

static struct pen
pen_on(char *out, size_t room)
{
    out[0] = '\0';
    return (struct pen){ .at = out, .room = room };
}

/* pen_put - all of it or, once one piece did not fit, nothing any more */
static void
pen_put(struct pen *pen, const char *text, size_t len)
{
    if (pen->cut || len >= pen->room - pen->len) {
        pen->cut = true;
        return;
    }
    memcpy(pen->at + pen->len, text, len);
    pen->len += len;
    pen->at[pen->len] = '\0';
}

static void
pen_text(struct pen *pen, const char *text)
{
    pen_put(pen, text, strlen(text));
}

static void
pen_hex(struct pen *pen, struct span bytes)
{
    char two[2];
    size_t i;

    for (i = 0; i < bytes.len; i++) {
        two[0] = hex_upper[bytes.at[i] >> 4];
        two[1] = hex_upper[bytes.at[i] & 15];
        pen_put(pen, two, 2);
    }
}

/* pen_dn_byte - RFC 4514 2.4; hex pairs for all that is not plain ASCII */
static void
pen_dn_byte(struct pen *pen, uint8_t byte, bool first, bool last)
{
    const char pair[] = { '\\', hex_upper[byte >> 4], hex_upper[byte & 15] };
    const char marked[] = { '\\', (char)byte };

    if (byte < 0x20 || byte > 0x7e || byte == '"')
        pen_put(pen, pair, sizeof(pair));
    else if (strchr("\\,+<>;=", byte) != NULL || (first && byte == '#') ||
             ((first || last) && byte == ' '))
        pen_put(pen, marked, 2);
    else
        pen_put(pen, marked + 1, 1);
}

/* pen_plain_byte - as text_escape, and a comma too: it separates our lists */
static void
pen_plain_byte(struct pen *pen, uint8_t byte)
{
    const char pair[] = { '\\', 'x', hex_lower[byte >> 4],
                          hex_lower[byte & 15] };
    const char plain = (char)byte;

    if (byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\' ||
        byte == ',')
        pen_put(pen, pair, sizeof(pair));
    else
        pen_put(pen, &plain, 1);
}

/* utf8_put - one code point; returns the count of bytes, at most four */
static size_t
utf8_put(uint32_t c, uint8_t out[4])
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | (c >> 18 & 0x07));
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

enum {
    STRING_UTF8 = 0x0c,
    STRING_NUMERIC = 0x12,
    STRING_PRINTABLE = 0x13,
    STRING_TELETEX = 0x14,
    STRING_IA5 = 0x16,
    STRING_VISIBLE = 0x1a,
    STRING_UNIVERSAL = 0x1c,
    STRING_BMP = 0x1e,
};

/* string_width - bytes of one character: 1, 2, 4; 0: not a string of ours */
static size_t
string_width(unsigned tag)
{
    switch (tag) {
    case STRING_UTF8:
    case STRING_NUMERIC:
    case STRING_PRINTABLE:
    case STRING_TELETEX:
    case STRING_IA5:
    case STRING_VISIBLE:
        return 1;
    case STRING_BMP:
        return 2;
    case STRING_UNIVERSAL:
        return 4;
    default:
        return 0;
    }
}

/* string_char - the character at `i` in UTF-8; returns its bytes */
static size_t
string_char(struct span value, size_t i, size_t width, uint8_t out[4])
{
    uint32_t c = 0;
    size_t k;

    if (width == 1) {
        out[0] = value.at[i];
        return 1;
    }
    for (k = 0; k < width; k++)
        c = c << 8 | value.at[i + k];
    return utf8_put(c > 0x10ffff ? 0xfffd : c, out);
}

/* pen_value - the attribute's text, or #hex for what is no text */
static void
pen_value(struct pen *pen, const struct x509_attribute *attribute, bool dn)
{
    size_t width = string_width(attribute->tag), i, k, n;
    struct span value = attribute->value;
    uint8_t utf8[4];

    if (width == 0 || value.len % width != 0) {
        pen_text(pen, "#");
        pen_hex(pen, attribute->whole);
        return;
    }
    for (i = 0; i < value.len; i += width) {
        n = string_char(value, i, width, utf8);
        for (k = 0; k < n; k++) {
            if (dn)
                pen_dn_byte(pen, utf8[k], i == 0, i + width == value.len);
            else
                pen_plain_byte(pen, utf8[k]);
        }
    }
}

/* names of attribute types: RFC 4514's table, and what people know by name */
static const struct {
    const char *oid;
    size_t len;
    const char *name;
} attribute_names[] = {
#define ROW(oid, name)             \
    {                              \
        oid, sizeof(oid) - 1, name \
    }
    ROW("\x55\x04\x03", "CN"),
    ROW("\x55\x04\x04", "SN"),
    ROW("\x55\x04\x05", "serialNumber"),
    ROW("\x55\x04\x06", "C"),
    ROW("\x55\x04\x07", "L"),
    ROW("\x55\x04\x08", "ST"),
    ROW("\x55\x04\x09", "STREET"),
    ROW("\x55\x04\x0a", "O"),
    ROW("\x55\x04\x0b", "OU"),
    ROW("\x55\x04\x0c", "title"),
    ROW("\x55\x04\x2a", "GN"),
    ROW("\x55\x04\x2b", "initials"),
    ROW("\x55\x04\x2e", "dnQualifier"),
    ROW("\x55\x04\x61", "organizationIdentifier"),
    ROW("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", "emailAddress"),
    ROW("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", "DC"),
    ROW("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "UID"),
#undef ROW
};

static bool
oid_is_cn(struct span oid)
{
    return oid.len == 3 && memcmp(oid.at, "\x55\x04\x03", 3) == 0;
}

/* pen_oid - dotted decimal; an arc over 32 bits is written as hex of all */
static void
pen_oid(struct pen *pen, struct span oid)
{
    uint64_t arc = 0;
    bool first = true;
    char text[24];
    size_t i;

    for (i = 0; i < oid.len; i++) {
        if (arc >> 32 != 0)
            break;
        arc = arc << 7 | (oid.at[i] & 0x7f);
        if ((oid.at[i] & 0x80) != 0)
            continue;
        if (first)
            (void)snprintf(text, sizeof(text), "%u.%llu",
                           arc < 40   ? 0U
                           : arc < 80 ? 1U
                                      : 2U,
                           (unsigned long long)(arc < 40   ? arc
                                                : arc < 80 ? arc - 40
                                                           : arc - 80));
        else
            (void)snprintf(text, sizeof(text), ".%llu",
                           (unsigned long long)arc);
        pen_text(pen, text);
        first = false;
        arc = 0;
    }
    if (i < oid.len || first)
        pen_text(pen, ".?");
}

/* pen_type - false: the type has no name, so its value must be #hex */
static bool
pen_type(struct pen *pen, struct span oid)
{
    size_t i;

    for (i = 0; i < sizeof(attribute_names) / sizeof(attribute_names[0]); i++)
        if (oid.len == attribute_names[i].len &&
            memcmp(oid.at, attribute_names[i].oid, oid.len) == 0) {
            pen_text(pen, attribute_names[i].name);
            return true;
        }
    pen_oid(pen, oid);
    return false;
}

static void
pen_rdn(struct pen *pen, struct span rdn)
{
    struct x509_attribute attribute;
    const char *between = "";

    while (x509_attribute_next(&rdn, &attribute)) {
        pen_text(pen, between);
        if (pen_type(pen, attribute.oid)) {
            pen_text(pen, "=");
            pen_value(pen, &attribute, true);
        } else {
            pen_text(pen, "=#");
            pen_hex(pen, attribute.whole);
        }
        between = "+";
    }
}

/* x509_dn_text - last RDN first */
bool
x509_dn_text(struct span name, char *out, size_t room)
{
    struct span rdns[RDNS_MAX];
    struct pen pen = pen_on(out, room);
    int count = x509_name_rdns(name, rdns, RDNS_MAX), i;

    for (i = count - 1; i >= 0; i--) {
        pen_rdn(&pen, rdns[i]);
        if (i > 0)
            pen_text(&pen, ",");
    }
    return !pen.cut && count >= 0;
}

/* x509_cn_text - the last CN in the certificate's order: the most specific */
bool
x509_cn_text(struct span name, char *out, size_t room)
{
    struct span rdns[RDNS_MAX], rdn;
    struct x509_attribute attribute;
    struct pen pen = pen_on(out, room);
    int count = x509_name_rdns(name, rdns, RDNS_MAX), i;

    for (i = count - 1; i >= 0 && pen.len == 0 && !pen.cut; i--)
        for (rdn = rdns[i]; x509_attribute_next(&rdn, &attribute);)
            if (oid_is_cn(attribute.oid)) {
                pen_value(&pen, &attribute, false);
                break;
            }
    return !pen.cut;
}

static void
pen_ip(struct pen *pen, struct span value)
{
    char text[INET6_ADDRSTRLEN];
    int family = value.len == 4 ? AF_INET : AF_INET6;

    if ((value.len == 4 || value.len == 16) &&
        inet_ntop(family, value.at, text, sizeof(text)) != NULL)
        pen_text(pen, text);
    else
        pen_hex(pen, value);
}

/* pen_general_name - the four kinds that we name; false: another kind */
static bool
pen_general_name(struct pen *pen, unsigned tag, struct span value,
                 const char *between)
{
    const char *kind = tag == 0x82   ? "dns:"
                       : tag == 0x86 ? "uri:"
                       : tag == 0x87 ? "ip:"
                       : tag == 0x81 ? "email:"
                                     : NULL;
    size_t i;

    if (kind == NULL)
        return false;
    pen_text(pen, between);
    pen_text(pen, kind);
    if (tag == 0x87)
        pen_ip(pen, value);
    else
        for (i = 0; i < value.len; i++)
            pen_plain_byte(pen, value.at[i]);
    return true;
}

bool
x509_san_text(struct span names, char *out, size_t room)
{
    struct pen pen = pen_on(out, room);
    struct span value;
    const char *between = "";
    size_t whole;
    unsigned tag;

    while (der_next(&names, &tag, &value, NULL)) {
        whole = pen.len;
        if (pen_general_name(&pen, tag, value, between))
            between = ",";
        if (pen.cut) { /* half a name is another name: leave it out */
            out[whole] = '\0';
            break;
        }
    }
    return !pen.cut;
}

bool
x509_serial_text(struct span serial, char *out, size_t room)
{
    struct pen pen = pen_on(out, room);

    while (serial.len > 1 && serial.at[0] == 0) {
        serial.at++;
        serial.len--;
    }
    if (serial.len > 0 && serial.at[0] < 0x10) {
        char one[2] = { "0123456789ABCDEF"[serial.at[0]], '\0' };

        pen_text(&pen, one);
        serial.at++;
        serial.len--;
    }
    pen_hex(&pen, serial);
    return !pen.cut;
}
