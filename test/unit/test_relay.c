/* test_relay.c - worker/relay.c: every byte arrives, every end is told */
/* wrap: wait_for */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "common/clock.h"
#include "common/fdio.h"
#include "test/unit/ends.h"
#include "worker/relay.h"
#include "worker/wait.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

int SendAlert(WOLFSSL *ssl, int severity, int type); /* the library's own */

enum err __wrap_wait_for(struct pollfd *items, size_t count, int64_t deadline);
enum err __real_wait_for(struct pollfd *items, size_t count, int64_t deadline);

/* The relay runs in a child; this process plays both of its peers. */
struct report {
    struct relay_result result;
    unsigned waits; /* calls of wait_for: a relay that spins has many */
    unsigned progress;
    bool order; /* progress never went back */
};

struct stage {
    struct ends client, upstream; /* `there` is the peer, `here` the relay's */
    pid_t pid;
    int report; /* the child's last words */
};

static unsigned waits;

enum err
__wrap_wait_for(struct pollfd *items, size_t count, int64_t deadline)
{
    waits++;
    return __real_wait_for(items, count, deadline);
}

static void
on_progress(void *ctx, uint64_t in, uint64_t out)
{
    struct report *report = ctx;

    report->progress++;
    report->order =
        report->order && in >= report->result.in && out >= report->result.out;
    report->result.in = in;
    report->result.out = out;
}

_Noreturn static void
relay_child(struct stage *stage, int64_t idle_ms, int report_fd)
{
    struct relay_times times = { .idle_ms = idle_ms };
    static struct report report; /* static: its padding travels too */
    static struct relay_result result;

    report.order = true;
    alarm(250);
    fdio_close(&stage->client.there.fd);
    fdio_close(&stage->upstream.there.fd);
    if (wait_init(NULL) != ERR_OK)
        _exit(1);
    relay_run(&stage->client.here, &stage->upstream.here, &times, on_progress,
              &report, &result);
    report.order =
        report.order && report.result.in == result.in &&
        report.result.out == result.out; /* the last progress told all */
    report.result = result;
    report.waits = waits;
    fdio_close(
        &stage->client.here.fd); /* as the worker does: RST when marked */
    fdio_close(&stage->upstream.here.fd);
    (void)!write(report_fd, &report, sizeof(report));
    _exit(0);
}

/* stage_run - both ends are there */
static void
stage_run(struct stage *stage, int64_t idle_ms)
{
    int pipes[2];

    assert_int_equal(pipe(pipes), 0);
    stage->pid = fork();
    assert_true(stage->pid >= 0);
    if (stage->pid == 0)
        relay_child(stage, idle_ms, pipes[1]);
    close(pipes[1]);
    stage->report = pipes[0];
    ends_end(&stage->client.here);
    ends_end(&stage->upstream.here);
}

static void
stage_open(struct stage *stage, enum ends_kind client, enum ends_kind upstream,
           int64_t idle_ms)
{
    ends_open(&stage->client, client);
    ends_open(&stage->upstream, upstream);
    stage_run(stage, idle_ms);
}

/* stage_end - wait for the relay; what it says */
static struct report
stage_end(struct stage *stage)
{
    struct report report;
    int status;

    assert_int_equal(read(stage->report, &report, sizeof(report)),
                     sizeof(report));
    assert_int_equal(waitpid(stage->pid, &status, 0), stage->pid);
    assert_int_equal(status, 0);
    close(stage->report);
    assert_true(report.order);
    ends_close(&stage->client);
    ends_close(&stage->upstream);
    return report;
}

