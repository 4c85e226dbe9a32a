/* test_identity.c - names as words: order, escapes, cuts, odd bytes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/x509_text.h"
#include "test/unit/tls_pki.h"
#include "worker/identity.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t sha256[32] = { 0xab, 0xcd, 0x01 };

static uint8_t *
load(const char *name, struct identity *id)
{
    size_t len;
    uint8_t *der = tls_der(name, &len);

    assert_true(identity_from_der(der, len, sha256, id));
    return der;
}

static void
a_certificate_says_who_it_is(void **state)
{
    struct identity id;
    uint8_t *der = load("good-P-256.crt", &id);

    (void)state;
    assert_true(id.present && !id.cut && id.der == der);
    assert_string_equal(id.subject, "CN=good-P-256,O=Example");
    assert_string_equal(id.issuer, "CN=Root,O=Example");
    assert_string_equal(id.cn, "good-P-256");
    assert_string_equal(id.san,
                        "dns:P-256.example.org,uri:spiffe://example.org/P-256,"
                        "ip:192.0.2.1,email:a@example.org");
    assert_memory_equal(id.sha256_hex, "abcd0100", 8);
    assert_string_equal(id.sha1_hex, "");
    identity_sha1(&id, sha256);
    assert_int_equal(strlen(id.sha1_hex), 40);
    assert_memory_equal(id.sha1_hex, "abcd0100", 8);
    assert_true(strlen(id.serial) > 30 &&
                strspn(id.serial, "0123456789ABCDEF") == strlen(id.serial));
    assert_true(id.not_after - id.not_before == 30 * 86400);
    free(der);
}

static void
names_are_escaped(void **state)
{
    struct identity id;
    uint8_t *der = load("escapes.crt", &id);

    (void)state;
    assert_string_equal(id.subject,
                        "CN=\\ caf\\C3\\A9\\ ,O=Ex\\, \\22ample\\22\\\\\\; #1");
    assert_string_equal(id.cn, " caf\\xc3\\xa9 ");
    free(der);
    der = load("good-sanonly.crt", &id);
    assert_string_equal(id.subject, "");
    assert_string_equal(id.cn, "");
    assert_string_equal(id.san, "dns:only.example.org");
    free(der);
}

/* SEQUENCE of SETs, by hand */
static const struct {
    const char *der;
    size_t len;
    const char *text;
    bool whole;
} names[] = {
#define NAME(bytes, text, whole)              \
    {                                         \
        bytes, sizeof(bytes) - 1, text, whole \
    }
    NAME("\x30\x00", "", true),
    /* two attributes in one RDN */
    NAME("\x30\x14\x31\x12\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
         "a"
         "\x30\x06\x06\x01\x2a\x0c\x01"
         "b",
         "CN=a+1.2=#0C0162", true),
    /* BMPString, a surrogate-free umlaut */
    NAME("\x30\x0b\x31\x09\x30\x07\x06\x03\x55\x04\x03\x1e\x00", "CN=", true),
    NAME("\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x1e\x02\x00\xe4",
         "CN=\\C3\\A4", true),
    /* an odd BMPString is no text */
    NAME("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x1e\x01\x41",
         "CN=#1E0141", true),
    /* a NUL and a control byte */
    NAME("\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x03"
         "a\0\n",
         "CN=a\\00\\0A", true),
    NAME("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01#", "CN=\\#",
         true),
    /* broken */
    NAME("\x30\x05\x31\x03\x30", "", false),
    NAME("\x31\x00", "", false),
    NAME("\x30\x00\x00", "", false),
#undef NAME
};

static void
names_by_hand(void **state)
{
    char out[128];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct span name = { (const uint8_t *)names[i].der, names[i].len };

        if (x509_dn_text(name, out, sizeof(out)) != names[i].whole ||
            strcmp(out, names[i].text) != 0)
            fail_msg("name %zu: %s", i, out);
    }
}

static void
what_does_not_fit_is_cut_between_escapes(void **state)
{
    static const uint8_t der[] =
        "\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x03"
        "\x01\x02\x03";
    static const uint8_t sans[] = "\x82\x03"
                                  "abc"
                                  "\x82\x03"
                                  "def";
    struct span name = { der, sizeof(der) - 1 },
                san = { sans, sizeof(sans) - 1 };
    char out[16];

    (void)state;
    assert_false(x509_dn_text(name, out, 8));
    assert_string_equal(out, "CN=\\01");
    assert_true(x509_dn_text(name, out, 13));
    assert_string_equal(out, "CN=\\01\\02\\03");
    assert_false(x509_san_text(san, out, 15));
    assert_string_equal(out, "dns:abc"); /* half a name is another name */
    assert_true(x509_san_text(san, out, 16));
}

static void
sans_cannot_be_forged(void **state)
{
    static const uint8_t sans[] = "\x82\x0b"
                                  "a,dns:admin"
                                  "\x87\x03\x01\x02\x03"
                                  "\xa0\x00"
                                  "\x86\x02"
                                  "\"\x7f";
    struct span san = { sans, sizeof(sans) - 1 };
    char out[64];

    (void)state;
    assert_true(x509_san_text(san, out, sizeof(out)));
    assert_string_equal(out, "dns:a\\x2cdns:admin,ip:010203,uri:\\x22\\x7f");
}

static void
rubbish_is_nobody(void **state)
{
    struct identity id;
    size_t len, i;
    uint8_t *der = tls_der("good-P-256.crt", &len);

    (void)state;
    assert_false(identity_from_der((const uint8_t *)"", 0, sha256, &id));
    assert_false(id.present);
    for (i = 0; i < len; i++)
        assert_false(identity_from_der(der, i, sha256, &id));
    free(der);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_says_who_it_is),
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(names_by_hand),
        cmocka_unit_test(what_does_not_fit_is_cut_between_escapes),
        cmocka_unit_test(sans_cannot_be_forged),
        cmocka_unit_test(rubbish_is_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
