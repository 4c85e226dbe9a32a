/* test_peername.c - a certificate is for the name that it bears, and no other */
#include "worker/peername.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- certificates out of one line ------------------------------------------ */

/* bytes of one text: %XX is a byte */
static size_t
decode(const char *text, size_t len, uint8_t *out)
{
    char hex[3] = "";
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            out[n++] = (uint8_t)text[i];
            continue;
        }
        memcpy(hex, text + i + 1, 2);
        out[n++] = (uint8_t)strtoul(hex, NULL, 16);
        i += 2;
    }
    return n;
}

static size_t
put(uint8_t *out, uint8_t tag, const uint8_t *data, size_t len)
{
    size_t n = 0;

    out[n++] = tag;
    if (len >= 128) {
        out[n++] = 0x82;
        out[n++] = (uint8_t)(len >> 8);
    }
    out[n++] = (uint8_t)len;
    memcpy(out + n, data, len);
    return n + len;
}

/* names - "d:dns|i:ip bytes|m:mail|u:uri|x:raw bytes" as GeneralNames */
static size_t
names(const char *spec, uint8_t *out)
{
    static const char kinds[] = "mdui";
    static const uint8_t tags[] = { 0x81, 0x82, 0x86, 0x87 };
    uint8_t data[1024];
    size_t n = 0;

    while (*spec != '\0') {
        size_t len = strcspn(spec, "|");
        size_t bytes = decode(spec + 2, len - 2, data);

        if (spec[0] == 'x') {
            memcpy(out + n, data, bytes);
            n += bytes;
        } else {
            n +=
                put(out + n, tags[strchr(kinds, spec[0]) - kinds], data, bytes);
        }
        spec += len + (spec[len] != '\0');
    }
    return n;
}

/* rdn - one attribute: "c:common name" as UTF8String, "b:" as BMPString, "o:"
 * an organization */
static size_t
rdn(const char *spec, size_t len, uint8_t *out)
{
    uint8_t data[512], value[512], pair[600], set[700];
    size_t n = decode(spec + 2, len - 2, data);
    uint8_t oid[] = { 0x55, 0x04, spec[0] == 'o' ? 0x0a : 0x03 };

    n = put(value, spec[0] == 'b' ? 0x1e : 0x0c, data, n);
    memcpy(pair + put(pair, 0x06, oid, sizeof(oid)), value, n);
    n = put(set, 0x30, pair, 5 + n);
    return put(out, 0x31, set, n);
}

static size_t
subject(const char *spec, uint8_t *out)
{
    uint8_t body[2048];
    size_t n = 0;

    while (*spec != '\0') {
        size_t len = strcspn(spec, "|");

        n += rdn(spec, len, body + n);
        spec += len + (spec[len] != '\0');
    }
    return put(out, 0x30, body, n);
}

/* is - san NULL: the certificate has none */
static bool
is(const char *dn, const char *san, const char *name)
{
    uint8_t san_bytes[4096], dn_bytes[4096];
    struct x509 cert = { .version = 3 };

    cert.subject = (struct span){ dn_bytes, subject(dn, dn_bytes) };
    if (san != NULL)
        cert.san = (struct span){ san_bytes, names(san, san_bytes) };
    return peername_is(&cert, name);
}

/* --- tables -------------------------------------------------------------------- */

#define L63    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
#define NOBODY "c:nobody.example.net"

