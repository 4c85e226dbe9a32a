/* test_respond.c - worker/respond.c: one request head, one answer */
/* wrap: time */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "common/clock.h"
#include "test/unit/child.h"
#include "test/unit/ends.h"
#include "worker/respond.h"
#include "worker/wait.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

time_t __wrap_time(time_t *out);

static time_t now = 1700000000; /* Tue, 14 Nov 2023 22:13:20 GMT */

time_t
__wrap_time(time_t *out)
{
    if (out != NULL)
        *out = now;
    return now;
}

static char answer[65536]; /* what the client got, terminated */
static uint64_t in, out;

/* ask - send a request, finish if told so, run, collect the answer */
static enum reason
ask(enum ends_kind kind, const void *request, size_t len, bool finish, int code,
    const char *body)
{
    struct ends ends;
    enum reason reason;
    size_t total = 0;
    ssize_t n;

    ends_open(&ends, kind);
    if (len > 0)
        ends_write(&ends.there, request, len);
    if (finish)
        ends_shut(&ends.there);
    reason = respond_run(&ends.here, code, body, 2000, &in, &out);
    while ((n = ends_read(&ends.there, answer + total,
                          sizeof(answer) - 1 - total)) > 0)
        total += (size_t)n;
    answer[total] = '\0';
    assert_int_equal(n, 0); /* the answer ends with an orderly end */
    assert_int_equal(out, total);
    ends_close(&ends);
    return reason;
}

static enum reason
ask_text(const char *request, int code, const char *body)
{
    return ask(ENDS_UNIX, request, strlen(request), false, code, body);
}

#define GET   "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define DATE  "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
#define PLAIN "Content-Type: text/plain; charset=utf-8\r\n"
#define CLOSE "Connection: close\r\n\r\n"

