/*
 * test_sources.c - limits of sources: tables, and random events against a model
 */
#include "common/clock.h"
#include "master/sources.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t seed[16] = { 1, 2, 3 };
static const struct source_limits none;
static struct sources *sources;

static struct net
net_number(unsigned n)
{
    struct net net = { .addr = { 0x20, 1, (uint8_t)(n >> 8), (uint8_t)n },
                       .bits = 64 };

    return net;
}

static struct source *
get(unsigned n, int64_t now)
{
    struct net net = net_number(n);

    return sources_get(sources, &net, 0, now);
}

static int
setup(void **state)
{
    (void)state;
    sources = sources_new(8, seed);
    return sources == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    sources_free(sources);
    return 0;
}

static enum reason
blocked(const struct source *source, const struct source_limits *limits,
        int64_t now)
{
    int64_t until;

    return source_blocked(source, limits, now, &until);
}

static void
each_pool_counts_by_itself(void **state)
{
    struct net net = net_number(1), wider = { .bits = 32 };
    struct source *one = get(1, 1), *two = sources_get(sources, &net, 1, 1);

    (void)state;
    memcpy(wider.addr, net.addr, sizeof(net.addr));
    assert_ptr_not_equal(one, two);
    assert_ptr_not_equal(one, sources_get(sources, &wider, 0, 1));
    assert_ptr_equal(one, get(1, 2));
    assert_int_equal(sources_count(sources), 3);
}

static void
connections_and_handshakes_are_counted(void **state)
{
    const struct source_limits limits = { .connections = 2, .handshaking = 1 };
    struct source *source = get(1, 1);
    int64_t until;

    (void)state;
    assert_int_equal(blocked(source, &limits, 1), REASON_NONE);
    sources_enter(sources, source, &limits.rate, 1);
    assert_int_equal(source_blocked(source, &limits, 1, &until),
                     REASON_PER_SOURCE_HANDSHAKING);
    assert_true(until == CLOCK_NEVER);
    source_verified(source);
    assert_int_equal(blocked(source, &limits, 1), REASON_NONE);
    sources_enter(sources, source, &limits.rate, 1);
    assert_int_equal(blocked(source, &limits, 1), REASON_PER_SOURCE);
    assert_int_equal(blocked(source, &none, 1), REASON_NONE);
    sources_leave(sources, source, true);
    assert_int_equal(blocked(source, &limits, 1), REASON_NONE);
    sources_leave(sources, source, false);
    assert_int_equal(source->connections, 0);
    assert_int_equal(source->handshaking, 0);
}

static void
a_bucket_fills_evenly(void **state)
{
    const struct source_limits limits = { .rate = { 10, 1000 } };
    struct source *source = get(1, 5000);
    int64_t until;

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(blocked(source, &limits, 5000), REASON_NONE);
        sources_enter(sources, source, &limits.rate, 5000);
    }
    assert_int_equal(source_blocked(source, &limits, 5000, &until),
                     REASON_PER_SOURCE_RATE);
    assert_int_equal(until, 5100);
    sources_enter(sources, source, NULL, 5000); /* a refused one is free */
    assert_int_equal(blocked(source, &limits, 5099), REASON_PER_SOURCE_RATE);
    assert_int_equal(blocked(source, &limits, 5100), REASON_NONE);
    sources_enter(sources, source, &limits.rate, 5100);
    assert_int_equal(blocked(source, &limits, 5100), REASON_PER_SOURCE_RATE);
    for (int i = 0; i < 10; i++) { /* full again, and no fuller */
        assert_int_equal(blocked(source, &limits, 99000), REASON_NONE);
        sources_enter(sources, source, &limits.rate, 99000);
    }
    assert_int_equal(blocked(source, &limits, 99000), REASON_PER_SOURCE_RATE);
}

static void
penalties_add_up_and_run_out(void **state)
{
    struct source *source = get(1, 1);

    (void)state;
    source_fail(source, 0, 1000);
    assert_int_equal(source->penalty_until, 0);
    source_fail(source, 5000, 1000);
    source_fail(source, 5000, 1000);
    assert_int_equal(blocked(source, &none, 1000), REASON_NONE);
    source_fail(source, 5000, 2000);
    assert_int_equal(blocked(source, &none, 2000), REASON_PER_SOURCE_PENALTY);
    assert_int_equal(blocked(source, &none, 15999), REASON_PER_SOURCE_PENALTY);
    assert_int_equal(blocked(source, &none, 16000), REASON_NONE);
    source_fail(source, 5000, 16000); /* begins anew */
    assert_int_equal(blocked(source, &none, 16000), REASON_NONE);
    for (int i = 0; i < 1000; i++)
        source_fail(source, 5000, 20000);
    assert_int_equal(source->refused_until, 20000 + SOURCES_PENALTY_MS);
    /* the longest penalty that the table of keys allows can still be reached */
    source = get(2, 1);
    for (int i = 0; i < 4; i++)
        source_fail(source, 200000, 1000);
    assert_int_equal(blocked(source, &none, 1000), REASON_PER_SOURCE_PENALTY);
}