static const struct {
    const char *dn, *san, *name;
    bool want;
} rows[] = {
    /* dns names: all of it, without case, in any place */
    { NOBODY, "d:a.example.org", "a.example.org", true },
    { NOBODY, "d:A.Example.ORG", "a.exAMPle.org", true },
    { NOBODY, "d:x.org|u:urn:y|d:a.example.org", "a.example.org", true },
    { NOBODY, "d:localhost", "localhost", true },
    { NOBODY, "d:a_b.example.org", "a_b.example.org", true },
    { NOBODY, "d:a.example.org", "a.example.org.", true },
    { NOBODY, "d:a.example.org", "a.example.org..", false },
    { NOBODY, "d:a.example.org.", "a.example.org", false },
    { NOBODY, "d:a.example.org", "example.org", false },
    { NOBODY, "d:example.org", "a.example.org", false },
    { NOBODY, "d:a.example.org", "ba.example.org", false },
    { NOBODY, "d:a.example.org", "a.example.orgs", false },
    { NOBODY, "d:a.example.org", "a.example.or", false },
    { NOBODY, "d:.example.org", "a.example.org", false },
    { NOBODY, "d:a..example.org", "a..example.org", false },
    { NOBODY, "d: a.example.org", "a.example.org", false },
    { NOBODY, "d:a.example.org ", "a.example.org", false },
    { NOBODY, "d:-a.example.org", "-a.example.org", false },
    { NOBODY, "d:a-.example.org", "a-.example.org", false },
    { NOBODY, "d:" L63 ".org", L63 ".org", true },
    { NOBODY, "d:" L63 "x.org", L63 "x.org", false },
    { NOBODY, "d:", "a.example.org", false },
    { NOBODY, "", "nobody.example.net", false }, /* a SAN without names */
    /* A-labels are ASCII; anything else is no name at all */
    { NOBODY, "d:xn--bcher-kva.example", "xn--bcher-kva.example", true },
    { NOBODY, "d:XN--BCHER-KVA.example", "xn--bcher-kva.example", true },
    { NOBODY, "d:b%c3%bccher.example", "xn--bcher-kva.example", false },
    { NOBODY, "d:b%c3%bccher.example",
      "b\xc3\xbc"
      "cher.example",
      false },
    /* bytes that C would stop at */
    { NOBODY, "d:a.example.org%00.evil.net", "a.example.org", false },
    { NOBODY, "d:a.example.org%00", "a.example.org", false },
    { NOBODY, "d:%00", "a.example.org", false },
    { NOBODY, "d:a.example.org|d:b%00.org", "a.example.org", false },
    { NOBODY, "d:b%00.org|d:a.example.org", "a.example.org", false },
    { NOBODY, "d:a.example.org%0a", "a.example.org", false },
    /* wildcards: the whole leftmost label, one label, two behind it */
    { NOBODY, "d:*.example.org", "a.example.org", true },
    { NOBODY, "d:*.example.org", "xn--bcher-kva.example.org", true },
    { NOBODY, "d:*.EXAMPLE.org", "A.example.ORG", true },
    { NOBODY, "d:*.example.org", "example.org", false },
    { NOBODY, "d:*.example.org", ".example.org", false },
    { NOBODY, "d:*.example.org", "a.b.example.org", false },
    { NOBODY, "d:*.example.org", "*.example.org", false },
    { NOBODY, "d:*", "localhost", false },
    { NOBODY, "d:*", "example.org", false },
    { NOBODY, "d:*.", "localhost", false },
    { NOBODY, "d:*.org", "example.org", false },
    { NOBODY, "d:*.org", "a.example.org", false },
    { NOBODY, "d:*..org", "example..org", false },
    { NOBODY, "d:*.localhost", "a.localhost", false },
    { NOBODY, "d:*.*.org", "a.example.org", false },
    { NOBODY, "d:a.*.org", "a.example.org", false },
    { NOBODY, "d:a.example.*", "a.example.org", false },
    { NOBODY, "d:a*.example.org", "ab.example.org", false },
    { NOBODY, "d:*a.example.org", "ba.example.org", false },
    { NOBODY, "d:a*b.example.org", "acb.example.org", false },
    { NOBODY, "d:**.example.org", "a.example.org", false },
    { NOBODY, "d:*example.org", "aexample.org", false },
    { NOBODY, "d:xn--*.example.org", "xn--a.example.org", false },
    { NOBODY, "d:*.0.0.1", "127.0.0.1", false },
    /* addresses: ip SANs alone, byte for byte */
    { NOBODY, "i:%c0%00%02%01", "192.0.2.1", true },
    { NOBODY, "i:%c0%00%02%01", "192.0.2.2", false },
    { NOBODY, "d:192.0.2.1", "192.0.2.1", false },
    { NOBODY, "d:*.0.2.1", "192.0.2.1", false },
    { NOBODY, "u:192.0.2.1", "192.0.2.1", false },
    { NOBODY, "i:%c0%00%02%01", "192.0.2.01", false },
    { NOBODY, "i:%c0%00%02%01", "192.0.2.1.", false },
    { NOBODY, "i:%c0%00%02%01", "3221225985", false },
    { NOBODY, "i:%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%01", "::1",
      true },
    { NOBODY, "i:%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%01", "[::1]",
      true },
    { NOBODY, "i:%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%01",
      "0:0:0:0:0:0:0:1", true },
    { NOBODY, "i:%00%00%00%00%00%00%00%00%00%00%ff%ff%c0%00%02%01", "192.0.2.1",
      false },
    { NOBODY, "i:%c0%00%02%01", "::ffff:192.0.2.1", false },
    { NOBODY, "i:%c0%00%02%01", "[192.0.2.1]", false },
    /* an address and its mask: a name constraint's form, no name */
    { NOBODY, "i:%c0%00%02%01%ff%ff%ff%ff", "192.0.2.1", false },
    { NOBODY, "i:%c0%00%02%01|i:%c0%00%02", "192.0.2.1", false },
    { NOBODY, "i:", "a.example.org", false },
    /* a text is no address, and an address no text */
    { NOBODY, "i:abcd", "abcd", false },
    { NOBODY, "d:1.2.3", "1.2.3", false },
    { NOBODY, "d:127.1", "127.1", false },
    { NOBODY, "d:7.example", "7.example", true },
    /* broken bytes behind the name that we want */
    { NOBODY, "d:a.example.org|x:%82%05ab", "a.example.org", false },
    { NOBODY, "d:a.example.org|x:%82", "a.example.org", false },
    /* other kinds of names never match */
    { NOBODY, "m:a.example.org", "a.example.org", false },
    { NOBODY, "u:a.example.org", "a.example.org", false },
    { NOBODY, "u:https://a.example.org/", "a.example.org", false },
    /* the CN: only without any SAN, only a plain host name */
    { "c:a.example.org", NULL, "a.example.org", true },
    { "c:A.example.org", NULL, "a.EXAMPLE.org", true },
    { "o:Example|c:a.example.org", NULL, "a.example.org", true },
    { "c:a.example.org|o:Example", NULL, "a.example.org", true },
    { "c:localhost", NULL, "localhost", true },
    { "c:a.example.org|c:b.example.org", NULL, "b.example.org", true },
    { "c:a.example.org|c:b.example.org", NULL, "a.example.org", false },
    { "o:a.example.org", NULL, "a.example.org", false },
    { "c:a.example.org", "d:b.example.org", "a.example.org", false },
    { "c:a.example.org", "i:%c0%00%02%01", "a.example.org", false },
    { "c:a.example.org", "m:a@example.org", "a.example.org", false },
    { "c:a.example.org", "u:urn:x", "a.example.org", false },
    { "c:a.example.org", "", "a.example.org", false },
    { "c:*.example.org", NULL, "a.example.org", false },
    { "c:192.0.2.1", NULL, "192.0.2.1", false },
    { "c:a.example.org%00.evil.net", NULL, "a.example.org", false },
    { "c:a.example.org%00", NULL, "a.example.org", false },
    { "c:a.example.org/CN=b", NULL, "a.example.org", false },
    { "b:%00a", NULL, "a", false },
    { "c:", NULL, "a.example.org", false },
    /* names that are none */
    { "c:a", "d:a", "", false },
    { NULL, NULL, NULL, false },
};