static const struct {
    enum ends_kind client, upstream;
} rows[] = {
    { ENDS_UNIX, ENDS_UNIX },  { ENDS_TCP, ENDS_TCP },
    { ENDS_TLS12, ENDS_TCP },  { ENDS_TLS13, ENDS_UNIX },
    { ENDS_TCP, ENDS_UP12 },   { ENDS_UNIX, ENDS_UP13 },  /* originate */
    { ENDS_TLS13, ENDS_UP12 }, { ENDS_TLS12, ENDS_UP13 }, /* bridge */
    { ENDS_TLS13, ENDS_UP13 },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* --- traffic -------------------------------------------------------------- */

struct player { /* one peer: sends so much of the pattern, then finishes */
    struct stream *stream;
    uint64_t to_send, sent, received;
    bool shut, eof;
    size_t chunk; /* of the next write */
    size_t held;  /* a write to be repeated */
    uint8_t buf[STREAM_RECORD];
};

/* player_send - until the socket is full or all is out */
static void
player_send(struct player *player)
{
    while (player->sent < player->to_send) {
        uint64_t left = player->to_send - player->sent;
        size_t len = player->held;
        ssize_t n;

        if (len == 0) {
            player->chunk =
                player->chunk * 7 % 16363 + 1; /* odd sizes, all kinds */
            len = player->chunk < left ? player->chunk : (size_t)left;
            ends_fill(player->buf, len, player->sent);
        }
        if ((n = stream_write(player->stream, player->buf, len)) < 0) {
            assert_int_equal(n, -ERR_AGAIN);
            player->held = len;
            return;
        }
        player->sent += (uint64_t)n;
        player->held = len - (size_t)n;
        memmove(player->buf, player->buf + n, player->held);
    }
    if (!player->shut && stream_shut(player->stream) == 0)
        player->shut = true;
}

static void
player_receive(struct player *player)
{
    static uint8_t buf[30011];
    ssize_t n;

    while (!player->eof &&
           (n = stream_read(player->stream, buf, sizeof(buf))) != -ERR_AGAIN) {
        assert_true(n >= 0);
        assert_true(ends_same(buf, (size_t)n, player->received));
        player->received += (uint64_t)n;
        player->eof = n == 0;
    }
}

/* play - both peers until both have finished and seen the other's end */
static void
play(struct player players[2])
{
    for (;;) {
        struct pollfd items[2];
        bool over = true;

        for (int i = 0; i < 2; i++) {
            struct player *player = &players[i];

            player_send(player);
            player_receive(player);
            over = over && player->shut && player->eof;
            items[i].fd = player->stream->fd;
            items[i].events =
                (short)((player->shut ? 0 : player->stream->write_events) |
                        (player->eof ? 0 : player->stream->read_events));
            if (items[i].events == 0)
                items[i].fd = -1;
        }
        if (over)
            return;
        assert_true(poll(items, 2, 60000) > 0);
    }
}

static void
exchange(enum ends_kind client, enum ends_kind upstream, uint64_t up,
         uint64_t down)
{
    static struct player players[2];
    struct stage stage;
    struct report report;

    stage_open(&stage, client, upstream, CLOCK_NEVER);
    memset(players, 0, sizeof(players));
    players[0].stream = &stage.client.there;
    players[0].to_send = up;
    players[1].stream = &stage.upstream.there;
    players[1].to_send = down;
    play(players);
    report = stage_end(&stage);
    assert_int_equal(players[0].received, down);
    assert_int_equal(players[1].received, up);
    assert_int_equal(report.result.in, up);
    assert_int_equal(report.result.out, down);
    assert_true(report.result.end == REASON_CLIENT_EOF ||
                report.result.end == REASON_UPSTREAM_EOF);
    assert_true(report.progress > 0 || up + down == 0);
}

#define MIB (1024u * 1024u)
#ifdef MTLSD_SANITIZE
#define MUCH (8u * MIB)
#else
#define MUCH (64u * MIB)
#endif

static void
bytes_arrive_whole_both_ways_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        exchange(rows[i].client, rows[i].upstream, MUCH, MUCH + 12345);
}

static void
small_and_empty_sessions_end_cleanly(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        exchange(rows[i].client, rows[i].upstream, 0, 0);
        exchange(rows[i].client, rows[i].upstream, 1, 0);
        exchange(rows[i].client, rows[i].upstream, 0, 1);
        exchange(rows[i].client, rows[i].upstream, 100001, 3);
    }
}

/* --- half-close ----------------------------------------------------------- */

/* first finishes; second hears it, answers long after, then finishes */
static void
half_close(struct stage *stage, struct stream *first, struct stream *second,
           enum reason want)
{
    struct report report;
    char buf[64];

    ends_write(first, "request", 7);
    ends_shut(first);
    assert_int_equal(ends_read(second, buf, sizeof(buf)), 7);
    assert_int_equal(ends_read(second, buf, sizeof(buf)), 0);
    for (int i = 0; i < 3; i++) {
        ends_write(second, "part", 4);
        assert_int_equal(ends_read(first, buf, sizeof(buf)), 4);
    }
    ends_shut(second);
    assert_int_equal(ends_read(first, buf, sizeof(buf)), 0);
    report = stage_end(stage);
    assert_int_equal(report.result.end, want);
    assert_int_equal(report.result.in + report.result.out, 7 + 12);
    assert_true(report.waits < 20);
}

