/* test_tables.c - master/tables.c, pick.c and names.c: which address an attempt gets;
 * names resolve at once, to what the test says */
/* wrap: resolve_start resolve_finish resolve_kill waitpid epoll_ctl */
#include "common/log.h"
#include "master/pick.h"
#include "master/tables.h"
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include <cmocka.h>

/* --- the played resolver -------------------------------------------------- */

static struct {
    int starts;
    bool refuse; /* no child can be made */
    enum err err;
    unsigned count, from; /* addresses, the first one */
    struct name *asked;   /* the last one that epoll was told of */
} play;

enum err __wrap_resolve_start(const char *host, struct resolve *out,
                              struct why *why);
enum err __wrap_resolve_finish(struct resolve *resolve,
                               struct resolve_answer *out, struct why *why);
void __wrap_resolve_kill(struct resolve *resolve);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);

enum err
__wrap_resolve_start(const char *host, struct resolve *out, struct why *why)
{
    (void)host;
    play.starts++;
    out->pid = 1;
    out->fd = 1000;
    return play.refuse ? why_set(why, ERR_SYS, "no more processes") : ERR_OK;
}

enum err
__wrap_resolve_finish(struct resolve *resolve, struct resolve_answer *out,
                      struct why *why)
{
    (void)resolve;
    memset(out, 0, sizeof(*out));
    out->count = play.count;
    for (unsigned i = 0; i < play.count; i++) {
        out->addr[i].family = AF_INET;
        out->addr[i].addr[0] = 10;
        out->addr[i].addr[3] = (uint8_t)(play.from + i);
    }
    return play.err == ERR_OK ? ERR_OK : why_set(why, play.err, "no such name");
}

void
__wrap_resolve_kill(struct resolve *resolve)
{
    resolve->fd = -1;
}

pid_t
/* NOLINTNEXTLINE(readability-non-const-parameter): waitpid's type */
__wrap_waitpid(pid_t pid, int *status, int options)
{
    (void)pid;
    (void)status;
    (void)options;
    errno = ECHILD;
    return -1;
}

int
__wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    (void)epoll;
    (void)fd;
    if (op == EPOLL_CTL_ADD)
        play.asked = event->data.ptr;
    return 0;
}

/* --- helpers -------------------------------------------------------------- */

static uint32_t generation;

static int
start(void **state)
{
    (void)state;
    memset(&play, 0, sizeof(play));
    play.count = 2;
    play.from = 1;
    names_init(-1, 60000);
    generation++;
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    tables_forget(generation);
    tables_sweep();
    (void)names_tend(INT64_C(1) << 40); /* resolvers at work are too late */
    return tables_find(generation, 1) == NULL ? 0 : -1;
}

/* order - what the master sends for 192.0.2.NUMBER, 0: nothing, -1: a name */
static struct connector_order
order(uint16_t route, int number, uint16_t index)
{
    struct connector_order packet;
    struct sockaddr_in *in = (void *)&packet.sa;

    memset(&packet, 0, sizeof(packet));
    packet.generation = generation;
    packet.service = 1;
    packet.route = route;
    packet.index = index;
    (void)snprintf(packet.name, sizeof(packet.name), "web");
    packet.kind = number < 0 ? CONNECTOR_NAME
                  : number   ? CONNECTOR_IP
                             : CONNECTOR_EMPTY;
    if (number > 0) {
        in->sin_family = AF_INET;
        in->sin_addr.s_addr = htonl(0xc0000200u + (unsigned)number);
        packet.sa_len = sizeof(*in);
    } else if (number < 0) {
        (void)snprintf(packet.host, sizeof(packet.host), "name%d.test",
                       -number);
    }
    return packet;
}

/* table - of route 0 with these, 0 ends them */
static struct table *
table(const int *numbers, bool robin)
{
    for (uint16_t i = 0; numbers[i] != 0; i++) {
        struct connector_order packet = order(0, numbers[i], i);

        packet.last = numbers[i + 1] == 0;
        packet.robin = robin;
        assert_true(tables_address(&packet));
    }
    return tables_find(generation, 1);
}

/* got - the last byte of the address that an attempt gets, + 100 for what the
 * name resolved to; -1 wait, -2 none, -3 no name */
static int
got(struct table *at, struct round *round, uint16_t attempt, int64_t now,
    bool *more)
{
    const struct name *failure;
    struct target target;
    struct sockaddr_in *in = (void *)&target.sa;
    bool any;
    uint32_t addr;

    switch (tables_pick(at, round, 0, attempt, now, &target,
                        more != NULL ? more : &any, &failure)) {
    case PICK_WAIT:
        return -1;
    case PICK_NONE:
        return -2;
    case PICK_NO_NAME:
        assert_non_null(failure);
        return -3;
    case PICK_FOUND:
        break;
    }
    addr = ntohl(in->sin_addr.s_addr);
    return (int)(addr & 0xff) + (addr >> 24 == 10 ? 100 : 0);
}

