/* test_runner_lines.c - master/runner_lines.c: a program's 2, line by line */
#include "master/runner_lines.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct {
    unsigned count;
    size_t len;
    unsigned long lost, all_lost;
    char text[4096]; /* of all, one behind the other, a bar behind each */
} heard;

static void
hear(void *ctx, const char *text, size_t len, unsigned long lost)
{
    size_t used = strlen(heard.text);

    (void)ctx;
    heard.count += text != NULL;
    heard.len = len;
    heard.lost = lost;
    heard.all_lost += lost;
    if (text != NULL && used + len + 2 < sizeof(heard.text))
        snprintf(heard.text + used, sizeof(heard.text) - used, "%.*s|",
                 (int)len, text);
}

static void
feed(struct runner_lines *lines, const char *text, int64_t now)
{
    runner_lines_feed(lines, text, strlen(text), now, hear, NULL);
}

static void
lines_are_cut_where_they_end(void **state)
{
    struct runner_lines lines = { .len = 0 };

    (void)state;
    memset(&heard, 0, sizeof(heard));
    feed(&lines, "on", 1);
    feed(&lines, "e\ntwo\n\n\nthr", 1);
    assert_string_equal(heard.text, "one|two|");
    feed(&lines, "ee", 1);
    runner_lines_end(&lines, 1, hear, NULL);
    assert_string_equal(heard.text, "one|two|three|");
    runner_lines_end(&lines, 1, hear, NULL);
    assert_int_equal(heard.count, 3);
}

static void
the_rest_of_a_long_line_is_left_out(void **state)
{
    struct runner_lines lines = { .len = 0 };

    (void)state;
    memset(&heard, 0, sizeof(heard));
    for (int i = 0; i < 1000; i++)
        feed(&lines, "x", 1);
    feed(&lines, "\nnext\n", 1);
    assert_int_equal(heard.count, 2);
    assert_int_equal(strchr(heard.text, '|') - heard.text, RUNNER_LINE_MAX);
    assert_string_equal(strchr(heard.text, '|'), "|next|");
}

static void
a_flood_is_counted(void **state)
{
    struct runner_lines lines = { .len = 0 };

    (void)state;
    memset(&heard, 0, sizeof(heard));
    for (int i = 0; i < 1000; i++)
        feed(&lines, "x\n", 5000);
    assert_int_equal(heard.count, RUNNER_LINES);
    assert_int_equal(heard.all_lost, 0);
    feed(&lines, "x\n", 5000 + RUNNER_LINES_MS);
    assert_int_equal(heard.count, RUNNER_LINES + 1);
    assert_int_equal(heard.lost, 1000 - RUNNER_LINES);
    for (int i = 0; i < 1000; i++)
        feed(&lines, "x\n", 5000 + RUNNER_LINES_MS);
    runner_lines_end(&lines, 5000 + RUNNER_LINES_MS, hear, NULL);
    assert_int_equal(heard.count + heard.all_lost, 2001);
    assert_int_equal(heard.len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_cut_where_they_end),
        cmocka_unit_test(the_rest_of_a_long_line_is_left_out),
        cmocka_unit_test(a_flood_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
