/* test_expiry.c - what runs out is said in its last third, and in time */
#include "common/conf.h"
#include "common/tlsside.h"
#include "master/expiry.h"
#include "master/generation.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define HOUR 3600
#define DAY  (24 * HOUR)
#define NOW  1800000000

static char said[4][600];
static size_t says;

static void
tell(void *ctx, const char *service, const char *text)
{
    (void)ctx;
    assert_true(says < 4);
    snprintf(said[says++], sizeof(said[0]), "%s: %s", service, text);
}

/* look_at - one service with one certificate of this life */
static time_t
look_at(time_t from, time_t to, time_t ca)
{
    struct tls_cert cert = { .not_before = from,
                             .not_after = to,
                             .subject = "CN=web" };
    struct tls_side side = { .cert_count = 1,
                             .cert = &cert,
                             .ca_not_after = ca };
    struct tls_side *none[1] = { NULL };
    struct generation_sides sides = { &side, none };
    struct conf_route route = { .name = "" };
    struct conf_service service = { .name = "web",
                                    .route_count = 1,
                                    .route = &route };
    struct conf conf = { .service_count = 1, .service = &service };
    struct generation gen = { .conf = &conf, .sides = &sides };

    says = 0;
    return expiry_look(&gen, NOW, tell, NULL) - NOW;
}

static void
says_it_in_the_last_third_alone(void **state)
{
    static const struct {
        time_t from, to;
        size_t says;
        time_t next;
    } rows[] = {
        { -1 * HOUR, 23 * HOUR, 0, 15 * HOUR }, /* 24 hours, fresh */
        { -15 * HOUR, 9 * HOUR, 0, HOUR },      /* an hour before */
        { -16 * HOUR, 8 * HOUR, 1, 2 * HOUR },  /* the last third */
        { -23 * HOUR, 1 * HOUR, 1, 15 * 60 },   /* sooner and sooner */
        { -24 * HOUR, 60, 1, 600 },             /* ten minutes at least */
        { -25 * HOUR, -1 * HOUR, 1, 600 },      /* past it */
        { -1 * DAY, 364 * DAY, 0, DAY },        /* a day at most */
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(look_at(NOW + rows[i].from, NOW + rows[i].to, 0),
                         rows[i].next);
        assert_int_equal(says, rows[i].says);
    }
}

static void
names_service_subject_and_date(void **state)
{
    (void)state;
    look_at(NOW - 23 * HOUR, NOW + HOUR, 0);
    assert_string_equal(said[0], "web: cert CN=web expires at "
                                 "2027-01-15 09:00:00Z");
    look_at(NOW - 25 * HOUR, NOW - HOUR, 0);
    assert_non_null(strstr(said[0], "has expired at"));
}

static void
an_authority_is_said_a_month_ahead(void **state)
{
    (void)state;
    look_at(NOW - HOUR, NOW + 300 * DAY, NOW + 31 * DAY);
    assert_int_equal(says, 0);
    look_at(NOW - HOUR, NOW + 300 * DAY, NOW + 29 * DAY);
    assert_int_equal(says, 1);
    assert_non_null(strstr(said[0], "web: ca expires at"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_it_in_the_last_third_alone),
        cmocka_unit_test(names_service_subject_and_date),
        cmocka_unit_test(an_authority_is_said_a_month_ahead),
    };

    return cmocka_run_group_tests_name("expiry", tests, NULL, NULL);
}