static void
a_certificate_is_for_its_names_alone(void **state)
{
    bool good = true;

    (void)state;
    for (size_t i = 0; rows[i].name != NULL; i++)
        if (is(rows[i].dn, rows[i].san, rows[i].name) != rows[i].want) {
            print_error("%s, san %s, as %s: not %d\n", rows[i].dn,
                        rows[i].san != NULL ? rows[i].san : "(none)",
                        rows[i].name, rows[i].want);
            good = false;
        }
    assert_true(good);
}

static void
hosts_are_what_may_be_sent_as_sni(void **state)
{
    static const struct {
        const char *name, *want;
    } cases[] = {
        { "A.Example.org.", "a.example.org" },
        { "localhost", "localhost" },
        { "192.0.2.1", NULL },
        { "::1", NULL },
        { "[::1]", NULL },
        { "", NULL },
        { ".", NULL },
        { "a b", NULL },
        { "*.example.org", NULL },
        { "a..b", NULL },
    };
    char host[PEERNAME_MAX], big[600];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(peername_host(cases[i].name, host),
                         cases[i].want != NULL);
        if (cases[i].want != NULL)
            assert_string_equal(host, cases[i].want);
    }
    for (size_t len = 250; len < 260; len++) { /* labels of one byte */
        for (size_t i = 0; i < len; i++)
            big[i] = i % 2 == 0 ? 'a' : '.';
        big[len] = '\0';
        big[len - 1] = 'a';
        if (len % 2 == 1)
            assert_int_equal(peername_host(big, host), len <= 253);
    }
}

static void
addresses_are_four_or_sixteen_bytes(void **state)
{
    uint8_t out[16];
    char big[600];

    (void)state;
    assert_int_equal(peername_address("192.0.2.1", out), 4);
    assert_memory_equal(out, "\xc0\x00\x02\x01", 4);
    assert_int_equal(peername_address("[2001:db8::1]", out), 16);
    assert_int_equal(peername_address("2001:db8::1", out), 16);
    assert_int_equal(peername_address("fe80::1%eth0", out), 0);
    assert_int_equal(peername_address("[]", out), 0);
    assert_int_equal(peername_address("[", out), 0);
    assert_int_equal(peername_address("", out), 0);
    memset(big, ':', sizeof(big));
    big[599] = '\0';
    assert_int_equal(peername_address(big, out), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_for_its_names_alone),
        cmocka_unit_test(hosts_are_what_may_be_sent_as_sni),
        cmocka_unit_test(addresses_are_four_or_sixteen_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
