/* test_reports.c - a worker that says too much is killed and named; a full pool */
/* wrap: kill clock_ms admit_refused */
#include "common/clock.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/report.h"
#include "master/admit.h"
#include "master/crew.h"
#include "master/generation.h"
#include "master/master.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

int __wrap_kill(pid_t pid, int sig);
int64_t __wrap_clock_ms(void);
void __wrap_admit_refused(struct master *master, struct pool *pool,
                          const struct report *report, int64_t now);

static struct generation gen = { .number = 1 };
static struct pool pool;
static struct master master = { .gen = &gen, .pool_count = 1, .pool = &pool };
static struct crew_member *member;
static int64_t now;
static pid_t killed;
static long heard;
static int log_pair[2];

int
__wrap_kill(pid_t pid, int sig)
{
    assert_int_equal(sig, SIGKILL);
    killed = pid;
    return 0;
}

int64_t
__wrap_clock_ms(void)
{
    return now;
}

void
__wrap_admit_refused(struct master *to, struct pool *of,
                     const struct report *report, int64_t at)
{
    (void)to;
    (void)of;
    (void)report;
    (void)at;
    heard++;
}

/* say - so many reports, read as they come */
static void
say(long count)
{
    const struct report report = { .kind = REPORT_REFUSED };

    while (count > 0) {
        for (int i = 0; i < 100 && count > 0; i++, count--)
            assert_int_equal(send(pool.report[1], &report, sizeof(report), 0),
                             sizeof(report));
        reports_read(&master, &pool);
    }
}

static int
begin(void **state)
{
    int one = 1;

    (void)state;
    killed = 0;
    heard = 0;
    now = 1000000;
    master.crew = crew_new();
    member = crew_add(master.crew, getpid());
    member->state = CREW_IDLE;
    bucket_fill(&member->reports, REPORTS_BURST, now);
    return fdio_pair(pool.report, NULL) != ERR_OK ||
           fdio_pair(log_pair, NULL) != ERR_OK ||
           setsockopt(pool.report[0], SOL_SOCKET, SO_PASSCRED, &one,
                      sizeof(one)) != 0;
}

static int
end(void **state)
{
    (void)state;
    log_open(-1, LOG_L_DEBUG);
    for (int i = 0; i < 2; i++) {
        close(pool.report[i]);
        close(log_pair[i]);
    }
    crew_free(master.crew);
    return 0;
}

static void
the_rate_is_free(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++, now++)
        say(REPORTS_RATE / 1000);
    assert_int_equal(heard, REPORTS_RATE / 10);
    say(REPORTS_BURST);
    assert_int_equal(killed, 0);
    assert_int_equal(heard, REPORTS_RATE / 10 + REPORTS_BURST);
}

static void
above_it_the_sender_is_killed_and_named(void **state)
{
    char line[2048] = "";

    (void)state;
    log_open(log_pair[1], LOG_L_DEBUG);
    say(REPORTS_BURST + 1);
    assert_int_equal(killed, getpid());
    assert_true(member->condemned);
    assert_true(recv(log_pair[0], line, sizeof(line) - 1, MSG_DONTWAIT) > 0);
    assert_non_null(memmem(line, sizeof(line), "worker_misbehaved", 17));
    assert_non_null(memmem(line, sizeof(line), "too many reports", 16));
    say(10); /* nobody listens to it any more */
    assert_int_equal(heard, REPORTS_BURST);
}

/* charge - a keeper names somebody */
static void
charge(pid_t worker)
{
    assert_int_equal(send(master.charges[1], &worker, sizeof(worker), 0),
                     sizeof(worker));
}

static void
whom_a_keeper_has_refused_is_killed_if_it_is_a_worker(void **state)
{
    char line[2048] = "";

    (void)state;
    log_open(log_pair[1], LOG_L_DEBUG);
    assert_int_equal(fdio_pair(master.charges, NULL), ERR_OK);
    reports_charges(&master); /* nothing is there, and nobody waits */
    charge(getppid());
    charge(-1);
    reports_charges(&master);
    assert_int_equal(killed, 0);
    charge(getpid());
    reports_charges(&master);
    assert_int_equal(killed, getpid());
    assert_true(member->condemned);
    assert_true(recv(log_pair[0], line, sizeof(line) - 1, MSG_DONTWAIT) > 0);
    assert_non_null(memmem(line, sizeof(line), "its keeper has", 14));
    killed = 0;
    charge(getpid());
    reports_charges(&master);
    assert_int_equal(killed, 0); /* once is enough */
    close(master.charges[0]);
    close(master.charges[1]);
}

/* told - has the log a line of this event? */
static bool
told(const char *event)
{
    char line[2048] = "";

    return recv(log_pair[0], line, sizeof(line) - 1, MSG_DONTWAIT) > 0 &&
           memmem(line, sizeof(line), event, strlen(event)) != NULL;
}

static void
a_worker_on_its_way_is_room_for_one_more(void **state)
{
    int pipes[2]; /* in place of a listener: one waits */

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(write(pipes[1], "x", 1), 1);
    log_open(log_pair[1], LOG_L_DEBUG);
    pool.listen_fd = pipes;
    pool.listen_count = 1;
    pool.service = -1; /* may not grow */
    pool.starting = 1;
    reports_listener(&pool, now);
    assert_int_equal(reports_full_due(&master, now += 1000), CLOCK_NEVER);
    assert_false(told("pool_full"));
    pool.starting = 0;
    reports_listener(&pool, now);
    (void)reports_full_due(&master, now += 1000);
    assert_true(told("pool_full"));
    pool.listen_count = 0;
    close(pipes[0]);
    close(pipes[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_rate_is_free, begin, end),
        cmocka_unit_test_setup_teardown(above_it_the_sender_is_killed_and_named,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            whom_a_keeper_has_refused_is_killed_if_it_is_a_worker, begin, end),
        cmocka_unit_test_setup_teardown(
            a_worker_on_its_way_is_room_for_one_more, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
