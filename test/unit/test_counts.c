/*
 * test_counts.c - the master's numbers are right in whatever order it hears
 *
 * A model of workers, by chance and always the same: they start, take and end
 * connections, are refused some, leave, crash, and are told to end; reports and
 * deaths reach the master late, and in between it reloads. Forks, reports,
 * deaths and signals are the model's, everything else is the master's own.
 */
/* wrap: _Fork waitpid kill fdio_recv clock_ms connector_service connector_forget generation_free */
#include "common/bans.h"
#include "common/board.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/report.h"
#include "master/admit.h"
#include "master/crew.h"
#include "master/generation.h"
#include "master/judging.h"
#include "master/master.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STEPS     7500
#define WORKERS   200
#define QUEUE     100000
#define FIRST_PID 100000

enum state { NOBODY, STARTING, IDLE, BUSY, VERIFIED, DEAD };

static struct worker {
    enum state state;
    pid_t pid;
    int leash; /* its copy */
    bool term; /* SIGTERM is there */
    int status;
    uint32_t sessions;
} worker[WORKERS];

static struct { /* reports on their way */
    int sock;
    pid_t sender;
    struct report report;
} queue[QUEUE];
static size_t queue_first, queue_end;

static struct master master;
static pid_t last_pid = FIRST_PID;
static int64_t now = 1000000;
static bool in_a_hurry; /* reads what is there; else it may stop before */
static bool rush;       /* clients come */
static unsigned long told, ignored, unread, left, asked, announced;

/* chance - one in so many */
static bool
chance(unsigned many)
{
    static uint32_t x = 2463534242;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x % many == 0;
}

/* --- what the master calls ------------------------------------------------ */

pid_t __wrap__Fork(void);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
int __wrap_kill(pid_t pid, int number);
enum err __wrap_fdio_recv(int sock, void *data, size_t *len, int *fd,
                          pid_t *sender, int flags, struct why *why);
int64_t __wrap_clock_ms(void);
enum err __wrap_connector_service(void);
enum err __wrap_connector_forget(void);
void __wrap_generation_free(struct generation *generation);

static struct worker *
worker_of(pid_t pid)
{
    for (size_t i = 0; i < WORKERS; i++)
        if (worker[i].state != NOBODY && worker[i].pid == pid)
            return &worker[i];
    return NULL;
}

pid_t
__wrap__Fork(void)
{
    struct worker *fresh = worker;

    while (fresh->state != NOBODY)
        assert_true(++fresh < worker + WORKERS);
    *fresh =
        (struct worker){ .state = STARTING, .pid = ++last_pid, .leash = -1 };
    return fresh->pid;
}

pid_t
__wrap_waitpid(pid_t pid, int *status, int options)
{
    assert_int_equal(pid, -1);
    assert_int_equal(options, WNOHANG);
    for (size_t i = 0; i < WORKERS; i++)
        if (worker[i].state == DEAD && (in_a_hurry || !chance(3))) {
            for (size_t k = queue_first; k < queue_end; k++)
                unread += queue[k].sender == worker[i].pid;
            worker[i].state = NOBODY;
            fdio_close(&worker[i].leash);
            *status = worker[i].status;
            return worker[i].pid;
        }
    return 0;
}

static void
die(struct worker *one, int status)
{
    one->state = DEAD;
    one->status = status;
}

int
__wrap_kill(pid_t pid, int number)
{
    struct worker *one = worker_of(pid);

    assert_non_null(one);
    if (number == SIGKILL && one->state != DEAD)
        die(one, SIGKILL);
    one->term = true;
    return 0;
}

enum err
__wrap_fdio_recv(int sock, void *data, size_t *len, int *fd, pid_t *sender,
                 int flags, struct why *why)
{
    assert_null(fd);
    assert_int_equal(flags, MSG_DONTWAIT);
    (void)why;
    for (size_t k = queue_first; k < queue_end && (in_a_hurry || !chance(9));
         k++) {
        if (queue[k].sock != sock)
            continue;
        memcpy(data, &queue[k].report, sizeof(queue[k].report));
        *len = sizeof(queue[k].report);
        *sender = queue[k].sender;
        for (; k > queue_first; k--) /* valgrind takes memmove for memcpy */
            queue[k] = queue[k - 1];
        queue_first++;
        return ERR_OK;
    }
    return ERR_AGAIN;
}

int64_t
__wrap_clock_ms(void)
{
    return now;
}

enum err
__wrap_connector_service(void)
{
    return ERR_OK;
}

enum err
__wrap_connector_forget(void)
{
    return ERR_OK;
}

