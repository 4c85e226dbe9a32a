/*
 * runner.c - attacks: on who runs the program of a service
 *
 * The runner knows from the pair which program is meant; what a worker says of
 * its client becomes that program's environment. Where a service has no
 * program there is no pair: EBADF.
 */
#include "common/runwire.h"
#include "test/attack/attack.h"
#include "worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define PATIENCE_MS 60000
#define SEEN        100    /* no worker has served so many before */
#define FOREIGN     100000 /* nor so many */
#define RUNS        200

static struct {
    struct runwire_request run;
    char more[RUNWIRE_TEXT_MAX];
} packet;

static long
put(const void *data, size_t len)
{
    if (send(attack_brief()->runner_fd, data, len, MSG_NOSIGNAL) >= 0)
        return 0;
    return errno == EPIPE || errno == ECONNRESET ? ATTACK_CLOSED : -errno;
}

/* answer - the next reply; a descriptor that comes along stays open, if there
 * is room */
static long
answer(struct runwire_reply *reply)
{
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec data = { reply, sizeof(*reply) };
    struct msghdr message = { .msg_iov = &data,
                              .msg_iovlen = 1,
                              .msg_control = control,
                              .msg_controllen = sizeof(control) };
    struct pollfd item = { .fd = attack_brief()->runner_fd, .events = POLLIN };
    ssize_t n;

    if (poll(&item, 1, PATIENCE_MS) != 1)
        return -ETIMEDOUT;
    n = recvmsg(item.fd, &message, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return ATTACK_CLOSED;
    return n < 0 ? -errno : 0;
}

/* leave - whatever its number is, the session of our client is over */
static long
leave(uint32_t first, uint32_t count)
{
    struct runwire_request over = { .kind = RUNWIRE_CLOSE };
    long result = 0;

    for (uint32_t i = 0; result == 0 && i < count; i++) {
        over.seq = first + i;
        result = put(&over, RUNWIRE_HEAD);
    }
    return result;
}

/* fresh - a RUN that the runner likes; its length */
static size_t
fresh(uint32_t seq)
{
    memset(&packet, 0, sizeof(packet));
    (void)runwire_begin(&packet.run, seq);
    (void)runwire_add(&packet.run, RUNWIRE_REMOTE_IP, "203.0.113.9");
    return runwire_add(&packet.run, RUNWIRE_SUBJECT, "CN=somebody else");
}

/* ask - one RUN in the place of the client's: what the runner says */
static long
ask(size_t len)
{
    struct runwire_reply reply;
    long result = leave(0, SEEN);

    if (result == 0)
        result = put(&packet, len);
    if (result == 0)
        result = answer(&reply);
    return result == 0 ? reply.kind : result;
}

/* --- what breaks the rules ------------------------------------------------- */

#define RUNNER_ATTACK(name, change)  \
    static long name(void)           \
    {                                \
        size_t len = fresh(FOREIGN); \
                                     \
        change;                      \
        return ask(len);             \
    }
RUNNER_ATTACK(runner_no_kind, packet.run.kind = 0)
RUNNER_ATTACK(runner_kind, packet.run.kind = 255)
RUNNER_ATTACK(runner_short, len = 3)
RUNNER_ATTACK(runner_empty, len = 0)
RUNNER_ATTACK(runner_long, len += 1)
RUNNER_ATTACK(runner_huge, len = sizeof(packet))
RUNNER_ATTACK(runner_lengths, packet.run.len[RUNWIRE_SNI] = UINT16_MAX)
RUNNER_ATTACK(runner_newline, packet.run.text[len - RUNWIRE_HEAD - 1] = '\n')
RUNNER_ATTACK(runner_nul, packet.run.text[len - RUNWIRE_HEAD - 1] = '\0')
RUNNER_ATTACK(runner_byte, packet.run.text[len - RUNWIRE_HEAD - 1] = '\x80')
RUNNER_ATTACK(runner_address, packet.run.text[0] = '/')

/* runner_field - longer than that field may be */
static long
runner_field(void)
{
    (void)runwire_begin(&packet.run, FOREIGN);
    memset(packet.run.text, 'x', RUNWIRE_TEXT_MAX);
    packet.run.len[RUNWIRE_CN] = RUNWIRE_TEXT_MAX;
    return ask(sizeof(packet.run));
}

static long
runner_port(void)
{
    (void)runwire_begin(&packet.run, FOREIGN);
    memcpy(packet.run.text, "70000", 5);
    packet.run.len[RUNWIRE_REMOTE_PORT] = 5;
    return ask(RUNWIRE_HEAD + 5);
}

/* runner_close - one with something behind it */
static long
runner_close(void)
{
    struct runwire_reply reply;
    long result;

    memset(&packet, 0, sizeof(packet));
    packet.run.kind = RUNWIRE_CLOSE;
    result = put(&packet, RUNWIRE_HEAD + 1);
    return result == 0 ? answer(&reply) : result;
}

/* runner_second - while that of the client runs */
static long
runner_second(void)
{
    struct runwire_reply reply;
    long result = put(&packet, fresh(FOREIGN));

    return result == 0 ? answer(&reply) : result;
}

/* --- what keeps them --------------------------------------------------------- */

/* the same program, for a client that never was */
RUNNER_ATTACK(runner_lies, (void)len)
/* where another wire has a service or a route */
RUNNER_ATTACK(runner_pad, memset(packet.run.pad, 0xff, sizeof(packet.run.pad)))

static long
runner_foreign(void)
{
    return leave(FOREIGN, SEEN);
}

/* runner_flood - one after the other, and no end of them let go, so that none
 * sees that its session is over; why there is no more: enum runwire_step */
static long
runner_flood(void)
{
    struct runwire_reply reply = { .kind = RUNWIRE_STARTED };
    long result = leave(0, SEEN);
    uint32_t seq = FOREIGN;

    while (result == 0 && reply.kind != RUNWIRE_FAILED &&
           ++seq < FOREIGN + RUNS) {
        result = put(&packet, fresh(seq));
        if (result == 0)
            result = answer(&reply);
        if (result == 0)
            result = leave(seq, 1);
    }
    return result == 0 && reply.kind == RUNWIRE_FAILED ? reply.step : result;
}

/* runner_unread - and nobody hears whether they run */
static long
runner_unread(void)
{
    long result = leave(0, SEEN);

    for (uint32_t i = 0; result == 0 && i < RUNS; i++) {
        result = put(&packet, fresh(FOREIGN + i));
        if (result == 0)
            result = leave(FOREIGN + i, 1);
    }
    return result;
}

#define PAIR "runner_pair"

static const struct attack attacks[] = {
    RUN("runner-no-kind", "CLOSED", PAIR, runner_no_kind),
    RUN("runner-kind", "CLOSED", PAIR, runner_kind),
    RUN("runner-short", "CLOSED", PAIR, runner_short),
    RUN("runner-empty", "CLOSED", NULL, runner_empty),
    RUN("runner-long", "CLOSED", PAIR, runner_long),
    RUN("runner-huge", "CLOSED", PAIR, runner_huge),
    RUN("runner-lengths", "CLOSED", PAIR, runner_lengths),
    RUN("runner-newline", "CLOSED", PAIR, runner_newline),
    RUN("runner-nul", "CLOSED", PAIR, runner_nul),
    RUN("runner-byte", "CLOSED", PAIR, runner_byte),
    RUN("runner-address", "CLOSED", PAIR, runner_address),
    RUN("runner-field", "CLOSED", PAIR, runner_field),
    RUN("runner-port", "CLOSED", PAIR, runner_port),
    RUN("runner-close", "CLOSED", PAIR, runner_close),
    RUN("runner-second", "CLOSED", PAIR, runner_second),
    RUN("runner-lies", "OK", NULL, runner_lies),
    RUN("runner-pad", "OK", NULL, runner_pad),
    RUN("runner-foreign", "OK", NULL, runner_foreign),
    RUN("runner-flood", "OK", NULL, runner_flood),
    RUN("runner-unread", "OK|CLOSED", NULL, runner_unread),
};
const struct attack_theme attack_runner = THEME(attacks);
