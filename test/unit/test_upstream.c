/* test_upstream.c - worker/upstream.c against a connector that the test plays */
#include "common/clock.h"
#include "common/conf.h"
#include "common/connwire.h"
#include "common/fdio.h"
#include "test/unit/child.h"
#include "test/unit/ends.h"
#include "worker/upstream.h"
#include "worker/wait.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ROUTE 3 /* that all requests are for */

/* What the played connector does with one request after the other; a script
 * ends with SAY_END. It runs in a child and fails the test when the worker asks
 * or tells something else than it should. */
enum say {
    SAY_END,
    SAY_CONNECTED, /* a descriptor that stands */
    SAY_FINISHED,  /* the same, of an upstream that has spoken and closed */
    SAY_TRIAL,     /* the same, of an address that failed before */
    SAY_INDEX,     /* the same, of an address that is not configured */
    SAY_REFUSED,   /* a descriptor that will say ECONNREFUSED, more follow */
    SAY_REFUSED_LAST,
    SAY_SILENT, /* a descriptor that never stands, more follow */
    SAY_FAILED, /* at once: ENETUNREACH, more follow */
    SAY_FAILED_LAST,
    SAY_BUSY,
    SAY_NO_MORE,
    SAY_NO_NAME,
    SAY_NOTHING, /* no reply at all */
    SAY_STALE, /* a late reply to an older request, with a descriptor, before the next */
    SAY_SHORT, /* a packet that is none */
    SAY_NO_FD, /* CONNECTING without a descriptor */
    SAY_EXTRA_FD,
    SAY_UNKNOWN,
    SAY_CLOSE, /* gone */
};

struct play {
    int worker; /* the worker's end of the pair */
    struct ends client;
    pid_t pid;
};

static int
listener(struct sockaddr_in *sa, int backlog)
{
    socklen_t len = sizeof(*sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memset(sa, 0, sizeof(*sa));
    sa->sin_family = AF_INET;
    sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    child_must(bind(fd, (void *)sa, sizeof(*sa)) == 0);
    child_must(getsockname(fd, (void *)sa, &len) == 0);
    child_must(backlog < 0 || listen(fd, backlog) == 0);
    return fd;
}

static int
begin(const struct sockaddr_in *sa)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)connect(fd, (const void *)sa, sizeof(*sa));
    return fd;
}

/* standing, finished, refused, silent - descriptors in these states */
static int
standing(void)
{
    struct sockaddr_in sa;
    int fd = listener(&sa, 1);

    (void)fd; /* stays open: the connection waits in its backlog */
    return begin(&sa);
}

static int
finished(void)
{
    int pair[2];

    child_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    child_must(write(pair[1], "hello", 5) == 5);
    close(pair[1]);
    return pair[0];
}

static int
refused(void)
{
    struct sockaddr_in sa;
    int fd = listener(&sa, -1), out = begin(&sa);

    close(fd);
    return out;
}

static int
silent(void)
{
    struct sockaddr_in sa;

    (void)listener(&sa, 0);
    for (int i = 0; i < 3; i++) /* full: later connections get no answer */
        (void)begin(&sa);
    return begin(&sa);
}

static uint8_t trial;    /* of the next reply */
static uint16_t address; /* the same */

static void
reply(int fd, enum connwire_status status, bool more, int error, uint32_t seq,
      int passed)
{
    struct connwire_reply packet;

    memset(&packet, 0, sizeof(packet));
    packet.trial = trial;
    packet.index = address;
    packet.status = (uint8_t)status;
    packet.more = more;
    packet.error = error;
    packet.seq = seq;
    (void)snprintf(packet.text, sizeof(packet.text), "192.0.2.%d:80",
                   (int)status);
    child_must(fdio_send(fd, &packet, sizeof(packet), passed, 0, NULL) ==
               ERR_OK);
}