static void
the_oldest_without_connections_is_forgotten(void **state)
{
    struct source *busy = get(0, 1);

    (void)state;
    sources_enter(sources, busy, NULL, 1);
    for (unsigned i = 1; i < 8; i++)
        get(i, i);
    source_fail(get(2, 8), 1000, 8);
    assert_int_equal(sources_count(sources), 8);
    get(1, 9); /* seen again: 3 is the oldest now */
    get(8, 10);
    assert_int_equal(sources_count(sources), 8);
    assert_int_equal(sources_forgotten(sources), 0);
    for (unsigned i = 9; i < 13; i++)
        get(i, 20);
    assert_int_equal(sources_forgotten(sources), 0);
    get(13, 20); /* in the place of 2, which had a penalty */
    assert_int_equal(sources_forgotten(sources), 1);
    for (unsigned i = 14; i < 99; i++)
        get(i, 30);
    assert_ptr_equal(get(0, 31), busy);
    assert_int_equal(busy->connections, 1);
}

static void
refusals_are_folded(void **state)
{
    const uint8_t client[16] = { 9 };
    struct source *one = get(1, 1), *two = get(2, 1);
    unsigned count = 0;
    int64_t next = 0;

    (void)state;
#define REFUSED(source, now) \
    sources_refused(sources, source, client, 7, REASON_PER_SOURCE, now)
    assert_int_equal(REFUSED(one, 1000), 1);
    assert_null(sources_unsaid(sources, 1000, &count, &next));
    assert_true(next == CLOCK_NEVER);
    assert_int_equal(REFUSED(one, 1500), 0);
    assert_int_equal(REFUSED(two, 1600), 1);
    assert_int_equal(REFUSED(one, 1700), 0);
    assert_int_equal(REFUSED(two, 1800), 0);
    assert_null(sources_unsaid(sources, 1999, &count, &next));
    assert_int_equal(next, 2000);
    assert_ptr_equal(sources_unsaid(sources, 2000, &count, &next), one);
    assert_int_equal(count, 2);
    assert_null(sources_unsaid(sources, 2000, &count, &next));
    assert_int_equal(next, 2600);
    assert_int_equal(REFUSED(one, 2100), 0);
    assert_ptr_equal(sources_unsaid(sources, 3200, &count, &next), two);
    assert_ptr_equal(sources_unsaid(sources, 3200, &count, &next), one);
    assert_int_equal(count, 1);
    assert_int_equal(REFUSED(two, 9000), 1);
    assert_int_equal(REFUSED(two, 9000), 0);
    for (unsigned i = 3; i < 50; i++) /* forgotten while it waits */
        get(i, 9000);
    assert_null(sources_unsaid(sources, 99000, &count, &next));
    assert_true(sources_forgotten(sources) > 0);
}

/* the model: as many numbers as there are sources, and no memory to save */
#define MODEL_SOURCES 6
#define MODEL_STEPS   200000

static void
random_events_against_a_model(void **state)
{
    const struct source_limits limits = { 3, 2, { 4, 1000 } };
    struct {
        long connections, handshaking;
        double tokens;
        int64_t seen;
    } model[MODEL_SOURCES] = { { 0 } };
    int64_t now = 1000;
    unsigned rnd = 12345;

    (void)state;
    for (int i = 0; i < MODEL_SOURCES; i++) {
        model[i].tokens = 4;
        model[i].seen = now;
    }
    for (int step = 0; step < MODEL_STEPS; step++) {
        unsigned n = (rnd = rnd * 1103515245 + 12345) >> 16, who, what;
        struct source *source;
        enum reason want = REASON_NONE;

        who = n % MODEL_SOURCES;
        what = n / MODEL_SOURCES % 4;
        now += n / 64 % 4 * 25; /* a quarter of a token is exact */
        source = get(who, now);
        model[who].tokens += (double)(now - model[who].seen) * 4 / 1000;
        if (model[who].tokens > 4)
            model[who].tokens = 4;
        model[who].seen = now;
        if (model[who].connections >= 3)
            want = REASON_PER_SOURCE;
        else if (model[who].handshaking >= 2)
            want = REASON_PER_SOURCE_HANDSHAKING;
        else if (model[who].tokens < 1)
            want = REASON_PER_SOURCE_RATE;
        assert_int_equal(blocked(source, &limits, now), want);
        if (what <= 1 && want == REASON_NONE) {
            sources_enter(sources, source, &limits.rate, now);
            model[who].connections++;
            model[who].handshaking++;
            model[who].tokens -= 1;
        } else if (what == 2 && model[who].handshaking > 0) {
            source_verified(source);
            model[who].handshaking--;
        } else if (what == 3 && model[who].connections > 0) {
            bool handshaking = model[who].handshaking > 0;

            sources_leave(sources, source, handshaking);
            model[who].connections--;
            model[who].handshaking -= handshaking;
        }
        assert_int_equal(source->connections, model[who].connections);
        assert_int_equal(source->handshaking, model[who].handshaking);
    }
    assert_int_equal(sources_forgotten(sources), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_pool_counts_by_itself),
        TEST(connections_and_handshakes_are_counted),
        TEST(a_bucket_fills_evenly),
        TEST(penalties_add_up_and_run_out),
        TEST(the_oldest_without_connections_is_forgotten),
        TEST(refusals_are_folded),
        TEST(random_events_against_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
