/* test_choose.c - which certificate and protocol a client gets; version 1 leaves */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test/unit/tls_serve.h"
#include "worker/certpick.h"
#include "worker/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the choice itself -------------------------------------------------- */

static char *names_a[] = { (char[]){ "a.example" }, (char[]){ "b.example" } };
static char *names_w[] = { (char[]){ "*.example" } };
static char *names_deep[] = { (char[]){ "x.a.example" },
                              (char[]){ "w*.part.example" }, (char[]){ "*" } };

static struct tls_cert certs[] = {
    { .kind = KEY_EC, .key_size = 32, .name_count = 2, .name = names_a },
    { .kind = KEY_RSA, .key_size = 256, .name_count = 1, .name = names_a },
    { .kind = KEY_EC, .key_size = 48, .name_count = 1, .name = names_w },
    { .kind = KEY_ED25519, .name_count = 3, .name = names_deep },
    { .kind = KEY_RSA, .key_size = 256, .name_count = 1, .name = names_w },
};

#define EC256 "\x04\x03"
#define EC384 "\x05\x03"
#define ED    "\x08\x07"
#define PSS   "\x08\x04"
#define PKCS1 "\x04\x01"
#define SHA1  "\x02\x01"
#define S_EC  "\xc0\x2b"
#define S_RSA "\xc0\x2f"
#define ANY   EC256 EC384 PSS PKCS1
#define SPAN(text)                                \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

static const struct {
    const char *name;
    bool tls13;
    struct span suites, schemes;
    size_t want;
} picks[] = {
    { "a.example", true, SPAN(""), SPAN(ANY), 0 },
    { "A.Example", true, SPAN(""), SPAN(ANY), 0 },
    { "a.example.", true, SPAN(""), SPAN(ANY), 0 },
    { "a.example", true, SPAN(""), SPAN(PSS), 1 },
    { "a.example", true, SPAN(""), SPAN(EC384 PSS), 1 },
    { "a.example", true, SPAN(""), SPAN(PKCS1), 0 },
    { "b.example", true, SPAN(""), SPAN(PSS), 0 },
    { "c.example", true, SPAN(""), SPAN(ANY), 2 },
    { "c.example", true, SPAN(""), SPAN(EC256 PSS), 4 },
    { "x.a.example", true, SPAN(""), SPAN(ANY), 3 },
    { "x.a.example", true, SPAN(""), SPAN(ED), 3 },
    { "y.a.example", true, SPAN(""), SPAN(ANY), 0 },
    { "y.a.example", true, SPAN(""), SPAN(PSS), 1 },
    { ".example", true, SPAN(""), SPAN(ANY), 0 },
    { "example", true, SPAN(""), SPAN(ANY), 0 },
    { "*.example", true, SPAN(""), SPAN(ANY), 0 },
    { "wx.part.example", true, SPAN(""), SPAN(ANY), 0 },
    { "*", true, SPAN(""), SPAN(ANY), 0 },
    { "", true, SPAN(""), SPAN(ANY), 0 },
    { "", true, SPAN(""), SPAN(PSS), 1 },
    { "a.example", false, SPAN(S_EC S_RSA), SPAN(ANY), 0 },
    { "a.example", false, SPAN(S_RSA), SPAN(ANY), 1 },
    { "a.example", false, SPAN(S_EC S_RSA), SPAN(PKCS1), 1 },
    { "a.example", false, SPAN(S_EC S_RSA), SPAN(EC384), 0 },
    { "a.example", false, SPAN(S_RSA), SPAN(""), 1 },
    { "a.example", false, SPAN("\xc0\x2c"), SPAN(PKCS1), 0 },
    { "a.example", false, SPAN("\x00\x9c"), SPAN(SHA1), 0 },
    { "c.example", false, SPAN(S_EC S_RSA), SPAN(ANY), 2 },
    { "c.example", false, SPAN(S_RSA), SPAN(ANY), 4 },
    { "a.example", true, SPAN("\xc0"), SPAN("\x04"), 0 },
};

static void
the_name_decides_then_what_the_client_can_verify(void **state)
{
    struct tls_side side = { .cert_count = 5, .cert = certs };
    struct conf_tls conf = tls_side_conf();
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(picks) / sizeof(picks[0]); i++) {
        struct certpick_hello hello = {
            .name = { (const uint8_t *)picks[i].name, strlen(picks[i].name) },
            .tls13 = picks[i].tls13,
            .suites = picks[i].suites,
            .schemes = picks[i].schemes,
            .ciphers = conf.ciphers,
        };
        const struct tls_cert *cert = certpick(&side, &hello);

        if (cert != &certs[picks[i].want])
            fail_msg("row %zu (%s): certificate %td, wanted %zu", i,
                     picks[i].name, cert - certs, picks[i].want);
    }
}

