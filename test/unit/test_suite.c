/* test_suite.c - suites and groups: known names in one spelling, nothing else */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/suite.h"
#include "common/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* ---- OpenSSL's cipher strings ---- */

#define A256 "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#define CHA  "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define A128 "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"

/* what stands in configurations that people bring along */
static const struct {
    const char *text, *want;
} strings[] = {
    { "HIGH:!aNULL:!MD5", A256 ":" CHA ":" A128 },
    { "HIGH", A256 ":" CHA ":" A128 },
    { "ALL", A256 ":" CHA ":" A128 },
    { "DEFAULT", A256 ":" CHA ":" A128 },
    { "DEFAULT:!aNULL:!eNULL:!LOW:!EXPORT:!SSLv2", A256 ":" CHA ":" A128 },
    { "ALL:!COMPLEMENTOFDEFAULT:!eNULL", A256 ":" CHA ":" A128 },
    { "HIGH:!kRSA:!PSK:!SRP:!CAMELLIA:!ARIA:!SHA1:!SHA256:!SHA384",
      A256 ":" CHA ":" A128 },
    { "ECDHE+AESGCM:ECDHE+CHACHA20", A256 ":" A128 ":" CHA },
    { "EECDH+AESGCM:EDH+AESGCM", A256 ":" A128 },
    { "ECDHE+AES128:ECDHE+AES256", A128 ":" A256 },
    { "ECDHE+AES128:ECDHE+AES256:@STRENGTH", A256 ":" A128 },
    { "AES128:CHACHA20:AES256:@STRENGTH", CHA ":" A256 ":" A128 },
    { "HIGH:+AES256", CHA ":" A128 ":" A256 },
    { "HIGH:-AES256", CHA ":" A128 },
    { "HIGH:-AES256:AES256", CHA ":" A128 ":" A256 },
    { "HIGH:-AES128:ALL", A256 ":" CHA ":" A128 },
    { "CHACHA20:-CHACHA20:ALL", CHA ":" A256 ":" A128 },
    { "HIGH:!AES256:AES256", CHA ":" A128 },
    { "!AES256:HIGH", CHA ":" A128 },
    { "ECDHE-RSA-AES128-GCM-SHA256,ECDHE-RSA-AES256-GCM-SHA384",
      "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384" },
    { "ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-AES256-GCM-SHA384",
      "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384" },
    { "::ECDHE-RSA-AES128-GCM-SHA256:: , ", "ECDHE-RSA-AES128-GCM-SHA256" },
    { "aECDSA", "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
                "ECDHE-ECDSA-AES128-GCM-SHA256" },
    { "ALL:!ECDSA:!AES256", "ECDHE-RSA-CHACHA20-POLY1305:"
                            "ECDHE-RSA-AES128-GCM-SHA256" },
    { "AESGCM:!aRSA", "ECDHE-ECDSA-AES256-GCM-SHA384:"
                      "ECDHE-ECDSA-AES128-GCM-SHA256" },
    { "TLSv1.2:!TLSv1:!SSLv3", A256 ":" CHA ":" A128 },
    { "SUITEB128", "ECDHE-ECDSA-AES128-GCM-SHA256:"
                   "ECDHE-ECDSA-AES256-GCM-SHA384" },
    { "SUITEB128ONLY", "ECDHE-ECDSA-AES128-GCM-SHA256" },
    { "SUITEB192", "ECDHE-ECDSA-AES256-GCM-SHA384" },
    { "HIGH:@SECLEVEL=2", A256 ":" CHA ":" A128 },
    { "@SECLEVEL=0:AES128", A128 },
    { "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" A256 ":" CHA
      ":DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:"
      "DHE-RSA-CHACHA20-POLY1305",
      A128 ":" A256 ":" CHA },
    { "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA256:AES128-SHA:"
      "DES-CBC3-SHA:!DSS:!aECDH:!KRB5-DES-CBC3-SHA",
      "ECDHE-RSA-AES128-GCM-SHA256" },
    { "kEECDH+aRSA+AES128:kEDH:RC4:HIGH",
      "ECDHE-RSA-AES128-GCM-SHA256:" A256 ":" CHA
      ":ECDHE-ECDSA-AES128-GCM-SHA256" },
    { "ECDHE-RSA-AES128-GCM-SHA256+HIGH", "ECDHE-RSA-AES128-GCM-SHA256" },
    { "HIGH:AES128+aRSA:+ECDHE-ECDSA-AES256-GCM-SHA384",
      "ECDHE-RSA-AES256-GCM-SHA384:" CHA ":" A128
      ":ECDHE-ECDSA-AES256-GCM-SHA384" },
};

static void
cipher_strings_mean_what_they_mean(void **state)
{
    char out[SUITE_LIST_MAX], again[SUITE_LIST_MAX];
    struct why why;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(strings); i++) {
        if (suite_expand(strings[i].text, out, sizeof(out), &why) != ERR_OK)
            fail_msg("\"%s\": %s", strings[i].text, why.text);
        if (strcmp(out, strings[i].want) != 0)
            fail_msg("\"%s\": %s", strings[i].text, out);
        assert_int_equal(suite_expand(out, again, sizeof(again), &why), ERR_OK);
        assert_string_equal(again, out);
    }
    assert_int_equal(suite_expand("ALL", out, 40, &why), ERR_CONF);
}

