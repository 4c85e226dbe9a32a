/* test_scan.c - the scanner: what it takes, what it refuses, and that iniparser
 * reads the same of all that it takes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/conf_ini.h"
#include "common/scan.h"
#include <stdio.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* agree - iniparser reads what the scanner read, line by line as long */
static void
agree(const struct scan *scan, const char *text)
{
    size_t lines = 0, copied = 0, i;
    struct why why;
    unsigned line;

    if (conf_ini_check(scan, &line, &why) != ERR_OK)
        fail_msg("<%s> line %u: %s; copy <%s>", text, line, why.text,
                 scan->copy);
    for (i = 0; text[i] != '\0'; i++)
        lines += text[i] == '\n' || text[i + 1] == '\0';
    for (i = 0; i < scan->copy_len; i++)
        copied += scan->copy[i] == '\n';
    assert_int_equal(copied, lines);
}

static void
values(void **state)
{
    static const struct {
        const char *line, *value; /* NULL: an error */
        bool quoted;
    } rows[] = {
        { "k = v", "v", false },
        { "k=v", "v", false },
        { " \tk \t=\t v \t", "v", false },
        { "k = v ; comment", "v", false },
        { "k = v # comment \\", "v", false },
        { "k = a b  c", "a b  c", false },
        { "k = a\tb", "a\tb", false },
        { "k = = x", "= x", false },
        { "k = a=b", "a=b", false },
        { "k = [x]", "[x]", false },
        { "k = a\\b", "a\\b", false },
        { "k = it's", "it's", false },
        { "k = gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", false },
        { "k = \"v\"", "v", true },
        { "k = \" v ; # \"", " v ; # ", true },
        { "k = \"it's; so\"", "it's; so", true },
        { "k = \"\"", "", true },
        { "k = ''", "", true },
        { "k = 'v; #w'", "v; #w", false },
        { "k = '\"a;b\", c' ; comment", "\"a;b\", c", false },
        { "k = \"a\", \"b\"", "\"a\", \"b\"", false },
        { "k = \"a\",\"b\" # c", "\"a\",\"b\"", false },
        { "k = dn:\"CN=ops,O=X\", cn:web", "dn:\"CN=ops,O=X\", cn:web", false },
        { "k = cn:web, dn:\"a;b\"", "cn:web, dn:\"a;b\"", false },
        { "k = respond:200 \"hello\"", "respond:200 \"hello\"", false },
        { "k = respond:200 \"a; b # c\" ; d", "respond:200 \"a; b # c\"",
          false },
        { "k = respond:200 \"it's\"", "respond:200 \"it's\"", false },
        { "k = exec:/bin/sh -c \"a b\" c", "exec:/bin/sh -c \"a b\" c", false },
        { "header.x-real-ip = $remote_addr", "$remote_addr", false },
        { "k =", NULL, false },
        { "k = ; c", NULL, false },
        { "k = #c", NULL, false },
        { "k = a;b", NULL, false },
        { "k = a#b", NULL, false },
        { "k = \"a\";b", NULL, false },
        { "k = 'a';b", NULL, false },
        { "k = \"a", NULL, false },
        { "k = a\"", NULL, false },
        { "k = 'a", NULL, false },
        { "k = \"a\"b", NULL, false },
        { "k = \"a\" b", NULL, false },
        { "k = \"a\" \"b\"", NULL, false },
        { "k = 'a' b", NULL, false },
        { "k = 'a', 'b'", NULL, false },
        { "k = a\\", NULL, false },
        { "k = a\\ ; c", NULL, false },
        { "k = \"a\\\\b\"", NULL, false },
        { "k = 'a\\b'", NULL, false },
        { "k = \"a\tb\"", NULL, false },
        { "k = a\\b, \"c\"", NULL, false },
        { "k = respond:200 \"it's; so\"", NULL, false },
        { "k = a\x01", NULL, false },
        { "k = a\r", NULL, false },
        { "k = a\x7f", NULL, false },
        { "K = a", NULL, false },
        { "k:k = a", NULL, false },
        { "k k = a", NULL, false },
        { "-k = a", NULL, false },
        { "\"k\" = a", NULL, false },
        { "k", NULL, false },
        { "= a", NULL, false },
    };
    char text[256];
    struct scan scan;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        (void)snprintf(text, sizeof(text), "[s]\n%s\nlast = 1\n", rows[i].line);
        scan_run(text, strlen(text), &scan);
        if (rows[i].value == NULL) {
            if (scan.error_count != 1 || scan.error[0].line != 2)
                fail_msg("<%s>: %zu errors", rows[i].line, scan.error_count);
        } else {
            if (scan.error_count != 0)
                fail_msg("<%s>: %s", rows[i].line, scan.error[0].text);
            assert_string_equal(scan.section[0].entry[0].value, rows[i].value);
            assert_int_equal(scan.section[0].entry[0].quoted, rows[i].quoted);
            assert_int_equal(scan.section[0].entry[0].line, 2);
            agree(&scan, text);
        }
        assert_string_equal(
            scan.section[0].entry[scan.section[0].count - 1].key, "last");
        scan_free(&scan);
    }
}

