/* test_connector.c - master/connector*.c, pick.c, names.c, resolve.c: the real
 * process, with a resolver and a clock that the test holds in its hand */
/* wrap: getaddrinfo freeaddrinfo clock_ms */
#include "common/clock.h"
#include "common/connwire.h"
#include "common/fdio.h"
#include "common/log.h"
#include "master/connector.h"
#include "test/unit/child.h"
#include "worker/upstream.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* --- the played resolver and clock ---------------------------------------- */

struct hand { /* shared with the connector and its children */
    _Atomic int calls;
    _Atomic int gate; /* 0: resolvers wait */
    _Atomic int fail;
    _Atomic int moved;  /* two.test leads elsewhere */
    _Atomic long ahead; /* ms that the clock runs ahead */
};

static struct hand *hand;

int64_t __wrap_clock_ms(void);
int64_t __real_clock_ms(void);
int __wrap_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hints, struct addrinfo **out);
void __wrap_freeaddrinfo(struct addrinfo *list);

int64_t
__wrap_clock_ms(void)
{
    return __real_clock_ms() + hand->ahead;
}

int
__wrap_getaddrinfo(const char *host, const char *service,
                   const struct addrinfo *hints, struct addrinfo **out)
{
    static struct sockaddr_in sa[2];
    static struct addrinfo info[2];

    (void)service;
    (void)hints;
    hand->calls++;
    while (!hand->gate)
        (void)poll(NULL, 0, 1);
    if (hand->fail || strcmp(host, "none.test") == 0)
        return EAI_NONAME;
    if (strcmp(host, "crash.test") == 0)
        _exit(9);
    if (strcmp(host, "fault.test") == 0) {
        volatile char *nothing =
            mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        (void)signal(SIGSEGV, SIG_DFL); /* not the sanitizer's */
        *nothing = 1;
    }
    for (unsigned i = 0; i < 2; i++) {
        sa[i].sin_family = AF_INET;
        sa[i].sin_addr.s_addr =
            /* 127.0.0.1, 127.0.0.2 */
            htonl(INADDR_LOOPBACK + i + (hand->moved ? 2 : 0));
        info[i].ai_family = AF_INET;
        info[i].ai_addr = (void *)&sa[i];
        info[i].ai_addrlen = sizeof(sa[i]);
    }
    info[0].ai_next = &info[1];
    *out = &info[0];
    return 0;
}

void
__wrap_freeaddrinfo(struct addrinfo *list)
{
    (void)list;
}

/* --- the process under test ----------------------------------------------- */

static struct connector connector;
static int log_end = -1; /* where its lines arrive */

static struct drop_ids
ids(void)
{
    struct drop_ids ids = { .root = geteuid() == 0,
                            .uid = geteuid(),
                            .gid = getegid() };

    if (ids.root)
        ids.uid = ids.gid = CHILD_UID;
    return ids;
}