static void
each_half_close_is_passed_on_and_the_other_way_goes_on(void **state)
{
    struct stage stage;

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        stage_open(&stage, rows[i].client, rows[i].upstream, CLOCK_NEVER);
        half_close(&stage, &stage.client.there, &stage.upstream.there,
                   REASON_CLIENT_EOF);
        stage_open(&stage, rows[i].client, rows[i].upstream, CLOCK_NEVER);
        half_close(&stage, &stage.upstream.there, &stage.client.there,
                   REASON_UPSTREAM_EOF);
    }
}

/* poll(2) is silent while a record lies in a buffer of ours */
static void
records_that_came_together_are_passed_on_together(void **state)
{
    uint8_t wire[256];
    struct stage stage;
    int pair[2], real;
    char buf[16];
    ssize_t len;

    (void)state;
    for (size_t i = 2; i < ROWS; i++) {
        stage_open(&stage, rows[i].client, rows[i].upstream, CLOCK_NEVER);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        real = stage.client.there.fd;
        stage.client.there.fd = stage.client.there.out_fd = pair[0];
        ends_write(&stage.client.there, "one", 3);
        ends_write(&stage.client.there, "two", 3);
        stage.client.there.fd = stage.client.there.out_fd = real;
        assert_true((len = recv(pair[1], wire, sizeof(wire), 0)) > 0);
        assert_int_equal(send(real, wire, (size_t)len, 0), len);
        for (size_t have = 0; have < 6;) {
            ssize_t n = ends_read(&stage.upstream.there, buf + have, 6 - have);

            assert_true(n > 0);
            have += (size_t)n;
        }
        assert_memory_equal(buf, "onetwo", 6);
        close(pair[0]);
        close(pair[1]);
        ends_shut(&stage.client.there);
        ends_shut(&stage.upstream.there);
        assert_int_equal(stage_end(&stage).result.in, 6);
    }
}

/* --- back-pressure -------------------------------------------------------- */

/* pour - write the pattern until nothing has moved for a while */
static uint64_t
pour(struct stream *stream, uint8_t *buf, size_t *held)
{
    struct pollfd item = { .fd = stream->fd, .events = POLLOUT };
    uint64_t total = 0;
    ssize_t n;

    do {
        ends_fill(buf, STREAM_RECORD, total);
        if ((n = stream_write(stream, buf, STREAM_RECORD)) > 0)
            total += (uint64_t)n;
    } while (n > 0 || poll(&item, 1, 200) == 1);
    *held = STREAM_RECORD;
    return total;
}

static void
a_slow_reader_slows_the_writer_and_costs_nothing(void **state)
{
    static struct player players[2];
    struct stage stage;
    struct report report;

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        stage_open(&stage, rows[i].client, rows[i].upstream, CLOCK_NEVER);
        memset(players, 0, sizeof(players));
        players[0].stream = &stage.upstream.there;
        players[1].stream = &stage.client.there;
        players[0].sent =
            pour(players[0].stream, players[0].buf, &players[0].held);
        /* what the kernel's buffers hold, nothing like all of it */
        assert_true(players[0].sent < 40u * MIB);
        players[0].to_send = players[0].sent + STREAM_RECORD;
        play(players);
        report = stage_end(&stage);
        assert_int_equal(players[1].received, players[0].to_send);
        /* one wait for each time that something moved, not more: the time of
         * standing still is free */
        assert_true(report.waits < 16 + 8 * players[0].to_send / 1024);
    }
}

/* take - read some of the pattern at *at; false at the end */
static bool
take(struct stream *stream, uint64_t *at)
{
    static uint8_t buf[STREAM_RECORD];
    ssize_t n = ends_read(stream, buf, sizeof(buf));

    assert_true(n >= 0 && ends_same(buf, (size_t)n, *at));
    *at += (uint64_t)n;
    return n > 0;
}

/* The client has finished and been told of the upstream's end: its descriptor
 * says POLLHUP for as long as the upstream does not take the client's bytes
 * (unix sockets: at once; TCP: when the last bytes are in the relay's kernel). */
