/* test_ahead.c - worker/ahead.c, pages.c: few system calls, no byte too late */
/* wrap: recv */
#include "common/fdio.h"
#include "worker/ahead.h"
#include "worker/pages.h"
#include <errno.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags);
ssize_t __real_recv(int fd, void *buf, size_t size, int flags);

static unsigned calls; /* of recv(2) */
static int pair[2];    /* [0] is read ahead */
static struct ahead ahead;

ssize_t
__wrap_recv(int fd, void *buf, size_t size, int flags)
{
    calls++;
    return __real_recv(fd, buf, size, flags);
}

static int
begin(void **state)
{
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ahead_begin(&ahead);
    calls = 0;
    return 0;
}

static int
end(void **state)
{
    (void)state;
    ahead_end(&ahead);
    close(pair[0]);
    fdio_close(&pair[1]);
    return 0;
}

static void
come(const char *text)
{
    assert_int_equal(send(pair[1], text, strlen(text), 0), strlen(text));
}

/* next - what is read next, of at most size bytes, is this */
static void
next(const char *want, size_t size)
{
    char got[64];

    assert_int_equal(ahead_recv(&ahead, pair[0], got, size), strlen(want));
    assert_memory_equal(got, want, strlen(want));
}

static void
nothing(void)
{
    char got[8];

    errno = 0;
    assert_int_equal(ahead_recv(&ahead, pair[0], got, sizeof(got)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_false(ahead_holds(&ahead));
}

static void
what_has_come_is_taken_by_one_call(void **state)
{
    (void)state;
    come("headbody");
    come("HEADBODY");
    next("head", 4);
    assert_true(ahead_holds(&ahead));
    next("body", 4);
    next("HEAD", 4);
    next("BODY", 64);
    assert_false(ahead_holds(&ahead));
    assert_int_equal(calls, 1);
}

static void
an_emptied_socket_is_not_asked_at_once_but_the_next_time(void **state)
{
    (void)state;
    come("a");
    next("a", 5);
    come("b");
    nothing(); /* the caller waits, poll(2) says that there is more */
    assert_int_equal(calls, 1);
    next("b", 5);
    nothing();
    assert_int_equal(calls, 2);
    nothing();
    assert_int_equal(calls, 3);
}

static void
an_end_comes_after_the_bytes_before_it(void **state)
{
    char got[8];

    (void)state;
    come("last");
    fdio_close(&pair[1]);
    next("la", 2);
    next("st", 8);
    nothing();
    assert_int_equal(ahead_recv(&ahead, pair[0], got, sizeof(got)), 0);
    assert_int_equal(ahead_recv(&ahead, pair[0], got, sizeof(got)), 0);
}

static void
bulk(void)
{
    static char much[AHEAD_SIZE];

    memset(much, 'x', sizeof(much));
    for (size_t at = 0; at < sizeof(much); at += 16384)
        assert_int_equal(send(pair[1], much + at, 16384, 0), 16384);
}

static void
a_buffer_that_was_filled_tells_nothing_of_the_socket(void **state)
{
    static char got[AHEAD_SIZE];

    (void)state;
    bulk();
    assert_int_equal(ahead_recv(&ahead, pair[0], got, sizeof(got)), AHEAD_SIZE);
    assert_int_equal(calls, 1);
    come("more");
    next("more", 8);
    assert_int_equal(calls, 2);
}

/* resident - pages of a buffer that exist */
static size_t
resident(void *at, size_t size)
{
    unsigned char map[AHEAD_SIZE / PAGES_SIZE];
    size_t count = 0;

    assert_int_equal(mincore(at, size, map), 0);
    for (size_t i = 0; i < size / PAGES_SIZE; i++)
        count += map[i] & 1u;
    return count;
}

static void
a_small_message_touches_one_page_and_all_pages_go_back(void **state)
{
    char got[8];

    (void)state;
    assert_int_equal(resident(ahead.at, AHEAD_SIZE), 0);
    come("x");
    next("x", 5);
    nothing();
    assert_int_equal(resident(ahead.at, AHEAD_SIZE), 1);
    ahead_trim(&ahead);
    assert_int_equal(resident(ahead.at, AHEAD_SIZE), 0);
    bulk();
    next("xxxxx", 5);
    assert_int_equal(resident(ahead.at, AHEAD_SIZE), AHEAD_SIZE / PAGES_SIZE);
    ahead_trim(&ahead); /* what was not asked for yet stays */
    for (size_t left = AHEAD_SIZE - 5; left > 0;)
        left -= (size_t)ahead_recv(&ahead, pair[0], got,
                                   left < sizeof(got) ? left : sizeof(got));
    assert_int_equal(got[0], 'x');
    ahead_trim(&ahead);
    assert_int_equal(resident(ahead.at, AHEAD_SIZE), 0);
    come("on");
    next("on", 8);
}

static void
nothing_is_left_for_the_next_connection(void **state)
{
    static const uint8_t zeros[AHEAD_SIZE];

    (void)state;
    come("secret");
    next("s", 1);
    ahead_end(&ahead);
    assert_memory_equal(ahead.at, zeros, AHEAD_SIZE);
    ahead_begin(&ahead);
    nothing();
    bulk();
    next("x", 1);
    ahead_end(&ahead);
    assert_memory_equal(ahead.at, zeros, AHEAD_SIZE);
}

static void
ends_that_live_at_the_same_time_have_memory_of_their_own(void **state)
{
    struct ahead others[AHEAD_ENDS - 1];

    (void)state;
    come("mine");
    next("m", 1);
    for (int i = 0; i < AHEAD_ENDS - 1; i++) {
        ahead_begin(&others[i]);
        assert_ptr_not_equal(others[i].at, ahead.at);
        assert_int_equal(i > 0 && others[i].at == others[i - 1].at, 0);
        memset(others[i].at, '!', 16);
        others[i].high = 16;
    }
    next("ine", 8);
    for (int i = 0; i < AHEAD_ENDS - 1; i++)
        ahead_end(&others[i]);
}

static void
pages_are_forgotten_whatever_their_number(void **state)
{
    static alignas(PAGES_SIZE) uint8_t at[4 * PAGES_SIZE];
    static const uint8_t zeros[sizeof(at)];
    const size_t sizes[] = { 0, 1, PAGES_LIGHT, PAGES_LIGHT + 1, sizeof(at) };

    (void)state;
    pages_forget(NULL, 0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(at, 0xff, sizes[i]);
        pages_forget(at, sizes[i]);
        if (sizes[i] > PAGES_LIGHT)
            assert_int_equal(resident(at, PAGES_LIGHT), 0);
        assert_memory_equal(at, zeros, sizeof(at));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_has_come_is_taken_by_one_call,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            an_emptied_socket_is_not_asked_at_once_but_the_next_time, begin,
            end),
        cmocka_unit_test_setup_teardown(an_end_comes_after_the_bytes_before_it,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            a_buffer_that_was_filled_tells_nothing_of_the_socket, begin, end),
        cmocka_unit_test_setup_teardown(
            a_small_message_touches_one_page_and_all_pages_go_back, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_left_for_the_next_connection,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            ends_that_live_at_the_same_time_have_memory_of_their_own, begin,
            end),
        cmocka_unit_test(pages_are_forgotten_whatever_their_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