static void
failed(struct table *at, int number, int64_t now)
{
    struct connector_order packet = order(0, number, 0);
    int64_t penalty;

    (void)health_given(&at->health, &packet.sa, packet.sa_len, now);
    (void)health_outcome(&at->health, &packet.sa, packet.sa_len, ECONNREFUSED,
                         now, &penalty);
}

/* --- rounds --------------------------------------------------------------- */

static void
a_round_gives_each_address_once(void **state)
{
    static const int numbers[] = { 3, 1, 3, 2, 0 };
    static const int want[] = { 3, 1, 2, -2, -2 };
    struct table *at = table(numbers, false);
    struct round round = { 0 };
    bool more;

    (void)state;
    for (int again = 0; again < 3; again++)
        for (uint16_t i = 0; i < 5; i++) {
            assert_int_equal(got(at, &round, i, 0, &more), want[i]);
            assert_int_equal(more, i < 2);
        }
    assert_int_equal(got(at, &round, 0, 0, NULL), 3);
    assert_int_equal(got(at, &round, 1, 0, NULL), 1);
    assert_int_equal(got(at, &round, 1, 0, NULL), 1); /* busy: the same again */
    assert_int_equal(got(at, &round, 3, 0, NULL), -2); /* two were given */
    assert_int_equal(got(at, &round, 2, 0, NULL), 2);
    round_free(&round);
}

static void
what_failed_comes_last_and_the_oldest_of_it_first(void **state)
{
    static const int numbers[] = { 1, 2, 3, 4, 0 };
    static const int want[] = { 2, 4, 3, 1, -2 };
    struct table *at = table(numbers, false);
    struct round round = { 0 };

    (void)state;
    failed(at, 3, 100);
    failed(at, 1, 200);
    for (uint16_t i = 0; i < 5; i++)
        assert_int_equal(got(at, &round, i, 300, NULL), want[i]);
    assert_int_equal(got(at, &round, 0, 10150, NULL), 2);
    assert_int_equal(got(at, &round, 1, 10150, NULL), 3); /* its time is up */
    assert_int_equal(got(at, &round, 0, 10200, NULL), 1);
    round_free(&round);
}

static void
robin_turns_over_all_addresses(void **state)
{
    static const int numbers[] = { 1, -1, 2, 0 };
    static const int want[] = { 1, 101, 102, 2, 1, 101 };
    struct table *at = table(numbers, true);
    struct round round = { 0 };

    (void)state;
    (void)names_tend(0);
    names_event(play.asked, 0);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(got(at, &round, 0, 0, NULL), want[i]);
    assert_int_equal(got(at, &round, 1, 0, NULL), 102);
    assert_int_equal(got(at, &round, 2, 0, NULL), 2);
    assert_int_equal(got(at, &round, 3, 0, NULL), 1);
    assert_int_equal(got(at, &round, 4, 0, NULL), -2);
    round_free(&round);
}

/* --- names ---------------------------------------------------------------- */

static void
a_name_is_waited_for_where_the_order_comes_to_it(void **state)
{
    static const int numbers[] = { 1, -1, 2, 0 };
    struct table *at = table(numbers, false);
    struct round round = { 0 };
    bool more;

    (void)state;
    assert_int_equal(got(at, &round, 0, 0, &more), 1);
    assert_true(more);
    assert_int_equal(got(at, &round, 1, 0, NULL), -1);
    play.err = ERR_CONF;
    names_event(play.asked, 0);
    assert_int_equal(got(at, &round, 1, 0, NULL), 2); /* it failed */
    failed(at, 2, 0);
    failed(at, 1, 1);
    assert_int_equal(got(at, &round, 0, 1001, NULL), 2); /* nor is it now */
    assert_int_equal(got(at, &round, 1, 1001, NULL), 1);
    assert_int_equal(got(at, &round, 2, 1001, NULL), -1); /* a last hope */
    play.err = ERR_OK;
    names_event(play.asked, 1001);
    assert_int_equal(got(at, &round, 2, 1001, NULL), 101);
    round_free(&round);
}

static void
a_name_that_is_new_comes_before_what_failed(void **state)
{
    static const int numbers[] = { 1, -1, 0 };
    struct table *at = table(numbers, false);
    struct round round = { 0 };

    (void)state;
    failed(at, 1, 0);
    assert_int_equal(got(at, &round, 0, 1, NULL), -1);
    names_event(play.asked, 1);
    assert_int_equal(got(at, &round, 0, 1, NULL), 101);
    round_free(&round);
}