static void
sections(void **state)
{
    static const struct {
        const char *line, *kind, *name; /* NULL: an error */
    } rows[] = {
        { "[mtlsd]", "mtlsd", "" },
        { " [ mtlsd ] ", "mtlsd", "" },
        { "[service web]", "service", "web" },
        { "[service \t W.e-b_9] ; comment", "service", "W.e-b_9" },
        { "[route up]# comment", "route", "up" },
        { "[service 12345678901234567890123456789012]", "service",
          "12345678901234567890123456789012" },
        { "[service 123456789012345678901234567890123]", NULL, NULL },
        { "[]", NULL, NULL },
        { "[ ]", NULL, NULL },
        { "[service", NULL, NULL },
        { "[service web", NULL, NULL },
        { "[service web] x", NULL, NULL },
        { "[service web]]", NULL, NULL },
        { "[[service web]", NULL, NULL },
        { "[service web x]", NULL, NULL },
        { "[service:web]", NULL, NULL },
        { "[service a:b]", NULL, NULL },
        { "[service \"web\"]", NULL, NULL },
        { "[Service web]", NULL, NULL },
        { "[service w\xc3\xa9]", NULL, NULL },
        { "[first]", NULL, NULL },
    };
    char text[256];
    struct scan scan;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        (void)snprintf(text, sizeof(text), "[first]\na = 1\n%s\nb = 2\n",
                       rows[i].line);
        scan_run(text, strlen(text), &scan);
        assert_int_equal(scan.count, 2);
        if (rows[i].kind == NULL) {
            if (scan.error_count != 1 || scan.error[0].line != 3)
                fail_msg("<%s>: %zu errors", rows[i].line, scan.error_count);
        } else {
            if (scan.error_count != 0)
                fail_msg("<%s>: %s", rows[i].line, scan.error[0].text);
            assert_string_equal(scan.section[1].kind, rows[i].kind);
            assert_string_equal(scan.section[1].name, rows[i].name);
            assert_int_equal(scan.section[1].line, 3);
            agree(&scan, text);
        }
        scan_free(&scan);
    }
}

static void
whole_files(void **state)
{
    static const struct {
        const char *text;
        size_t sections, errors;
        unsigned line; /* of the first error */
    } rows[] = {
        { "", 0, 0, 0 },
        { "\n\n", 0, 0, 0 },
        { "; comment \\\n# another\\\n[a]\nk = 1", 1, 0, 0 },
        { "   \t\n  # comment\n", 0, 0, 0 },
        { "[a]\n[b]\n[c]\n", 3, 0, 0 },
        { "[a]\nk = 1\n[b]\nk = 1\n", 2, 0, 0 },
        { "[a x]\n[a y]\n[b x]\n", 3, 0, 0 },
        { "\xef\xbb\xbf[a]\n", 1, 1, 1 },
        { "[a]\n\xef\xbb\xbfk = 1\n", 1, 1, 2 },
        { "[a]\r\nk = 1\r\nk = 2\r\n", 1, 2, 1 },
        { "k = 1\n[a]\n", 1, 1, 1 },
        { "[a]\nk = 1\nj = 2\nk = 3\nk = 4\n", 1, 2, 4 },
        { "[a]\n[b]\n[a]\n", 3, 1, 3 },
        { "[a x]\n[a X]\n", 2, 1, 2 },
        { "[a]\n# \x1b[31m\n", 1, 1, 2 },
        { "[a]\nK = 1\nk = 2\n", 1, 1, 2 },
    };
    struct scan scan;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        scan_run(rows[i].text, strlen(rows[i].text), &scan);
        if (scan.count != rows[i].sections ||
            scan.error_count < (rows[i].errors > 0 ? 1 : 0) ||
            (rows[i].errors == 0 && scan.error_count > 0))
            fail_msg("<%s>: %zu sections, %zu errors", rows[i].text, scan.count,
                     scan.error_count);
        if (rows[i].errors > 0)
            assert_int_equal(scan.error[0].line, rows[i].line);
        else
            agree(&scan, rows[i].text);
        scan_free(&scan);
    }
}

