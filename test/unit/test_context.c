/* test_context.c - which certificate and CA files make a side, and what is
 * said about others */
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
      struct tls_side **out, struct why *why)
{
    struct blob cert_blob = tls_blob(cert), ca_blob = { 0 };
    struct context_files files = { .cert_count = 1, .cert = &cert_blob };
    enum err err;

    if (ca != NULL)
        ca_blob = tls_blob(ca);
    warnings[0] = why->text[0] = '\0';
    files.ca = ca != NULL ? &ca_blob : NULL;
    err = context_server(service, &files, warn, NULL, out, why);
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
    { "server-late.crt", "ca.crt", NULL, "cert = " },
    { "server-late.crt", "ca.crt", NULL,
      "certificate 1 (CN=localhost) expires 20" },
    { "server-P-256.crt", "calate.crt", NULL,
      "certificate 1 (CN=Root late,O=Example) expires 20" },
    { "server-early.crt", "ca.crt",
      "is not valid before 2045-01-01 00:00:00 UTC", NULL },
    { "server-none.crt", "ca.crt", "does not allow serverAuth", NULL },
    { "server-nosign.crt", "ca.crt", "does not allow digitalSignature", NULL },
    { "server-rsa1024.crt", "ca.crt", "an RSA key of 1024 bits; 2048 to 4096",
      NULL },
    { "server-v1.crt", "ca.crt", NULL, "X.509 version 1; many clients" },
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
    { "server-P-256.crt", "renamedtoo.crt", NULL,
      "certificate 2 (CN=Root renamed,O=Example) has the key of another CA in "
      "this file, of another name: whom it has issued under this name will be "
      "unknown_ca: skipped" },
    { "server-P-256.crt", "renewedtoo.crt", NULL, NULL },
    { "server-P-256.crt", "renamed.crt", NULL, NULL },
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
    struct tls_side *context;
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
    struct tls_side *context;
    struct tls_cert *cert;
    struct why why;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_int_equal(
            build(&service, keys[i].cert, "ca.crt", &context, &why), ERR_OK);
        assert_int_equal(context->cert[0].kind, keys[i].kind);
        assert_int_equal(context->cert[0].key_size, keys[i].size);
        assert_string_equal(context->cert[0].subject, "CN=localhost,O=Example");
        assert_true(context->cert[0].not_after - context->cert[0].not_before ==
                    30 * 86400);
        assert_true(context->ca_not_after > context->cert[0].not_before);
        cert = &context->cert[0];
        assert_int_equal(context_cert_of(context, cert->spki, cert->spki_len),
                         0);
        assert_int_equal(
            context_cert_of(context, cert->spki, cert->spki_len - 1), -1);
        cert->spki[cert->spki_len - 1] ^= 1;
        assert_true(cert->spki_len > 40);
        context_free(context);
    }
}

static void
versions_and_modes_build(void **state)
{
    static const struct {
        enum conf_version min, max;
    } pairs[] = { { CONF_TLS_12, CONF_TLS_12 },
                  { CONF_TLS_12, CONF_TLS_13 },
                  { CONF_TLS_13, CONF_TLS_13 } };
    struct conf_service service = tls_service();
    struct tls_side *context;
    struct why why;
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        service.client.min = pairs[i].min;
        service.client.max = pairs[i].max;
        if (build(&service, "server-P-256.crt", "ca.crt", &context, &why) !=
            ERR_OK)
            fail_msg("pair %zu: %s", i, why.text);
        context_free(context);
    }
    service.client.verify = CONF_VERIFY_NONE;
    assert_int_equal(build(&service, "server-P-256.crt", NULL, &context, &why),
                     ERR_OK);
    context_free(context);
    context_free(NULL);
}

/* ---- the other side ----------------------------------------------------- */

static const struct {
    const char *cert; /* NULL: none */
    const char *ca, *crl;
    enum conf_verify verify;
    const char *said, *warning;
} upstream[] = {
    { "good-P-256.crt", "ca.crt", NULL, CONF_VERIFY_REQUIRE, NULL, NULL },
    { NULL, "ca.crt", NULL, CONF_VERIFY_REQUIRE, NULL, NULL },
    { NULL, "ca.crt", "list.crl", CONF_VERIFY_REQUIRE, NULL, NULL },
    { NULL, NULL, NULL, CONF_VERIFY_NONE, NULL, NULL },
    { NULL, NULL, NULL, CONF_VERIFY_REQUIRE,
      "upstream_verify needs upstream_ca = FILE", NULL },
    { "v1.crt", "ca.crt", NULL, CONF_VERIFY_REQUIRE, NULL,
      "the certificate is X.509 version 1; many servers refuse it" },
    { "server-P-256.crt", "ca.crt", NULL, CONF_VERIFY_REQUIRE,
      "upstream_cert = ", NULL },
    { "server-P-256.crt", "ca.crt", NULL, CONF_VERIFY_REQUIRE,
      "does not allow clientAuth", NULL },
    { "expired.crt", "ca.crt", NULL, CONF_VERIFY_REQUIRE, "expired 2020",
      NULL },
    { NULL, "interserver.crt", NULL, CONF_VERIFY_REQUIRE, NULL, NULL },
    { NULL, "both.pem", NULL, CONF_VERIFY_REQUIRE, "upstream_ca = ", NULL },
    { NULL, "ca.crt", "wrong.crl", CONF_VERIFY_REQUIRE,
      "upstream_crl = ", NULL },
};

static void
an_upstream_side_is_built_alike(void **state)
{
    struct blob cert, ca, crl;
    struct context_files files;
    struct conf_route route;
    struct tls_side *side;
    struct why why;
    size_t i;
    enum err err;

    (void)state;
    for (i = 0; i < sizeof(upstream) / sizeof(upstream[0]); i++) {
        memset(&route, 0, sizeof(route));
        route.side = tls_side_conf();
        route.side.verify = (long)upstream[i].verify;
        memset(&files, 0, sizeof(files));
        memset(&cert, 0, sizeof(cert));
        memset(&ca, 0, sizeof(ca));
        memset(&crl, 0, sizeof(crl));
        if (upstream[i].cert != NULL) {
            cert = tls_blob(upstream[i].cert);
            files.cert = &cert;
            files.cert_count = 1;
        }
        if (upstream[i].ca != NULL) {
            ca = tls_blob(upstream[i].ca);
            files.ca = &ca;
        }
        if (upstream[i].crl != NULL) {
            crl = tls_blob(upstream[i].crl);
            files.crl = &crl;
            files.crl_count = 1;
        }
        warnings[0] = why.text[0] = '\0';
        err = context_client(&route, &files, warn, NULL, &side, &why);
        if ((err == ERR_OK) != (upstream[i].said == NULL) ||
            (err == ERR_OK) != (side != NULL) ||
            (upstream[i].said != NULL &&
             strstr(why.text, upstream[i].said) == NULL) ||
            (upstream[i].warning == NULL) != (warnings[0] == '\0') ||
            (upstream[i].warning != NULL &&
             strstr(warnings, upstream[i].warning) == NULL))
            fail_msg("row %zu: \"%s\", warnings: %s", i, why.text, warnings);
        if (side != NULL)
            assert_int_equal(side->cert_count, files.cert_count);
        context_free(side);
        keyring_free(&cert);
        keyring_free(&ca);
        keyring_free(&crl);
    }
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
        cmocka_unit_test(an_upstream_side_is_built_alike),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
