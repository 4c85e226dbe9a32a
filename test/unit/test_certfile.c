/* test_certfile.c - what a file of certificates may hold, and what is said about the rest */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "master/certfile.h"
#include "master/keyring.h"
#include "test/unit/tls_pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEM_HEAD "-----BEGIN CERTIFICATE-----\n"
#define PEM_TAIL "-----END CERTIFICATE-----\n"

static char *cert; /* one good certificate in PEM */

static enum err
read_text(const char *text, size_t len, size_t *count, struct why *why)
{
    struct blob blob = { .path = "F", .len = len };
    struct certfile file;
    enum err err;

    blob.data = malloc(len + 1);
    assert_non_null(blob.data);
    memcpy(blob.data, text, len);
    blob.data[len] = '\0';
    why->text[0] = '\0';
    err = certfile_read(&blob, "cert", &file, why);
    *count = file.count;
    certfile_free(&file);
    free(blob.data);
    return err;
}

/* %s in a text is the good certificate */
static const struct {
    const char *text;
    size_t count;     /* 0: refused */
    const char *said; /* a part of the sentence */
} rows[] = {
    { "%s", 1, NULL },
    { "%s%s", 2, NULL },
    { "Certificate:\n    Data: caf\xc3\xa9\n\n%s# end\n", 1, NULL },
    { "subject=x\r\n%s", 1, NULL },
    { "", 0, "the file is empty" },
    { "hello\n", 0, "no certificate in it" },
    { "%s\x01\n", 0, "no text" },
    { "%s-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0,
      "a private key must not be in this file; split it: openssl pkey -in F "
      "-out NEW.key" },
    { "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n%s",
      0, "openssl x509 -in F -out NEW.crt" },
    { "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", 0,
      "a private key must not be" },
    { "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", 0,
      "a block of X509 CRL" },
    { "%s-----BEGIN CERTIFICATE-----\n", 0,
      "BEGIN CERTIFICATE without an END" },
    { "%s-----BEGIN CERTIFICATE\n", 0, "a broken BEGIN or END line" },
    { "%s-----END CERTIFICATE-----\n", 0, "a broken BEGIN or END line" },
    { PEM_HEAD "A*AA\n" PEM_TAIL, 0, "not base64" },
    { PEM_HEAD "AA=A\n" PEM_TAIL, 0, "not base64" },
    { PEM_HEAD "AB==\n" PEM_TAIL, 0, "not base64" },
    { PEM_HEAD "AAA\n" PEM_TAIL, 0, "ends too early" },
    { PEM_HEAD "MAA=\n" PEM_TAIL, 0, "no certificate that can be understood" },
    { PEM_HEAD PEM_TAIL, 0, "no certificate that can be understood" },
    { PEM_HEAD "Proc-Type: 4,ENCRYPTED\n" PEM_TAIL, 0, "not base64" },
    { PEM_HEAD "AAAA\n-----END X509 CRL-----\n", 0, "END does not fit" },
    { "0hello", 0, "neither PEM nor one DER" },
};

static void
pem_is_read_strictly(void **state)
{
    char text[16384];
    struct why why;
    size_t i, count;
    enum err err;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* the formats are the rows above */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(text, sizeof(text), rows[i].text, cert, cert);
#pragma GCC diagnostic pop
        err = read_text(text, strlen(text), &count, &why);
        if ((err == ERR_OK) != (rows[i].count > 0) || count != rows[i].count ||
            (rows[i].said != NULL && strstr(why.text, rows[i].said) == NULL))
            fail_msg("row %zu: %zu certificates, %s", i, count, why.text);
    }
}

static void
der_is_one_certificate(void **state)
{
    struct why why;
    size_t len, count;
    uint8_t *der = tls_der("ca.crt", &len);
    uint8_t *more = calloc(1, len + 1);

    (void)state;
    assert_non_null(more);
    memcpy(more, der, len);
    assert_int_equal(read_text((char *)der, len, &count, &why), ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(read_text((char *)more, len + 1, &count, &why), ERR_FILE);
    assert_int_equal(read_text((char *)der, len - 1, &count, &why), ERR_FILE);
    free(more);
    free(der);
}

static void
a_cut_file_is_never_read(void **state)
{
    size_t len = strlen(cert), i, count;
    struct why why;

    (void)state;
    for (i = 0; i + 1 < len; i++)
        assert_int_equal(read_text(cert, i, &count, &why), ERR_FILE);
    assert_int_equal(read_text(cert, len - 1, &count, &why), ERR_OK);
}

static void
dates_are_plain(void **state)
{
    char out[CERTFILE_DATE_MAX];

    (void)state;
    assert_string_equal(certfile_date(0, out), "1970-01-01 00:00:00 UTC");
}

static int
setup(void **state)
{
    struct blob blob = tls_blob("good-P-256.crt");

    (void)state;
    cert = strdup((char *)blob.data);
    keyring_free(&blob);
    return cert == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    free(cert);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pem_is_read_strictly),
        cmocka_unit_test(der_is_one_certificate),
        cmocka_unit_test(a_cut_file_is_never_read),
        cmocka_unit_test(dates_are_plain),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