static bool
known(const char *name)
{
    struct tls_side side = { .cert_count = 5, .cert = certs };

    return certpick_known(&side,
                          (struct span){ (const uint8_t *)name, strlen(name) });
}

static void
names_are_known_or_not(void **state)
{
    static const uint8_t nul[] = "a.example\0b", high[] = "\xff.example";
    struct tls_side side = { .cert_count = 5, .cert = certs };

    (void)state;
    assert_true(known("a.example") && known("Z.EXAMPLE") &&
                known("b.example."));
    assert_false(known("") || known(".") || known("a.b.example") ||
                 known("*.example") || known("example") || known("a") ||
                 known(".example") || known("*") || known("wx.part.example"));
    assert_false(certpick_known(&side, (struct span){ nul, 11 }));
    assert_false(certpick_known(&side, (struct span){ high, 9 }));
}

/* ---- handshakes --------------------------------------------------------- */

static const struct row {
    const char *args[10];
    bool strict;
    enum reason reason;
    int alert;         /* seen */
    const char *shows; /* in the client's output */
    int key;           /* that signed, -1: none */
} rows[] = {
    { { "-servername", "a.example" },
      false,
      REASON_NONE,
      -1,
      "CN = a.example",
      0 },
    { { "-servername", "a.example", "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256" },
      false,
      REASON_NONE,
      -1,
      "Peer signature type: RSA-PSS",
      1 },
    { { "-servername", "any.example" },
      false,
      REASON_NONE,
      -1,
      "CN = wild",
      2 },
    { { "-servername", "other.example" },
      true,
      REASON_NONE,
      -1,
      "CN = a.example",
      0 },
    { { "-servername", "named.EXAMPLE" },
      false,
      REASON_NONE,
      -1,
      "CN = Named.Example",
      3 },
    { { "-servername", "nobody.test" },
      false,
      REASON_NONE,
      -1,
      "CN = a.example",
      0 },
    { { "-servername", "nobody.test" }, true, REASON_SNI_UNKNOWN, 112, "", -1 },
    { { "-servername", "any.example" }, true, REASON_NONE, -1, "CN = wild", 2 },
    { { "-noservername" }, true, REASON_NONE, -1, "CN = a.example", 0 },
    { { "-noservername", "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256" },
      false,
      REASON_NONE,
      -1,
      "Peer signature type: RSA-PSS",
      1 },
    /* TLS 1.3 alone, HelloRetryRequest: asked twice */
    { { "-servername", "any.example", "-groups", "X448:P-521" },
      true,
      REASON_NONE,
      -1,
      "CN = wild",
      2 },
    { { "-servername", "nobody.test", "-groups", "X448:P-521" },
      true,
      REASON_SNI_UNKNOWN,
      112,
      "",
      -1 },
};

static void
connect_row(struct server *server, const struct row *row, bool tls13,
            struct result *r)
{
    const char *args[20] = { tls13 ? "-tls1_3" : "-tls1_2", "-cert",
                             tls_path("good-rsa2048.crt"), "-key",
                             tls_path("good-rsa2048.key") };
    size_t i;

    for (i = 0; i < 10 && row->args[i] != NULL; i++)
        args[5 + i] = row->args[i];
    server->rules.sni_strict = server->service.sni_strict = row->strict;
    server->sign.count = 0;
    server->sign.key = 99;
    connect_with(server, args, r);
    show(row->args[1] != NULL ? row->args[1] : "", tls13, r);
}

static void
check_row(struct server *server, const struct row *row, bool tls13)
{
    static struct result r;

    connect_row(server, row, tls13, &r);
    if (r.reason != row->reason || r.alert != row->alert ||
        strstr(r.output, row->shows) == NULL ||
        (row->key >= 0 && server->sign.key != row->key) ||
        (server->sign.count > 0) != (row->key >= 0))
        fail_msg("row %td (%s) TLS 1.%d: %s, alert %d, key %d: %s\n%s",
                 row - rows, row->args[1], tls13 ? 3 : 2, reason_word(r.reason),
                 r.alert, server->sign.key, r.why.text, r.output);
}

static void
clients_get_the_certificate_of_their_name(void **state)
{
    static const char *const names[] = { "sni-a-P-256", "sni-a-rsa2048",
                                         "sni-wild", "sni-cn", NULL };
    struct server server = { .service = tls_service() };
    size_t i;

    (void)state;
    server.service.sni_strict = true; /* so that its callback is installed */
    server_start_many(&server, names, "ca.crt", NULL);
    assert_int_equal(server.context->cert_count, 4);
    assert_string_equal(server.context->cert[3].name[0], "named.example");
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row(&server, &rows[i], true);
        if (rows[i].args[2] == NULL || strcmp(rows[i].args[2], "-groups") != 0)
            check_row(&server, &rows[i], false);
    }
    server_end(&server);
}