void
__wrap_generation_free(struct generation *generation)
{
    conf_free(generation->conf);
    free(generation->sides);
    free(generation);
}

/* --- the workers ---------------------------------------------------------- */

static struct crew_member *
member_of(const struct worker *one)
{
    return crew_find(master.crew, one->pid);
}

static struct slot *
slot_of(const struct worker *one)
{
    return board_slot(master.board, member_of(one)->slot);
}

static void
say(const struct worker *one, enum report_kind kind, enum reason reason)
{
    struct report report = { .kind = (uint8_t)kind,
                             .family = AF_INET,
                             .port = 4711,
                             .reason = (uint16_t)reason,
                             .addr = { [10] = 0xff, 0xff, 192, 0, 2 } };

    report.addr[15] = (uint8_t)one->pid; /* some share a source */
    if (queue_first > QUEUE / 2) {
        memmove(queue, &queue[queue_first],
                (queue_end - queue_first) * sizeof(queue[0]));
        queue_end -= queue_first;
        queue_first = 0;
    }
    assert_true(queue_end < QUEUE);
    queue[queue_end].sock = master.pool[member_of(one)->pool].report[0];
    queue[queue_end].sender = one->pid;
    queue[queue_end++].report = report;
}

/* meant - as worker/serve_conn.c has it */
static bool
meant(struct worker *one)
{
    uint32_t session = atomic_load(&slot_of(one)->end_session);

    if (!one->term)
        return false;
    if (session == 0 || session == one->sessions)
        return true;
    ignored++;
    one->term = false;
    return false;
}

static void
idle(struct worker *one)
{
    char byte;
    ssize_t n;

    if (meant(one)) {
        die(one, 0);
    } else if (chance(3)) {
        n = read(one->leash, &byte, 1);
        if (n > 0) {
            say(one, REPORT_LEAVING, REASON_NONE);
            left++;
        }
        if (n >= 0)
            die(one, 0);
    } else if (chance(8)) {
        one->sessions++;
        say(one, REPORT_REFUSED, REASON_PER_SOURCE);
    } else if (rush) {
        one->sessions++;
        say(one, REPORT_TAKEN, REASON_NONE);
        one->state = BUSY;
    }
}

static void
busy(struct worker *one)
{
    if (meant(one)) {
        say(one, REPORT_ENDED, REASON_STOPPED);
        die(one, 0);
    } else if (one->state == BUSY && chance(2)) {
        say(one, REPORT_VERIFIED, REASON_NONE);
        one->state = VERIFIED;
    } else if (chance(20)) {
        say(one, REPORT_LAST, REASON_CLIENT_EOF);
        die(one, 0);
    } else if (chance(50)) {
        die(one, SIGSEGV);
    } else if (chance(4)) {
        say(one, REPORT_ENDED, REASON_NOT_TLS);
        one->state = IDLE;
    }
}

static void
work(struct worker *one)
{
    switch (one->state) {
    case STARTING:
        if (chance(100)) {
            die(one, 97 << 8);
            return;
        }
        say(one, REPORT_IDLE, REASON_NONE);
        one->state = IDLE;
        return;
    case IDLE:
        idle(one);
        return;
    case BUSY:
    case VERIFIED:
        busy(one);
        return;
    case NOBODY:
    case DEAD:
        return;
    }
}

/* --- the master ----------------------------------------------------------- */

/* equip - fresh workers have a copy of their pool's leash */
static void
equip(void)
{
    for (size_t i = 0; i < WORKERS; i++)
        if (worker[i].state != NOBODY && worker[i].leash < 0) {
            const struct crew_member *member = member_of(&worker[i]);

            assert_non_null(member);
            worker[i].leash = dup(master.pool[member->pool].leash[0]);
            assert_true(worker[i].leash >= 0);
        }
}

/* reload - others ranges each time */
static void
reload(void)
{
    static const char *const ranges[] = { "2-40", "8", "1-20", "4-50" };
    struct generation *gen = calloc(1, sizeof(*gen));
    struct conf_errors errors = { 0 };
    char path[] = "/tmp/mtlsd-counts.XXXXXX";
    int fd = mkstemp(path);

    assert_non_null(gen);
    gen->number = master.last_number + 1;
    dprintf(fd,
            "[service a]\nlisten_tls = no\nlisten = 127.0.0.1:1\n"
            "upstream = respond:200 \"a\"\nworkers = %s\nper_source = 2\n"
            "[service b]\nlisten_tls = no\nlisten = 127.0.0.1:2\n"
            "upstream = respond:200 \"b\"\nworkers = %s\n"
            "priority_from = 192.0.2.0/25\n",
            ranges[gen->number % 4], ranges[(gen->number + 1) % 4]);
    close(fd);
    if (conf_load(path, &gen->conf, &errors) != ERR_OK)
        fail_msg("%s", errors.text[0]);
    unlink(path);
    gen->sides = calloc(gen->conf->service_count, sizeof(*gen->sides));
    assert_int_equal(reload_adopt(&master, gen, NULL), ERR_OK);
    master.announce = gen->number;
    equip();
}

