/* test_stream.c - worker/stream.c: every end says how it ended */
/* wrap: send */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "common/clock.h"
#include "test/unit/ends.h"
#include "worker/stream.h"
#include "worker/wait.h"
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const enum ends_kind kinds[] = { ENDS_UNIX, ENDS_TCP, ENDS_TLS12,
                                        ENDS_TLS13 };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

int SendAlert(WOLFSSL *ssl, int severity, int type); /* the library's own */

ssize_t __wrap_send(int fd, const void *buf, size_t size, int flags);
ssize_t __real_send(int fd, const void *buf, size_t size, int flags);

static uint8_t big[STREAM_RECORD * 4], got[STREAM_RECORD * 4];
static unsigned sends;
static size_t at_most = SIZE_MAX; /* that the next send(2) takes, once */

ssize_t
__wrap_send(int fd, const void *buf, size_t size, int flags)
{
    sends++;
    if (size > at_most) {
        size = at_most;
        at_most = SIZE_MAX;
    }
    return __real_send(fd, buf, size, flags);
}

static void
bytes_come_through_both_ways(void **state)
{
    struct ends ends;
    char buf[64];

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        ends_open(&ends, kinds[i]);
        assert_int_equal(stream_read(&ends.here, buf, sizeof(buf)), -ERR_AGAIN);
        assert_int_equal(ends.here.read_events, POLLIN);
        ends_write(&ends.there, "question", 8);
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)), 8);
        assert_memory_equal(buf, "question", 8);
        ends_write(&ends.here, "answer", 6);
        assert_int_equal(ends_read(&ends.there, buf, 3), 3);
        assert_int_equal(ends_read(&ends.there, buf, sizeof(buf)), 3);
        assert_memory_equal(buf, "wer", 3);
        ends_close(&ends);
    }
}

/* half_close - one finishes, the other goes on, then finishes too */
static void
half_close(struct stream *first, struct stream *second)
{
    char buf[64];

    ends_write(first, "bye", 3);
    ends_shut(first);
    assert_int_equal(stream_write(first, "more", 4), -ERR_IO);
    assert_int_equal(stream_shut(first), 0); /* twice does no harm */
    assert_int_equal(ends_read(second, buf, sizeof(buf)), 3);
    assert_int_equal(ends_read(second, buf, sizeof(buf)), 0);
    assert_int_equal(stream_read(second, buf, sizeof(buf)),
                     0); /* it stays so */
    for (int i = 0; i < 3; i++) {
        ends_write(second, "still here", 10);
        assert_int_equal(ends_read(first, buf, sizeof(buf)), 10);
    }
    ends_shut(second);
    assert_int_equal(ends_read(first, buf, sizeof(buf)), 0);
}

static void
each_end_may_finish_first_and_still_reads(void **state)
{
    struct ends ends;

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        ends_open(&ends, kinds[i]);
        half_close(&ends.here, &ends.there);
        ends_close(&ends);
        ends_open(&ends, kinds[i]);
        half_close(&ends.there, &ends.here);
        ends_close(&ends);
    }
}

static void
a_fin_without_close_notify_is_a_truncation(void **state)
{
    struct ends ends;
    char buf[64];

    (void)state;
    for (size_t i = 2; i < KINDS; i++) {
        ends_open(&ends, kinds[i]);
        ends_write(&ends.there, "cut", 3);
        assert_int_equal(shutdown(ends.there.fd, SHUT_WR), 0);
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)), 3);
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)),
                         -ERR_TRUNCATED);
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)),
                         -ERR_TRUNCATED);
        assert_false(ends.here.read_eof);
        ends_close(&ends);
    }
}

static void
a_reset_is_told_after_the_bytes_before_it(void **state)
{
    struct ends ends;
    char buf[64];

    (void)state;
    for (size_t i = 1; i < KINDS; i++) {
        ends_open(&ends, kinds[i]);
        ends_write(&ends.there, "last", 4);
        stream_abort(&ends.there);
        close(ends.there.fd);
        ends.there.fd = -1;
        (void)ends_wait(ends.here.fd, POLLHUP);
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)), 4);
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)), -ERR_RESET);
        assert_int_equal(ends.here.error, ECONNRESET);
        assert_int_equal(stream_write(&ends.here, "x", 1), -ERR_RESET);
        ends_close(&ends);
    }
}

