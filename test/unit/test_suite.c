/* test_suite.c - suites and groups: known names in one spelling, nothing else */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/suite.h"
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void
every_suite_has_aead_and_forward_secrecy(void **state)
{
    const struct suite *row, *other;
    bool known;

    (void)state;
    for (row = suites; row->name != NULL; row++) {
        known = row->tls13 ? row->id >> 8 == 0x13 : row->id >> 8 != 0x13;
        assert_true(known);
        assert_true(row->tls13 || strncmp(row->name, "ECDHE-", 6) == 0);
        assert_true(strstr(row->name, "GCM") != NULL ||
                    strstr(row->name, "POLY1305") != NULL);
        for (other = suites; other < row; other++)
            assert_int_not_equal(other->id, row->id);
        assert_ptr_equal(suite_by_id(row->id), row);
    }
    assert_null(suite_by_id(0x002f));
}

static void
defaults_are_canonical(void **state)
{
    char out[SUITE_LIST_MAX];
    struct why why;

    (void)state;
    assert_int_equal(
        suite_check(SUITE_DEFAULT_12, false, out, sizeof(out), &why), ERR_OK);
    assert_string_equal(out, SUITE_DEFAULT_12);
    assert_int_equal(
        suite_check(SUITE_DEFAULT_13, true, out, sizeof(out), &why), ERR_OK);
    assert_string_equal(out, SUITE_DEFAULT_13);
    assert_int_equal(group_check(SUITE_DEFAULT_GROUPS, out, sizeof(out), &why),
                     ERR_OK);
    assert_string_equal(out, SUITE_DEFAULT_GROUPS);
}

static void
lists_of_suites(void **state)
{
    static const struct {
        const char *list;
        bool tls13;
        const char *want; /* NULL: refused */
    } rows[] = {
        { "ECDHE-RSA-AES128-GCM-SHA256", false, "ECDHE-RSA-AES128-GCM-SHA256" },
        { "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", false,
          "ECDHE-RSA-AES128-GCM-SHA256" },
        { "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256", true,
          "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256" },
        { "", false, NULL },
        { ":", false, NULL },
        { "ECDHE-RSA-AES128-GCM-SHA256:", false, NULL },
        { "ECDHE-RSA-AES128-GCM-SHA256 ", false, NULL },
        { "ecdhe-rsa-aes128-gcm-sha256", false, NULL },
        { "AES128-GCM-SHA256", false, NULL },
        { "ECDHE-RSA-AES128-SHA256", false, NULL },
        { "TLS_AES_128_GCM_SHA256", false, NULL },
        { "ECDHE-RSA-AES128-GCM-SHA256", true, NULL },
        { "TLS_AES_128_GCM_SHA256:TLS_AES_128_GCM_SHA256", true, NULL },
    };
    char out[SUITE_LIST_MAX];
    struct why why;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        enum err code =
            suite_check(rows[i].list, rows[i].tls13, out, sizeof(out), &why);

        if (code != (rows[i].want != NULL ? ERR_OK : ERR_CONF))
            fail_msg("\"%s\"", rows[i].list);
        if (rows[i].want != NULL)
            assert_string_equal(out, rows[i].want);
    }
    assert_int_equal(suite_check(SUITE_DEFAULT_12, false, out, 40, &why),
                     ERR_CONF);
}

static void
the_library_gets_its_own_names(void **state)
{
    static const char two[] = "ECDHE-RSA-AES128-GCM-SHA256";
    static const char three[] = "TLS_AES_128_GCM_SHA256:"
                                "TLS_CHACHA20_POLY1305_SHA256";
    char out[SUITE_LIST_MAX];

    (void)state;
    assert_int_equal(suite_wolfssl(two, three, true, true, out, sizeof(out)),
                     ERR_OK);
    assert_string_equal(out, "TLS13-AES128-GCM-SHA256:"
                             "TLS13-CHACHA20-POLY1305-SHA256:"
                             "ECDHE-RSA-AES128-GCM-SHA256");
    assert_int_equal(suite_wolfssl(two, three, true, false, out, sizeof(out)),
                     ERR_OK);
    assert_string_equal(out, two);
    assert_int_equal(suite_wolfssl(two, three, false, true, out, sizeof(out)),
                     ERR_OK);
    assert_null(strstr(out, "ECDHE"));
    assert_int_equal(suite_wolfssl(two, three, true, true, out, 20), ERR_RANGE);
    assert_int_equal(suite_wolfssl(two, three, false, false, out, sizeof(out)),
                     ERR_CONF);
    assert_int_equal(suite_wolfssl("x", three, true, true, out, sizeof(out)),
                     ERR_CONF);
}

static void
lists_of_groups(void **state)
{
    static const struct {
        const char *list, *want;
    } rows[] = {
        { "secp256r1:x25519", "P-256:X25519" },
        { "prime256v1", "P-256" },
        { "p-384:secp521r1", "P-384:P-521" },
        { "x25519mlkem768:X25519", "X25519MLKEM768:X25519" },
        { "P-256:secp256r1", NULL },
        { "", NULL },
        { "P-256:", NULL },
        { "P-256 ", NULL },
        { "ffdhe2048", NULL },
    };
    char out[SUITE_LIST_MAX];
    struct why why;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        enum err code = group_check(rows[i].list, out, sizeof(out), &why);

        if (code != (rows[i].want != NULL ? ERR_OK : ERR_CONF))
            fail_msg("\"%s\"", rows[i].list);
        if (rows[i].want != NULL)
            assert_string_equal(out, rows[i].want);
    }
}

static void
groups_have_their_numbers(void **state)
{
    static const uint16_t want[] = { 4588, 29, 23, 24, 25 };
    uint16_t ids[8];
    size_t i;

    (void)state;
    assert_int_equal(group_ids(SUITE_DEFAULT_GROUPS, ids), COUNT(want));
    for (i = 0; i < COUNT(want); i++)
        assert_int_equal(ids[i], want[i]);
    assert_string_equal(group_name(4588), "X25519MLKEM768");
    assert_string_equal(group_name(23), "P-256");
    assert_null(group_name(0));
    assert_null(group_name(256));
    assert_int_equal(group_ids("", ids), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_suite_has_aead_and_forward_secrecy),
        cmocka_unit_test(defaults_are_canonical),
        cmocka_unit_test(lists_of_suites),
        cmocka_unit_test(the_library_gets_its_own_names),
        cmocka_unit_test(lists_of_groups),
        cmocka_unit_test(groups_have_their_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