/* relied_on - for crew_each: `reloaded` was said; who is of before will find
 * the end of his leash, whatever he does now */
static void
relied_on(struct crew_member *member, void *ctx)
{
    struct pollfd leash = { .fd = worker_of(member->pid)->leash };

    (void)ctx;
    if (member->generation != master.gen->number)
        assert_int_equal(poll(&leash, 1, 0), 1);
}

/* announce - `reloaded`, if it can be said now */
static void
announce(void)
{
    bool due = master.announce != 0;

    (void)reload_retry(&master, now);
    if (!due || master.announce != 0)
        return;
    announced++;
    assert_int_equal(master.lingering, 0);
    crew_each(master.crew, relied_on, NULL);
}

/* for crew_each: what the numbers must be */
struct sums {
    long alive[2], starting[2], idle[2], leaving[2], old[2];
    size_t killing, lingering;
};

static void
sum(struct crew_member *member, void *ctx)
{
    struct sums *sums = ctx;
    size_t p = member->pool;

    sums->killing += member->kill_at != 0;
    assert_true(member->kill_at == 0 || member->end_session == 0 ||
                member->state >= CREW_BUSY);
    sums->lingering += member->lingers;
    if (member->generation != master.gen->number) {
        sums->old[p]++;
        return;
    }
    sums->alive[p]++;
    sums->starting[p] += member->state == CREW_STARTING;
    sums->idle[p] += member->state == CREW_IDLE;
    sums->leaving[p] += member->state == CREW_LEAVING;
}

static void
check(void)
{
    struct sums sums = { 0 };

    crew_each(master.crew, sum, &sums);
    for (size_t p = 0; p < 2; p++) {
        const struct pool *pool = &master.pool[p];

        assert_int_equal(pool->alive, sums.alive[p]);
        assert_int_equal(pool->starting, sums.starting[p]);
        assert_int_equal(pool->idle, sums.idle[p]);
        assert_int_equal(pool->leaving, sums.leaving[p]);
        assert_int_equal(pool->old, sums.old[p]);
        assert_true(pool->asked >= 0);
        asked += (unsigned long)pool->asked;
        assert_true(pool->alive <= master.gen->conf->service[p].workers_max +
                                       pool->leaving +
                                       50); /* of a range that was larger */
    }
    assert_int_equal(master.killing, sums.killing);
    assert_int_equal(master.lingering, sums.lingering);
}

/* catch_up - the master has heard and seen everything */
static void
catch_up(void)
{
    in_a_hurry = true;
    reap_all(&master);
    in_a_hurry = false;
    assert_int_equal(queue_first, queue_end);
    for (size_t p = 0; p < 2; p++) {
        int bytes;

        assert_int_equal(ioctl(master.pool[p].leash[0], FIONREAD, &bytes), 0);
        assert_int_equal(master.pool[p].asked, bytes);
    }
}

/* cut - tell somebody to end his session, as a judge would */
static void
cut(void)
{
    struct crew_member *member;

    for (size_t i = 0; i < WORKERS; i++)
        if (worker[i].state != NOBODY && chance(20) &&
            (member = member_of(&worker[i]))->state >= CREW_BUSY) {
            reap_end(&master, member, REASON_STOPPED, now);
            told++;
            return;
        }
}

static void
step(void)
{
    for (int i = 0; i < 8; i++)
        for (size_t w = 0; w < WORKERS; w++)
            if (chance(16))
                work(&worker[w]);
    if (chance(200))
        rush = !rush;
    now += chance(5) ? 400 : 1;
    if (chance(2))
        reports_read(&master, &master.pool[chance(2)]);
    if (chance(3))
        reap_all(&master);
    if (chance(10))
        cut();
    if (chance(400))
        reload();
    (void)admit_due(&master, now);
    (void)reap_kill_due(&master, now);
    (void)reports_full_due(&master, now);
    (void)spawn_fill(&master, now);
    equip();
    announce();
    check();
    if (chance(30))
        catch_up();
}

