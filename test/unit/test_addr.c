/* test_addr.c - addresses: what is read, what is shown, what is refused
 * (the sentences of refusals are compared by test_conf) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/addr.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const char *
shown(const struct addr *addr)
{
    static char out[ADDR_TEXT_MAX];

    return addr_text((const struct sockaddr *)&addr->sa, addr->sa_len, out);
}

static void
listen_forms(void **state)
{
    static const struct {
        const char *text, *first, *second;
    } rows[] = {
        { "8443", "0.0.0.0:8443", "[::]:8443" },
        { "1", "0.0.0.0:1", "[::]:1" },
        { "65535", "0.0.0.0:65535", "[::]:65535" },
        { "127.0.0.1:80", "127.0.0.1:80", NULL },
        { "localhost:80", "127.0.0.1:80", NULL },
        { "[::1]:80", "[::1]:80", NULL },
        { "[2001:DB8:0:0::1]:80", "[2001:db8::1]:80", NULL },
        { "unix:/run/x.sock", "unix:/run/x.sock", NULL },
    };
    struct addr out[2];
    struct why why;
    size_t i, count;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        if (addr_parse_listen(rows[i].text, out, &count, &why) != ERR_OK)
            fail_msg("%s: %s", rows[i].text, why.text);
        assert_int_equal(count, rows[i].second != NULL ? 2 : 1);
        assert_string_equal(shown(&out[0]), rows[i].first);
        if (rows[i].second != NULL)
            assert_string_equal(shown(&out[1]), rows[i].second);
    }
}

static void
listen_passed_forms(void **state)
{
    struct addr out[2];
    struct why why;
    size_t count;

    (void)state;
    assert_int_equal(addr_parse_listen("systemd:web.socket", out, &count, &why),
                     ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(out[0].kind, ADDR_SYSTEMD);
    assert_string_equal(out[0].host, "web.socket");
    assert_false(addr_is_local(&out[0]));
    assert_int_equal(addr_parse_listen("127.0.0.1:80", out, &count, &why),
                     ERR_OK);
    out[0] = addr_of(&out[0].sa, out[0].sa_len);
    assert_true(addr_is_local(&out[0]));
}

static void
listen_refusals(void **state)
{
    static const char *const rows[] = {
        "",
        "0",
        "65536",
        "080",
        "-1",
        "+80",
        "80 ",
        "x",
        "x:80",
        "::1:80",
        "::",
        "[::1]",
        "[::1",
        "[]:80",
        "[::1]x:80",
        "1.2.3:80",
        "1.2.3.4",
        "1.2.3.4:",
        ":80",
        "*:80",
        "1.2.3.4:80x",
        "unix:",
        "unix:x",
        "UNIX:/x",
        "systemd:",
        "systemd:a b",
        "systemd:a:b",
        "systemd:/x",
        "SYSTEMD:x",
        "tls://1.2.3.4:80",
        "respond:200 \"x\"",
        "[fe80::1%lo]:80",
        "1.2.3.4:80,1.2.3.4:81",
        "999999999999999999999",
    };
    struct addr out[2];
    size_t i, count;
    struct why why;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        why.text[0] = '\0';
        if (addr_parse_listen(rows[i], out, &count, &why) == ERR_OK)
            fail_msg("\"%s\" was taken", rows[i]);
        assert_string_not_equal(why.text, "");
    }
}

static void
upstream_forms(void **state)
{
    static const struct {
        const char *text;
        enum addr_kind kind;
        const char *host;
        uint16_t port;
        bool tls, local;
    } rows[] = {
        { "127.0.0.1:80", ADDR_IP, "127.0.0.1", 80, false, true },
        { "127.9.9.9:80", ADDR_IP, "127.9.9.9", 80, false, true },
        { "128.0.0.1:80", ADDR_IP, "128.0.0.1", 80, false, false },
        { "0.0.0.0:80", ADDR_IP, "0.0.0.0", 80, false, false },
        { "[::1]:80", ADDR_IP, "::1", 80, false, true },
        { "[::ffff:127.0.0.1]:1", ADDR_IP, "::ffff:127.0.0.1", 1, false, true },
        { "[::ffff:10.0.0.1]:1", ADDR_IP, "::ffff:10.0.0.1", 1, false, false },
        { "[2001:db8::1]:443", ADDR_IP, "2001:db8::1", 443, false, false },
        { "localhost:80", ADDR_NAME, "localhost", 80, false, true },
        { "localhost.evil.org:80", ADDR_NAME, "localhost.evil.org", 80, false,
          false },
        { "db.internal.:6432", ADDR_NAME, "db.internal.", 6432, false, false },
        { "_srv-1.x:1", ADDR_NAME, "_srv-1.x", 1, false, false },
        { "tls://db.internal", ADDR_NAME, "db.internal", 443, true, false },
        { "tls://db.internal:6432", ADDR_NAME, "db.internal", 6432, true,
          false },
        { "tls://[::1]", ADDR_IP, "::1", 443, true, true },
        { "unix:/run/x", ADDR_UNIX, "", 0, false, true },
        { "respond:200 \"hello\"", ADDR_RESPOND, "", 0, false, true },
        { "exec:/bin/sh -c \"cat; true\"", ADDR_EXEC, "", 0, false, true },
    };
    struct addr out;
    struct why why;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        if (addr_parse_upstream(rows[i].text, &out, &why) != ERR_OK)
            fail_msg("%s: %s", rows[i].text, why.text);
        assert_int_equal(out.kind, rows[i].kind);
        assert_string_equal(out.host, rows[i].host);
        assert_int_equal(out.port, rows[i].port);
        assert_int_equal(out.tls, rows[i].tls);
        if (addr_is_local(&out) != rows[i].local)
            fail_msg("%s is local: %d", rows[i].text, !rows[i].local);
        free(out.body);
    }
}

static void
respond_keeps_its_text(void **state)
{
    static const struct {
        const char *text;
        int code;
        const char *body;
    } rows[] = {
        { "respond:200 \"hello\"", 200, "hello" },
        { "respond:599 \t \"a, b; c # d\"", 599, "a, b; c # d" },
        { "respond:204 \"\"", 204, "" },
        { "respond:200 \"gr\xc3\xbc\xc3\x9f\"", 200, "gr\xc3\xbc\xc3\x9f" },
    };
    struct addr out;
    struct why why;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        assert_int_equal(addr_parse_upstream(rows[i].text, &out, &why), ERR_OK);
        assert_int_equal(out.code, rows[i].code);
        assert_string_equal(out.body, rows[i].body);
        free(out.body);
    }
}

static void
upstream_refusals(void **state)
{
    static const char *const rows[] = {
        "",
        "8080",
        "db",
        "db:",
        "db:0",
        "db:65536",
        "db:http",
        "https://x",
        "http://x/",
        "https://",
        "tls://",
        "tls://:443",
        "tls://a/b",
        "tls:x",
        "::1:80",
        "[::1]",
        "1.2.3:80",
        "1.2.3.4.5:80",
        "-a:80",
        ".a:80",
        "a..b:80",
        "a_b c:80",
        "a/b:80",
        "a\x01:80",
        "unix:x",
        "respond:",
        "respond:99 \"x\"",
        "respond:1000 \"x\"",
        "respond:200",
        "respond:200 x",
        "respond:200 \"x",
        "respond:200 \"x\"y",
        "respond:200 \"x\" \"y\"",
        "respond:200 \"a\rb\"",
        "respond:600 \"x\"",
        "respond:-20 \"x\"",
        "exec:",
        "exec:cat",
        "exec:/bin/sh -c \"x",
    };
    struct addr out;
    struct why why;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        why.text[0] = '\0';
        if (addr_parse_upstream(rows[i], &out, &why) == ERR_OK)
            fail_msg("\"%s\" was taken", rows[i]);
        assert_string_not_equal(why.text, "");
    }
    (void)addr_parse_upstream("https://x", &out, &why);
    assert_non_null(strstr(why.text, "write tls://x:443"));
}

static void
long_names_and_paths_are_refused(void **state)
{
    char text[600] = "unix:/";
    struct addr out;
    struct why why;

    (void)state;
    memset(text + 6, 'a', 106);
    assert_int_equal(addr_parse_upstream(text, &out, &why), ERR_OK);
    text[112] = 'a';
    assert_int_equal(addr_parse_upstream(text, &out, &why), ERR_RANGE);
    memset(text, 'a', sizeof(text));
    memcpy(text + sizeof(text) - 4, ":80", 4);
    assert_int_equal(addr_parse_upstream(text, &out, &why), ERR_FORMAT);
    text[63] = '.';
    assert_int_equal(
        addr_parse_upstream(text + sizeof(text) - 4 - 64, &out, &why),
        ERR_FORMAT); /* a label of 64 */
    assert_int_equal(
        addr_parse_upstream(text + sizeof(text) - 4 - 63, &out, &why), ERR_OK);
}

