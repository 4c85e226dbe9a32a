/*
 * peername.c - is this certificate for that name?
 *
 * Owns the comparison of an upstream's name with its certificate. Pure: reads
 * the strict DER view of common/x509.h, allocates nothing.
 * Must never match by a prefix, by what stands before a NUL, by a CN beside a
 * SAN, or an address by a text.
 */
#include "worker/peername.h"

#include <arpa/inet.h>
#include <string.h>

#define LABEL_MAX 63

enum { SAN_DNS = 0x82, SAN_IP = 0x87 };
enum { TAG_UTF8 = 0x0c, TAG_PRINTABLE = 0x13, TAG_IA5 = 0x16 };

/* lower - ASCII alone: a locale has no say in this */
static char
lower(uint8_t byte)
{
    return (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* is_label_byte - letters, digits, hyphen; an underscore is in use, too */
static bool
is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

/* labels_ok - non-empty labels of at most 63 bytes, no hyphen at their ends, and
 * the last one is not all digits: that would be half an address */
static bool
labels_ok(const char *host)
{
    for (;;) {
        /* nothing behind the end of host is read: strcspn stops there, which
         * the analyzer does not know */
        size_t len = strcspn(host, "."), digits = 0;

        if (len == 0 || len > LABEL_MAX || host[0] == '-' ||
            host[len - 1] == '-')
            return false;
        for (size_t i = 0; i < len; i++)
            /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
            digits += is_digit(host[i]);
        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
        if (host[len] == '\0')
            return digits < len;
        host += len + 1;
    }
}

/* host_of - bytes as a host name in lower case; false: they are none */
static bool
host_of(struct span bytes, char out[PEERNAME_MAX])
{
    if (bytes.len == 0 || bytes.len >= PEERNAME_MAX)
        return false;
    for (size_t i = 0; i < bytes.len; i++) {
        out[i] = lower(bytes.at[i]);
        if (!is_label_byte(out[i]) && out[i] != '.')
            return false;
    }
    out[bytes.len] = '\0';
    return labels_ok(out);
}

size_t
peername_address(const char *name, uint8_t out[16])
{
    char bare[INET6_ADDRSTRLEN];
    size_t len = strlen(name);

    if (len >= 2 && name[0] == '[' && name[len - 1] == ']') {
        name++;
        len -= 2;
    } else if (inet_pton(AF_INET, name, out) == 1) {
        return 4;
    }
    if (len >= sizeof(bare))
        return 0;
    memcpy(bare, name, len);
    bare[len] = '\0';
    return inet_pton(AF_INET6, bare, out) == 1 ? 16 : 0;
}

bool
peername_host(const char *name, char out[PEERNAME_MAX])
{
    struct span bytes = { (const uint8_t *)name, strlen(name) };

    if (bytes.len > 1 && name[bytes.len - 1] == '.')
        bytes.len--;
    return host_of(bytes, out);
}

/* dns_matches - one dns SAN against a host name */
static bool
dns_matches(struct span san, const char *host)
{
    char pattern[PEERNAME_MAX];
    const char *dot;

    if (san.len > 2 && san.at[0] == '*' && san.at[1] == '.') {
        san.at += 2;
        san.len -= 2;
        /* one label of the host for the star, and at least two behind it */
        if ((dot = strchr(host, '.')) == NULL || strchr(dot + 1, '.') == NULL)
            return false;
        host = dot + 1;
    }
    return host_of(san, pattern) && strcmp(pattern, host) == 0;
}

/* what is looked for: a host name, or an address */
struct wanted {
    const char *host; /* NULL: address */
    uint8_t address[16];
    size_t address_len;
};

/* one_matches - one GeneralName; *bad: the certificate is not to be believed */
static bool
one_matches(unsigned tag, struct span value, const struct wanted *wanted,
            bool *bad)
{
    if (tag == SAN_IP) {
        *bad = value.len != 4 && value.len != 16;
        return wanted->host == NULL && value.len == wanted->address_len &&
               memcmp(value.at, wanted->address, value.len) == 0;
    }
    if (tag != SAN_DNS || value.len == 0)
        return false;
    *bad = memchr(value.at, 0, value.len) != NULL;
    return wanted->host != NULL && dns_matches(value, wanted->host);
}

/* san_matches - all of them are looked at: broken bytes behind the name that we
 * want are broken bytes */
static bool
san_matches(struct span names, const struct wanted *wanted)
{
    struct span value;
    bool found = false, bad = false;
    unsigned tag;

    while (der_next(&names, &tag, &value, NULL)) {
        found |= one_matches(tag, value, wanted, &bad);
        if (bad)
            return false;
    }
    return found && names.len == 0;
}

/* cn_of - the most specific CN as a host name: Names begin with the root */
static bool
cn_of(struct span subject, char out[PEERNAME_MAX])
{
    static const uint8_t oid[] = { 0x55, 0x04, 0x03 };
    const struct span cn = { oid, sizeof(oid) };
    struct x509_attribute attribute;
    struct span rdns[32];
    int i = x509_name_rdns(subject, rdns, 32);

    while (--i >= 0)
        while (x509_attribute_next(&rdns[i], &attribute))
            if (span_equal(attribute.oid, cn))
                return (attribute.tag == TAG_UTF8 ||
                        attribute.tag == TAG_PRINTABLE ||
                        attribute.tag == TAG_IA5) &&
                       host_of(attribute.value, out);
    return false;
}

bool
peername_is(const struct x509 *cert, const char *name)
{
    char host[PEERNAME_MAX], cn[PEERNAME_MAX];
    struct wanted wanted = { .host = NULL };

    wanted.address_len = peername_address(name, wanted.address);
    if (wanted.address_len == 0) {
        if (!peername_host(name, host))
            return false;
        wanted.host = host;
    }
    if (cert->san.at != NULL) /* an empty one is one, too */
        return san_matches(cert->san, &wanted);
    return wanted.host != NULL && cn_of(cert->subject, cn) &&
           strcmp(cn, host) == 0;
}