static void
a_name_alone_that_fails_says_so_in_its_first_attempt(void **state)
{
    static const int numbers[] = { -1, 0 };
    struct table *at = table(numbers, false);
    struct round round = { 0 };

    (void)state;
    play.err = ERR_CONF;
    assert_int_equal(got(at, &round, 0, 0, NULL), -1);
    names_event(play.asked, 0);
    assert_int_equal(got(at, &round, 0, 0, NULL), -3);
    assert_int_equal(got(at, &round, 1, 0, NULL), -2);
    assert_int_equal(got(at, &round, 0, 999, NULL), -3);
    assert_int_equal(got(at, &round, 0, 1000, NULL), -1); /* asked again */
    round_free(&round);
}

static void
names_are_asked_for_at_once_and_then_in_the_background(void **state)
{
    static const int numbers[] = { -1, 0 };
    struct table *at = table(numbers, false);
    struct round round = { 0 };

    (void)state;
    assert_true(names_next(5) <= 5);
    assert_false(names_tend(5));
    assert_int_equal(play.starts, 1);
    assert_int_equal(names_next(5), 5 + NAMES_CHILD_MS);
    names_event(play.asked, 10);
    (void)names_tend(10);
    assert_int_equal(names_next(10), 60010);
    for (int64_t now = 11; now < 60010; now += 1000) {
        (void)names_tend(now);
        assert_int_equal(got(at, &round, 0, now, NULL), 101);
    }
    assert_int_equal(play.starts, 1);
    assert_false(names_tend(60010));
    assert_int_equal(play.starts, 2);
    assert_int_equal(got(at, &round, 0, 60011, NULL), 101); /* nobody waits */
    play.from = 7;
    names_event(play.asked, 60020);
    assert_int_equal(got(at, &round, 0, 60020, NULL), 107);
    play.refuse = true;
    assert_true(names_tend(120020)); /* who waited would have to be told */
    assert_int_equal(got(at, &round, 0, 120020, NULL), 107);
    assert_int_equal(names_next(120020), 180020);
    round_free(&round);
}

static void
a_name_without_users_is_forgotten(void **state)
{
    struct name *one = names_take("x.test", "web");
    struct name *two = names_take("x.test", "api");

    (void)state;
    assert_ptr_equal(one, two);
    assert_ptr_equal(names_take("x.test", "web"), one);
    names_drop(one, "web");
    names_drop(one, "api");
    (void)names_tend(0);
    names_event(one, 0);
    assert_ptr_equal(names_take("x.test", "db"), one);
    names_drop(one, "web");
    names_drop(one, "db");
    names_drop(one, "nobody");
    (void)names_tend(0); /* memory checkers see whether it is gone */
    play.starts = 0;
    (void)names_tend(1000000);
    assert_int_equal(play.starts, 0);
}

/* --- orders --------------------------------------------------------------- */

static void
orders_out_of_turn_are_refused(void **state)
{
    struct connector_order packet = order(1, 0, 0);
    const struct table *at;

    (void)state;
    packet.last = 1;
    assert_true(tables_address(&packet));
    at = tables_find(generation, 1);
    assert_non_null(at);
    assert_false(tables_has(at, 0)); /* not told of yet */
    assert_true(tables_has(at, 1));
    assert_false(tables_has(at, 2));
    assert_false(tables_address(&packet)); /* it was complete */
    packet = order(0, 1, 0);
    packet.sa_len = sizeof(packet.sa) + 1;
    assert_false(tables_address(&packet));
    packet = order(0, -1, 0);
    memset(packet.host, 'x', sizeof(packet.host));
    assert_false(tables_address(&packet));
    packet = order(0, 1, 0);
    memset(packet.name, 'x', sizeof(packet.name));
    assert_false(tables_address(&packet));
    packet = order(0, 1, 0);
    assert_true(tables_address(&packet));
    assert_false(tables_has(at, 0)); /* more to come */
}

static void
a_generation_stays_while_somebody_uses_it(void **state)
{
    static const int numbers[] = { 1, -1, 0 };
    struct table *at = table(numbers, false);

    (void)state;
    at->pairs = 1;
    tables_forget(generation);
    tables_sweep();
    assert_ptr_equal(tables_find(generation, 1), at);
    at->pairs = 0;
    tables_sweep();
    assert_null(tables_find(generation, 1));
}

#define table_test(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        table_test(a_round_gives_each_address_once),
        table_test(what_failed_comes_last_and_the_oldest_of_it_first),
        table_test(robin_turns_over_all_addresses),
        table_test(a_name_is_waited_for_where_the_order_comes_to_it),
        table_test(a_name_that_is_new_comes_before_what_failed),
        table_test(a_name_alone_that_fails_says_so_in_its_first_attempt),
        table_test(names_are_asked_for_at_once_and_then_in_the_background),
        table_test(a_name_without_users_is_forgotten),
        table_test(orders_out_of_turn_are_refused),
        table_test(a_generation_stays_while_somebody_uses_it),
    };

    log_open(-1, LOG_L_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
