/* test_text.c - numbers, times, escapes and nearest words: all or nothing */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/text.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void
long_takes_the_whole_text_or_nothing(void **state)
{
    static const struct {
        const char *text;
        long min, max;
        enum err want;
        long value;
    } rows[] = {
        { "0", 0, 10, ERR_OK, 0 },
        { "10", 0, 10, ERR_OK, 10 },
        { "11", 0, 10, ERR_RANGE, 0 },
        { "-1", -1, 10, ERR_OK, -1 },
        { "-1", 0, 10, ERR_RANGE, 0 },
        { "9223372036854775807", 0, LONG_MAX, ERR_OK, LONG_MAX },
        { "9223372036854775808", 0, LONG_MAX, ERR_RANGE, 0 },
        { "99999999999999999999999", 0, LONG_MAX, ERR_RANGE, 0 },
        { "", 0, 10, ERR_FORMAT, 0 },
        { "-", 0, 10, ERR_FORMAT, 0 },
        { "-0", -1, 10, ERR_FORMAT, 0 },
        { "+1", 0, 10, ERR_FORMAT, 0 },
        { "01", 0, 10, ERR_FORMAT, 0 },
        { "00", 0, 10, ERR_FORMAT, 0 },
        { " 1", 0, 10, ERR_FORMAT, 0 },
        { "1 ", 0, 10, ERR_FORMAT, 0 },
        { "4x", 0, 10, ERR_FORMAT, 0 },
        { "0x4", 0, 10, ERR_FORMAT, 0 },
        { "1e3", 0, 10, ERR_FORMAT, 0 },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        long value = 77;

        if (text_long(rows[i].text, rows[i].min, rows[i].max, &value) !=
                rows[i].want ||
            value != (rows[i].want == ERR_OK ? rows[i].value : 77))
            fail_msg("\"%s\"", rows[i].text);
    }
}

static void
octal_wants_its_leading_zero(void **state)
{
    static const struct {
        const char *text;
        enum err want;
        long value;
    } rows[] = {
        { "0600", ERR_OK, 0600 },
        { "00", ERR_OK, 0 },
        { "07777", ERR_OK, 07777 },
        { "010000", ERR_RANGE, 0 },
        { "600", ERR_FORMAT, 0 },
        { "0", ERR_FORMAT, 0 },
        { "", ERR_FORMAT, 0 },
        { "0888", ERR_FORMAT, 0 },
        { "0600 ", ERR_FORMAT, 0 },
        { "0o600", ERR_FORMAT, 0 },
        { "0777777777777777777777777777", ERR_RANGE, 0 },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        long value = 77;

        if (text_octal(rows[i].text, &value) != rows[i].want ||
            value != (rows[i].want == ERR_OK ? rows[i].value : 77))
            fail_msg("\"%s\"", rows[i].text);
    }
}

static void
time_needs_a_unit(void **state)
{
    static const struct {
        const char *text;
        bool never_ok;
        enum err want;
        int64_t value;
    } rows[] = {
        { "1ms", false, ERR_OK, 1 },
        { "10s", false, ERR_OK, 10000 },
        { "5m", false, ERR_OK, 300000 },
        { "2h", false, ERR_OK, 7200000 },
        { "1d", false, ERR_OK, 86400000 },
        { "0s", false, ERR_RANGE, 0 },
        { "3d", false, ERR_RANGE, 0 },
        { "never", true, ERR_OK, CLOCK_NEVER },
        { "never", false, ERR_RANGE, 0 },
        { "Never", true, ERR_FORMAT, 0 },
        { "10", false, ERR_FORMAT, 0 },
        { "s", false, ERR_FORMAT, 0 },
        { "", true, ERR_FORMAT, 0 },
        { "10 s", false, ERR_FORMAT, 0 },
        { "10sec", false, ERR_FORMAT, 0 },
        { "10S", false, ERR_FORMAT, 0 },
        { "1.5s", false, ERR_FORMAT, 0 },
        { "-1s", false, ERR_FORMAT, 0 },
        { "01s", false, ERR_FORMAT, 0 },
        { "9223372036854775807d", false, ERR_RANGE, 0 },
        { "99999999999999999999s", false, ERR_RANGE, 0 },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        int64_t value = 77;

        if (text_time(rows[i].text, 1, 2 * 86400000, rows[i].never_ok,
                      &value) != rows[i].want ||
            value != (rows[i].want == ERR_OK ? rows[i].value : 77))
            fail_msg("\"%s\"", rows[i].text);
    }
}

