/*
 * test_tcp.c - what is set on a listener holds for what it accepts, and a
 * deferred client is seen with its first byte
 */
#include "common/clock.h"
#include "common/tcp.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static int
option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static int
listener(struct sockaddr_in *at)
{
    socklen_t len = sizeof(*at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *at = (struct sockaddr_in){ .sin_family = AF_INET };
    at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)at, len), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
    return fd;
}

static int
client(const struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)at, sizeof(*at)), 0);
    return fd;
}

static void
accepted_sockets_inherit(void **state)
{
    struct sockaddr_in at;
    int from, fd, to = listener(&at);

    (void)state;
    tcp_nodelay(to);
    tcp_dead_peer(to, 120000);
    from = client(&at);
    fd = accept(to, NULL, NULL);
    assert_true(fd >= 0);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 15);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 4);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 120000);
    close(from);
    close(fd);
    tcp_dead_peer(to, CLOCK_NEVER); /* after a reload */
    from = client(&at);
    fd = accept(to, NULL, NULL);
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    close(from);
    close(fd);
    close(to);
}

static void
the_kernel_takes_every_time(void **state)
{
    struct sockaddr_in at;
    int fd = listener(&at);

    (void)state;
    tcp_dead_peer(fd, 1000);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 1);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 1000);
    tcp_dead_peer(fd, 12 * 3600 * 1000);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 6 * 3600);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 5400);
    close(fd);
}

static void
a_silent_client_is_not_shown_at_once(void **state)
{
    struct pollfd item;
    struct sockaddr_in at;
    int from, to = listener(&at);

    (void)state;
    tcp_defer(to, 10000);
    item = (struct pollfd){ .fd = to, .events = POLLIN };
    from = client(&at);
    assert_int_equal(poll(&item, 1, 50), 0);
    assert_int_equal(send(from, "x", 1, 0), 1);
    assert_int_equal(poll(&item, 1, 60000), 1);
    close(accept(to, NULL, NULL));
    close(from);
    from = client(&at);
    close(from); /* a probe */
    assert_int_equal(poll(&item, 1, 60000), 1);
    close(accept(to, NULL, NULL));
    tcp_defer(to, 0);
    from = client(&at);
    assert_int_equal(poll(&item, 1, 60000), 1);
    close(from);
    close(to);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_sockets_inherit),
        cmocka_unit_test(the_kernel_takes_every_time),
        cmocka_unit_test(a_silent_client_is_not_shown_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