static void
the_answer_is_exactly_this(void **state)
{
    static const struct {
        const char *request;
        int code;
        const char *body, *want;
    } rows[] = {
        { GET, 200, "hello",
          "HTTP/1.1 200 OK\r\n" DATE PLAIN "Content-Length: 5\r\n" CLOSE
          "hello" },
        { GET, 200, "",
          "HTTP/1.1 200 OK\r\n" DATE PLAIN "Content-Length: 0\r\n" CLOSE },
        { GET, 404, "no\n",
          "HTTP/1.1 404 Not Found\r\n" DATE PLAIN "Content-Length: 3\r\n" CLOSE
          "no\n" },
        { GET, 299, "x",
          "HTTP/1.1 299 \r\n" DATE PLAIN "Content-Length: 1\r\n" CLOSE "x" },
        { GET, 204, "x", "HTTP/1.1 204 No Content\r\n" DATE CLOSE },
        { GET, 304, "x", "HTTP/1.1 304 Not Modified\r\n" DATE CLOSE },
        { GET, 205, "x",
          "HTTP/1.1 205 Reset Content\r\n" DATE "Content-Length: 0\r\n" CLOSE },
        { "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "hello",
          "HTTP/1.1 200 OK\r\n" DATE PLAIN "Content-Length: 5\r\n" CLOSE },
        { "GET / HTTP/1.0\r\n\r\n", 200, "x",
          "HTTP/1.1 200 OK\r\n" DATE PLAIN "Content-Length: 1\r\n" CLOSE "x" },
        { "PUT /a HTTP/1.1\r\nHost: a\r\nExpect: "
          "100-continue\r\nContent-Length: 9\r\n\r\n",
          200, "x",
          "HTTP/1.1 200 OK\r\n" DATE PLAIN "Content-Length: 1\r\n" CLOSE "x" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(ask_text(rows[i].request, rows[i].code, rows[i].body),
                         REASON_RESPONDED);
        assert_string_equal(answer, rows[i].want);
        assert_int_equal(in, strlen(rows[i].request));
    }
}

static void
each_status_line_is_what_the_request_deserves(void **state)
{
    static const struct {
        const char *request;
        int want;
    } rows[] = {
        { "GET / HTTP/1.1\r\nHost:\r\n\r\n", 200 },
        { "GET / HTTP/1.1\r\nhOST: a\r\nHos: b\r\nHosts: c\r\n\r\n", 200 },
        { "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 200 },
        { "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 200 },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / "
          "HTTP/1.1\r\n\r\n",
          200 },
        { GET GET, 200 }, /* pipelined: one answer */
        { "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: "
          "upgrade\r\n\r\n",
          200 },
        { "GET / HTTP/1.1\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400 },
        { "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400 },
        { "GET /\r\n\r\n", 400 },
        { "GET / HTTP/0.9\r\n\r\n", 400 },
        { "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400 },
        { "GET / HTTQ/1.1\r\nHost: a\r\n\r\n", 400 },
        { "NONSENSE / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: "
          "2\r\n\r\n",
          400 },
        { "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4x\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
          "chunked\r\nContent-Length: 2\r\n\r\n",
          400 },
        { "\x16\x03\x01\x02", 400 },
        { "SSH-2.0-OpenSSH_9\r\n", 400 },
        { "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501 },
        { "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum reason want =
            rows[i].want == 200 ? REASON_RESPONDED : REASON_BAD_REQUEST;
        char head[32];

        (void)snprintf(head, sizeof(head), "HTTP/1.1 %d ", rows[i].want);
        if (ask_text(rows[i].request, 200, "x") != want ||
            strncmp(answer, head, 13) != 0)
            fail_msg("row %zu: %.40s", i, answer);
        assert_null(strstr(answer + 1, "HTTP/1.1 ")); /* once */
    }
}

static void
a_head_over_16_kib_is_refused(void **state)
{
    static char request[40000];
    size_t len;

    (void)state;
    len = (size_t)snprintf(request, sizeof(request),
                           "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    memset(request + len, 'a', sizeof(request) - len);
    assert_int_equal(ask(ENDS_UNIX, request, sizeof(request), false, 200, "x"),
                     REASON_BAD_REQUEST);
    assert_int_equal(strncmp(answer, "HTTP/1.1 431 ", 13), 0);
    assert_int_equal(in, 16384);
    /* exactly that much is fine */
    memcpy(request + 16384 - 4, "\r\n\r\n", 4);
    assert_int_equal(ask(ENDS_UNIX, request, 16384, false, 200, "x"),
                     REASON_RESPONDED);
}

static void
a_long_body_goes_out_whole(void **state)
{
    static char body[20001];

    (void)state;
    memset(body, 'b', sizeof(body) - 1);
    for (enum ends_kind kind = ENDS_UNIX; kind <= ENDS_TLS13; kind++) {
        assert_int_equal(ask(kind, GET, strlen(GET), false, 200, body),
                         REASON_RESPONDED);
        assert_non_null(strstr(answer, "Content-Length: 20000\r\n"));
        assert_string_equal(strstr(answer, "\r\n\r\n") + 4, body);
    }
}

static void
the_date_is_right(void **state)
{
    static const time_t times[] = { 0,          951782400 /* 29 Feb 2000 */,
                                    951868799,  951868800,
                                    1709164800, 1735689599,
                                    1735689600, 4107542399 /* 28 Feb 2100 */,
                                    4107542400, 1700000000 };

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char want[64];
        struct tm tm;

        now = times[i];
        assert_non_null(gmtime_r(&now, &tm));
        assert_true(strftime(want, sizeof(want),
                             "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm) > 0);
        assert_int_equal(ask_text(GET, 200, "x"), REASON_RESPONDED);
        assert_non_null(strstr(answer, want));
    }
}

static void
the_answer_is_one_record(void **state)
{
    struct ends ends;
    char buf[4096];
    ssize_t n;

    (void)state;
    for (enum ends_kind kind = ENDS_TLS12; kind <= ENDS_TLS13; kind++) {
        ends_open(&ends, kind);
        ends_write(&ends.there, GET, strlen(GET));
        assert_int_equal(respond_run(&ends.here, 200, "hello", 2000, &in, &out),
                         REASON_RESPONDED);
        n = ends_read(&ends.there, buf, sizeof(buf));
        assert_int_equal(n, out);
        assert_memory_equal(buf + n - 5, "hello", 5);
        assert_int_equal(ends_read(&ends.there, buf, sizeof(buf)), 0);
        ends_close(&ends);
    }
}

static void
ends_of_the_client_have_their_words(void **state)
{
    struct ends ends;

    (void)state;
    for (enum ends_kind kind = ENDS_UNIX; kind <= ENDS_TLS13; kind++) {
        ends_open(&ends, kind); /* no byte */
        ends_shut(&ends.there);
        assert_int_equal(respond_run(&ends.here, 200, "", 2000, &in, &out),
                         REASON_CLIENT_EOF);
        assert_int_equal(in + out, 0);
        ends_close(&ends);
        /* half a head, then the end: told so */
        assert_int_equal(ask(kind, "GET / HT", 8, true, 200, "x"),
                         REASON_BAD_REQUEST);
        assert_int_equal(strncmp(answer, "HTTP/1.1 400 ", 13), 0);
        /* the request, then the end: answered */
        assert_int_equal(ask(kind, GET, strlen(GET), true, 200, "x"),
                         REASON_RESPONDED);
        ends_open(&ends, kind); /* silence */
        assert_int_equal(respond_run(&ends.here, 200, "", 20, &in, &out),
                         REASON_IDLE_TIMEOUT);
        ends_close(&ends);
        if (kind == ENDS_UNIX)
            continue;
        ends_open(&ends, kind);
        stream_abort(&ends.there);
        close(ends.there.fd);
        ends.there.fd = -1;
        assert_int_equal(respond_run(&ends.here, 200, "", 2000, &in, &out),
                         REASON_CLIENT_RESET);
        ends_close(&ends);
        if (kind == ENDS_TCP)
            continue;
        ends_open(&ends, kind);
        assert_int_equal(shutdown(ends.there.fd, SHUT_WR), 0);
        assert_int_equal(respond_run(&ends.here, 200, "", 2000, &in, &out),
                         REASON_CLIENT_TRUNCATED);
        ends_close(&ends);
        ends_open(&ends, kind);
        assert_int_equal(send(ends.there.fd, "no record", 9, 0), 9);
        assert_int_equal(respond_run(&ends.here, 200, "", 2000, &in, &out),
                         REASON_CLIENT_ERROR);
        ends_close(&ends);
    }
}

static void
a_head_that_comes_byte_by_byte_is_understood(void **state)
{
    static const char request[] =
        "HEAD /x HTTP/1.1\r\nX: y\r\nHost: a.example\r\nZ: 1\r\n\r\n";
    struct ends ends;
    pid_t pid;

    (void)state;
    ends_open(&ends, ENDS_TCP);
    pid = fork();
    if (pid == 0) { /* small segments of their own: TCP_NODELAY is set */
        for (size_t i = 0; i < sizeof(request) - 1; i++)
            (void)!write(ends.there.fd, request + i, 1);
        _exit(0);
    }
    assert_int_equal(respond_run(&ends.here, 200, "x", 5000, &in, &out),
                     REASON_RESPONDED);
    assert_int_equal(in, sizeof(request) - 1);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    ends_close(&ends);
}

static void
a_dripping_head_does_not_stretch_its_deadline(void **state)
{
    struct ends ends;
    int64_t start = clock_ms();
    pid_t pid;

    (void)state;
    ends_open(&ends, ENDS_TCP);
    pid = fork();
    if (pid == 0)
        for (;;) {
            if (write(ends.there.fd, "G", 1) != 1)
                _exit(0);
            (void)poll(NULL, 0, 10);
        }
    assert_int_equal(respond_run(&ends.here, 200, "x", 60000, &in, &out),
                     REASON_BAD_REQUEST);
    ends_close(&ends);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);

    ends_open(&ends, ENDS_TCP);
    ends_write(&ends.there, "GET /", 5);
    pid = fork();
    if (pid == 0)
        for (;;) {
            if (write(ends.there.fd, "a", 1) != 1)
                _exit(0);
            (void)poll(NULL, 0, 10);
        }
    assert_int_equal(respond_run(&ends.here, 200, "x", 100, &in, &out),
                     REASON_IDLE_TIMEOUT);
    assert_true(clock_ms() - start < 60000);
    ends_close(&ends);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
stopped(void *arg)
{
    struct ends ends;

    (void)arg;
    child_must(wait_init(NULL) == ERR_OK);
    ends_open(&ends, ENDS_TCP);
    raise(SIGTERM);
    child_must(respond_run(&ends.here, 200, "x", 5000, &in, &out) ==
               REASON_STOPPED);
}

static void
sigterm_ends_the_wait_for_a_request(void **state)
{
    (void)state;
    assert_true(child_run(stopped, NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_is_exactly_this),
        cmocka_unit_test(each_status_line_is_what_the_request_deserves),
        cmocka_unit_test(a_head_over_16_kib_is_refused),
        cmocka_unit_test(a_long_body_goes_out_whole),
        cmocka_unit_test(the_answer_is_one_record),
        cmocka_unit_test(ends_of_the_client_have_their_words),
        cmocka_unit_test(a_head_that_comes_byte_by_byte_is_understood),
        cmocka_unit_test(a_dripping_head_does_not_stretch_its_deadline),
        cmocka_unit_test(sigterm_ends_the_wait_for_a_request),
        cmocka_unit_test(the_date_is_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