static void
a_reset_that_a_write_met_first_is_no_clean_end_for_the_reader(void **state)
{
    struct ends ends;
    char buf[64];

    (void)state;
    for (size_t i = 1; i < KINDS; i++) {
        ends_open(&ends, kinds[i]);
        ends_write(&ends.there, "last", 4);
        stream_abort(&ends.there);
        close(ends.there.fd);
        ends.there.fd = -1;
        (void)ends_wait(ends.here.fd, POLLHUP);
        assert_int_equal(stream_write(&ends.here, "x", 1), -ERR_RESET);
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)), 4);
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)), -ERR_RESET);
        ends_close(&ends);
    }
}

static size_t piece; /* of each write */

/* fill_up - write until the socket is full; how much was taken. The last write
 * said again: it is to be repeated with big. */
static size_t
fill_up(struct stream *stream)
{
    size_t total = 0;
    ssize_t n;

    for (;;) {
        ends_fill(big, piece, total);
        if ((n = stream_write(stream, big, piece)) < 0)
            break;
        total += (size_t)n;
    }
    assert_int_equal(n, -ERR_AGAIN);
    assert_int_equal(stream->write_events, POLLOUT);
    return total;
}

/* empty - read and compare from `at` on until there is no more; the new place */
static uint64_t
empty(struct stream *stream, uint64_t at)
{
    ssize_t n;

    while ((n = stream_read(stream, got, 1777)) > 0) {
        assert_true(ends_same(got, (size_t)n, at));
        at += (uint64_t)n;
    }
    assert_int_equal(n, -ERR_AGAIN);
    return at;
}

static void
hold_back(void)
{
    struct ends ends;

    for (size_t i = 0; i < KINDS; i++) {
        size_t total;
        uint64_t at = 0;
        ssize_t n;

        ends_open(&ends, kinds[i]);
        total = fill_up(&ends.here);
        for (int round = 0; round < 40; round++) {
            at = empty(&ends.there, at);
            n = stream_write(&ends.here, big, piece);
            if (n > 0)
                ends_fill(big, piece, total += (size_t)n);
        }
        assert_true(total > STREAM_RECORD * 8);
        while ((n = stream_write(&ends.here, big, piece)) == -ERR_AGAIN)
            at = empty(&ends.there, at);
        total += (size_t)n;
        ends_shut(&ends.here);
        while ((n = ends_read(&ends.there, got, sizeof(got))) > 0) {
            assert_true(ends_same(got, (size_t)n, at));
            at += (uint64_t)n;
        }
        assert_int_equal(n, 0);
        assert_int_equal(at, total);
        ends_close(&ends);
    }
}

static void
a_full_socket_holds_writes_back_and_loses_nothing(void **state)
{
    (void)state;
    for (piece = STREAM_RECORD; piece <= sizeof(big); piece *= 2)
        hold_back();
}

/* wolfSSL 5.9.2 alone sends the held record twice here */
static void
update_keys(void)
{
    struct ends ends;
    uint64_t at = 0;
    size_t total;
    ssize_t n;

    ends_open(&ends, ENDS_TLS13);
    total = fill_up(&ends.here);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wolfSSL_update_keys(ends.there.ssl), WOLFSSL_SUCCESS);
        ends_write(&ends.there, "k", 1);
        at = empty(&ends.there,
                   at); /* room for the answer: it flushes the record */
        assert_int_equal(ends_read(&ends.here, got, sizeof(got)), 1);
        while ((n = stream_write(&ends.here, big, piece)) == -ERR_AGAIN)
            at = empty(&ends.there, at);
        assert_true(n > 0);
        total += (size_t)n;
        do {
            ends_fill(big, piece, total);
            if ((n = stream_write(&ends.here, big, piece)) > 0)
                total += (size_t)n;
        } while (n > 0);
        assert_int_equal(n, -ERR_AGAIN);
    }
    while ((n = stream_write(&ends.here, big, piece)) == -ERR_AGAIN)
        at = empty(&ends.there, at);
    total += (size_t)n;
    ends_shut(&ends.here);
    while ((n = ends_read(&ends.there, got, sizeof(got))) > 0) {
        assert_true(ends_same(got, (size_t)n, at));
        at += (uint64_t)n;
    }
    assert_int_equal(n, 0);
    assert_int_equal(at, total);
    ends_close(&ends);
}