static void
time_is_printed_short_and_reads_back(void **state)
{
    static const struct {
        int64_t ms;
        const char *want;
    } rows[] = {
        { 0, "0s" },        { 1, "1ms" },        { 1500, "1500ms" },
        { 90000, "90s" },   { 60000, "1m" },     { 3600000, "1h" },
        { 86400000, "1d" }, { 172800000, "2d" }, { CLOCK_NEVER, "never" },
    };
    char out[32];
    int64_t back;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        assert_string_equal(text_time_print(rows[i].ms, out, sizeof(out)),
                            rows[i].want);
        assert_int_equal(text_time(out, 0, CLOCK_NEVER - 1, true, &back),
                         ERR_OK);
        assert_true(back == rows[i].ms);
    }
}

static void
bool_is_yes_or_no(void **state)
{
    static const char *const bad[] = { "", "y", "Yes", "true", "1", "no " };
    bool value = false;
    size_t i;

    (void)state;
    assert_int_equal(text_bool("yes", &value), ERR_OK);
    assert_true(value);
    assert_int_equal(text_bool("no", &value), ERR_OK);
    assert_false(value);
    for (i = 0; i < COUNT(bad); i++)
        assert_int_equal(text_bool(bad[i], &value), ERR_FORMAT);
}

static void
copy_always_terminates(void **state)
{
    char out[4] = "xxx";

    (void)state;
    assert_int_equal(text_copy(out, "abcdef", sizeof(out)), 6);
    assert_string_equal(out, "abc");
    assert_int_equal(text_copy(out, "", sizeof(out)), 0);
    assert_string_equal(out, "");
    assert_int_equal(text_copy(NULL, "ab", 0), 2);
}

static void
escape_never_cuts_an_escape(void **state)
{
    static const struct {
        const char *bytes;
        size_t len, size;
        const char *want;
    } rows[] = {
        { "plain ~", 7, 32, "plain ~" },
        { "a\"b\\c", 5, 32, "a\\\"b\\\\c" },
        { "\0\n\x7f\xff", 4, 32, "\\x00\\x0a\\x7f\\xff" },
        { "ab\n", 3, 7, "ab\\x0a" },
        { "ab\n", 3, 6, "ab" },
        { "ab\"", 3, 4, "ab" },
        { "abc", 3, 1, "" },
    };
    char out[32];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        assert_int_equal(
            text_escape(rows[i].bytes, rows[i].len, out, rows[i].size),
            strlen(rows[i].want));
        assert_string_equal(out, rows[i].want);
    }
    assert_int_equal(text_escape("a", 1, out, 0), 0);
}

static void
hex_is_lower_case(void **state)
{
    char out[9];

    (void)state;
    assert_string_equal(text_hex("\x00\xab\x10\xff", 4, out), "00ab10ff");
    assert_string_equal(text_hex("", 0, out), "");
}

static void
nearest_finds_slips_and_nothing_else(void **state)
{
    static const char *const words[] = { "cert",   "key",     "ca",
                                         "strict", "workers", NULL };
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "crt", "cert" },
        { "certt", "cert" },
        { "ecrt", "cert" },
        { "kye", "key" },
        { "STRICT", "strict" },
        { "stric", "strict" },
        { "workesr", "workers" },
        { "worker", "workers" },
        { "x", NULL },
        { "", NULL },
        { "frobnicate", NULL },
        { "crl", NULL },
    };
    char longest[200];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        const char *near = text_nearest(rows[i].text, words);

        if (rows[i].want == NULL
                ? near != NULL
                : near == NULL || strcmp(near, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].text, near != NULL ? near : "(none)");
    }
    memset(longest, 'w', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_null(text_nearest(longest, words));
}

