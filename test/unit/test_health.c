/* test_health.c - master/health.c: who is skipped, and for how long */
#include "master/health.h"
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const socklen_t len = sizeof(struct sockaddr_in);

static struct sockaddr_storage
host(unsigned number)
{
    struct sockaddr_storage sa;
    struct sockaddr_in *in = (void *)&sa;

    memset(&sa, 0, sizeof(sa));
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(number);
    return sa;
}

static bool
down(const struct health *health, unsigned number, int64_t now)
{
    struct sockaddr_storage sa = host(number);

    return health_down(health_mark(health, &sa, len), now);
}

static bool
given(struct health *health, unsigned number, int64_t now)
{
    struct sockaddr_storage sa = host(number);

    return health_given(health, &sa, len, now);
}

/* outcome - the penalty, 0: it is up now, -1: nothing has changed */
static int64_t
outcome(struct health *health, unsigned number, int error, int64_t now)
{
    struct sockaddr_storage sa = host(number);
    int64_t penalty;

    return health_outcome(health, &sa, len, error, now, &penalty) ? penalty
                                                                  : -1;
}

/* What happens to address 1 at a time, and what comes of it. */
enum step { GIVEN, OUTCOME, DOWN };

static void
each_story_goes_so(void **state)
{
    static const struct {
        enum step step;
        int error;    /* of OUTCOME */
        int64_t when; /* ms */
        int64_t want; /* GIVEN, DOWN: yes or no; OUTCOME: see above */
    } rows[] = {
        { GIVEN, 0, 0, 0 }, /* nobody wants to hear of success */
        { OUTCOME, 0, 0, -1 },
        { DOWN, 0, 0, 0 },
        { OUTCOME, ECONNREFUSED, 1000, 10000 },
        { OUTCOME, ECONNREFUSED, 1001, -1 }, /* others, at the same time */
        { DOWN, 0, 10999, 1 },
        { DOWN, 0, 11000, 0 },
        { GIVEN, 0, 11000, 1 },
        { DOWN, 0, 11001, 1 }, /* one tries, the others stay away */
        { OUTCOME, ETIMEDOUT, 12000, 20000 },
        { DOWN, 0, 31999, 1 },
        { DOWN, 0, 32000, 0 },
        { GIVEN, 0, 40000, 1 }, /* a trial without an outcome */
        { DOWN, 0, 59999, 1 },
        { DOWN, 0, 60000, 0 },
        { OUTCOME, EHOSTUNREACH, 60000, 40000 },
        { GIVEN, 0, 70000, 1 }, /* for want of another one: no trial */
        { OUTCOME, ECONNREFUSED, 70000, -1 },
        { DOWN, 0, 99999, 1 },
        { OUTCOME, ECONNREFUSED, 100000, 60000 },
        { OUTCOME, ECONNREFUSED, 160000, 60000 }, /* and not more */
        { DOWN, 0, 219999, 1 },
        { OUTCOME, 0, 200000, 0 }, /* it works after all */
        { DOWN, 0, 200000, 0 },
        { GIVEN, 0, 200000, 0 },
        { OUTCOME, ECONNREFUSED, 200000, 10000 }, /* all is forgiven */
        { OUTCOME, 0, 200001, 0 },
        /* our own trouble says nothing about it */
        { OUTCOME, EMFILE, 300000, -1 },
        { OUTCOME, ENFILE, 300000, -1 },
        { OUTCOME, ENOBUFS, 300000, -1 },
        { OUTCOME, ENOMEM, 300000, -1 },
        { OUTCOME, EAGAIN, 300000, -1 },
        { OUTCOME, EADDRNOTAVAIL, 300000, -1 },
        { OUTCOME, EADDRINUSE, 300000, -1 },
        { DOWN, 0, 300000, 0 },
        { OUTCOME, -1, 300000, 10000 }, /* whatever a worker may say */
    };
    struct health health = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t got = -2;

        switch (rows[i].step) {
        case GIVEN:
            got = given(&health, 1, rows[i].when);
            break;
        case OUTCOME:
            got = outcome(&health, 1, rows[i].error, rows[i].when);
            break;
        case DOWN:
            got = down(&health, 1, rows[i].when);
            break;
        }
        if (got != rows[i].want)
            fail_msg("row %zu: %lld", i, (long long)got);
        assert_false(down(&health, 2, rows[i].when)); /* a bystander */
    }
    health_free(&health);
}

static void
the_oldest_one_is_forgotten_when_there_are_too_many(void **state)
{
    struct health health = { 0 };
    unsigned many = HEALTH_MAX + 10;

    (void)state;
    for (unsigned i = 0; i < many; i++)
        assert_int_equal(outcome(&health, i, ECONNREFUSED, i), HEALTH_FIRST_MS);
    assert_int_equal(health.count, HEALTH_MAX);
    for (unsigned i = 0; i < many; i++)
        assert_int_equal(down(&health, i, many), i >= 10);
    for (unsigned i = 10; i < many; i++)
        assert_int_equal(outcome(&health, i, 0, many), 0);
    assert_int_equal(health.count, 0);
    health_free(&health);
    assert_null(health.mark);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_story_goes_so),
        cmocka_unit_test(the_oldest_one_is_forgotten_when_there_are_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
