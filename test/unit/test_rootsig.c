/*
 * test_rootsig.c - only an anchor's own signature is kept, and only for the
 * very bytes that it was found good for
 */
#include "common/tlsside.h"
#include "worker/rootsig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SPAN(text)                                \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

static struct tls_anchor anchors[] = {
    { .spki = SPAN("key one"), .signature = SPAN("signature one") },
    { .spki = SPAN("key two") }, /* another authority issued it */
};
static const struct tls_side side = { .anchor_count = 2, .anchor = anchors };

static struct tls_anchor later[] = {
    { .spki = SPAN("key one"), .signature = SPAN("signature one") },
};
static const struct tls_side reloaded = { .anchor_count = 1, .anchor = later };

static const struct rootsig own = { SPAN("signature one"), SPAN("digest one"),
                                    SPAN("key one") };
static const struct rootsig others[] = {
    { SPAN("signature one"), SPAN("digest two"), SPAN("key one") },
    { SPAN("signature one"), SPAN("digest one"), SPAN("key two") },
    { SPAN("signature two"), SPAN("digest one"), SPAN("key one") },
    { SPAN("signature one"), SPAN("digest"), SPAN("key one") },
    { { NULL, 0 }, SPAN("digest one"), SPAN("key two") },
};
#define OTHERS (sizeof(others) / sizeof(others[0]))

static void
nothing_is_known_at_first(void **state)
{
    (void)state;
    assert_false(rootsig_known(&side, &own));
    for (size_t i = 0; i < OTHERS; i++)
        assert_false(rootsig_known(&side, &others[i]));
}

static void
what_is_no_anchors_own_is_not_kept(void **state)
{
    (void)state;
    for (size_t i = 1; i < OTHERS; i++) {
        rootsig_keep(&side, &others[i]);
        assert_int_equal(rootsig_known(&side, &others[i]), i == 3);
    }
}

static void
an_anchors_own_is_kept_for_its_bytes_alone(void **state)
{
    (void)state;
    rootsig_keep(&side, &own);
    rootsig_keep(&side, &own);
    assert_true(rootsig_known(&side, &own));
    assert_false(rootsig_known(&side, &others[0]));
    assert_false(rootsig_known(&side, &others[1]));
    assert_false(rootsig_known(&side, &others[2]));
    assert_false(rootsig_known(&reloaded, &own));
}

/* many digests for one signature cannot be good: were they, the first would
 * stay */
static void
nothing_is_pushed_out(void **state)
{
    uint8_t digest[64] = { 0 };
    struct rootsig what = own;

    (void)state;
    what.digest = (struct span){ digest, sizeof(digest) };
    for (int i = 0; i < 100; i++) {
        digest[0] = (uint8_t)i;
        rootsig_keep(&side, &what);
    }
    assert_false(rootsig_known(&side, &what));
    assert_true(rootsig_known(&side, &own));
    digest[0] = 0;
    assert_true(rootsig_known(&side, &what));
}

static void
a_digest_that_is_too_long_is_not_kept(void **state)
{
    static const uint8_t digest[65];
    struct rootsig what = own;

    (void)state;
    what.digest = (struct span){ digest, sizeof(digest) };
    rootsig_keep(&side, &what);
    assert_false(rootsig_known(&side, &what));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(what_is_no_anchors_own_is_not_kept),
        cmocka_unit_test(an_anchors_own_is_kept_for_its_bytes_alone),
        cmocka_unit_test(nothing_is_pushed_out),
        cmocka_unit_test(a_digest_that_is_too_long_is_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
