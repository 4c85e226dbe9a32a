/* test_words.c - common/words.c: a command as it is written */
#include "common/words.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
words_are_split_at_blanks_and_quotes(void **state)
{
    static const struct {
        const char *text;
        const char *want[6];
    } rows[] = {
        { "/bin/cat", { "/bin/cat" } },
        { " \t/bin/cat \t", { "/bin/cat" } },
        { "/bin/sh -c \"a b; c\"", { "/bin/sh", "-c", "a b; c" } },
        { "\"/opt/my prog\" \"\" x", { "/opt/my prog", "", "x" } },
        { "/p a,b 'c d'", { "/p", "a,b", "'c", "d'" } },
        { "/p $HOME `id` \\n", { "/p", "$HOME", "`id`", "\\n" } },
        { "/p \xc3\xbc", { "/p", "\xc3\xbc" } },
        { "/p \"a \"\"b\"\"\" \"\"\"\"", { "/p", "a \"b\"", "\"" } },
        { "/p \"\"\"\"\"\" \"x\"\"y\"", { "/p", "\"\"", "x\"y" } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct words words;
        struct why why;
        size_t k = 0;

        assert_int_equal(words_split(rows[i].text, &words, &why), ERR_OK);
        for (; rows[i].want[k] != NULL; k++)
            assert_string_equal(words.word[k], rows[i].want[k]);
        assert_int_equal(words.count, k);
        assert_null(words.word[k]);
    }
}

static void
what_is_no_command_is_refused(void **state)
{
    static const char *const rows[] = {
        "",       " ",          "cat",       "./cat",      "\"\" /bin/cat",
        "/p \"x", "/p x\"y\"z", "/p \"x\"y", "/p \"x\"\"", "\"",
    };
    struct words words;
    struct why why;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(words_split(rows[i], &words, &why), ERR_FORMAT);
}

static void
too_much_is_refused(void **state)
{
    char text[WORDS_TEXT_MAX + 1] = "/p", *end = text + 2;
    struct words words;
    struct why why;

    (void)state;
    for (size_t i = 1; i < WORDS_MAX; i++)
        end = stpcpy(end, " x");
    assert_int_equal(words_split(text, &words, &why), ERR_OK);
    assert_int_equal(words.count, WORDS_MAX);
    (void)stpcpy(end, " x");
    assert_int_equal(words_split(text, &words, &why), ERR_RANGE);
    memset(text, 'x', sizeof(text) - 1);
    text[0] = '/';
    assert_int_equal(words_split(text, &words, &why), ERR_RANGE);
    text[WORDS_TEXT_MAX - 1] = '\0';
    assert_int_equal(words_split(text, &words, &why), ERR_OK);
}

static void
joined_words_are_split_into_the_same(void **state)
{
    static const char *const rows[][6] = {
        { "/bin/cat", NULL },
        { "/bin/sh", "-c", "echo \"it's\"; a\tb", "", NULL },
        { "/p", "\"", "\"\"", " \"", "x\"y", NULL },
        { "/my prog", "\n", "\\", "'", NULL },
    };
    char text[WORDS_TEXT_MAX];
    struct words words;
    struct why why;
    size_t k;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(
            words_join((char *const *)rows[i], text, sizeof(text), &why),
            ERR_OK);
        assert_int_equal(words_split(text, &words, &why), ERR_OK);
        for (k = 0; rows[i][k] != NULL; k++)
            assert_string_equal(words.word[k], rows[i][k]);
        assert_int_equal(words.count, k);
    }
}

static void
joined_words_fit_or_are_refused(void **state)
{
    static const char *const words[] = { "/p", "a b", NULL };
    char text[16];
    struct why why;

    (void)state;
    memset(text, '#', sizeof(text));
    assert_int_equal(words_join((char *const *)words, text, 9, &why), ERR_OK);
    assert_string_equal(text, "/p \"a b\"");
    memset(text, '#', sizeof(text));
    assert_int_equal(words_join((char *const *)words, text, 8, &why),
                     ERR_RANGE);
    assert_int_equal(text[8], '#');
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_split_at_blanks_and_quotes),
        cmocka_unit_test(what_is_no_command_is_refused),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(joined_words_are_split_into_the_same),
        cmocka_unit_test(joined_words_fit_or_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