static void
text_of_peers(void **state)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                .sin6_port = htons(40112) };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    socklen_t head = offsetof(struct sockaddr_un, sun_path);
    char out[ADDR_TEXT_MAX];

    (void)state;
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.9", &in6.sin6_addr),
                     1);
    assert_string_equal(addr_text((void *)&in6, sizeof(in6), out),
                        "192.0.2.9:40112");
    assert_string_equal(addr_host_text((void *)&in6, sizeof(in6), out),
                        "192.0.2.9");
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr), 1);
    assert_string_equal(addr_text((void *)&in6, sizeof(in6), out),
                        "[2001:db8::1]:40112");
    assert_string_equal(addr_host_text((void *)&in6, sizeof(in6), out),
                        "2001:db8::1");
    assert_string_equal(addr_text((void *)&in6, 4, out), "unknown");
    assert_string_equal(addr_text((void *)&un, head, out), "unix");
    memcpy(un.sun_path, "/a\nb", 5);
    assert_string_equal(addr_text((void *)&un, sizeof(un), out),
                        "unix:/a\\x0ab");
    memcpy(un.sun_path, "\0ab", 3);
    assert_string_equal(addr_text((void *)&un, head + 3, out), "unix:\\x00ab");
    memset(un.sun_path, '\n', sizeof(un.sun_path));
    assert_in_range(strlen(addr_text((void *)&un, sizeof(un), out)), 100,
                    ADDR_TEXT_MAX - 1);
    assert_string_equal(addr_text(&none, sizeof(none), out), "unknown");
    assert_string_equal(addr_text(&none, 0, out), "unknown");
}

static void
hosts_without_port(void **state)
{
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        { "db", true },           { "db.internal", true },
        { "db.internal.", true }, { "192.0.2.1", true },
        { "2001:db8::1", true },  { "::1", true },
        { "a-b_c.d", true },      { "", false },
        { ".", false },           { "1.2.3", false },
        { "1.2.3.400", false },   { "[::1]", false },
        { "db:443", false },      { "*.db", false },
        { "-db", false },         { "a..b", false },
        { "a b", false },         { "::1%lo", false },
        { ":::", false },
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (addr_is_host(rows[i].text) != rows[i].want)
            fail_msg("\"%s\"", rows[i].text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_without_port),
        cmocka_unit_test(listen_forms),
        cmocka_unit_test(listen_passed_forms),
        cmocka_unit_test(listen_refusals),
        cmocka_unit_test(upstream_forms),
        cmocka_unit_test(respond_keeps_its_text),
        cmocka_unit_test(upstream_refusals),
        cmocka_unit_test(long_names_and_paths_are_refused),
        cmocka_unit_test(text_of_peers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