static void
a_key_update_while_a_write_waits_neither_repeats_nor_loses_bytes(void **state)
{
    (void)state;
    for (piece = STREAM_RECORD; piece <= sizeof(big); piece *= 2)
        update_keys();
}

static void
reading_waits_while_there_is_no_room_for_answers(void **state)
{
    struct ends ends, full;
    char buf[16];
    int fd;

    (void)state;
    ends_open(&full, ENDS_UNIX);
    piece = STREAM_RECORD;
    (void)fill_up(&full.here);
    for (size_t i = 2; i < KINDS; i++) {
        ends_open(&ends, kinds[i]);
        ends_write(&ends.there, "k", 1);
        (void)ends_wait(ends.here.fd, POLLIN);
        fd = ends.here.fd;
        ends.here.fd = ends.here.out_fd = full.here.fd; /* takes nothing */
        memset(ends.here.spill.at, 0, SPILL_SIZE);
        ends.here.spill.len = SPILL_SIZE - 100; /* as after many answers */
        assert_int_equal(stream_read(&ends.here, buf, sizeof(buf)), -ERR_AGAIN);
        assert_int_equal(ends.here.read_events, POLLOUT);
        ends.here.fd = ends.here.out_fd = fd;
        ends.here.spill.len = 0;
        assert_int_equal(stream_read(&ends.here, buf, sizeof(buf)), 1);
        ends_close(&ends);
    }
    ends_close(&full);
}

/* --- read ahead ----------------------------------------------------------- */

/* detour - what the peer writes from now on stays where lift finds it */
static int
detour(struct stream *there, int pair[2])
{
    int real = there->fd;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
                     0);
    there->fd = there->out_fd = pair[0];
    return real;
}

/* lift - the bytes that it wrote; its way is the real one again */
static size_t
lift(struct stream *there, int pair[2], int real, uint8_t *wire, size_t size)
{
    ssize_t n = recv(pair[1], wire, size, 0);

    assert_true(n > 0);
    close(pair[0]);
    close(pair[1]);
    there->fd = there->out_fd = real;
    return (size_t)n;
}

static void
two_records_that_came_together_need_no_further_byte(void **state)
{
    struct ends ends;
    uint8_t wire[256];
    char buf[16];
    int pair[2], real;
    size_t len;

    (void)state;
    for (size_t i = 2; i < KINDS; i++) {
        ends_open(&ends, kinds[i]);
        real = detour(&ends.there, pair);
        ends_write(&ends.there, "one", 3);
        ends_write(&ends.there, "two", 3);
        len = lift(&ends.there, pair, real, wire, sizeof(wire));
        assert_int_equal(send(real, wire, len, 0), len);
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)), 3);
        assert_memory_equal(buf, "one", 3);
        /* poll(2) would be silent now */
        assert_int_equal(stream_read(&ends.here, buf, sizeof(buf)), 3);
        assert_memory_equal(buf, "two", 3);
        assert_int_equal(stream_read(&ends.here, buf, sizeof(buf)), -ERR_AGAIN);
        ends_write(&ends.there, "six", 3);
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)), 3);
        /* and together when there is room */
        ends_write(&ends.there, "one", 3);
        ends_write(&ends.there, "two", 3);
        assert_int_equal(ends_read(&ends.here, got, sizeof(got)), 6);
        assert_memory_equal(got, "onetwo", 6);
        ends_close(&ends);
    }
}

static void
a_record_may_be_cut_anywhere(void **state)
{
    struct ends ends;
    uint8_t wire[256];
    char buf[16];
    int pair[2], real;
    size_t len = 2;

    (void)state;
    for (size_t i = 2; i < KINDS; i++) {
        ends_open(&ends, kinds[i]);
        for (size_t cut = 1; cut < len; cut++) {
            real = detour(&ends.there, pair);
            ends_write(&ends.there, "one", 3);
            ends_write(&ends.there, "two", 3);
            len = lift(&ends.there, pair, real, wire, sizeof(wire));
            assert_int_equal(send(real, wire, cut, 0), cut);
            (void)ends_wait(ends.here.fd, POLLIN);
            stream_recheck(&ends.here);
            if (cut < len / 2) {
                assert_int_equal(stream_read(&ends.here, got, sizeof(got)),
                                 -ERR_AGAIN);
                assert_int_equal(ends.here.read_events, POLLIN);
            } else {
                assert_int_equal(stream_read(&ends.here, buf, 8), 3);
                assert_int_equal(stream_read(&ends.here, buf, 8), -ERR_AGAIN);
            }
            assert_int_equal(send(real, wire + cut, len - cut, 0), len - cut);
            assert_int_equal(ends_read(&ends.here, got, sizeof(got)),
                             cut < len / 2 ? 6 : 3);
            assert_memory_equal(got, cut < len / 2 ? "onetwo" : "two", 3);
        }
        ends_close(&ends);
    }
}