static int
listener(void)
{
    struct sockaddr_in sin = { .sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&sin, sizeof(sin)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static int
setup(void **state)
{
    static struct pool pools[2];
    static int listen_fd[2];

    (void)state;
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_L_ERROR);
    master.pool = pools;
    master.pool_count = 2;
    master.crew = crew_new();
    master.crew_max = WORKERS - 20;
    master.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    master.judging = judging_new();
    assert_int_equal(board_new(WORKERS, &master.board, NULL), ERR_OK);
    assert_int_equal(bans_new(&master.bans, NULL), ERR_OK);
    assert_int_equal(admit_new(2, WORKERS, &master.admit, NULL), ERR_OK);
    for (size_t p = 0; p < 2; p++) {
        snprintf(pools[p].name, sizeof(pools[p].name), "%c", (int)('a' + p));
        pools[p].leash[0] = pools[p].leash[1] = pools[p].old_leash = -1;
        listen_fd[p] = listener();
        pools[p].listen_fd = &listen_fd[p];
        pools[p].listen_count = 1;
        assert_int_equal(reports_open(&master, &pools[p], NULL), ERR_OK);
    }
    reload();
    return 0;
}

static void
the_numbers_are_right_whatever_comes_first(void **state)
{
    (void)state;
    for (int i = 0; i < STEPS; i++)
        step();
    /* all of this did happen */
    assert_true(told > 100);
    assert_true(ignored > 10);
    assert_true(left > 100);
    assert_true(asked > 10);
    assert_true(unread > 100);
    assert_true(announced > 5);
    assert_true(master.gen->number > 10);
    assert_true(last_pid > FIRST_PID + 1000);
}

/* all_taken - everybody there is has a connection */
static void
all_taken(void)
{
    catch_up();
    for (size_t w = 0; w < WORKERS; w++) {
        if (worker[w].state == STARTING)
            say(&worker[w], REPORT_IDLE, REASON_NONE);
        if (worker[w].state != STARTING && worker[w].state != IDLE)
            continue;
        worker[w].sessions++;
        say(&worker[w], REPORT_TAKEN, REASON_NONE);
        worker[w].state = BUSY;
    }
    catch_up();
}

/* come_up - what the master wants new */
static void
come_up(void)
{
    now += 100000;
    (void)spawn_fill(&master, now);
    equip();
    for (size_t w = 0; w < WORKERS; w++)
        if (worker[w].state == STARTING) {
            say(&worker[w], REPORT_IDLE, REASON_NONE);
            worker[w].state = IDLE;
        }
    catch_up();
}

static void
who_is_busy_counts_until_a_new_worker_is_there(void **state)
{
    struct worker *one = worker;
    unsigned long before;

    (void)state;
    all_taken();
    reload();
    before = announced;
    assert_int_equal(master.lingering, 0);
    announce();
    while (one->state != BUSY)
        assert_true(++one < worker + WORKERS);
    say(one, REPORT_ENDED, REASON_CLIENT_EOF); /* it may accept once more */
    catch_up();
    assert_int_equal(master.lingering, 1);
    come_up();
    announce();
    assert_int_equal(announced, before);
    die(one, 0);
    catch_up();
    announce();
    assert_int_equal(announced, before + 1);
}

/* until_none - everybody goes, told or not */
static void
until_none(void)
{
    for (int i = 0; i < 10000 && crew_count(master.crew) > 0; i++) {
        for (size_t w = 0; w < WORKERS; w++)
            work(&worker[w]);
        now += 10;
        (void)reap_kill_due(&master, now);
        reap_all(&master);
    }
}

/* dismissed - for crew_each */
static void
dismissed(struct crew_member *member, void *ctx)
{
    (void)ctx;
    assert_true(member->kill_at != 0 && member->end_session == 0);
}

static void
nothing_is_left_at_the_end(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++)
        cut();
    stop_now(&master, "SIGINT", now);
    rush = false;
    crew_each(master.crew, dismissed, NULL);
    until_none();
    assert_int_equal(crew_count(master.crew), 0);
    assert_int_equal(master.killing, 0);
    assert_int_equal(master.lingering, 0);
    for (size_t p = 0; p < 2; p++) {
        assert_int_equal(master.pool[p].alive, 0);
        assert_int_equal(master.pool[p].old, 0);
        assert_int_equal(master.pool[p].idle, 0);
        assert_int_equal(master.pool[p].starting, 0);
        assert_int_equal(master.pool[p].leaving, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_right_whatever_comes_first),
        cmocka_unit_test(who_is_busy_counts_until_a_new_worker_is_there),
        cmocka_unit_test(nothing_is_left_at_the_end),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