/* run - `openssl ciphers -tls1_2 text` into out; false: there is no openssl */
static bool
run(const char *text, char *out, size_t size)
{
    size_t used = 0;
    ssize_t n = 1;
    int fd[2], status = 0;
    pid_t pid;

    assert_int_equal(pipe(fd), 0);
    if ((pid = fork()) == 0) {
        (void)setenv("OPENSSL_CONF", "/dev/null", 1);
        (void)dup2(fd[1], 1);
        (void)close(2);
        (void)execlp("openssl", "openssl", "ciphers", "-tls1_2", text,
                     (char *)NULL);
        _exit(127);
    }
    (void)close(fd[1]);
    for (; n > 0 && used<size - 1; used += n> 0 ? (size_t)n : 0)
        n = read(fd[0], out + used, size - 1 - used);
    out[used] = '\0';
    out[strcspn(out, "\n")] = '\0';
    (void)close(fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 127;
}

/* add - one word behind the others, which must fit */
static void
add(char *text, size_t size, const char *word)
{
    size_t len = strlen(text);

    assert_true(text_copy(text + len, word, size - len) < size - len);
}

/* ours - what of a list stands in our table */
static void
ours(char *list, char out[SUITE_LIST_MAX])
{
    const struct suite *row;
    char *word, *rest = list;

    out[0] = '\0';
    while ((word = strsep(&rest, ":")) != NULL)
        for (row = suites; row->name != NULL; row++)
            if (!row->tls13 && strcmp(row->name, word) == 0) {
                add(out, SUITE_LIST_MAX, out[0] != '\0' ? ":" : "");
                add(out, SUITE_LIST_MAX, word);
            }
}

/* same - we say what OpenSSL says, with what is unsafe left out of it; where
 * nothing is left we refuse */
static void
same(const char *text)
{
    static char theirs[1 << 14];
    char want[SUITE_LIST_MAX], got[SUITE_LIST_MAX], argument[512];
    struct why why;

    /* a separator in front: else openssl takes a minus for an option */
    (void)snprintf(argument, sizeof(argument), "%s%s",
                   text[0] == '-' ? ":" : "", text);
    if (!run(argument, theirs, sizeof(theirs)))
        skip();
    ours(theirs, want);
    if (suite_expand(text, got, sizeof(got), &why) != ERR_OK)
        got[0] = '\0';
    if (strcmp(want, got) != 0)
        fail_msg("\"%s\"\nopenssl: %s\nwe:      %s", text, want, got);
}

static void
openssl_agrees(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(strings); i++)
        same(strings[i].text);
}

/* any rules, one behind the other: the same numbers in each run.
 * COMPLEMENTOFDEFAULT is not among the words: OpenSSL 3.0 forgets it when a
 * name follows behind +, where we take the + at its word */
static void
openssl_agrees_on_anything(void **state)
{
    static const char *const words[] = {
        "ALL",
        "HIGH",
        "MEDIUM",
        "ECDHE",
        "EECDH",
        "kECDHE",
        "kRSA",
        "RSA",
        "aRSA",
        "aECDSA",
        "ECDSA",
        "aNULL",
        "eNULL",
        "NULL",
        "AES",
        "AES128",
        "AES256",
        "AESGCM",
        "AESCCM",
        "CHACHA20",
        "ARIA",
        "CAMELLIA",
        "SHA1",
        "SHA256",
        "SHA384",
        "MD5",
        "PSK",
        "DHE",
        "kDHE",
        "ADH",
        "TLSv1",
        "TLSv1.2",
        "SSLv3",
        "AES128-SHA",
        "KRB5",
        "DH",
        "ECDH",
        "AECDH",
        "CBC",
        "SRP",
        "LOW",
        "COMPLEMENTOFALL",

        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "DHE-RSA-AES256-GCM-SHA384",
    };
    static const char *const signs[] = { "", "", "", "!", "-", "-", "+", "+" };
    unsigned seed = 7;
    char text[512];
    size_t i, k;

    (void)state;
    for (i = 0; i < 150; i++) {
        text[0] = '\0';
        for (k = 0; k < 1 + i % 7; k++) {
            if (k > 0)
                add(text, sizeof(text), ":");
            if (rand_r(&seed) % 12 == 0) {
                add(text, sizeof(text), "@STRENGTH");
                continue;
            }
            add(text, sizeof(text),
                signs[(size_t)rand_r(&seed) % COUNT(signs)]);
            add(text, sizeof(text),
                words[(size_t)rand_r(&seed) % COUNT(words)]);
            if (rand_r(&seed) % 4 == 0) {
                add(text, sizeof(text), "+");
                add(text, sizeof(text),
                    words[(size_t)rand_r(&seed) % COUNT(words)]);
            }
        }
        same(text);
    }
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
        cmocka_unit_test(cipher_strings_mean_what_they_mean),
        cmocka_unit_test(openssl_agrees),
        cmocka_unit_test(openssl_agrees_on_anything),
        cmocka_unit_test(the_library_gets_its_own_names),
        cmocka_unit_test(lists_of_groups),
        cmocka_unit_test(groups_have_their_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
