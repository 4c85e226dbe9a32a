/* test_context.c - which certificate and CA files make a service, and what is
 * said about the others */
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

static char warnings[8192];

static void
warn(void *ctx, const char *text)
{
    size_t len = strlen(warnings);

    (void)ctx;
    (void)snprintf(warnings + len, sizeof(warnings) - len, "%s\n", text);
}

static enum err
build(const struct conf_service *service, const char *cert, const char *ca,
      struct context **out, struct why *why)
{
    struct blob cert_blob = tls_blob(cert), ca_blob = { 0 };
    enum err err;

    if (ca != NULL)
        ca_blob = tls_blob(ca);
    warnings[0] = why->text[0] = '\0';
    err = context_server(service, &cert_blob, ca != NULL ? &ca_blob : NULL,
                         warn, NULL, out, why);
    keyring_free(&cert_blob);
    keyring_free(&ca_blob);
    return err;
}

static const struct {
    const char *cert, *ca;
    const char *said;    /* NULL: a context */
    const char *warning; /* NULL: none */
} rows[] = {
    { "server-P-256.crt", "ca.crt", NULL, NULL },
    { "server-P-384.crt", "ca.crt", NULL, NULL },
    { "server-P-521.crt", "ca.crt", NULL, NULL },
    { "server-rsa2048.crt", "ca.crt", NULL, NULL },
    { "server-ed25519.crt", "rsaca.crt", NULL, NULL },
    { "full.crt", "ca.crt", NULL, NULL },
    { "server-expired.crt", "ca.crt",
      "certificate 1 (CN=localhost) expired 2020-02-01 00:00:00 UTC", NULL },
    { "server-early.crt", "ca.crt",
      "is not valid before 2045-01-01 00:00:00 UTC", NULL },
    { "server-none.crt", "ca.crt", "does not allow serverAuth", NULL },
    { "server-nosign.crt", "ca.crt", "does not allow digitalSignature", NULL },
    { "server-rsa1024.crt", "ca.crt", "an RSA key of 1024 bits; 2048 to 4096",
      NULL },
    { "server-v1.crt", "ca.crt", "X.509 version 1", NULL },
    { "secp256k1.server", "ca.crt", "a key of an unknown kind", NULL },
    { "ca.crt", "ca.crt", "is a CA; the service's own comes first", NULL },
    { "unordered.crt", "ca.crt",
      "certificate 2 (CN=Inter 1,O=Example) is not the issuer of certificate 1 "
      "(CN=deep,O=Example)",
      NULL },
    { "stranger.crt", "ca.crt", "has not signed", NULL },
    { "noca.crt", "ca.crt", "is no CA", NULL },
    { "both.pem", "ca.crt", "a private key must not be in this file", NULL },
    { "server-P-256.crt", "ca.key", "a private key must not be in this file",
      NULL },
    { "server-P-256.crt", "mixed.crt", NULL,
      "certificate 2 (CN=good-P-256,O=Example) is not a CA" },
    { "server-P-256.crt", "mixed.crt", NULL,
      "certificate 3 (CN=Root expired,O=Example) has expired" },
    { "server-P-256.crt", "mixed.crt", NULL,
      "has an RSA key below 2048 bits: skipped" },
    { "server-P-256.crt", "mixed.crt", NULL,
      "may not issue clients (extended key usage): skipped" },
    { "server-P-256.crt", "rootexpired.crt", "no valid CA certificate in it",
      "has expired" },
    { "server-P-256.crt", "good-P-256.crt", "no valid CA certificate in it",
      "is not a CA" },
    { "server-P-256.crt", "rootv1.crt",
      "is X.509 version 1, which cannot say that it is a CA", NULL },
    { "server-P-256.crt", NULL, "verify needs ca = FILE", NULL },
};

static void
every_pair_of_files_has_its_answer(void **state)
{
    struct conf_service service = tls_service();
    struct context *context;
    struct why why;
    size_t i;
    enum err err;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        err = build(&service, rows[i].cert, rows[i].ca, &context, &why);
        if ((err == ERR_OK) != (rows[i].said == NULL) ||
            (err == ERR_OK) != (context != NULL) ||
            (rows[i].said != NULL && strstr(why.text, rows[i].said) == NULL) ||
            (rows[i].warning != NULL &&
             strstr(warnings, rows[i].warning) == NULL) ||
            (rows[i].warning == NULL && warnings[0] != '\0'))
            fail_msg("%s with %s: \"%s\", warnings: %s", rows[i].cert,
                     rows[i].ca, why.text, warnings);
        context_free(context);
    }
}

static const struct {
    const char *cert;
    enum key_kind kind;
    int size;
} keys[] = {
    { "server-P-256.crt", KEY_EC, 32 },
    { "server-P-384.crt", KEY_EC, 48 },
    { "server-P-521.crt", KEY_EC, 66 },
    { "server-rsa2048.crt", KEY_RSA, 256 },
    { "server-ed25519.crt", KEY_ED25519, 32 },
};

static void
a_context_describes_our_key(void **state)
{
    struct conf_service service = tls_service();
    struct context *context;
    struct why why;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_int_equal(
            build(&service, keys[i].cert, "ca.crt", &context, &why), ERR_OK);
        assert_int_equal(context->key_kind, keys[i].kind);
        assert_int_equal(context->key_size, keys[i].size);
        assert_string_equal(context->subject, "CN=localhost,O=Example");
        assert_true(context->not_after - context->not_before == 30 * 86400);
        assert_true(context->ca_not_after > context->not_before);
        assert_true(context_spki_is(context, context->spki, context->spki_len));
        assert_false(
            context_spki_is(context, context->spki, context->spki_len - 1));
        context->spki[context->spki_len - 1] ^= 1;
        assert_true(context->spki_len > 40);
        context_free(context);
    }
}

static void
versions_and_modes_build(void **state)
{
    static const struct {
        enum conf_tls min, max;
    } pairs[] = { { CONF_TLS_12, CONF_TLS_12 },
                  { CONF_TLS_12, CONF_TLS_13 },
                  { CONF_TLS_13, CONF_TLS_13 } };
    struct conf_service service = tls_service();
    struct context *context;
    struct why why;
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        service.tls_min = pairs[i].min;
        service.tls_max = pairs[i].max;
        if (build(&service, "server-P-256.crt", "ca.crt", &context, &why) !=
            ERR_OK)
            fail_msg("pair %zu: %s", i, why.text);
        context_free(context);
    }
    service.verify = CONF_VERIFY_NONE;
    assert_int_equal(build(&service, "server-P-256.crt", NULL, &context, &why),
                     ERR_OK);
    context_free(context);
    context_free(NULL);
}

static int
setup(void **state)
{
    struct why why;

    (void)state;
    if (setenv("PKI", tls_pki(), 1) != 0 || context_library(&why) != ERR_OK)
        return -1;
    return system(
        "cd \"$PKI\" && cat server-P-256.crt server-P-256.key >both.pem && "
        "cat ca.crt good-P-256.crt rootexpired.crt weakca.crt interserver.crt "
        ">mixed.crt && "
        "cat deep.crt inter2.crt inter1.crt >full.crt && "
        "cat deep.crt inter1.crt inter2.crt >unordered.crt && "
        "cat server-none2.crt same.crt >stranger.crt && "
        "cat belowserver.crt server-P-256.crt >noca.crt");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_files_has_its_answer),
        cmocka_unit_test(a_context_describes_our_key),
        cmocka_unit_test(versions_and_modes_build),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