/* wolfSSL 5.9.2 forgets an end that it has read when something is written */
static void
an_end_found_behind_bytes_outlives_a_write(void **state)
{
    struct ends ends;

    (void)state;
    for (size_t i = 2; i < KINDS; i++) {
        ends_open(&ends, kinds[i]);
        ends_write(&ends.there, "bye", 3);
        ends_shut(&ends.there);
        (void)ends_wait(ends.here.fd, POLLRDHUP);
        assert_int_equal(ends_read(&ends.here, got, sizeof(got)), 3);
        ends_write(&ends.here, "still here", 10);
        assert_int_equal(ends_read(&ends.here, got, sizeof(got)), 0);
        assert_int_equal(ends_read(&ends.there, got, sizeof(got)), 10);
        ends_close(&ends);

        ends_open(&ends, kinds[i]);
        ends_write(&ends.there, "bye", 3);
        (void)SendAlert(ends.there.ssl, 2, 48);
        assert_int_equal(shutdown(ends.there.fd, SHUT_WR), 0);
        (void)ends_wait(ends.here.fd, POLLRDHUP);
        assert_int_equal(ends_read(&ends.here, got, sizeof(got)), 3);
        ends_write(&ends.here, "still here", 10);
        assert_int_equal(ends_read(&ends.here, got, sizeof(got)), -ERR_TLS);
        assert_int_equal(ends.here.alert, 48);
        assert_int_equal(ends_read(&ends.here, got, sizeof(got)), -ERR_TLS);
        ends_close(&ends);
    }
}

static void
bytes_read_ahead_are_told_before_a_truncation_or_reset(void **state)
{
    struct ends ends;
    char buf[4];

    (void)state;
    for (size_t i = 2; i < KINDS; i++) {
        for (int reset = 0; reset < 2; reset++) {
            ends_open(&ends, kinds[i]);
            for (int k = 0; k < 3; k++)
                ends_write(&ends.there, "last", 4);
            assert_int_equal(ends_read(&ends.here, buf, 4), 4);
            if (reset)
                stream_abort(&ends.there);
            close(ends.there.fd);
            ends.there.fd = -1;
            (void)ends_wait(ends.here.fd, POLLRDHUP);
            assert_int_equal(ends_read(&ends.here, buf, 4), 4);
            assert_int_equal(ends_read(&ends.here, buf, 4), 4);
            assert_int_equal(ends_read(&ends.here, buf, 4),
                             reset ? -ERR_RESET : -ERR_TRUNCATED);
            ends_close(&ends);
        }
    }
}

/* --- the size of records -------------------------------------------------- */

/* bodies - the lengths of the records that a write of len bytes makes */
static size_t
bodies(struct ends *ends, size_t len, size_t list[], size_t room)
{
    static uint8_t wire[sizeof(big) + 4096];
    size_t count = 0, have = 0;
    int pair[2], real = detour(&ends->here, pair);

    assert_int_equal(stream_write(&ends->here, big, len), len);
    have = lift(&ends->here, pair, real, wire, sizeof(wire));
    for (size_t at = 0; at < have; count++) {
        assert_true(count < room);
        list[count] = (size_t)wire[at + 3] << 8 | wire[at + 4];
        at += 5 + list[count];
    }
    return count;
}