static void
a_hung_up_end_with_bytes_on_the_way_does_not_spin(void **state)
{
    static uint8_t buf[STREAM_RECORD];
    struct stage stage;
    struct report report;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint64_t total, at = 0;
        size_t held;
        ssize_t n;

        stage_open(&stage, rows[i].client, rows[i].upstream, CLOCK_NEVER);
        ends_shut(&stage.upstream.there);
        assert_int_equal(ends_read(&stage.client.there, buf, 1), 0);
        total = pour(&stage.client.there, buf, &held);
        if (rows[i].client >= ENDS_TLS12) { /* what is owed must go out first */
            while ((n = stream_write(&stage.client.there, buf, held)) ==
                   -ERR_AGAIN)
                assert_true(take(&stage.upstream.there, &at));
            total += (uint64_t)n;
        }
        while (stream_shut(&stage.client.there) == -ERR_AGAIN)
            assert_true(take(&stage.upstream.there, &at));
        (void)poll(NULL, 0, 100); /* time in which a bad relay would spin */
        while (take(&stage.upstream.there, &at))
            continue;
        assert_int_equal(at, total);
        report = stage_end(&stage);
        assert_int_equal(report.result.end, REASON_UPSTREAM_EOF);
        assert_true(report.waits < 16 + 8 * total / 1024);
    }
}

/* --- broken ends ---------------------------------------------------------- */

static void
reset(struct stream *end)
{
    stream_abort(end);
    fdio_close(&end->fd);
}

/* one end resets after some bytes; the other gets them, then a reset */
static void
pass_on_reset(struct stage *stage, struct stream *from, struct stream *to,
              enum reason want)
{
    struct report report;
    char buf[64];

    ends_write(from, "last words", 10);
    assert_int_equal(ends_read(to, buf, sizeof(buf)), 10);
    ends_write(from, "and more", 8);
    reset(from);
    assert_int_equal(ends_read(to, buf, sizeof(buf)), 8);
    assert_int_equal(ends_read(to, buf, sizeof(buf)), -ERR_RESET);
    report = stage_end(stage);
    assert_int_equal(report.result.end, want);
    assert_int_equal(report.result.in + report.result.out, 18);
}

/* it hung up while its last bytes, a whole buffer of them, waited for the
 * client, who has nothing to say and does not leave */
static void
a_program_that_has_gone_ends_it_before_a_slow_client_does(void **state)
{
    static uint8_t block[131072], got[1024];
    int little = 4096, much = 200000;
    struct stage stage;
    size_t total = 0;
    ssize_t n;

    (void)state;
    ends_open(&stage.client, ENDS_UNIX);
    ends_open(&stage.upstream, ENDS_UNIX);
    stage.upstream.here.program = true;
    assert_int_equal(setsockopt(stage.client.here.fd, SOL_SOCKET, SO_SNDBUF,
                                &little, sizeof(little)),
                     0);
    assert_int_equal(setsockopt(stage.upstream.there.fd, SOL_SOCKET, SO_SNDBUF,
                                &much, sizeof(much)),
                     0);
    ends_write(&stage.upstream.there, block, sizeof(block));
    fdio_close(&stage.upstream.there.fd);
    stage_run(&stage, 5000);
    while ((n = ends_read(&stage.client.there, got, sizeof(got))) > 0)
        total += (size_t)n;
    assert_int_equal(n, 0);
    assert_int_equal(total, sizeof(block));
    assert_int_equal(stage_end(&stage).result.end, REASON_UPSTREAM_EOF);
}

static const enum ends_kind tcp_kinds[] = { ENDS_TCP, ENDS_TLS12, ENDS_TLS13 };

static void
a_reset_is_passed_on_as_a_reset_after_the_bytes_before_it(void **state)
{
    struct stage stage;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        stage_open(&stage, tcp_kinds[i], ENDS_TCP, CLOCK_NEVER);
        pass_on_reset(&stage, &stage.client.there, &stage.upstream.there,
                      REASON_CLIENT_RESET);
        stage_open(&stage, tcp_kinds[i], ENDS_TCP, CLOCK_NEVER);
        pass_on_reset(&stage, &stage.upstream.there, &stage.client.there,
                      REASON_UPSTREAM_RESET);
    }
}