/* say - one line of the script, as an answer to request seq */
static void
say(int fd, enum say what, uint32_t seq)
{
    trial = what == SAY_TRIAL;
    address = what == SAY_INDEX ? 2 : 1;
    switch (what) {
    case SAY_END:
        break;
    case SAY_CONNECTED:
    case SAY_TRIAL:
    case SAY_INDEX:
        reply(fd, CONNWIRE_CONNECTING, false, 0, seq, standing());
        break;
    case SAY_FINISHED:
        reply(fd, CONNWIRE_CONNECTING, false, 0, seq, finished());
        break;
    case SAY_REFUSED:
    case SAY_REFUSED_LAST:
        reply(fd, CONNWIRE_CONNECTING, what == SAY_REFUSED, 0, seq, refused());
        break;
    case SAY_SILENT:
        reply(fd, CONNWIRE_CONNECTING, true, 0, seq, silent());
        break;
    case SAY_FAILED:
    case SAY_FAILED_LAST:
        reply(fd, CONNWIRE_FAILED, what == SAY_FAILED, ENETUNREACH, seq, -1);
        break;
    case SAY_BUSY:
        reply(fd, CONNWIRE_BUSY, false, 0, seq, -1);
        break;
    case SAY_NO_MORE:
        reply(fd, CONNWIRE_NO_MORE, false, 0, seq, -1);
        break;
    case SAY_NO_NAME:
        reply(fd, CONNWIRE_NO_NAME, false, 0, seq, -1);
        break;
    case SAY_NOTHING:
        break;
    case SAY_STALE:
        reply(fd, CONNWIRE_CONNECTING, false, 0, seq - 1, standing());
        reply(fd, CONNWIRE_NO_NAME, false, 0, seq - 7, -1);
        break;
    case SAY_SHORT:
        child_must(fdio_send(fd, "?", 1, -1, 0, NULL) == ERR_OK);
        break;
    case SAY_NO_FD:
        reply(fd, CONNWIRE_CONNECTING, false, 0, seq, -1);
        break;
    case SAY_EXTRA_FD:
        reply(fd, CONNWIRE_BUSY, false, 0, seq, standing());
        break;
    case SAY_UNKNOWN:
        reply(fd, (enum connwire_status)77, false, 0, seq, -1);
        break;
    case SAY_CLOSE:
        _exit(0);
    }
}

/* hear - the next packet of the worker, which must be this */
static uint32_t
hear(int fd, enum connwire_kind kind, uint16_t attempt, int error)
{
    struct connwire_request request;
    size_t len = sizeof(request);
    bool open = kind == CONNWIRE_OPEN;

    child_must(fdio_recv(fd, &request, &len, NULL, NULL, 0, NULL) == ERR_OK);
    child_must(len == sizeof(request) && request.kind == kind);
    child_must(request.route == (open ? ROUTE : 0));
    child_must(request.attempt == attempt && request.error == error);
    return request.seq;
}

/* outcome - what the worker has to tell of this one; -1: nothing */
static int
outcome(enum say what)
{
    switch ((int)what) {
    case SAY_TRIAL:
        return 0;
    case SAY_REFUSED:
    case SAY_REFUSED_LAST:
        return ECONNREFUSED;
    case SAY_SILENT:
        return ETIMEDOUT;
    default:
        return -1;
    }
}

_Noreturn static void
connector(int fd, const enum say *script)
{
    uint16_t attempt = 0;
    uint32_t seq;

    alarm(250);
    for (; *script != SAY_END; script++) {
        seq = hear(fd, CONNWIRE_OPEN, attempt, 0);
        if (*script == SAY_STALE)
            say(fd, *script++, seq);
        say(fd, *script, seq);
        if (outcome(*script) >= 0)
            child_must(hear(fd, CONNWIRE_OUTCOME, 0, outcome(*script)) == seq);
        if (*script == SAY_REFUSED || *script == SAY_SILENT ||
            *script == SAY_FAILED)
            attempt++; /* busy: the same again */
    }
    /* until the worker goes, without another word */
    child_must(recv(fd, &attempt, sizeof(attempt), 0) <= 0);
    _exit(0);
}

static void
play_open(struct play *play, const enum say *script)
{
    int pair[2];

    assert_int_equal(fdio_pair(pair, NULL), ERR_OK);
    ends_open(&play->client, ENDS_TCP);
    play->pid = fork();
    if (play->pid == 0) {
        close(pair[0]);
        ends_close(&play->client);
        connector(pair[1], script);
    }
    close(pair[1]);
    play->worker = pair[0];
}