static void
records_are_small_after_a_pause_and_large_in_bulk(void **state)
{
    struct ends ends;
    size_t list[16], count;

    (void)state;
    for (size_t i = 2; i < KINDS; i++) {
        ends_open(&ends, kinds[i]);
        assert_int_equal(bodies(&ends, 1000, list, 16), 1);
        count = bodies(&ends, STREAM_RECORD, list, 16);
        assert_int_equal(count, 4);
        for (size_t k = 0; k < count; k++)
            assert_in_range(list[k], 4096, 4096 + 64);
        count = bodies(&ends, sizeof(big), list, 16);
        assert_int_equal(count, 4);
        for (size_t k = 0; k < count; k++)
            assert_in_range(list[k], STREAM_RECORD, STREAM_RECORD + 64);
        ends.here.wrote -= 2000; /* ms */
        assert_int_equal(bodies(&ends, STREAM_RECORD, list, 16), 4);
        ends_close(&ends);
    }
}

static void
records_of_a_write_go_out_together(void **state)
{
    struct ends ends;
    size_t list[16];

    (void)state;
    for (size_t i = 2; i < KINDS; i++) {
        ends_open(&ends, kinds[i]);
        for (size_t size = STREAM_RECORD; size <= sizeof(big); size *= 4) {
            sends = 0;
            assert_int_equal(bodies(&ends, size, list, 16), 4);
            assert_int_equal(sends, 1);
        }
        assert_int_equal(ends.here.spill.len, 0);
        assert_true(ends.here.spill.high > sizeof(big));
        stream_end(&ends.here);
        for (size_t at = 0; at < sizeof(big); at++)
            assert_int_equal(ends.here.spill.at[at], 0);
        ends_close(&ends);
    }
}

static void
what_the_socket_took_of_a_write_is_told(void **state)
{
    struct ends ends;
    ssize_t n, rest;

    (void)state;
    for (size_t i = 2; i < KINDS; i++) {
        ends_open(&ends, kinds[i]);
        ends_fill(big, sizeof(big), 0);
        at_most = 20000;
        n = stream_write(&ends.here, big, sizeof(big));
        assert_in_range(n, 18000, 20000);
        rest = (ssize_t)sizeof(big) - n;
        assert_int_equal(stream_write(&ends.here, big + n, (size_t)rest),
                         -ERR_AGAIN); /* the socket is not asked, once */
        sends = 0;
        assert_int_equal(stream_write(&ends.here, big + n, (size_t)rest), rest);
        assert_int_equal(sends, 1);
        for (size_t at = 0; at < sizeof(big); at += (size_t)n) {
            n = ends_read(&ends.there, got, sizeof(got));
            assert_true(n > 0 && ends_same(got, (size_t)n, at));
        }
        ends_close(&ends);
    }
}

static void
tell_drain(struct ends *ends, size_t limit, enum err want)
{
    int64_t patience = want == ERR_TIMEOUT ? 50 : 60000;

    assert_int_equal(stream_drain(&ends->here, limit, clock_deadline(patience)),
                     want);
    ends_close(ends);
}

static void
drain_waits_for_the_peer_within_limits(void **state)
{
    struct ends ends;

    (void)state;
    for (size_t i = 1; i < KINDS; i++) {
        ends_open(&ends, kinds[i]); /* the peer finishes */
        ends_write(&ends.there, big, 40000);
        ends_shut(&ends.there);
        tell_drain(&ends, 100000, ERR_OK);
        ends_open(&ends, kinds[i]); /* without close_notify: good enough here */
        assert_int_equal(shutdown(ends.there.fd, SHUT_WR), 0);
        tell_drain(&ends, 100000, ERR_OK);
        ends_open(&ends, kinds[i]);
        tell_drain(&ends, 100000, ERR_TIMEOUT);
        ends_open(&ends, kinds[i]);
        ends_write(&ends.there, big, 40000);
        tell_drain(&ends, 20000, ERR_IO);
        ends_open(&ends, kinds[i]);
        stream_abort(&ends.there);
        close(ends.there.fd);
        ends.there.fd = -1;
        (void)ends_wait(ends.here.fd, POLLHUP);
        tell_drain(&ends, 20000, ERR_RESET);
    }
}

static void
what_is_no_tls_is_a_tls_error_and_can_be_drained(void **state)
{
    struct ends ends;
    char buf[16];

    (void)state;
    for (size_t i = 2; i < KINDS; i++) {
        ends_open(&ends, kinds[i]);
        assert_int_equal(send(ends.there.fd, "GET / HTTP/1.0\r\n\r\n", 18, 0),
                         18);
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)), -ERR_TLS);
        assert_true(ends.here.tls_error < 0);
        assert_int_equal(shutdown(ends.there.fd, SHUT_WR), 0);
        tell_drain(&ends, 1000, ERR_OK);
    }
}