static void
a_truncation_is_passed_on_as_a_reset(void **state)
{
    struct stage stage;
    struct report report;
    char buf[64];

    (void)state;
    for (size_t i = 1; i < 3; i++) {
        stage_open(&stage, tcp_kinds[i], ENDS_TCP, CLOCK_NEVER);
        ends_write(&stage.client.there, "cut", 3);
        assert_int_equal(shutdown(stage.client.there.fd, SHUT_WR),
                         0); /* no close_notify */
        assert_int_equal(ends_read(&stage.upstream.there, buf, sizeof(buf)), 3);
        assert_int_equal(ends_read(&stage.upstream.there, buf, sizeof(buf)),
                         -ERR_RESET);
        report = stage_end(&stage);
        assert_int_equal(report.result.end, REASON_CLIENT_TRUNCATED);
    }
}

static const struct {
    enum ends_kind client, upstream;
} up_rows[] = {
    { ENDS_TCP, ENDS_UP12 },   { ENDS_TCP, ENDS_UP13 },
    { ENDS_TLS12, ENDS_UP13 }, { ENDS_TLS13, ENDS_UP12 },
    { ENDS_TLS13, ENDS_UP13 },
};
#define UP_ROWS (sizeof(up_rows) / sizeof(up_rows[0]))

/* the client's bytes are on their way, too, when the upstream stops in the
 * middle */
static void
a_truncation_by_the_upstream_has_its_own_word(void **state)
{
    struct stage stage;
    struct report report;
    char buf[64];

    (void)state;
    for (size_t i = 0; i < UP_ROWS; i++) {
        stage_open(&stage, up_rows[i].client, up_rows[i].upstream, CLOCK_NEVER);
        ends_write(&stage.upstream.there, "half an ans", 11);
        assert_int_equal(shutdown(stage.upstream.there.fd, SHUT_WR), 0);
        assert_int_equal(ends_read(&stage.client.there, buf, sizeof(buf)), 11);
        assert_int_equal(ends_read(&stage.client.there, buf, sizeof(buf)),
                         -ERR_RESET);
        report = stage_end(&stage);
        assert_int_equal(report.result.end, REASON_UPSTREAM_TRUNCATED);
        assert_int_equal(report.result.alert, -1);
    }
}

static void
a_reset_crosses_a_bridge(void **state)
{
    struct stage stage;

    (void)state;
    for (size_t i = 0; i < UP_ROWS; i++) {
        stage_open(&stage, up_rows[i].client, up_rows[i].upstream, CLOCK_NEVER);
        pass_on_reset(&stage, &stage.client.there, &stage.upstream.there,
                      REASON_CLIENT_RESET);
        stage_open(&stage, up_rows[i].client, up_rows[i].upstream, CLOCK_NEVER);
        pass_on_reset(&stage, &stage.upstream.there, &stage.client.there,
                      REASON_UPSTREAM_RESET);
    }
}

/* alert_case - the upstream sends an alert, after some payload or before any;
 * hasty: it does not read what we sent, and its close is a reset */
static void
alert_case(size_t row, int alert, bool payload, bool hasty, enum reason want)
{
    struct stage stage;
    struct report report;
    char buf[64];

    stage_open(&stage, up_rows[row].client, up_rows[row].upstream, CLOCK_NEVER);
    if (hasty) {
        ends_write(&stage.client.there, "GET / HTTP/1.1", 14);
        (void)ends_wait(stage.upstream.there.fd, POLLIN);
    }
    if (payload) {
        ends_write(&stage.upstream.there, "first", 5);
        assert_int_equal(ends_read(&stage.client.there, buf, sizeof(buf)), 5);
    }
    (void)SendAlert(stage.upstream.there.ssl, 2, alert);
    if (hasty) {
        fdio_close(&stage.upstream.there.fd);
        (void)stream_write(&stage.client.there, "more", 4);
    }
    assert_int_equal(ends_read(&stage.client.there, buf, sizeof(buf)),
                     -ERR_RESET);
    report = stage_end(&stage);
    assert_int_equal(report.result.end, want);
    assert_int_equal(report.result.alert, alert);
    assert_int_equal(report.result.out, payload ? 5 : 0);
}

