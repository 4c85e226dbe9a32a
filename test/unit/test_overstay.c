/*
 * test_overstay.c - who has no place any more is ended in time, and nobody else
 */
/* wrap: kill log_send */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/log.h"
#include "master/crew.h"
#include "master/generation.h"
#include "master/master.h"
#include "master/overstay.h"

#include <signal.h>

#define NOW 1000

int __wrap_kill(pid_t pid, int sig);
void __wrap_log_send(struct log_line *line);

static pid_t killed[8];
static int kills, lines;

int
__wrap_kill(pid_t pid, int sig)
{
    assert_int_equal(sig, SIGKILL);
    killed[kills++] = pid;
    return 0;
}

void
__wrap_log_send(struct log_line *line)
{
    (void)line;
    lines++;
}

static struct pool pools[2];
static struct generation generation = { .number = 2 };
static struct master master;

static struct crew_member *
add(pid_t pid, size_t pool, unsigned number, enum crew_state state)
{
    struct crew_member *member = crew_add(master.crew, pid);

    member->pool = pool;
    member->generation = number;
    member->state = state;
    return member;
}

static int
begin(void **state)
{
    (void)state;
    memset(&master, 0, sizeof(master));
    master.crew = crew_new();
    master.gen = &generation;
    master.pool = pools;
    kills = lines = 0;
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    crew_free(master.crew);
    return 0;
}

static void
the_free_ones_of_before_are_ended(void **state)
{
    (void)state;
    add(1, 0, 1, CREW_IDLE);
    add(2, 0, 1, CREW_VERIFIED); /* has a session */
    add(3, 1, 1, CREW_IDLE);     /* its pool has not turned */
    add(4, 0, 2, CREW_IDLE);     /* of the running generation */
    assert_int_equal(overstay_due(&master, NOW), CLOCK_NEVER);
    overstay_begin_pool(&master, 0, NOW);
    assert_int_equal(overstay_due(&master, NOW), NOW + OVERSTAY_MS);
    assert_int_equal(overstay_due(&master, NOW + OVERSTAY_MS - 1),
                     NOW + OVERSTAY_MS);
    assert_int_equal(kills, 0);
    assert_int_equal(overstay_due(&master, NOW + OVERSTAY_MS), CLOCK_NEVER);
    assert_int_equal(kills, 1);
    assert_int_equal(killed[0], 1);
    assert_int_equal(lines, 1);
    assert_true(crew_find(master.crew, 1)->condemned);
    assert_int_equal(overstay_due(&master, NOW + 10 * OVERSTAY_MS),
                     CLOCK_NEVER);
    assert_int_equal(kills, 1);
}

static void
who_takes_a_connection_may_serve_it(void **state)
{
    (void)state;
    overstay_begin(&master, add(1, 0, 1, CREW_IDLE), NOW);
    overstay_begin(&master, add(2, 0, 1, CREW_LEAVING), NOW + 5);
    overstay_forget(crew_find(master.crew, 1));
    assert_int_equal(overstay_due(&master, NOW + OVERSTAY_MS),
                     NOW + OVERSTAY_MS + 5);
    assert_int_equal(kills, 0);
    assert_int_equal(overstay_due(&master, NOW + OVERSTAY_MS + 5), CLOCK_NEVER);
    assert_int_equal(kills, 1);
    assert_int_equal(killed[0], 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_free_ones_of_before_are_ended,
                                        begin, finish),
        cmocka_unit_test_setup_teardown(who_takes_a_connection_may_serve_it,
                                        begin, finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