/* a fatal alert is an error that has a number; close_notify is none */
static void
a_fatal_alert_is_told_by_its_number(void **state)
{
    struct ends ends;
    char buf[8];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        ends_open(&ends, i == 0 ? ENDS_UP12 : ENDS_UP13);
        assert_int_equal(ends.here.alert, -1);
        ends_write(&ends.there, "x", 1);
        (void)SendAlert(ends.there.ssl, 2, 48);
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)), 1);
        assert_int_equal(ends.here.alert, -1); /* not read yet */
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)), -ERR_TLS);
        assert_int_equal(ends.here.alert, 48);
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)), -ERR_TLS);
        ends_close(&ends);

        ends_open(&ends, i == 0 ? ENDS_UP12 : ENDS_UP13);
        ends_shut(&ends.there);
        assert_int_equal(ends_read(&ends.here, buf, sizeof(buf)), 0);
        assert_int_equal(ends.here.alert, -1);
        ends_close(&ends);
    }
}

/* two pipes: nothing waits though they are blocking, a write takes PIPE_BUF at
 * most, our end closes the one, and nobody to read is a reset */
static void
pipes_are_an_end_too(void **state)
{
    static uint8_t block[2 * PIPE_BUF];
    struct stream stream;
    int in[2] = { -1, -1 }, out[2] = { -1, -1 };
    ssize_t n;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_true(pipe(in) == 0 && pipe(out) == 0);
    stream_init(&stream, in[0], NULL, NULL);
    stream_split(&stream, out[1]);
    assert_int_equal(stream_read(&stream, block, 1), -ERR_AGAIN);
    assert_int_equal(write(in[1], "abc", 3), 3);
    assert_int_equal(stream_read(&stream, block, sizeof(block)), 3);
    assert_memory_equal(block, "abc", 3);
    assert_int_equal(stream_write(&stream, block, sizeof(block)), PIPE_BUF);
    while ((n = stream_write(&stream, block, sizeof(block))) > 0)
        assert_int_equal(n, PIPE_BUF);
    assert_int_equal(n, -ERR_AGAIN); /* full */
    close(in[1]);
    stream_recheck(&stream);
    assert_int_equal(stream_read(&stream, block, 1), 0);
    close(out[0]);
    assert_int_equal(stream_write(&stream, "x", 1), -ERR_RESET);
    assert_int_equal(stream_shut(&stream), 0);
    assert_int_equal(stream.out_fd, -1);
    assert_int_equal(stream_drain(&stream, 1, 0), ERR_OK);
    close(in[0]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_through_both_ways),
        cmocka_unit_test(a_fatal_alert_is_told_by_its_number),
        cmocka_unit_test(pipes_are_an_end_too),
        cmocka_unit_test(each_end_may_finish_first_and_still_reads),
        cmocka_unit_test(a_fin_without_close_notify_is_a_truncation),
        cmocka_unit_test(a_reset_is_told_after_the_bytes_before_it),
        cmocka_unit_test(
            a_reset_that_a_write_met_first_is_no_clean_end_for_the_reader),
        cmocka_unit_test(a_full_socket_holds_writes_back_and_loses_nothing),
        cmocka_unit_test(
            a_key_update_while_a_write_waits_neither_repeats_nor_loses_bytes),
        cmocka_unit_test(two_records_that_came_together_need_no_further_byte),
        cmocka_unit_test(a_record_may_be_cut_anywhere),
        cmocka_unit_test(an_end_found_behind_bytes_outlives_a_write),
        cmocka_unit_test(
            bytes_read_ahead_are_told_before_a_truncation_or_reset),
        cmocka_unit_test(records_are_small_after_a_pause_and_large_in_bulk),
        cmocka_unit_test(records_of_a_write_go_out_together),
        cmocka_unit_test(what_the_socket_took_of_a_write_is_told),
        cmocka_unit_test(reading_waits_while_there_is_no_room_for_answers),
        cmocka_unit_test(drain_waits_for_the_peer_within_limits),
        cmocka_unit_test(what_is_no_tls_is_a_tls_error_and_can_be_drained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