static void
long_lines(void **state)
{
    char text[2100] = "[a]\nk = ";
    struct scan scan;

    (void)state;
    memset(text + 8, 'v', 996);
    scan_run(text, 8 + 996, &scan); /* the line has 1000 */
    assert_int_equal(scan.error_count, 0);
    agree(&scan, text);
    scan_free(&scan);
    memset(text + 8, ';', 996);
    text[8] = text[8 + 995] = '\'';
    scan_run(text, 8 + 996, &scan);
    assert_int_equal(scan.error_count, 0);
    agree(&scan, text);
    scan_free(&scan);
    memset(text + 8, 'v', 997);
    scan_run(text, 8 + 997, &scan);
    assert_int_equal(scan.error_count, 1);
    scan_free(&scan);
    memset(text + 4, '#', 1001);
    scan_run(text, 4 + 1001, &scan);
    assert_int_equal(scan.error_count, 1);
    scan_free(&scan);
}

static void
nul_bytes_are_seen(void **state)
{
    static const char text[] = "[a]\nk = 1\0\nj = 2\n\0";
    struct scan scan;

    (void)state;
    scan_run(text, sizeof(text), &scan);
    assert_in_range(scan.error_count, 2, 3);
    assert_int_equal(scan.error[0].line, 2);
    assert_string_equal(scan.error[0].text, "the line holds a NUL byte");
    scan_free(&scan);
    scan_run(NULL, 0, &scan);
    assert_int_equal(scan.error_count, 0);
    agree(&scan, "");
    scan_free(&scan);
}

static void
errors_end_somewhere(void **state)
{
    char text[1000];
    struct scan scan;

    (void)state;
    memset(text, '\n', sizeof(text));
    for (size_t i = 0; i < sizeof(text); i += 2)
        text[i] = 'x';
    scan_run(text, sizeof(text), &scan);
    assert_int_equal(scan.error_count, SCAN_ERRORS_MAX + 1);
    assert_int_equal(scan.error[SCAN_ERRORS_MAX].line, SCAN_ERRORS_MAX + 1);
    scan_free(&scan);
}

/* the bytes that mean something to one of the two readers */
static const char alphabet[] = "a\"';# \\,=";
#define LETTERS (sizeof(alphabet) - 1)
#define LONGEST 4

/* spell - the number as a word over the alphabet; false: all were seen */
static bool
spell(size_t number, char word[LONGEST + 1])
{
    size_t len = 0, room = LETTERS;

    while (number >= room && len < LONGEST) {
        number -= room;
        room *= LETTERS;
        len++;
    }
    if (len == LONGEST)
        return false;
    for (word[len + 1] = '\0';; len--, number /= LETTERS) {
        word[len] = alphabet[number % LETTERS];
        if (len == 0)
            return true;
    }
}

static void
all_short_values_are_read_alike(void **state)
{
    char word[LONGEST + 1], text[64];
    size_t number, taken = 0;
    struct scan scan;

    (void)state;
    for (number = 0; spell(number, word); number++) {
        (void)snprintf(text, sizeof(text), "[s]\nk = %s\nlast = 1\n", word);
        scan_run(text, strlen(text), &scan);
        if (scan.error_count == 0) {
            agree(&scan, text);
            taken++;
        }
        scan_free(&scan);
    }
    assert_int_equal(number, 9 + 81 + 729 + 6561);
    assert_true(taken > 500);
}

/* written_reads_back - what scan_quote writes is read as it was */
static void
written_reads_back(const char *value, bool quoted, size_t *written)
{
    char out[LONGEST + 4], text[64];
    struct scan scan;

    if (scan_quote(value, quoted, out, sizeof(out)) != ERR_OK)
        return;
    ++*written;
    (void)snprintf(text, sizeof(text), "[s]\nk = %s\n", out);
    scan_run(text, strlen(text), &scan);
    if (scan.error_count == 0) {
        agree(&scan, text);
        /* a value that looks like one in double quotes is one */
        if (value[0] != '"' || strchr(value + 1, '"') == NULL)
            assert_string_equal(scan.section[0].entry[0].value, value);
    } else if (strchr(value, '"') == NULL) {
        fail_msg("<%s> as <%s>: %s", value, out, scan.error[0].text);
    }
    scan_free(&scan);
}