static int
start(void **state)
{
    struct drop_ids who = ids();
    struct why why = { "" };
    int pair[2];

    (void)state;
    hand = mmap(NULL, sizeof(*hand), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    hand->gate = 1;
    if (fdio_pair(pair, NULL) != ERR_OK)
        return -1;
    log_open(pair[0], LOG_L_DEBUG);
    log_end = pair[1];
    if (connector_start(&who, false, 60000, &connector, &why) != ERR_OK) {
        fprintf(stderr, "%s\n", why.text);
        return -1;
    }
    log_open(-1, LOG_L_ERROR);
    close(pair[0]);
    return 0;
}

/* stop - it ends by itself when nobody needs it */
static int
stop(void **state)
{
    int status = -1;
    pid_t pid = 0;

    (void)state;
    fdio_close(&connector.control);
    fdio_close(&log_end);
    for (int i = 0; i < 5000 && pid == 0; i++) {
        (void)poll(NULL, 0, i > 0);
        pid = waitpid(connector.pid, &status, WNOHANG);
    }
    if (pid == 0) { /* a test that failed has left pairs open */
        (void)kill(connector.pid, SIGKILL);
        (void)waitpid(connector.pid, &status, 0);
    }
    (void)munmap(hand, sizeof(*hand));
    return status == 0 ? 0 : -1;
}

static char line[LOG_LINE_MAX]; /* the last one that `logged` counted */

/* logged - lines of that event so far */
static int
logged(const char *event)
{
    char record[LOG_RECORD_MAX];
    size_t len = sizeof(record);
    int count = 0;

    while (fdio_recv(log_end, record, &len, NULL, NULL, MSG_DONTWAIT, NULL) ==
           ERR_OK) {
        if (strcmp(record + 1, event) == 0) {
            count++;
            assert_int_equal(
                log_render(record, len, LOG_F_LOGFMT, 0, 1, line, sizeof(line)),
                ERR_OK);
        }
        len = sizeof(record);
    }
    return count;
}

/* eventually_logged - a line of that event comes, and holds this text */
static void
eventually_logged(const char *event, const char *text)
{
    for (int i = 0; i < 60000; i++) {
        if (logged(event) > 0 && strstr(line, text) != NULL)
            return;
        (void)poll(NULL, 0, 1);
    }
    fail_msg("no %s with \"%s\"", event, text);
}

static struct addr
ip(uint16_t port)
{
    struct addr addr = { .kind = ADDR_IP,
                         .port = port,
                         .sa_len = sizeof(struct sockaddr_in) };
    struct sockaddr_in *in = (void *)&addr.sa;

    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return addr;
}

static struct addr
name(const char *host, uint16_t port)
{
    struct addr addr = { .kind = ADDR_NAME, .port = port };

    (void)snprintf(addr.host, sizeof(addr.host), "%s", host);
    return addr;
}

static struct addr
path(const char *at)
{
    struct addr addr = { .kind = ADDR_UNIX,
                         .sa_len = sizeof(struct sockaddr_un) };
    struct sockaddr_un *un = (void *)&addr.sa;

    un->sun_family = AF_UNIX;
    (void)snprintf(un->sun_path, sizeof(un->sun_path), "%s", at);
    return addr;
}

/* worker - a service with these addresses and a worker of it: its end */
static int
worker_of(uint32_t generation, uint16_t service)
{
    int pair[2];

    assert_int_equal(fdio_pair(pair, NULL), ERR_OK);
    assert_int_equal(
        connector_workers(&connector, generation, service, &pair[1], 1, NULL),
        ERR_OK);
    close(pair[1]);
    return pair[0];
}

/* routed - tell of one route of a service */
static void
routed(uint16_t service, uint16_t route, struct addr *addrs, size_t count,
       enum conf_policy policy)
{
    struct conf_addrs list = { count, addrs };
    char name[16];

    (void)snprintf(name, sizeof(name), "s%u", service);
    assert_int_equal(connector_service(&connector, 1, service, route, name,
                                       &list, policy, 60000, NULL),
                     ERR_OK);
}

static int
worker(uint16_t service, struct addr *addrs, size_t count)
{
    routed(service, 0, addrs, count, CONF_POLICY_ORDER);
    return worker_of(1, service);
}

/* listen_on - a loopback listener; *port out */
static int
listen_on(uint16_t *port)
{
    struct sockaddr_in sa = { .sin_family = AF_INET };
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    sa.sin_addr.s_addr = htonl(INADDR_ANY); /* 127.0.0.2 too */
    assert_int_equal(bind(fd, (void *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (void *)&sa, &len), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

/* request, answer - the two halves of an exchange */
static void
request_of(int fd, uint16_t route, uint16_t attempt, uint32_t seq)
{
    struct connwire_request packet = {
        .kind = CONNWIRE_OPEN, .route = route, .attempt = attempt, .seq = seq
    };

    assert_int_equal(fdio_send(fd, &packet, sizeof(packet), -1, 0, NULL),
                     ERR_OK);
}

static void
request(int fd, uint16_t attempt, uint32_t seq)
{
    request_of(fd, 0, attempt, seq);
}

static struct connwire_reply
answer(int fd, uint32_t seq)
{
    struct pollfd item = { .fd = fd, .events = POLLIN };
    struct connwire_reply reply;
    size_t len = sizeof(reply);
    int passed;

    assert_int_equal(poll(&item, 1, 60000), 1);
    assert_int_equal(fdio_recv(fd, &reply, &len, &passed, NULL, 0, NULL),
                     ERR_OK);
    assert_int_equal(len, sizeof(reply));
    assert_int_equal(reply.seq, seq);
    assert_int_equal(passed >= 0, reply.status == CONNWIRE_CONNECTING);
    fdio_close(&passed);
    return reply;
}

static struct connwire_reply
ask_of(int fd, uint16_t route, uint16_t attempt)
{
    static uint32_t seq = 1000;

    request_of(fd, route, attempt, ++seq);
    return answer(fd, seq);
}

static struct connwire_reply
ask(int fd, uint16_t attempt)
{
    return ask_of(fd, 0, attempt);
}

/* tell - how the connection of that reply went */
static void
tell(int fd, const struct connwire_reply *reply, int error)
{
    struct connwire_request packet = { .kind = CONNWIRE_OUTCOME,
                                       .seq = reply->seq,
                                       .error = error };

    assert_int_equal(fdio_send(fd, &packet, sizeof(packet), -1, 0, NULL),
                     ERR_OK);
    (void)ask(fd, UINT16_MAX); /* it has heard it when it answers this */
}

/* leads - the index of the address that a fresh round begins with */
static int
leads(int fd)
{
    struct connwire_reply reply = ask(fd, 0);

    assert_int_equal(reply.status, CONNWIRE_CONNECTING);
    return reply.index;
}

/* is_closed - the pair ends, and nothing comes before */
static bool
is_closed(int fd)
{
    struct pollfd item = { .fd = fd, .events = POLLIN };
    char byte;

    if (poll(&item, 1, 60000) != 1)
        return false;
    errno = 0;
    return recv(fd, &byte, 1, MSG_DONTWAIT) <= 0 && errno != EAGAIN;
}

static bool
is_silent(int fd)
{
    struct pollfd item = { .fd = fd, .events = POLLIN };

    return poll(&item, 1, 50) == 0;
}

static void
eventually(_Atomic int *value, int want)
{
    for (int i = 0; i < 60000 && *value < want; i++)
        (void)poll(NULL, 0, 1);
    assert_int_equal(*value, want);
}

/* --- addresses ------------------------------------------------------------ */

static void
a_worker_gets_a_connection_to_the_configured_address(void **state)
{
    enum reason reason;
    struct upstream out;
    struct addr addr;
    struct conf_addrs list = { 1, &addr };
    uint16_t port;
    char want[32];
    int listener = listen_on(&port), fd, peer, on = 0;
    socklen_t len = sizeof(on);

    (void)state;
    addr = ip(port);
    fd = worker(1, &addr, 1);
    assert_int_equal(upstream_open(fd, -1, 0, &list, 5000, &out, &reason, NULL),
                     ERR_OK);
    (void)snprintf(want, sizeof(want), "127.0.0.1:%u", port);
    assert_string_equal(out.text, want);
    assert_true((peer = accept(listener, NULL, NULL)) >= 0);
    assert_int_equal(write(out.fd, "hello", 5), 5);
    assert_int_equal(read(peer, want, 5), 5);
    assert_int_equal(getsockopt(out.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len),
                     0);
    assert_int_equal(on, 1);
    assert_int_equal(ask(fd, 1).status, CONNWIRE_NO_MORE);
    close(peer);
    close(out.fd);
    close(fd);
    close(listener);
}

static void
attempts_walk_over_all_addresses_in_order(void **state)
{
    struct addr addrs[5];
    uint16_t port;
    int listener = listen_on(&port), fd;
    struct connwire_reply reply;
    static const struct {
        enum connwire_status status;
        int more;
        int index;
        const char *text;
    } want[] = {
        { CONNWIRE_FAILED, 1, 0, "unix:/nonexistent/socket" },
        { CONNWIRE_CONNECTING, 1, 1, "127.0.0.1" },
        { CONNWIRE_CONNECTING, 1, 2, "127.0.0.2" }, /* none of them twice */
        { CONNWIRE_FAILED, 0, 4, "unix:/nonexistent/last" },
        { CONNWIRE_NO_MORE, 0, 0, "" },
        { CONNWIRE_NO_MORE, 0, 0, "" },
    };

    (void)state;
    addrs[0] = path("/nonexistent/socket");
    addrs[1] = ip(port);
    addrs[2] = name("two.test", port);
    addrs[3] = (struct addr){ .kind = ADDR_RESPOND, .code = 200 };
    addrs[4] = path("/nonexistent/last");
    fd = worker(2, addrs, 5);
    for (uint16_t i = 0; i < 6; i++) {
        reply = ask(fd, i);
        assert_int_equal(reply.index, want[i].index);
        assert_int_equal(reply.status, want[i].status);
        assert_int_equal(reply.more, want[i].more);
        assert_int_equal(
            strncmp(reply.text, want[i].text, strlen(want[i].text)), 0);
        assert_int_equal(reply.error,
                         want[i].status == CONNWIRE_FAILED ? ENOENT : 0);
    }
    assert_int_equal(ask(fd, 65535).status, CONNWIRE_NO_MORE);
    close(fd);
    close(listener);
}

static void
a_full_unix_backlog_is_busy_not_failed(void **state)
{
    char dir[] = "/tmp/mtlsd-unit.XXXXXX", at[64];
    struct connwire_reply reply;
    struct upstream out;
    enum reason reason;
    struct addr addr;
    struct conf_addrs list = { 1, &addr };
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd, peer;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(at, sizeof(at), "%s/s", dir);
    addr = path(at);
    assert_int_equal(
        bind(listener, (void *)&addr.sa, sizeof(struct sockaddr_un)), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(chown(dir, ids().uid, ids().gid), 0);
    assert_int_equal(chown(at, ids().uid, ids().gid), 0);
    fd = worker(3, &addr, 1);
    do
        reply = ask(fd, 0);
    while (reply.status == CONNWIRE_CONNECTING);
    assert_int_equal(reply.status, CONNWIRE_BUSY);
    assert_int_equal(upstream_open(fd, -1, 0, &list, 50, &out, &reason, NULL),
                     ERR_TIMEOUT);
    assert_true((peer = accept(listener, NULL, NULL)) >= 0);
    assert_int_equal(upstream_open(fd, -1, 0, &list, 5000, &out, &reason, NULL),
                     ERR_OK);
    close(out.fd);
    close(peer);
    close(fd);
    close(listener);
    (void)unlink(at);
    (void)rmdir(dir);
}

static void
a_service_of_built_in_answers_has_no_address(void **state)
{
    struct addr addr = { .kind = ADDR_RESPOND, .code = 200 };
    int fd;

    (void)state;
    fd = worker(4, &addr, 1);
    assert_int_equal(ask(fd, 0).status, CONNWIRE_NO_MORE);
    close(fd);
}

/* --- names ---------------------------------------------------------------- */

static void
requests_wait_for_a_name_and_nobody_else_does(void **state)
{
    struct addr named, plain;
    uint16_t port;
    int listener = listen_on(&port), one, two, other;

    (void)state;
    hand->gate = 0;
    named = name("slow.test", port);
    plain = ip(port);
    one = worker(5, &named, 1);
    two = worker_of(1, 5);
    other = worker(6, &plain, 1);
    request(one, 0, 1);
    request(two, 0, 2);
    eventually(&hand->calls, 1);
    assert_int_equal(ask(other, 0).status, CONNWIRE_CONNECTING);
    assert_true(is_silent(one) && is_silent(two));
    request(two, 0, 3); /* it gave up the first one: only this is answered */
    assert_true(is_silent(two));
    hand->gate = 1;
    assert_int_equal(answer(one, 1).status, CONNWIRE_CONNECTING);
    assert_int_equal(answer(two, 3).status, CONNWIRE_CONNECTING);
    assert_int_equal(ask(two, 0).status, CONNWIRE_CONNECTING);
    assert_int_equal(hand->calls, 1); /* one child for all, then remembered */
    close(one);
    close(two);
    close(other);
    close(listener);
}

static void
a_name_without_address_says_so_once_and_is_asked_again_later(void **state)
{
    struct connwire_reply reply;
    struct addr addr = name("none.test", 80);
    int fd;

    (void)state;
    fd = worker(7, &addr, 1);
    for (int i = 0; i < 5; i++) {
        reply = ask(fd, 0);
        assert_int_equal(reply.status, CONNWIRE_NO_NAME);
        assert_int_equal(strncmp(reply.text, "none.test: ", 11), 0);
    }
    assert_int_equal(hand->calls, 1);
    assert_int_equal(logged("resolve_failed"), 1);
    assert_non_null(strstr(line, "service=s7 name=none.test"));
    hand->ahead += 1001; /* asked again, but not told again */
    assert_int_equal(ask(fd, 0).status, CONNWIRE_NO_NAME);
    assert_int_equal(hand->calls, 2);
    assert_int_equal(logged("resolve_failed"), 0);
    hand->ahead += 10001;
    assert_int_equal(ask(fd, 0).status, CONNWIRE_NO_NAME);
    assert_int_equal(logged("resolve_failed"), 1);
    close(fd);
}

static void
a_name_that_fails_leaves_the_other_addresses(void **state)
{
    struct addr addrs[2];
    uint16_t port;
    int listener = listen_on(&port), fd;

    (void)state;
    addrs[0] = name("none.test", port);
    addrs[1] = ip(port);
    fd = worker(8, addrs, 2);
    assert_int_equal(ask(fd, 0).status, CONNWIRE_CONNECTING);
    assert_int_equal(ask(fd, 1).status, CONNWIRE_NO_MORE);
    close(fd);
    close(listener);
}

static void
an_old_answer_serves_while_a_new_one_is_fetched(void **state)
{
    struct addr addr;
    uint16_t port;
    int listener = listen_on(&port), fd;

    (void)state;
    addr = name("two.test", port);
    fd = worker(9, &addr, 1);
    assert_int_equal(ask(fd, 0).status, CONNWIRE_CONNECTING);
    hand->gate = 0;
    hand->ahead += 60001;
    assert_int_equal(ask(fd, 0).status, CONNWIRE_CONNECTING);
    eventually(&hand->calls, 2);
    assert_int_equal(ask(fd, 1).status, CONNWIRE_CONNECTING);
    hand->fail = 1; /* and when that fails, for longer */
    hand->gate = 1;
    for (int i = 0; i < 10000 && logged("resolve_failed") == 0; i++)
        assert_int_equal(ask(fd, 0).status, CONNWIRE_CONNECTING);
    assert_int_equal(ask(fd, 0).status, CONNWIRE_CONNECTING);
    close(fd);
    close(listener);
}

static void
a_name_is_known_before_the_first_client_and_asked_again_unused(void **state)
{
    struct addr addr;
    uint16_t port;
    int listener = listen_on(&port), one, two;

    (void)state;
    addr = name("two.test", port);
    one = worker(20, &addr, 1);
    two = worker(21, &addr, 1);
    eventually(&hand->calls, 1);
    eventually_logged("resolved", "addresses=127.0.0.1,127.0.0.2");
    hand->ahead += 60001;
    close(worker_of(1, 20)); /* wakes it: its epoll does not know our clock */
    eventually(&hand->calls, 2);
    assert_true(is_silent(one));
    assert_int_equal(logged("resolved"), 0); /* the same as before */
    hand->moved = 1;
    hand->ahead += 60001;
    close(worker_of(1, 20));
    eventually_logged("resolved", "addresses=127.0.0.3,127.0.0.4");
    assert_non_null(strstr(line, "notice resolved"));
    assert_non_null(strstr(line, "service=s20,s21"));
    assert_int_equal(strncmp(ask(two, 0).text, "127.0.0.3:", 10), 0);
    close(one);
    close(two);
    close(listener);
}

static void
a_name_on_its_way_is_waited_for_unless_it_failed_before(void **state)
{
    struct addr addrs[2];
    uint16_t port;
    int listener = listen_on(&port), fd, robin;

    (void)state;
    hand->gate = 0;
    addrs[0] = name("two.test", port);
    addrs[1] = ip(port);
    fd = worker(22, addrs, 2);
    routed(23, 0, addrs, 2, CONF_POLICY_ROBIN);
    robin = worker_of(1, 23);
    assert_int_equal(leads(robin), 1); /* what is there will do */
    request(fd, 0, 1);
    assert_true(is_silent(fd)); /* the first one is meant to be used */
    hand->fail = 1;
    hand->gate = 1;
    assert_int_equal(answer(fd, 1).index, 1);
    hand->gate = 0;
    hand->ahead += 1001;
    assert_int_equal(leads(fd), 1);
    eventually(&hand->calls, 2);
    hand->gate = 1;
    close(fd);
    close(robin);
    close(listener);
}

static void
a_resolver_that_hangs_or_dies_is_a_failure(void **state)
{
    struct addr hang = name("hang.test", 80), crash = name("crash.test", 80);
    int one, two;

    (void)state;
    two = worker(10, &crash, 1);
    assert_int_equal(ask(two, 0).status, CONNWIRE_NO_NAME);
    hand->gate = 0;
    one = worker(11, &hang, 1);
    request(one, 0, 1);
    eventually(&hand->calls, 2);
    assert_true(is_silent(one));
    hand->ahead += 10001;
    request(two, 1, 2); /* wakes it: its epoll does not know of our clock */
    assert_int_equal(answer(one, 1).status, CONNWIRE_NO_NAME);
    hand->gate = 1;
    (void)answer(two, 2);
    close(one);
    close(two);
}

static void
a_resolver_that_crashes_is_an_error_with_its_name(void **state)
{
    struct addr crash = name("crash.test", 80), fault = name("fault.test", 80);
    int one, two;

    (void)state;
    one = worker(10, &crash, 1); /* it ends, and that is all */
    assert_int_equal(ask(one, 0).status, CONNWIRE_NO_NAME);
    two = worker(11, &fault, 1);
    assert_int_equal(ask(two, 0).status, CONNWIRE_NO_NAME);
    eventually_logged("resolver_crashed", "name=fault.test");
    assert_non_null(strstr(line, "signal=SEGV"));
    assert_int_equal(logged("resolver_crashed"), 0);
    close(one);
    close(two);
}

/* --- rules ---------------------------------------------------------------- */

static void
a_broken_request_closes_that_pair_alone(void **state)
{
    static const struct connwire_request zero, unknown = { .kind = 7 };
    static const char zeros[64];
    struct addr addr;
    uint16_t port;
    int listener = listen_on(&port), good, bad;

    (void)state;
    addr = ip(port);
    good = worker(12, &addr, 1);
    for (int i = 0; i < 5; i++) {
        const void *data = i == 3   ? (const void *)&unknown
                           : i == 4 ? (const void *)&zero
                                    : (const void *)zeros;
        size_t len = i == 0   ? 1
                     : i == 1 ? sizeof(zero) - 1
                     : i == 2 ? 64
                              : sizeof(zero);

        bad = worker_of(1, 12);
        assert_int_equal(fdio_send(bad, data, len, -1, 0, NULL), ERR_OK);
        assert_true(is_closed(bad));
        close(bad);
        assert_int_equal(ask(good, 0).status, CONNWIRE_CONNECTING);
    }
    assert_int_equal(logged("connector_pair"), 5);
    close(good);
    close(listener);
}

static void
a_route_that_the_service_has_not_closes_the_pair(void **state)
{
    struct addr addrs[2];
    uint16_t port;
    int listener = listen_on(&port), fd, other;

    (void)state;
    addrs[0] = ip(port);
    addrs[1] = path("/nonexistent/socket");
    routed(30, 0, addrs, 1, CONF_POLICY_ORDER);
    routed(30, 1, &addrs[1], 1, CONF_POLICY_ORDER);
    routed(30, 2, NULL, 0, CONF_POLICY_ORDER); /* answers by itself */
    fd = worker_of(1, 30);
    other = worker(31, addrs, 1);
    assert_int_equal(ask_of(fd, 0, 0).status, CONNWIRE_CONNECTING);
    assert_int_equal(ask_of(fd, 1, 0).status, CONNWIRE_FAILED);
    assert_int_equal(ask_of(fd, 2, 0).status, CONNWIRE_NO_MORE);
    assert_int_equal(ask_of(fd, 1, 1).status, CONNWIRE_NO_MORE);
    request_of(fd, 3, 0, 1);
    assert_true(is_closed(fd));
    request_of(other, 1, 0, 1); /* of the other service */
    assert_true(is_closed(other));
    assert_int_equal(logged("connector_pair"), 2);
    assert_non_null(strstr(line, "service=s31"));
    close(fd);
    close(other);
    close(listener);
}

/* --- policy and memory ---------------------------------------------------- */

/* loopback - 127.0.0.1 and the next ones, which the listener all serves */
static void
loopback(struct addr *addrs, size_t count, uint16_t port)
{
    for (size_t i = 0; i < count; i++) {
        struct sockaddr_in *in;

        addrs[i] = ip(port);
        in = (void *)&addrs[i].sa;
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK + (in_addr_t)i);
    }
}

static void
what_failed_is_skipped_and_tried_again(void **state)
{
    static const long penalty[] = { 10000, 20000, 40000, 60000, 60000 };
    struct connwire_reply reply;
    struct addr addrs[2];
    uint16_t port;
    int listener = listen_on(&port), fd, other;

    (void)state;
    loopback(addrs, 2, port);
    fd = worker(40, addrs, 2);
    other = worker_of(1, 40);
    reply = ask(fd, 0);
    assert_int_equal(reply.index, 0);
    assert_int_equal(reply.trial, 0);
    for (size_t i = 0; i < sizeof(penalty) / sizeof(penalty[0]); i++) {
        tell(fd, &reply, i % 2 == 0 ? ECONNREFUSED : ETIMEDOUT);
        assert_int_equal(ask(fd, 1).index, 1); /* of the same round */
        assert_int_equal(leads(fd), 1);
        assert_int_equal(leads(other), 1);
        hand->ahead += penalty[i] - 1000;
        assert_int_equal(leads(fd), 1);
        hand->ahead += 1001;
        reply = ask(fd, 0); /* its time is up: one tries it */
        assert_int_equal(reply.index, 0);
        assert_int_equal(reply.trial, 1);
        assert_int_equal(leads(other), 1); /* and nobody else meanwhile */
    }
    assert_int_equal(logged("upstream_down"), 5);
    assert_non_null(strstr(line, "service=s40"));
    tell(fd, &reply, 0);
    reply = ask(fd, 0);
    assert_int_equal(reply.index, 0);
    assert_int_equal(reply.trial, 0);
    assert_int_equal(logged("upstream_up"), 1);
    tell(fd, &reply, ECONNREFUSED); /* forgiven: it begins anew */
    assert_int_equal(leads(fd), 1);
    hand->ahead += 10001;
    assert_int_equal(leads(fd), 0);
    close(fd);
    close(other);
    close(listener);
}

static void
when_all_failed_the_least_recent_one_is_tried(void **state)
{
    struct connwire_reply reply;
    struct addr addrs[3];
    uint16_t port;
    int listener = listen_on(&port), fd;

    (void)state;
    loopback(addrs, 3, port);
    fd = worker(41, addrs, 3);
    for (uint16_t i = 0; i < 3; i++) {
        reply = ask(fd, i);
        assert_int_equal(reply.index, i);
        assert_int_equal(reply.more, i < 2);
        tell(fd, &reply, ECONNREFUSED);
        hand->ahead += 100;
    }
    assert_int_equal(ask(fd, 3).status, CONNWIRE_NO_MORE);
    reply = ask(fd, 0);
    assert_int_equal(reply.index, 0);
    assert_int_equal(reply.trial, 1);
    tell(fd, &reply, ECONNREFUSED);
    assert_int_equal(leads(fd), 1);
    reply = ask(fd, 1);
    assert_int_equal(reply.index, 2);
    tell(fd, &reply, 0); /* it is back */
    assert_int_equal(leads(fd), 2);
    close(fd);
    close(listener);
}

static void
what_fails_at_once_is_skipped_without_a_word(void **state)
{
    struct addr addrs[2];
    uint16_t port;
    int listener = listen_on(&port), fd;

    (void)state;
    addrs[0] = path("/nonexistent/socket");
    addrs[1] = ip(port);
    fd = worker(42, addrs, 2);
    assert_int_equal(ask(fd, 0).status, CONNWIRE_FAILED);
    assert_int_equal(leads(fd), 1);
    assert_int_equal(leads(fd), 1);
    eventually_logged("upstream_down", "skipped=10.000s");
    close(fd);
    close(listener);
}

static void
two_services_do_not_share_what_their_workers_say(void **state)
{
    struct connwire_reply reply;
    struct addr addrs[2];
    uint16_t port;
    int listener = listen_on(&port), liar, honest;

    (void)state;
    loopback(addrs, 2, port);
    liar = worker(43, addrs, 2);
    honest = worker(44, addrs, 2);
    for (int i = 0; i < 100; i++) {
        reply = ask(liar, 0);
        tell(liar, &reply, ECONNREFUSED);
        tell(liar, &reply, 0); /* a second word on the same one is none */
        reply.seq--;
        tell(liar, &reply, ECONNREFUSED); /* and on another one neither */
        assert_int_equal(leads(honest), 0);
    }
    for (int i = 0; i < 100; i++) { /* nor does it fill the log */
        reply = ask(liar, 0);
        tell(liar, &reply, i % 2 == 0 ? 0 : ECONNREFUSED);
    }
    (void)ask(liar, 0);
    assert_true(logged("upstream_down") <= 20);
    close(liar);
    close(honest);
    close(listener);
}

static void
routes_of_a_service_share_its_memory(void **state)
{
    struct connwire_reply reply;
    struct addr addrs[2];
    uint16_t port;
    int listener = listen_on(&port), fd;

    (void)state;
    loopback(addrs, 2, port);
    routed(45, 0, addrs, 2, CONF_POLICY_ORDER);
    routed(45, 1, addrs, 2, CONF_POLICY_ORDER);
    fd = worker_of(1, 45);
    reply = ask_of(fd, 1, 0);
    assert_int_equal(reply.index, 0);
    tell(fd, &reply, EHOSTUNREACH);
    assert_int_equal(ask_of(fd, 0, 0).index, 1);
    assert_int_equal(ask_of(fd, 0, 1).index, 0); /* for want of another one */
    assert_int_equal(ask_of(fd, 1, 2).status, CONNWIRE_NO_MORE); /* no round */
    close(fd);
    close(listener);
}

static void
robin_begins_each_round_one_further(void **state)
{
    struct connwire_reply reply;
    struct addr addrs[3];
    uint16_t port;
    int listener = listen_on(&port), one, two;

    (void)state;
    loopback(addrs, 3, port);
    routed(46, 0, addrs, 3, CONF_POLICY_ROBIN);
    one = worker_of(1, 46);
    two = worker_of(1, 46);
    for (int i = 0; i < 12; i++) /* all workers together */
        assert_int_equal(leads(i % 2 == 0 ? one : two), i % 3);
    reply = ask(one, 0);
    assert_int_equal(reply.index, 0);
    assert_int_equal(ask(two, 0).index, 1);
    assert_int_equal(ask(one, 1).index, 1); /* from where it began */
    assert_int_equal(ask(two, 1).index, 2);
    assert_int_equal(ask(one, 2).index, 2);
    assert_int_equal(ask(two, 2).index, 0);
    reply = ask(one, 0);
    assert_int_equal(reply.index, 2);
    tell(one, &reply, ECONNREFUSED);
    for (int i = 0; i < 12; i++)
        assert_int_not_equal(leads(one), 2);
    close(one);
    close(two);
    close(listener);
}

static void
robin_uses_all_addresses_of_a_name(void **state)
{
    struct addr addr;
    uint16_t port;
    int listener = listen_on(&port), fd;
    char first[ADDR_TEXT_MAX];

    (void)state;
    addr = name("two.test", port);
    routed(47, 0, &addr, 1, CONF_POLICY_ROBIN);
    fd = worker_of(1, 47);
    (void)memcpy(first, ask(fd, 0).text, sizeof(first));
    assert_string_not_equal(ask(fd, 0).text, first);
    assert_string_equal(ask(fd, 0).text, first);
    close(fd);
    close(listener);
}

/* fd_count - descriptors of the connector; -1: may not look. At our limit and
 * above are valgrind's. */
static int
fd_count(void)
{
    const long limit = sysconf(_SC_OPEN_MAX);
    const struct dirent *entry;
    char at[64];
    int count = 0;
    DIR *dir;

    (void)snprintf(at, sizeof(at), "/proc/%d/fd", (int)connector.pid);
    if ((dir = opendir(at)) == NULL)
        return -1;
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.' && strtol(entry->d_name, NULL, 10) < limit)
            count++;
    (void)closedir(dir);
    return count;
}

static void
descriptors_from_a_worker_vanish_and_none_is_kept(void **state)
{
    struct connwire_request packet = { .kind = CONNWIRE_OPEN, .seq = 1 };
    struct addr addr;
    uint16_t port;
    int listener = listen_on(&port), fd;

    (void)state;
    addr = ip(port);
    fd = worker(13, &addr, 1);
    assert_int_equal(ask(fd, 0).status, CONNWIRE_CONNECTING);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(
            fdio_send(fd, &packet, sizeof(packet), listener, 0, NULL), ERR_OK);
        assert_int_equal(answer(fd, 1).status, CONNWIRE_CONNECTING);
    }
    /* its copy goes a moment after ours has come: 0-2, control, log, epoll and
     * the pair stay */
    for (int i = 0; i < 60000 && fd_count() > 7; i++)
        (void)poll(NULL, 0, 1);
    assert_true(fd_count() <= 7);
    close(fd);
    close(listener);
}

static void
a_worker_that_never_reads_blocks_nobody(void **state)
{
    struct connwire_request packet = { .kind = CONNWIRE_OPEN, .seq = 1 };
    struct addr addr = path("/nonexistent/socket");
    int stuck, good;
    enum err err = ERR_OK;

    (void)state;
    stuck = worker(14, &addr, 1);
    good = worker_of(1, 14);
    for (int i = 0; i < 100000 && err != ERR_EOF; i++)
        err = fdio_send(stuck, &packet, sizeof(packet), -1, MSG_DONTWAIT, NULL);
    assert_int_equal(err, ERR_EOF);
    assert_int_equal(ask(good, 0).status, CONNWIRE_FAILED);
    close(stuck);
    close(good);
}

static void
a_worker_of_an_unknown_or_forgotten_service_sees_the_end(void **state)
{
    struct addr addr = path("/nonexistent/socket");
    int old, fresh;

    (void)state;
    fresh = worker_of(99, 15);
    assert_true(is_closed(fresh));
    close(fresh);
    old = worker(15, &addr, 1);
    assert_int_equal(connector_forget(&connector, 1, NULL), ERR_OK);
    assert_int_equal(ask(old, 0).status,
                     CONNWIRE_FAILED); /* who is there stays served */
    close(old);
    for (int i = 0;; i++) { /* gone a moment after its last worker */
        struct connwire_request packet = { .kind = CONNWIRE_OPEN, .seq = 1 };
        bool closed;

        fresh = worker_of(1, 15);
        (void)fdio_send(fresh, &packet, sizeof(packet), -1, 0, NULL);
        closed = recv(fresh, &addr, sizeof(addr), 0) <= 0;
        close(fresh);
        if (closed)
            break;
        assert_true(i < 1000);
    }
}

static void
signals_of_a_terminal_do_not_end_it(void **state)
{
    static const int signals[] = { SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGPIPE };
    struct addr addr = path("/nonexistent/socket");
    int fd;

    (void)state;
    fd = worker(16, &addr, 1);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        assert_int_equal(kill(connector.pid, signals[i]), 0);
    assert_int_equal(ask(fd, 0).status, CONNWIRE_FAILED);
    close(fd);
}

static void
workers_are_served_after_the_master_is_gone(void **state)
{
    struct addr addr = path("/nonexistent/socket");
    int fd, status;

    (void)state;
    fd = worker(17, &addr, 1);
    fdio_close(&connector.control);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(fd, 0).status, CONNWIRE_FAILED);
    assert_int_equal(waitpid(connector.pid, &status, WNOHANG), 0);
    assert_int_equal(connector_workers(&connector, 1, 17, &fd, 1, NULL),
                     ERR_EOF);
    close(fd); /* stop() sees it end */
}

/* status_of - a line of its /proc/PID/status */
static char *
status_of(const char *key)
{
    static char text[256];
    char at[64];
    FILE *in;

    (void)snprintf(at, sizeof(at), "/proc/%d/status", (int)connector.pid);
    assert_non_null(in = fopen(at, "r"));
    while (fgets(text, sizeof(text), in) != NULL)
        if (strncmp(text, key, strlen(key)) == 0)
            break;
    (void)fclose(in);
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static void
it_has_no_privilege(void **state)
{
    char want[64];
    unsigned id = ids().uid;

    (void)state;
    (void)snprintf(want, sizeof(want), "Uid:\t%u\t%u\t%u\t%u", id, id, id, id);
    assert_string_equal(status_of("Uid:"), want);
    assert_string_equal(status_of("CapPrm:"), "CapPrm:\t0000000000000000");
    assert_string_equal(status_of("CapEff:"), "CapEff:\t0000000000000000");
    assert_string_equal(status_of("NoNewPrivs:"), "NoNewPrivs:\t1");
    if (fd_count() > 0) /* root: 0-2, control, log, epoll */
        assert_true(fd_count() <= 6);
}

static void
a_start_that_cannot_be_confined_is_an_error(void **state)
{
    struct drop_ids nobody = { .root = true, .uid = 0, .gid = 0 };
    struct connector none;
    struct why why = { "" };

    (void)state;
    assert_int_equal(connector_start(&nobody, true, 1000, &none, &why),
                     ERR_PRIV);
    assert_int_equal(strncmp(why.text, "connector: ", 11), 0);
    assert_int_equal(none.pid, 0);
    assert_int_equal(none.control, -1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG),
                     0); /* only the other one is left */
}

#define connector_test(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        connector_test(a_worker_gets_a_connection_to_the_configured_address),
        connector_test(attempts_walk_over_all_addresses_in_order),
        connector_test(a_full_unix_backlog_is_busy_not_failed),
        connector_test(a_service_of_built_in_answers_has_no_address),
        connector_test(requests_wait_for_a_name_and_nobody_else_does),
        connector_test(
            a_name_without_address_says_so_once_and_is_asked_again_later),
        connector_test(a_name_that_fails_leaves_the_other_addresses),
        connector_test(an_old_answer_serves_while_a_new_one_is_fetched),
        connector_test(
            a_name_is_known_before_the_first_client_and_asked_again_unused),
        connector_test(a_name_on_its_way_is_waited_for_unless_it_failed_before),
        connector_test(a_resolver_that_hangs_or_dies_is_a_failure),
        connector_test(a_resolver_that_crashes_is_an_error_with_its_name),
        connector_test(a_broken_request_closes_that_pair_alone),
        connector_test(a_route_that_the_service_has_not_closes_the_pair),
        connector_test(what_failed_is_skipped_and_tried_again),
        connector_test(when_all_failed_the_least_recent_one_is_tried),
        connector_test(what_fails_at_once_is_skipped_without_a_word),
        connector_test(two_services_do_not_share_what_their_workers_say),
        connector_test(routes_of_a_service_share_its_memory),
        connector_test(robin_begins_each_round_one_further),
        connector_test(robin_uses_all_addresses_of_a_name),
        connector_test(descriptors_from_a_worker_vanish_and_none_is_kept),
        connector_test(a_worker_that_never_reads_blocks_nobody),
        connector_test(
            a_worker_of_an_unknown_or_forgotten_service_sees_the_end),
        connector_test(signals_of_a_terminal_do_not_end_it),
        connector_test(workers_are_served_after_the_master_is_gone),
        connector_test(it_has_no_privilege),
        connector_test(a_start_that_cannot_be_confined_is_an_error),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    alarm(250);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