static void
a_refusal_of_our_certificate_is_the_first_thing_we_read(void **state)
{
    static const int alerts[] = { 42, 43, 44, 45, 46, 48, 49, 116 };

    (void)state;
    for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++)
        alert_case(1, alerts[i], false, false,
                   REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE);
    for (size_t i = 0; i < UP_ROWS; i++) {
        alert_case(i, 48, false, false,
                   REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE);
        alert_case(i, 48, false, true, REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE);
        alert_case(i, 48, true, false, REASON_UPSTREAM_ERROR); /* too late */
        alert_case(i, 80, false, false, REASON_UPSTREAM_ERROR);
    }
}

/* the same alert from a client is about something else */
static void
an_alert_of_the_client_is_its_error(void **state)
{
    struct stage stage;
    struct report report;
    char buf[64];

    (void)state;
    stage_open(&stage, ENDS_TLS13, ENDS_UP13, CLOCK_NEVER);
    (void)SendAlert(stage.client.there.ssl, 2, 48);
    assert_int_equal(ends_read(&stage.upstream.there, buf, sizeof(buf)),
                     -ERR_RESET);
    report = stage_end(&stage);
    assert_int_equal(report.result.end, REASON_CLIENT_ERROR);
    assert_int_equal(report.result.alert, 48);
}

static void
what_is_no_record_ends_the_session_as_an_error(void **state)
{
    struct stage stage;
    struct report report;
    char buf[64];

    (void)state;
    stage_open(&stage, ENDS_TLS13, ENDS_TCP, CLOCK_NEVER);
    assert_int_equal(send(stage.client.there.fd, "not a record at all", 19, 0),
                     19);
    assert_int_equal(ends_read(&stage.upstream.there, buf, sizeof(buf)),
                     -ERR_RESET);
    report = stage_end(&stage);
    assert_int_equal(report.result.end, REASON_CLIENT_ERROR);
}

static void
a_reset_is_noticed_while_only_the_other_end_is_waited_for(void **state)
{
    static uint8_t buf[STREAM_RECORD];
    struct stage stage;
    struct report report;
    size_t held;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        stage_open(&stage, tcp_kinds[i], ENDS_TCP, CLOCK_NEVER);
        (void)pour(&stage.client.there, buf,
                   &held); /* upstream does not read */
        reset(&stage.client.there);
        report = stage_end(&stage); /* in spite of idle = never */
        assert_int_equal(report.result.end, REASON_CLIENT_RESET);
    }
}

static void
what_an_upstream_said_before_it_reset_us_reaches_the_client(void **state)
{
    struct stage stage;
    struct report report;
    char buf[64];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        stage_open(&stage, tcp_kinds[i], ENDS_TCP, CLOCK_NEVER);
        ends_write(&stage.client.there, "too much", 8);
        (void)ends_wait(stage.upstream.there.fd, POLLIN);
        ends_write(&stage.upstream.there, "550 bye", 7);
        fdio_close(&stage.upstream.there
                        .fd); /* with unread bytes: RST behind the answer */
        assert_int_equal(ends_read(&stage.client.there, buf, sizeof(buf)), 7);
        assert_int_equal(ends_read(&stage.client.there, buf, sizeof(buf)),
                         -ERR_RESET);
        report = stage_end(&stage);
        assert_int_equal(report.result.end, REASON_UPSTREAM_RESET);
    }
}

/* --- time and signals ----------------------------------------------------- */

static void
silence_on_both_ends_ends_it(void **state)
{
    struct stage stage;
    struct report report;

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        stage_open(&stage, rows[i].client, rows[i].upstream, 30);
        report = stage_end(&stage);
        assert_int_equal(report.result.end, REASON_IDLE_TIMEOUT);
        assert_true(report.waits <= 2);
    }
}

/* after bulk the relay looks up once more, to give memory back */
static void
silence_after_bulk_ends_it_too(void **state)
{
    static uint8_t buf[STREAM_RECORD];
    struct stage stage;
    struct report report;
    uint64_t at = 0;
    ssize_t n;

    (void)state;
    stage_open(&stage, ENDS_TLS13, ENDS_TCP, 1300);
    ends_fill(buf, sizeof(buf), 0);
    ends_write(&stage.client.there, buf, sizeof(buf));
    while (at < sizeof(buf)) {
        n = ends_read(&stage.upstream.there, buf, sizeof(buf));
        assert_true(n > 0 && ends_same(buf, (size_t)n, at));
        at += (uint64_t)n;
    }
    report = stage_end(&stage);
    assert_int_equal(report.result.end, REASON_IDLE_TIMEOUT);
    assert_int_equal(report.result.in, sizeof(buf));
    assert_true(report.waits < 20);
}