static void
play_close(struct play *play)
{
    int status;

    close(play->worker);
    ends_close(&play->client);
    assert_int_equal(waitpid(play->pid, &status, 0), play->pid);
    assert_int_equal(status, 0);
}

/* open_fds - how many descriptors this process has */
static int
open_fds(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count +=
            recv(fd, NULL, 0, MSG_DONTWAIT | MSG_PEEK) == 0 || errno != EBADF;
    return count;
}

static struct addr items[2] = {
    { .kind = ADDR_UNIX },
    { .kind = ADDR_NAME, .host = "backend.test", .port = 8443 },
};
static const struct conf_addrs addrs = { 2, items };

/* try_open - as the worker does */
static enum err
try_open(struct play *play, int64_t timeout, struct upstream *out,
         enum reason *reason, struct why *why)
{
    return upstream_open(play->worker, play->client.here.fd, ROUTE, &addrs,
                         timeout, out, reason, why);
}

static void
each_script_ends_so(void **state)
{
    static const struct {
        enum say script[8];
        enum err err;
        enum reason reason;
        const char *why; /* a part of it */
        int64_t timeout;
    } rows[] = {
        { { SAY_CONNECTED }, ERR_OK, REASON_NONE, "", 5000 },
        { { SAY_REFUSED, SAY_CONNECTED }, ERR_OK, REASON_NONE, "", 5000 },
        { { SAY_FAILED, SAY_REFUSED, SAY_CONNECTED },
          ERR_OK,
          REASON_NONE,
          "",
          5000 },
        { { SAY_BUSY, SAY_BUSY, SAY_BUSY, SAY_CONNECTED },
          ERR_OK,
          REASON_NONE,
          "",
          5000 },
        { { SAY_STALE, SAY_CONNECTED }, ERR_OK, REASON_NONE, "", 5000 },
        { { SAY_SILENT, SAY_CONNECTED }, ERR_OK, REASON_NONE, "", 400 },
        { { SAY_REFUSED_LAST },
          ERR_IO,
          REASON_UPSTREAM_REFUSED,
          "refused",
          5000 },
        { { SAY_REFUSED, SAY_FAILED_LAST },
          ERR_IO,
          REASON_UPSTREAM_REFUSED,
          "unreachable",
          5000 },
        { { SAY_REFUSED, SAY_NO_MORE },
          ERR_IO,
          REASON_UPSTREAM_REFUSED,
          "192.0.2.0:80: ",
          5000 },
        { { SAY_NO_MORE },
          ERR_IO,
          REASON_UPSTREAM_REFUSED,
          "no upstream",
          5000 },
        { { SAY_NO_NAME },
          ERR_CONF,
          REASON_UPSTREAM_NAME,
          "192.0.2.4:80",
          5000 },
        { { SAY_NOTHING },
          ERR_TIMEOUT,
          REASON_UPSTREAM_TIMEOUT,
          "in time",
          50 },
        { { SAY_SILENT, SAY_NOTHING },
          ERR_TIMEOUT,
          REASON_UPSTREAM_TIMEOUT,
          "in time",
          100 },
        { { SAY_BUSY, SAY_NOTHING },
          ERR_TIMEOUT,
          REASON_UPSTREAM_TIMEOUT,
          "in time",
          50 },
        { { SAY_TRIAL }, ERR_OK, REASON_NONE, "", 5000 },
        { { SAY_REFUSED, SAY_SILENT, SAY_TRIAL },
          ERR_OK,
          REASON_NONE,
          "",
          400 },
        { { SAY_INDEX }, ERR_PEER, REASON_INTERNAL, "address", 5000 },
        { { SAY_SHORT }, ERR_PEER, REASON_INTERNAL, "length", 5000 },
        { { SAY_NO_FD }, ERR_PEER, REASON_INTERNAL, "descriptor", 5000 },
        { { SAY_EXTRA_FD }, ERR_PEER, REASON_INTERNAL, "descriptor", 5000 },
        { { SAY_UNKNOWN }, ERR_PEER, REASON_INTERNAL, "status", 5000 },
        { { SAY_CLOSE }, ERR_EOF, REASON_INTERNAL, "gone", 5000 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct upstream out;
        struct why why = { "" };
        struct play play;
        enum reason reason = REASON_COUNT;
        enum err err;
        int before;

        play_open(&play, rows[i].script);
        before = open_fds();
        err = try_open(&play, rows[i].timeout, &out, &reason, &why);
        if (err != rows[i].err || reason != rows[i].reason ||
            !strstr(why.text, rows[i].why))
            fail_msg("row %zu: %d %s \"%s\"", i, (int)err, reason_word(reason),
                     why.text);
        assert_int_equal(out.fd >= 0, err == ERR_OK);
        if (err == ERR_OK) {
            assert_string_equal(out.text, "192.0.2.0:80");
            assert_int_equal(strncmp(out.local, "127.0.0.1:", 10), 0);
            assert_int_equal(out.index, 1);
            assert_string_equal(out.host, "backend.test");
            assert_int_equal(out.port, 8443);
            close(out.fd);
        }
        assert_int_equal(open_fds(), before); /* nothing is left behind */
        play_close(&play);
    }
}

static void
who_has_spoken_and_closed_was_there(void **state)
{
    static const enum say script[] = { SAY_FINISHED, SAY_END };
    struct upstream out;
    struct play play;
    enum reason reason;
    char said[8];

    (void)state;
    play_open(&play, script);
    assert_int_equal(try_open(&play, 5000, &out, &reason, NULL), ERR_OK);
    assert_int_equal(read(out.fd, said, sizeof(said)), 5);
    assert_memory_equal(said, "hello", 5);
    close(out.fd);
    play_close(&play);
}

static void
a_late_reply_does_not_become_the_next_connection(void **state)
{
    static const enum say script[] = { SAY_NOTHING, SAY_STALE, SAY_CONNECTED,
                                       SAY_END };
    struct upstream out;
    struct play play;
    enum reason reason;

    (void)state;
    play_open(&play, script);
    assert_int_equal(try_open(&play, 20, &out, &reason, NULL), ERR_TIMEOUT);
    assert_int_equal(try_open(&play, 5000, &out, &reason, NULL), ERR_OK);
    assert_string_equal(out.text, "192.0.2.0:80");
    close(out.fd);
    play_close(&play);
}

static void
a_client_that_sends_or_half_closes_is_waited_for(void **state)
{
    static const enum say script[] = { SAY_BUSY, SAY_CONNECTED, SAY_END };
    struct upstream out;
    struct play play;
    enum reason reason;

    (void)state;
    play_open(&play, script);
    ends_write(&play.client.there, "hello", 5);
    ends_shut(&play.client.there);
    (void)ends_wait(play.client.here.fd, POLLIN);
    assert_int_equal(try_open(&play, 5000, &out, &reason, NULL), ERR_OK);
    close(out.fd);
    play_close(&play);
}

static void
a_client_that_is_gone_ends_the_waiting(void **state)
{
    static const enum say script[] = { SAY_NOTHING, SAY_END };
    struct upstream out;
    struct play play;
    enum reason reason;

    (void)state;
    play_open(&play, script);
    stream_abort(&play.client.there);
    close(play.client.there.fd);
    play.client.there.fd = -1;
    assert_int_equal(try_open(&play, CLOCK_NEVER, &out, &reason, NULL),
                     ERR_RESET);
    assert_int_equal(reason, REASON_CLIENT_RESET);
    play_close(&play);
}

static void
stopped(void *arg)
{
    struct play *play = arg;
    struct upstream out;
    enum reason reason;

    child_must(wait_init(NULL) == ERR_OK);
    raise(SIGTERM);
    child_must(try_open(play, CLOCK_NEVER, &out, &reason, NULL) == ERR_STOP);
    child_must(reason == REASON_STOPPED);
}

static void
sigterm_ends_the_waiting(void **state)
{
    static const enum say script[] = { SAY_NOTHING, SAY_END };
    struct play play;

    (void)state;
    play_open(&play, script);
    assert_true(child_run(stopped, &play));
    play_close(&play);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_script_ends_so),
        cmocka_unit_test(who_has_spoken_and_closed_was_there),
        cmocka_unit_test(a_late_reply_does_not_become_the_next_connection),
        cmocka_unit_test(a_client_that_sends_or_half_closes_is_waited_for),
        cmocka_unit_test(a_client_that_is_gone_ends_the_waiting),
        cmocka_unit_test(sigterm_ends_the_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
