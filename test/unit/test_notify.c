/*
 * test_notify.c - what a service manager passes, and what it is told
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/clock.h"
#include "master/notify.h"
#include "master/passed.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* ---- what is passed ---- */

static void
put_env(const char *name, long number)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%ld", number);
    assert_int_equal(setenv(name, text, 1), 0);
}

/* open_at - a socket of the type on 127.0.0.1, moved to descriptor at */
static void
open_at(int at, int type, bool listens)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    int fd = socket(AF_INET, type, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
    if (listens)
        assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(dup2(fd, at), at);
    if (fd != at)
        close(fd);
}

static enum err
take(long pid, const char *fds, const char *names, struct why *why)
{
    enum err err;

    put_env("LISTEN_PID", pid);
    if (fds != NULL)
        setenv("LISTEN_FDS", fds, 1);
    if (names != NULL)
        setenv("LISTEN_FDNAMES", names, 1);
    err = passed_take(why);
    assert_null(getenv("LISTEN_PID"));
    assert_null(getenv("LISTEN_FDS"));
    assert_null(getenv("LISTEN_FDNAMES"));
    return err;
}

static void
sockets_are_found_by_name(void **state)
{
    struct why why;
    size_t at = 0;

    (void)state;
    for (int fd = 3; fd < 6; fd++)
        open_at(fd, SOCK_STREAM, true);
    assert_int_equal(take(getpid(), "3", "a:b:a", &why), ERR_OK);
    assert_string_equal(passed_names(), "a, b, a");
    assert_int_equal(passed_next("a", &at), 3);
    assert_int_equal(passed_next("a", &at), 5);
    assert_int_equal(passed_next("a", &at), -1);
    assert_string_equal(passed_unused(), "b");
    at = 0;
    assert_int_equal(passed_next("c", &at), -1);
    at = 0;
    assert_int_equal(passed_next("b", &at), 4);
    assert_null(passed_unused());
    assert_true(passed_has(3) && passed_has(5));
    assert_false(passed_has(2) || passed_has(6));
    assert_int_equal(passed_check(4, "b", &why), ERR_OK);
    assert_true(fcntl(4, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(4, F_GETFD) & FD_CLOEXEC);
    for (int fd = 3; fd < 6; fd++)
        close(fd);
}

static void
what_is_meant_for_others_is_left_alone(void **state)
{
    struct why why;
    size_t at = 0;

    (void)state;
    assert_int_equal(take(getpid(), "0", "", &why), ERR_OK);
    assert_int_equal(take(getpid() + 1, "9", "x", &why), ERR_OK);
    assert_int_equal(passed_next("x", &at), -1);
    assert_string_equal(passed_names(), "nothing");
    setenv("LISTEN_FDS", "1", 1);
    assert_int_equal(passed_take(&why), ERR_OK);
    assert_null(getenv("LISTEN_FDS"));
    assert_null(passed_unused());
}

static void
variables_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        const char *fds, *names, *word;
    } rows[] = {
        { NULL, NULL, "LISTEN_FDS" },    { "", NULL, "LISTEN_FDS" },
        { "-1", NULL, "LISTEN_FDS" },    { "x", NULL, "LISTEN_FDS" },
        { "99999", NULL, "LISTEN_FDS" }, { "900", NULL, "descriptor 4" },
        { "1", "a:b", "as many names" }, { "1", "a:", "as many names" },
    };
    struct why why;

    (void)state;
    open_at(3, SOCK_STREAM, true);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(take(getpid(), rows[i].fds, rows[i].names, &why),
                         ERR_SYS);
        assert_non_null(strstr(why.text, rows[i].word));
    }
    close(3);
}

static void
sockets_without_names(void **state)
{
    struct why why;
    size_t at = 0;

    (void)state;
    open_at(3, SOCK_STREAM, true);
    assert_int_equal(take(getpid(), "1", NULL, &why), ERR_OK);
    assert_int_equal(passed_next("unknown", &at), 3);
    close(3);
}

static void
only_listening_streams_serve(void **state)
{
    struct why why;
    int ends[2];

    (void)state;
    open_at(3, SOCK_DGRAM, false);
    assert_int_equal(passed_check(3, "x", &why), ERR_SYS);
    assert_non_null(strstr(why.text, "no stream socket"));
    open_at(3, SOCK_STREAM, false);
    assert_int_equal(passed_check(3, "x", &why), ERR_SYS);
    assert_non_null(strstr(why.text, "not a listening socket"));
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(passed_check(ends[0], "x", &why), ERR_SYS);
    assert_non_null(strstr(why.text, "is no socket"));
    close(ends[0]);
    close(ends[1]);
    close(3);
}

