/*
 * test_reason.c - the table holds what the words promise
 */
#include "common/err.h"
#include "common/reason.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void
words_are_words_and_differ(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        const char *word = reason_word((enum reason)i);

        assert_true(reason_valid(i));
        assert_true(*word != '\0' && strlen(word) <= 32);
        assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                         strlen(word));
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(word, reason_word((enum reason)k));
    }
}

static void
alerts_have_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        int alert = reason_alert((enum reason)i);

        assert_true(alert == -1 ||
                    strncmp(alert_name(alert), "alert_", 6) != 0);
    }
    assert_string_equal(alert_name(45), "certificate_expired");
    assert_string_equal(alert_name(116), "certificate_required");
    assert_string_equal(alert_name(0), "close_notify");
    assert_string_equal(alert_name(3), "alert_3");
    assert_string_equal(alert_name(-1), "alert_-1");
}

static void
numbers_from_outside_are_answered(void **state)
{
    static const unsigned numbers[] = { REASON_COUNT, REASON_COUNT + 1, 65535,
                                        INT32_MAX, UINT32_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        assert_false(reason_valid(numbers[i]));
        assert_string_equal(reason_word((enum reason)numbers[i]), "internal");
        assert_int_equal(reason_alert((enum reason)numbers[i]), 80);
        assert_null(reason_hint((enum reason)numbers[i]));
    }
}

static void
some_known_rows(void **state)
{
    (void)state;
    assert_string_equal(reason_word(REASON_EXPIRED), "expired");
    assert_int_equal(reason_alert(REASON_EXPIRED), 45);
    assert_string_equal(reason_hint(REASON_TOO_DEEP), "verify_depth");
    assert_int_equal(reason_alert(REASON_NOT_TLS), -1);
}

static void
an_exit_code_tells_who_is_to_blame(void **state)
{
    static const struct {
        enum reason reason;
        int code;
    } rows[] = {
        { REASON_NONE, EXIT_OK },
        { REASON_CLIENT_EOF, EXIT_OK },
        { REASON_UPSTREAM_EOF, EXIT_OK },
        { REASON_RESPONDED, EXIT_OK },
        { REASON_NO_CERTIFICATE, EXIT_TLS },
        { REASON_BAD_NAME, EXIT_TLS },
        { REASON_NOT_TLS, EXIT_TLS },
        { REASON_NOT_FROM, EXIT_TLS },
        { REASON_UPSTREAM_TLS, EXIT_TLS },
        { REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE, EXIT_TLS },
        { REASON_UPSTREAM_REFUSED, EXIT_SYS },
        { REASON_KEEPER_GONE, EXIT_SYS },
        { REASON_CLIENT_TRUNCATED, EXIT_SYS },
        { REASON_UPSTREAM_RESET, EXIT_SYS },
        { REASON_STOPPED, EXIT_SYS },
        { REASON_COUNT, EXIT_SYS },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(reason_exit(rows[i].reason), rows[i].code);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_words_and_differ),
        cmocka_unit_test(alerts_have_names),
        cmocka_unit_test(numbers_from_outside_are_answered),
        cmocka_unit_test(some_known_rows),
        cmocka_unit_test(an_exit_code_tells_who_is_to_blame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
