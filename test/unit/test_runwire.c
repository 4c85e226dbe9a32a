/* test_runwire.c - common/runwire.c and master/runner_env.c: what a worker may
 * say of its client, and what becomes of it */
#include "common/runwire.h"
#include "master/runner_env.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct runwire_request run;

/* full - every field has something */
static size_t
full(void)
{
    (void)runwire_begin(&run, 7);
    (void)runwire_add(&run, RUNWIRE_REMOTE_IP, "192.0.2.9");
    (void)runwire_add(&run, RUNWIRE_REMOTE_PORT, "40112");
    (void)runwire_add(&run, RUNWIRE_LOCAL_IP, "2001:db8::1");
    (void)runwire_add(&run, RUNWIRE_LOCAL_PORT, "8443");
    (void)runwire_add(&run, RUNWIRE_TLS, "1.3");
    (void)runwire_add(&run, RUNWIRE_CIPHER, "TLS_AES_128_GCM_SHA256");
    (void)runwire_add(&run, RUNWIRE_GROUP, "X25519");
    (void)runwire_add(&run, RUNWIRE_ALPN, "http/1.1");
    (void)runwire_add(&run, RUNWIRE_SNI, "www.example.org");
    (void)runwire_add(&run, RUNWIRE_SUBJECT, "CN=ops,O=Example");
    (void)runwire_add(&run, RUNWIRE_ISSUER, "CN=root");
    (void)runwire_add(&run, RUNWIRE_CN, "ops");
    (void)runwire_add(&run, RUNWIRE_SERIAL, "40AB");
    (void)runwire_add(&run, RUNWIRE_SANS, "dns:a.example,ip:192.0.2.1");
    (void)runwire_add(&run, RUNWIRE_SHA256, "00ff");
    return runwire_add(&run, RUNWIRE_NOT_AFTER, "1795000000");
}

static void
what_is_composed_is_good(void **state)
{
    size_t len, total = full();

    (void)state;
    assert_true(runwire_request_ok(&run, total));
    assert_memory_equal(runwire_get(&run, RUNWIRE_CN, &len), "ops", 3);
    assert_int_equal(len, 3);
    total = runwire_begin(&run, 8);
    assert_true(runwire_request_ok(&run, total));
    (void)runwire_get(&run, RUNWIRE_NOT_AFTER, &len);
    assert_int_equal(len, 0);
}