static void
traffic_of_one_end_is_no_silence(void **state)
{
    struct stage stage;
    struct report report;
    int64_t start = clock_ms();
    char buf[8];

    (void)state;
    stage_open(&stage, ENDS_TLS13, ENDS_TCP, 2000);
    while (clock_ms() - start < 3000) {
        ends_write(&stage.client.there, "tick", 4);
        assert_int_equal(ends_read(&stage.upstream.there, buf, sizeof(buf)), 4);
        (void)poll(NULL, 0, 20);
    }
    report = stage_end(&stage);
    assert_int_equal(report.result.end, REASON_IDLE_TIMEOUT);
}

static void
sigterm_ends_an_idle_session(void **state)
{
    struct stage stage;
    char buf[4];

    (void)state;
    stage_open(&stage, ENDS_TCP, ENDS_TCP, CLOCK_NEVER);
    ends_write(&stage.client.there, "x",
               1); /* when it arrives, handlers are set */
    assert_int_equal(ends_read(&stage.upstream.there, buf, 1), 1);
    assert_int_equal(kill(stage.pid, SIGTERM), 0);
    assert_int_equal(stage_end(&stage).result.end, REASON_STOPPED);
}

static void
sigterm_ends_a_busy_session(void **state)
{
    static uint8_t buf[STREAM_RECORD];
    struct pollfd items[2];
    struct stage stage;
    uint64_t total = 0;
    ssize_t n = 0;

    (void)state;
    stage_open(&stage, ENDS_TCP, ENDS_TCP, CLOCK_NEVER);
    while (n != -ERR_RESET && !stage.upstream.there.read_eof) {
        if ((n = stream_read(&stage.upstream.there, buf, sizeof(buf))) > 0) {
            total += (uint64_t)n;
            if (total > MIB)
                (void)kill(stage.pid, SIGTERM);
        }
        (void)stream_write(&stage.client.there, buf, sizeof(buf));
        items[0] =
            (struct pollfd){ .fd = stage.upstream.there.fd, .events = POLLIN };
        items[1] =
            (struct pollfd){ .fd = stage.client.there.fd, .events = POLLOUT };
        assert_true(poll(items, 2, 60000) > 0);
    }
    assert_int_equal(stage_end(&stage).result.end, REASON_STOPPED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_and_empty_sessions_end_cleanly),
        cmocka_unit_test(bytes_arrive_whole_both_ways_at_once),
        cmocka_unit_test(
            each_half_close_is_passed_on_and_the_other_way_goes_on),
        cmocka_unit_test(records_that_came_together_are_passed_on_together),
        cmocka_unit_test(a_slow_reader_slows_the_writer_and_costs_nothing),
        cmocka_unit_test(
            a_program_that_has_gone_ends_it_before_a_slow_client_does),
        cmocka_unit_test(a_hung_up_end_with_bytes_on_the_way_does_not_spin),
        cmocka_unit_test(
            a_reset_is_passed_on_as_a_reset_after_the_bytes_before_it),
        cmocka_unit_test(a_truncation_is_passed_on_as_a_reset),
        cmocka_unit_test(a_truncation_by_the_upstream_has_its_own_word),
        cmocka_unit_test(a_reset_crosses_a_bridge),
        cmocka_unit_test(
            a_refusal_of_our_certificate_is_the_first_thing_we_read),
        cmocka_unit_test(an_alert_of_the_client_is_its_error),
        cmocka_unit_test(what_is_no_record_ends_the_session_as_an_error),
        cmocka_unit_test(
            a_reset_is_noticed_while_only_the_other_end_is_waited_for),
        cmocka_unit_test(
            what_an_upstream_said_before_it_reset_us_reaches_the_client),
        cmocka_unit_test(silence_on_both_ends_ends_it),
        cmocka_unit_test(silence_after_bulk_ends_it_too),
        cmocka_unit_test(traffic_of_one_end_is_no_silence),
        cmocka_unit_test(sigterm_ends_an_idle_session),
        cmocka_unit_test(sigterm_ends_a_busy_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