/* ---- what is told ---- */

static int manager = -1;

/* manage - be a service manager at a path, or an abstract name behind @ */
static void
manage(const char *where)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    size_t len = strlen(where);

    memcpy(un.sun_path, where, len);
    if (where[0] == '@')
        un.sun_path[0] = '\0';
    if (manager >= 0)
        close(manager);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(
        bind(manager, (const struct sockaddr *)&un,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
        0);
    setenv("NOTIFY_SOCKET", where, 1);
}

/* told - the next message, "" for none */
static const char *
told(void)
{
    static char text[1024];
    ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static int64_t
now_us(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
nobody_wants_to_know(void **state)
{
    struct why why;

    (void)state;
    setenv("WATCHDOG_USEC", "1000000", 1);
    assert_int_equal(notify_open(&why), ERR_OK);
    notify_ready("x");
    assert_true(notify_watchdog(5) == CLOCK_NEVER);
}

static void
messages(void **state)
{
    char place[64], want[128];
    int64_t before;
    struct why why;

    (void)state;
    (void)snprintf(place, sizeof(place), "@mtlsd-test-%ld", (long)getpid());
    manage(place);
    assert_int_equal(notify_open(&why), ERR_OK);
    assert_null(getenv("NOTIFY_SOCKET"));
    notify_ready("so\nREADY=0 \xff");
    (void)snprintf(want, sizeof(want),
                   "READY=1\nMAINPID=%ld\nSTATUS=so?READY=0 ?", (long)getpid());
    assert_string_equal(told(), want);
    before = now_us();
    notify_reloading();
    (void)snprintf(want, sizeof(want), "RELOADING=1\nMONOTONIC_USEC=");
    assert_memory_equal(told(), want, strlen(want));
    notify_reloading();
    assert_true(strtoll(told() + strlen(want), NULL, 10) >= before);
    notify_stopping("bye");
    assert_string_equal(told(), "STOPPING=1\nSTATUS=bye");
    assert_true(notify_watchdog(5) == CLOCK_NEVER);
    assert_string_equal(told(), "");
}

static void
signs_of_life_come_twice_in_the_interval(void **state)
{
    char place[] = "/tmp/mtlsd-notify-XXXXXX";
    struct why why;

    (void)state;
    assert_non_null(mkdtemp(place));
    assert_int_equal(rmdir(place), 0);
    manage(place);
    setenv("WATCHDOG_USEC", "3000000", 1);
    put_env("WATCHDOG_PID", getpid());
    assert_int_equal(notify_open(&why), ERR_OK);
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
    assert_int_equal(notify_watchdog(10000), 11500);
    assert_string_equal(told(), "WATCHDOG=1");
    assert_int_equal(notify_watchdog(11499), 11500);
    assert_string_equal(told(), "");
    assert_int_equal(notify_watchdog(11600), 13100);
    assert_string_equal(told(), "WATCHDOG=1");
    unlink(place);
}

static void
a_watchdog_of_another_process(void **state)
{
    struct why why;
    char place[64];

    (void)state;
    (void)snprintf(place, sizeof(place), "@mtlsd-test2-%ld", (long)getpid());
    manage(place);
    setenv("WATCHDOG_USEC", "3000000", 1);
    put_env("WATCHDOG_PID", getpid() + 1);
    assert_int_equal(notify_open(&why), ERR_OK);
    assert_true(notify_watchdog(10000) == CLOCK_NEVER);
}

static void
a_manager_who_cannot_be_reached_is_an_error(void **state)
{
    static const char *const rows[] = { "relative", "@", "/",
                                        "/nowhere/to/be/found" };
    struct why why;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        setenv("NOTIFY_SOCKET", rows[i], 1);
        assert_int_equal(notify_open(&why), ERR_SYS);
        assert_non_null(strstr(why.text, "NOTIFY_SOCKET"));
        assert_null(getenv("NOTIFY_SOCKET"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_are_found_by_name),
        cmocka_unit_test(what_is_meant_for_others_is_left_alone),
        cmocka_unit_test(variables_that_make_no_sense_are_refused),
        cmocka_unit_test(sockets_without_names),
        cmocka_unit_test(only_listening_streams_serve),
        cmocka_unit_test(nobody_wants_to_know),
        cmocka_unit_test(messages),
        cmocka_unit_test(signs_of_life_come_twice_in_the_interval),
        cmocka_unit_test(a_watchdog_of_another_process),
        cmocka_unit_test(a_manager_who_cannot_be_reached_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