static void
why_is_cut_and_keeps_errno(void **state)
{
    char longest[1000];
    struct why why;

    (void)state;
    memset(longest, 'w', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(why_set(&why, ERR_CONF, "%s", longest), ERR_CONF);
    assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
    errno = ENOENT;
    assert_int_equal(why_errno(&why, ERR_FILE, "open %s", "x"), ERR_FILE);
    assert_string_equal(why.text, "open x: No such file or directory");
    assert_int_equal(errno, ENOENT);
    assert_int_equal(why_errno(&why, ERR_FILE, "%s", longest), ERR_FILE);
    assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
    assert_int_equal(why_set(NULL, ERR_SYS, "x"), ERR_SYS);
    assert_int_equal(why_errno(NULL, ERR_SYS, "x"), ERR_SYS);
}

static void
every_error_has_an_exit_code(void **state)
{
    (void)state;
    assert_int_equal(err_exit(ERR_OK), 0);
    assert_int_equal(err_exit(ERR_CONF), 96);
    assert_int_equal(err_exit(ERR_FILE), 96);
    assert_int_equal(err_exit(ERR_PRIV), 97);
    assert_int_equal(err_exit(ERR_TLS), 98);
    assert_int_equal(err_exit(ERR_SYS), 111);
    assert_int_equal(err_exit(ERR_NOMEM), 111);
}

static void
deadlines_know_never(void **state)
{
    int64_t now = clock_ms();

    (void)state;
    assert_true(clock_deadline(CLOCK_NEVER) == CLOCK_NEVER);
    assert_true(clock_deadline(CLOCK_NEVER - 1) == CLOCK_NEVER - 1);
    assert_int_equal(clock_left(CLOCK_NEVER), -1);
    assert_int_equal(clock_left(now - 1), 0);
    assert_int_equal(clock_left(CLOCK_NEVER - 1), INT_MAX);
    assert_in_range(clock_left(now + 10000), 1, 10000);
    assert_true(clock_ms() >= now);
}

static void
memory_comes_zeroed(void **state)
{
    char *at = mem_new(8);
    int *list = NULL;

    (void)state;
    assert_memory_equal(at, "\0\0\0\0\0\0\0", 8);
    memcpy(at, "secret", 6);
    mem_wipe(at, 8);
    assert_memory_equal(at, "\0\0\0\0\0\0\0", 8);
    mem_wipe(NULL, 8);
    list = mem_array(list, 2, sizeof(*list));
    list[1] = 5;
    list = mem_array(list, 100, sizeof(*list));
    assert_int_equal(list[1], 5);
    free(list);
    free(at);
    free(mem_array(NULL, 0, 8));
    at = mem_copy("x");
    assert_string_equal(at, "x");
    free(at);
}

static void
sizes(void **state)
{
    static const struct {
        const char *text;
        enum err want;
        long value;
        const char *print;
    } rows[] = {
        { "1", ERR_OK, 1, "1" },
        { "1k", ERR_OK, 1024, "1k" },
        { "1024", ERR_OK, 1024, "1k" },
        { "1025", ERR_OK, 1025, "1025" },
        { "16k", ERR_OK, 16384, "16k" },
        { "3m", ERR_OK, 3145728, "3m" },
        { "1g", ERR_OK, 1073741824, "1g" },
        { "2g", ERR_RANGE, 0, NULL },
        { "0", ERR_RANGE, 0, NULL },
        { "0k", ERR_RANGE, 0, NULL },
        { "9223372036854775807k", ERR_RANGE, 0, NULL },
        { "9223372036854775808", ERR_RANGE, 0, NULL },
        { "99999999999999999999g", ERR_RANGE, 0, NULL },
        { "", ERR_FORMAT, 0, NULL },
        { "k", ERR_FORMAT, 0, NULL },
        { "1K", ERR_FORMAT, 0, NULL },
        { "1kk", ERR_FORMAT, 0, NULL },
        { "1kb", ERR_FORMAT, 0, NULL },
        { "1 k", ERR_FORMAT, 0, NULL },
        { "01", ERR_FORMAT, 0, NULL },
        { "-1", ERR_FORMAT, 0, NULL },
        { "1.5k", ERR_FORMAT, 0, NULL },
        { "never", ERR_FORMAT, 0, NULL },
    };
    char text[32];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        long value = 0;

        if (text_size(rows[i].text, 1, 1073741824, &value) != rows[i].want ||
            value != rows[i].value)
            fail_msg("\"%s\"", rows[i].text);
        if (rows[i].print != NULL)
            assert_string_equal(text_size_print(value, text, sizeof(text)),
                                rows[i].print);
    }
    assert_string_equal(text_size_print(0, text, sizeof(text)), "0");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(long_takes_the_whole_text_or_nothing),
        cmocka_unit_test(octal_wants_its_leading_zero),
        cmocka_unit_test(time_needs_a_unit),
        cmocka_unit_test(time_is_printed_short_and_reads_back),
        cmocka_unit_test(bool_is_yes_or_no),
        cmocka_unit_test(copy_always_terminates),
        cmocka_unit_test(escape_never_cuts_an_escape),
        cmocka_unit_test(hex_is_lower_case),
        cmocka_unit_test(nearest_finds_slips_and_nothing_else),
        cmocka_unit_test(why_is_cut_and_keeps_errno),
        cmocka_unit_test(every_error_has_an_exit_code),
        cmocka_unit_test(deadlines_know_never),
        cmocka_unit_test(memory_comes_zeroed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