static void
strict_works_with_one_certificate(void **state)
{
    static const struct row one = {
        { "-servername", "nobody.test" }, true, REASON_SNI_UNKNOWN, 112, "", -1
    };
    static const struct row known_one = {
        { "-servername", "x.example" }, true, REASON_NONE, -1, "CN = wild", 0
    };
    struct server server = { .service = tls_service() };
    int v;

    (void)state;
    server.service.sni_strict = true;
    server_start(&server, "sni-wild", "ca.crt");
    for (v = 0; v < 2; v++) {
        check_row(&server, &one, v == 1);
        check_row(&server, &known_one, v == 1);
    }
    server_end(&server);
}

static const struct {
    const char *offer; /* NULL: none */
    enum reason reason;
    const char *got;
} protocols[] = {
    { "http/1.1,h2", REASON_NONE, "h2" }, /* our order, not the client's */
    { "h2,http/1.1", REASON_NONE, "h2" },
    { "http/1.1", REASON_NONE, "http/1.1" },
    { "spdy/1,http/1.1", REASON_NONE, "http/1.1" },
    { "http/1.0", REASON_HANDSHAKE_FAILED, "" },
    { "h", REASON_HANDSHAKE_FAILED, "" },
    { "h2x", REASON_HANDSHAKE_FAILED, "" },
    { NULL, REASON_NONE, "" },
};

static void
the_servers_first_protocol_wins(void **state)
{
    static char h2[] = "h2", http[] = "http/1.1", *ours[] = { h2, http };
    struct server server = { .service = tls_service() };
    static struct result r;
    const char *offer;
    size_t i;
    int v;

    (void)state;
    server.service.client.alpn = (struct conf_list){ 2, ours };
    server_start(&server, "server-P-256", "ca.crt");
    for (i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
        for (v = 0; v < 2; v++) {
            offer = protocols[i].offer;
            connect_with(&server,
                         (const char *[]){ v == 1 ? "-tls1_3" : "-tls1_2",
                                           "-cert", tls_path("good-P-256.crt"),
                                           "-key", tls_path("good-P-256.key"),
                                           offer != NULL ? "-alpn" : NULL,
                                           offer, NULL },
                         &r);
            show(offer != NULL ? offer : "", v == 1, &r);
            assert_int_equal(r.reason, protocols[i].reason);
            assert_string_equal(r.session.alpn, protocols[i].got);
            assert_int_equal(r.alert, r.reason == REASON_NONE ? -1 : 120);
        }
    /* not configured: not looked at */
    server_end(&server);
    server.service.client.alpn.count = 0;
    server_start(&server, "server-P-256", "ca.crt");
    connect_with(&server,
                 (const char *[]){ "-cert", tls_path("good-P-256.crt"), "-key",
                                   tls_path("good-P-256.key"), "-alpn", "x",
                                   NULL },
                 &r);
    assert_int_equal(r.reason, REASON_NONE);
    server_end(&server);
}

static void
version_1_needs_its_word(void **state)
{
    struct server server = { .service = tls_service() };
    static struct result r;
    int v;

    (void)state;
    server_start(&server, "server-v1", "ca.crt");
    for (v = 0; v < 2; v++) {
        server.service.client.unsafe_x509v1 = false;
        connect_as(&server, "v1", v == 1, &r);
        assert_int_equal(r.reason, REASON_X509_V1);
        server.service.client.unsafe_x509v1 = true;
        server.rules.sha1 = v == 1;
        connect_as(&server, "v1", v == 1, &r);
        show("v1", v == 1, &r);
        assert_int_equal(r.reason, REASON_NONE);
        assert_string_equal(r.session.id.cn, "v1");
        assert_int_equal(strlen(r.session.id.sha1_hex), v == 1 ? 40 : 0);
        /* the rest of the library's word still counts */
        connect_as(&server, "v1forged", v == 1, &r);
        assert_int_equal(r.reason, REASON_BAD_SIGNATURE);
        connect_as(&server, "v1other", v == 1, &r);
        assert_int_equal(r.reason, REASON_UNKNOWN_CA);
        connect_as(&server, "otherca", v == 1, &r);
        assert_int_equal(r.reason, REASON_UNKNOWN_CA);
    }
    server_end(&server);
}

static int
setup(void **state)
{
    struct why why;

    (void)state;
    (void)tls_pki();
    return context_library(&why) != ERR_OK || wait_init(&why) != ERR_OK;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_decides_then_what_the_client_can_verify),
        cmocka_unit_test(names_are_known_or_not),
        cmocka_unit_test(clients_get_the_certificate_of_their_name),
        cmocka_unit_test(strict_works_with_one_certificate),
        cmocka_unit_test(the_servers_first_protocol_wins),
        cmocka_unit_test(version_1_needs_its_word),
    };

    return cmocka_run_group_tests(tests, setup, tls_serve_teardown);
}
