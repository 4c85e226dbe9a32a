/* test_crew.c - the master's table of workers against a plain array */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "master/crew.h"

static void
finds_what_was_added_and_nothing_else(void **state)
{
    struct crew *crew = crew_new();

    (void)state;
    assert_null(crew_find(crew, 1));
    assert_null(crew_find(crew, 0));
    assert_null(crew_find(crew, -1));
    crew_add(crew, 7)->slot = 70;
    assert_int_equal(crew_find(crew, 7)->slot, 70);
    assert_null(crew_find(crew, 8));
    crew_remove(crew, 8);
    assert_int_equal(crew_count(crew), 1);
    crew_remove(crew, 7);
    assert_null(crew_find(crew, 7));
    assert_int_equal(crew_count(crew), 0);
    crew_free(crew);
}

static void
a_new_member_is_blank(void **state)
{
    struct crew *crew = crew_new();
    struct crew_member *member = crew_add(crew, 9);

    (void)state;
    memset(member->source, 0xff, sizeof(member->source));
    member->state = CREW_BUSY;
    crew_remove(crew, 9);
    member = crew_add(crew, 9);
    assert_int_equal(member->state, CREW_STARTING);
    assert_int_equal(member->source[15], 0);
    crew_free(crew);
}

/* pids come in runs, wrap, and leave in any order: compare with an array */
#define PIDS  4096
#define STEPS 200000

static void
agrees_with_an_array_through_a_long_life(void **state)
{
    static int present[PIDS];
    struct crew *crew = crew_new();
    size_t count = 0;
    unsigned seed = 1;
    int i, pid;

    (void)state;
    for (i = 0; i < STEPS; i++) {
        seed = seed * 1103515245u + 12345u;
        pid = 1 + (int)(seed >> 8) % (PIDS - 1);
        if (present[pid]) {
            assert_int_equal(crew_find(crew, pid)->slot, present[pid]);
            crew_remove(crew, pid);
            present[pid] = 0;
            count--;
        } else {
            assert_null(crew_find(crew, pid));
            crew_add(crew, pid)->slot = present[pid] = i + 1;
            count++;
        }
        assert_int_equal(crew_count(crew), count);
    }
    for (pid = 1; pid < PIDS; pid++)
        assert_int_equal(crew_find(crew, pid) != NULL, present[pid] != 0);
    crew_free(crew);
}

static void
add_up(struct crew_member *member, void *ctx)
{
    *(long *)ctx += member->pid;
}

static void
each_visits_everyone_once(void **state)
{
    struct crew *crew = crew_new();
    long sum = 0;
    int pid;

    (void)state;
    for (pid = 1; pid <= 1000; pid++)
        crew_add(crew, pid);
    crew_each(crew, add_up, &sum);
    assert_int_equal(sum, 500500);
    crew_free(crew);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_added_and_nothing_else),
        cmocka_unit_test(a_new_member_is_blank),
        cmocka_unit_test(agrees_with_an_array_through_a_long_life),
        cmocka_unit_test(each_visits_everyone_once),
    };

    return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
