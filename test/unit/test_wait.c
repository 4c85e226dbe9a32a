/* test_wait.c - worker/wait.c: signals come in at one place only */
#include "common/clock.h"
#include "test/unit/child.h"
#include "worker/wait.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void
stop_in_wait(void *arg)
{
    (void)arg;
    child_must(wait_init(NULL) == ERR_OK);
    child_must(!wait_stopped());
    raise(SIGTERM); /* blocked: nothing happens yet */
    child_must(wait_for(NULL, 0, CLOCK_NEVER) == ERR_STOP);
    child_must(wait_stopped());
    child_must(wait_for(NULL, 0, 0) == ERR_STOP); /* it stays so */
    wait_goodbye();
    child_must(wait_for(NULL, 0, clock_deadline(1)) == ERR_TIMEOUT);
    raise(SIGTERM);
    child_must(wait_for(NULL, 0, clock_deadline(1)) == ERR_TIMEOUT);
}

static void
sigterm_ends_a_wait(void **state)
{
    (void)state;
    assert_true(child_run(stop_in_wait, NULL));
}

/* a_session - who is meant, by wait_meant */
static bool
a_session(void *ctx)
{
    const bool *here = ctx;

    return *here;
}

static void
stop_too_late(void *arg)
{
    bool here = false;

    (void)arg;
    child_must(wait_init(NULL) == ERR_OK);
    wait_meant(a_session, &here);
    raise(SIGTERM);
    child_must(!wait_stopped()); /* it is pending, and not for us */
    child_must(wait_for(NULL, 0, clock_deadline(1)) == ERR_TIMEOUT);
    here = true;
    child_must(!wait_stopped()); /* nor for who comes then */
    child_must(wait_for(NULL, 0, clock_deadline(1)) == ERR_TIMEOUT);
    raise(SIGTERM);
    child_must(wait_for(NULL, 0, CLOCK_NEVER) == ERR_STOP);
    child_must(wait_stopped());
    here = false; /* what was heard in one session is not for the next */
    child_must(!wait_stopped());
    child_must(wait_for(NULL, 0, clock_deadline(1)) == ERR_TIMEOUT);
}

static void
sigterm_for_a_session_that_is_over_is_forgotten(void **state)
{
    (void)state;
    assert_true(child_run(stop_too_late, NULL));
}

static void
stop_while_ready(void *arg)
{
    struct pollfd item = { .events = POLLIN };
    int pipes[2], count = 0;

    (void)arg;
    child_must(pipe(pipes) == 0 && write(pipes[1], "x", 1) == 1);
    item.fd = pipes[0];
    child_must(wait_init(NULL) == ERR_OK);
    raise(SIGTERM);
    while (wait_for(&item, 1, CLOCK_NEVER) == ERR_OK)
        child_must(++count < 100); /* always ready, and yet */
    child_must(wait_stopped());
}

static void
sigterm_gets_in_when_something_is_always_ready(void **state)
{
    (void)state;
    assert_true(child_run(stop_while_ready, NULL));
}

static void
stop_looked_for(void *arg)
{
    (void)arg;
    child_must(wait_init(NULL) == ERR_OK);
    raise(SIGTERM);
    child_must(wait_stopped()); /* without a wait */
    child_must(wait_for(NULL, 0, CLOCK_NEVER) == ERR_STOP);
    wait_goodbye();
    child_must(wait_for(NULL, 0, clock_deadline(1)) == ERR_TIMEOUT);
}

static void
sigterm_is_seen_without_a_wait(void **state)
{
    (void)state;
    assert_true(child_run(stop_looked_for, NULL));
}

static void
idle(void *arg)
{
    sigset_t mask, now;

    (void)arg;
    child_must(wait_init(NULL) == ERR_OK);
    mask = *(const sigset_t *)wait_idle_mask();
    child_must(sigismember(&mask, SIGTERM) == 0);
    child_must(sigprocmask(SIG_BLOCK, NULL, &now) == 0);
    child_must(sigismember(&now, SIGTERM) == 1);
    child_must(raise(SIGHUP) == 0 && raise(SIGINT) == 0);
    child_must(raise(SIGUSR1) == 0 && raise(SIGPIPE) == 0);
}

static void
other_signals_are_ignored_and_the_idle_mask_lets_sigterm_in(void **state)
{
    (void)state;
    assert_true(child_run(idle, NULL));
}

static void
deadlines(void *arg)
{
    struct pollfd items[2] = { { .fd = -1, .events = POLLIN },
                               { .events = POLLIN } };
    int pipes[2];

    (void)arg;
    child_must(pipe(pipes) == 0);
    items[1].fd = pipes[0];
    child_must(wait_init(NULL) == ERR_OK);
    child_must(wait_for(items, 2, clock_deadline(1)) == ERR_TIMEOUT);
    child_must(wait_for(items, 2, 0) == ERR_TIMEOUT);
    child_must(write(pipes[1], "x", 1) == 1);
    child_must(wait_for(items, 2, 0) == ERR_OK); /* ready counts, late or not */
    child_must(items[1].revents == POLLIN && items[0].revents == 0);
    child_must(wait_for(items, 2, CLOCK_NEVER) == ERR_OK);
}

static void
deadlines_end_a_wait_and_readiness_comes_first(void **state)
{
    (void)state;
    assert_true(child_run(deadlines, NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sigterm_ends_a_wait),
        cmocka_unit_test(sigterm_for_a_session_that_is_over_is_forgotten),
        cmocka_unit_test(sigterm_gets_in_when_something_is_always_ready),
        cmocka_unit_test(sigterm_is_seen_without_a_wait),
        cmocka_unit_test(
            other_signals_are_ignored_and_the_idle_mask_lets_sigterm_in),
        cmocka_unit_test(deadlines_end_a_wait_and_readiness_comes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