static void
what_is_written_reads_back(void **state)
{
    char word[LONGEST + 1];
    size_t number, written = 0;

    (void)state;
    for (number = 0; spell(number, word); number++) {
        written_reads_back(word, false, &written);
        written_reads_back(word, true, &written);
    }
    assert_true(written > 5000);
    written_reads_back("", false, &written);
}

static void
a_liar_is_caught(void **state)
{
    static const char text[] = "[s]\nk = v\nj = w\n";
    struct scan scan;
    struct why why;
    unsigned line;

    (void)state;
    scan_run(text, strlen(text), &scan);
    scan.copy[strcspn(scan.copy, "w")] = 'x';
    assert_int_equal(conf_ini_check(&scan, &line, &why), ERR_CONF);
    assert_int_equal(line, 3);
    scan.copy[strcspn(scan.copy, "x")] = 'w';
    scan.section[0].count--; /* iniparser sees one key more */
    assert_int_equal(conf_ini_check(&scan, &line, &why), ERR_CONF);
    scan.section[0].count++;
    scan.copy[1] = 't';
    assert_int_equal(conf_ini_check(&scan, &line, &why), ERR_CONF);
    assert_int_equal(line, 1);
    scan.copy[2] = ' ';
    assert_int_not_equal(conf_ini_check(&scan, &line, &why), ERR_OK);
    assert_int_equal(strncmp(why.text, "iniparser: ", 11), 0);
    assert_null(strchr(why.text, '\n'));
    scan_free(&scan);
}

/* the example of the manual, with all that later versions know */
static const char example[] =
    "; terminate: mTLS in, plain out\n"
    "[mtlsd]\n"
    "user = mtlsd\n"
    "\n"
    "[service web]\n"
    "listen   = 8443\n"
    "cert     = service.crt\n"
    "key      = service.key\n"
    "ca       = root_authority.crt\n"
    "crl      = ca.crl\n"
    "allow    = cn:ops-*, uri:spiffe://example.org/ns/*/sa/web\n"
    "upstream = 127.0.0.1:8080\n"
    "\n"
    "; originate: plain in, mTLS out\n"
    "[service db]\n"
    "listen_tls    = no\n"
    "listen        = 127.0.0.1:6432\n"
    "upstream      = tls://db.internal:6432\n"
    "upstream_cert = peer.crt\n"
    "upstream_key  = peer.key\n"
    "upstream_ca   = root_authority.crt\n"
    "\n"
    "; http, with routes\n"
    "[service api]\n"
    "protocol   = http\n"
    "listen_tls = no\n"
    "listen     = 127.0.0.1:8081\n"
    "upstream   = respond:200 \"hello\"\n"
    "[route up]\n"
    "service  = api\n"
    "path     = /upstream\n"
    "upstream = tls://myserver.internal.net:443\n"
    "upstream_cert = client.crt\n"
    "upstream_key  = client.key\n"
    "upstream_ca   = ca.crt\n"
    "upstream_ciphers = HIGH:!aNULL:!MD5\n"
    "upstream_verify_depth = 2\n"
    "header.x-real-ip = $remote_addr\n";

static void
the_example_is_read_alike(void **state)
{
    const struct scan_section *api;
    struct scan scan;

    (void)state;
    scan_run(example, strlen(example), &scan);
    if (scan.error_count > 0)
        fail_msg("line %u: %s", scan.error[0].line, scan.error[0].text);
    agree(&scan, example);
    assert_int_equal(scan.count, 5);
    assert_int_equal(scan.section[1].count, 7);
    api = &scan.section[3];
    assert_string_equal(api->name, "api");
    assert_string_equal(scan_find(api, "upstream")->value,
                        "respond:200 \"hello\"");
    assert_null(scan_find(api, "upstrea"));
    assert_string_equal(scan_find(&scan.section[4], "header.x-real-ip")->value,
                        "$remote_addr");
    scan_free(&scan);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(sections),
        cmocka_unit_test(whole_files),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(nul_bytes_are_seen),
        cmocka_unit_test(errors_end_somewhere),
        cmocka_unit_test(all_short_values_are_read_alike),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(a_liar_is_caught),
        cmocka_unit_test(the_example_is_read_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