static void
fields_keep_their_form(void **state)
{
    static const struct {
        enum runwire_field field;
        const char *text;
        bool ok;
    } rows[] = {
        { RUNWIRE_REMOTE_IP, "127.0.0.1", true },
        { RUNWIRE_REMOTE_IP, "::ffff:1.2.3.4", true },
        { RUNWIRE_REMOTE_IP, "1.2.3.4 ", false },
        { RUNWIRE_REMOTE_IP, "host", false },
        { RUNWIRE_REMOTE_PORT, "", true },
        { RUNWIRE_REMOTE_PORT, "1", true },
        { RUNWIRE_REMOTE_PORT, "65535", true },
        { RUNWIRE_REMOTE_PORT, "65536", false },
        { RUNWIRE_REMOTE_PORT, "0", false },
        { RUNWIRE_REMOTE_PORT, "080", false },
        { RUNWIRE_REMOTE_PORT, "-1", false },
        { RUNWIRE_CIPHER, "TLS_AES_128_GCM_SHA256", true },
        { RUNWIRE_CIPHER, "a b", false },
        { RUNWIRE_CIPHER, "(x", false },
        { RUNWIRE_SHA256, "0aF9", true },
        { RUNWIRE_SHA256, "0g", false },
        { RUNWIRE_SUBJECT, "CN=() { :;}; \"x\"='y'~", true },
        { RUNWIRE_SUBJECT, "a\nb", false },
        { RUNWIRE_SUBJECT, "a\x1b[2J", false },
        { RUNWIRE_SUBJECT, "\x7f", false },
        { RUNWIRE_SUBJECT, "gr\xc3\xbc\xc3\x9f", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(
            runwire_field_ok(rows[i].field, rows[i].text, strlen(rows[i].text)),
            rows[i].ok);
    assert_false(runwire_field_ok(RUNWIRE_SUBJECT, "a\0b", 3));
}

static void
long_fields_are_cut_and_refused(void **state)
{
    char text[600];
    size_t len, total;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_true(runwire_field_ok(RUNWIRE_SUBJECT, text, 511));
    assert_false(runwire_field_ok(RUNWIRE_SUBJECT, text, 512));
    (void)runwire_begin(&run, 1);
    total = runwire_add(&run, RUNWIRE_SUBJECT, text);
    assert_true(runwire_request_ok(&run, total));
    (void)runwire_get(&run, RUNWIRE_SUBJECT, &len);
    assert_int_equal(len, 511);
    total = runwire_add(&run, RUNWIRE_SERIAL, "not hex");
    (void)runwire_get(&run, RUNWIRE_SERIAL, &len);
    assert_int_equal(len, 0);
    assert_true(runwire_request_ok(&run, total));
}

static void
other_packets_are_refused(void **state)
{
    size_t total = full();

    (void)state;
    assert_false(runwire_request_ok(&run, 0));
    assert_false(runwire_request_ok(&run, RUNWIRE_HEAD - 1));
    assert_false(runwire_request_ok(&run, total - 1));
    assert_false(runwire_request_ok(&run, total + 1));
    assert_false(runwire_request_ok(&run, sizeof(run) + 1));
    run.len[RUNWIRE_CN] = UINT16_MAX;
    assert_false(runwire_request_ok(&run, total));
    total = full();
    run.text[3] = '\n';
    assert_false(runwire_request_ok(&run, total));
    total = full();
    run.kind = RUNWIRE_CLOSE;
    assert_false(runwire_request_ok(&run, total));
    assert_true(runwire_request_ok(&run, RUNWIRE_HEAD));
    run.kind = 3;
    assert_false(runwire_request_ok(&run, RUNWIRE_HEAD));
}

/* --- the environment ------------------------------------------------------- */

static void
assert_environment(const struct runner_env *env, const char *const *want)
{
    size_t i = 0;

    for (; want[i] != NULL; i++) {
        assert_non_null(env->item[i]);
        assert_string_equal(env->item[i], want[i]);
    }
    assert_null(env->item[i]);
}

#define PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static void
the_environment_is_this(void **state)
{
    static const char *const want[] = {
        PATH,
        "PROTO=TCP",
        "MTLSD_SERVICE=web",
        "TCPREMOTEIP=192.0.2.9",
        "TCPREMOTEPORT=40112",
        "TCPLOCALIP=2001:db8::1",
        "TCPLOCALPORT=8443",
        "SSL_PROTOCOL=TLSv1.3",
        "SSL_CIPHER=TLS_AES_128_GCM_SHA256",
        "SSL_TLS_SNI_SERVERNAME=www.example.org",
        "SSL_PEER_CERT_HASH=SHA256:00ff",
        "SSL_PEER_CERT_SUBJECT=CN=ops,O=Example",
        "REMOTE_HOST=192.0.2.9",
        "REMOTE_PORT=40112",
        "SSL_CLIENT_DN=CN=ops,O=Example",
        "SSL_CLIENT_I_DN=CN=root",
        "MTLSD_TLS=1.3",
        "MTLSD_CIPHER=TLS_AES_128_GCM_SHA256",
        "MTLSD_GROUP=X25519",
        "MTLSD_ALPN=http/1.1",
        "MTLSD_SNI=www.example.org",
        "MTLSD_SUBJECT=CN=ops,O=Example",
        "MTLSD_ISSUER=CN=root",
        "MTLSD_CN=ops",
        "MTLSD_SERIAL=40AB",
        "MTLSD_SANS=dns:a.example,ip:192.0.2.1",
        "MTLSD_SHA256=00ff",
        "MTLSD_NOT_AFTER=1795000000",
        NULL,
    };
    struct runner_env env;

    (void)state;
    assert_true(runwire_request_ok(&run, full()));
    runner_env_make("web", &run, &env);
    assert_environment(&env, want);
}

static void
what_is_not_known_is_not_set(void **state)
{
    static const char *const want[] = { PATH, "PROTO=UNIX",
                                        "MTLSD_SERVICE=local", NULL };
    struct runner_env env;

    (void)state;
    (void)runwire_begin(&run, 1);
    runner_env_make("local", &run, &env);
    assert_environment(&env, want);
}

static void
no_value_begins_a_function(void **state)
{
    static const char *const want[] = {
        PATH,
        "PROTO=UNIX",
        "MTLSD_SERVICE=web",
        "SSL_TLS_SNI_SERVERNAME=\\x28) { :;}; id",
        "MTLSD_SNI=\\x28) { :;}; id",
        "MTLSD_CN=\\x28",
        NULL,
    };
    struct runner_env env;

    (void)state;
    (void)runwire_begin(&run, 1);
    (void)runwire_add(&run, RUNWIRE_SNI, "() { :;}; id");
    (void)runwire_add(&run, RUNWIRE_CN, "(");
    runner_env_make("web", &run, &env);
    assert_environment(&env, want);
}

static void
the_longest_environment_has_room(void **state)
{
    static const enum runwire_field texts[] = { RUNWIRE_ALPN,    RUNWIRE_SNI,
                                                RUNWIRE_SUBJECT, RUNWIRE_ISSUER,
                                                RUNWIRE_CN,      RUNWIRE_SANS };
    char text[600];
    struct runner_env env;
    size_t count = 0;

    (void)state;
    memset(text, '(', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    (void)runwire_begin(&run, 1);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        (void)runwire_add(&run, texts[i], text);
    runner_env_make("web", &run, &env);
    while (env.item[count] != NULL)
        count++;
    assert_int_equal(count, 13);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_composed_is_good),
        cmocka_unit_test(fields_keep_their_form),
        cmocka_unit_test(long_fields_are_cut_and_refused),
        cmocka_unit_test(other_packets_are_refused),
        cmocka_unit_test(the_environment_is_this),
        cmocka_unit_test(what_is_not_known_is_not_set),
        cmocka_unit_test(no_value_begins_a_function),
        cmocka_unit_test(the_longest_environment_has_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
