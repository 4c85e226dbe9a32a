/*
 * helpers.c - attacks: on who answers a worker, by what it may say to them
 *
 * The keeper and the connector know from the pair who asks, the master and the
 * logger from the kernel; nothing in a packet can say otherwise.
 */
#include "common/connwire.h"
#include "common/keywire.h"
#include "common/log.h"
#include "common/report.h"
#include "test/attack/attack.h"
#include "worker/worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define SIGNATURES  100000 /* more than any budget */
#define PACKETS     200    /* nobody reads the answers to so many */
#define LINES       2000
#define STAY_MS     60000
#define SESSIONS    500000

/* ask - one packet, and the first byte of the answer */
static long
ask(int pair, const void *packet, size_t len)
{
    struct pollfd item = { .fd = pair, .events = POLLIN };
    unsigned char answer = 0;
    ssize_t n = send(pair, packet, len, MSG_NOSIGNAL);

    if (n < 0)
        return errno == EPIPE ? ATTACK_CLOSED : -errno;
    if (poll(&item, 1, PATIENCE_MS) != 1)
        return -ETIMEDOUT;
    n = recv(pair, &answer, 1, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return ATTACK_CLOSED;
    return n < 0 ? -errno : answer;
}

/* pour - packets whose answers nobody reads */
static long
pour(int pair, const void *packet, size_t len, int count)
{
    for (int i = 0; i < count; i++)
        if (send(pair, packet, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            return errno == EPIPE || errno == ECONNRESET ? ATTACK_CLOSED
                                                         : -errno;
    return 0;
}

/* --- the keeper ------------------------------------------------------------ */

static struct keywire_request sign = {
    KEYWIRE_SIGN, KEYWIRE_CLIENT_SIDE, 0, KEYWIRE_ECDSA, 32, { 1 }
};

static long
ask_keeper(struct keywire_request request)
{
    return ask(attack_brief()->keeper_fd, &request,
               KEYWIRE_REQUEST_HEAD + request.len);
}

#define KEEPER_ATTACK(name, change)            \
    static long name(void)                     \
    {                                          \
        struct keywire_request request = sign; \
                                               \
        change;                                \
        return ask_keeper(request);            \
    }
KEEPER_ATTACK(keeper_own_key, (void)request)
KEEPER_ATTACK(keeper_no_op, request.op = 0)
KEEPER_ATTACK(keeper_bad_op, request.op = 255)
KEEPER_ATTACK(keeper_side, request.side = 2)
KEEPER_ATTACK(keeper_upstream_key, request.side = KEYWIRE_UPSTREAM_SIDE)
KEEPER_ATTACK(keeper_other_key, request.key = 1)
KEEPER_ATTACK(keeper_last_key, request.key = 255)
KEEPER_ATTACK(keeper_no_alg, request.alg = 0)
KEEPER_ATTACK(keeper_bad_alg, request.alg = 255)
KEEPER_ATTACK(keeper_digest, request.len = 20)
KEEPER_ATTACK(keeper_no_digest, request.len = 0)

static long
keeper_short(void)
{
    return ask(attack_brief()->keeper_fd, &sign, 3);
}

static long
keeper_empty(void)
{
    return ask(attack_brief()->keeper_fd, &sign, 0);
}

/* more than its length says, and more than there is room for */
static long
keeper_longer(void)
{
    return ask(attack_brief()->keeper_fd, &sign, KEYWIRE_REQUEST_HEAD + 64);
}

static long
keeper_huge(void)
{
    static char huge[sizeof(sign) + 1000];

    memcpy(huge, &sign, sizeof(sign));
    return ask(attack_brief()->keeper_fd, huge, sizeof(huge));
}

static long
keeper_budget(void)
{
    long result = KEYWIRE_OK;

    /* told once that it is spent, then cut off */
    for (long i = 0; result >= 0 && i < SIGNATURES; i++)
        result = ask_keeper(sign);
    return result;
}

static long
keeper_unread(void)
{
    return pour(attack_brief()->keeper_fd, &sign, KEYWIRE_REQUEST_HEAD + 32,
                SIGNATURES);
}

/* --- the connector ---------------------------------------------------------- */

static long
ask_connector(uint8_t kind, uint16_t route, uint16_t attempt, size_t len)
{
    static struct {
        struct connwire_request request;
        char more[100];
    } packet;

    packet.request = (struct connwire_request){ .kind = kind,
                                                .route = route,
                                                .attempt = attempt };
    return ask(attack_brief()->connector_fd, &packet, len);
}

#define CONNECTOR_ATTACK(name, ...)        \
    static long name(void)                 \
    {                                      \
        return ask_connector(__VA_ARGS__); \
    }
#define WHOLE sizeof(struct connwire_request)
CONNECTOR_ATTACK(connector_route, CONNWIRE_OPEN, 1, 0, WHOLE)
CONNECTOR_ATTACK(connector_last_route, CONNWIRE_OPEN, UINT16_MAX, 0, WHOLE)
CONNECTOR_ATTACK(connector_attempt, CONNWIRE_OPEN, 0, UINT16_MAX, WHOLE)
CONNECTOR_ATTACK(connector_no_kind, 0, 0, 0, WHOLE)
CONNECTOR_ATTACK(connector_kind, 255, 0, 0, WHOLE)
CONNECTOR_ATTACK(connector_short, CONNWIRE_OPEN, 0, 0, 3)
CONNECTOR_ATTACK(connector_long, CONNWIRE_OPEN, 0, 0, WHOLE + 50)
CONNECTOR_ATTACK(connector_empty, CONNWIRE_OPEN, 0, 0, 0)

static long
connector_unread(void)
{
    const struct connwire_request request = { .kind = CONNWIRE_OPEN };

    return pour(attack_brief()->connector_fd, &request, sizeof(request),
                PACKETS);
}

/* its own upstream, said to be down: others are served all the same */
static long
connector_slander(void)
{
    struct connwire_request request = { .kind = CONNWIRE_OPEN };
    long result = ask(attack_brief()->connector_fd, &request, sizeof(request));

    request.kind = CONNWIRE_OUTCOME;
    request.error = ECONNREFUSED;
    if (result == CONNWIRE_CONNECTING)
        result =
            pour(attack_brief()->connector_fd, &request, sizeof(request), 10);
    return result;
}

/* --- the master --------------------------------------------------------------- */

/* report - who does not fit is killed while it waits here */
static long
report(uint8_t kind, size_t len)
{
    static struct {
        struct report report;
        char more[20];
    } packet;

    packet.report.kind = kind;
    if (send(attack_brief()->report_fd, &packet, len, MSG_NOSIGNAL) < 0)
        return -errno;
    return poll(NULL, 0, PATIENCE_MS);
}

#define REPORT_ATTACK(name, kind, len) \
    static long name(void)             \
    {                                  \
        return report(kind, len);      \
    }
#define RECORD sizeof(struct report)
REPORT_ATTACK(report_idle, REPORT_IDLE, RECORD)
REPORT_ATTACK(report_taken, REPORT_TAKEN, RECORD)
REPORT_ATTACK(report_verified, REPORT_VERIFIED, RECORD)
REPORT_ATTACK(report_leaving, REPORT_LEAVING, RECORD)
REPORT_ATTACK(report_refused, REPORT_REFUSED, RECORD)
REPORT_ATTACK(report_none, 0, RECORD)
REPORT_ATTACK(report_unknown, 255, RECORD)
REPORT_ATTACK(report_short, REPORT_ENDED, 3)
REPORT_ATTACK(report_long, REPORT_ENDED, RECORD + 8)
REPORT_ATTACK(report_empty, REPORT_ENDED, 0)

static bool
said(uint8_t kind)
{
    struct report record = { .kind = kind, .family = AF_INET, .port = 1 };

    memcpy(record.addr + 10, "\xff\xff\xcb\x00\x71\x09", 6); /* 203.0.113.9 */
    return send(attack_brief()->report_fd, &record, sizeof(record),
                MSG_NOSIGNAL) > 0;
}

/* sessions that never were, of somebody else; every report fits, and only where
 * the master reads faster than REPORTS_RATE there are too many */
static long
report_flood(void)
{
    for (int i = 0; i < SESSIONS; i++)
        if (!said(REPORT_ENDED) || !said(REPORT_TAKEN) ||
            !said(REPORT_VERIFIED))
            return -errno;
    return 0;
}

/* after its session, or in place of it: deaf to leash and signals, and free as
 * far as the master knows; it would accept for ever */
static long
stay(uint8_t kind)
{
    static const unsigned long all = ~0ul;
    const long call[7] = { SYS_rt_sigprocmask, SIG_SETMASK, TEXT(&all), 0,
                           sizeof(all) };

    (void)attack_call(call);
    if (kind != 0 && !said(kind))
        return -errno;
    return poll(NULL, 0, STAY_MS);
}

static long
stay_free(void)
{
    return stay(REPORT_ENDED);
}

static long
stay_last(void)
{
    return stay(REPORT_LAST);
}

static long
stay_busy(void)
{
    return stay(0);
}

/* --- the logger ----------------------------------------------------------------- */

/* a line of the master's, in a value and in fields called as its stamps are */
static long
log_forge(void)
{
    struct log_line line;

    log_begin(&line, LOG_L_WARN, "forged");
    log_text(&line, "pid", "1");
    log_text(&line, "reason",
             "x\nmtlsd[1] error worker_crashed client=203.0.113.9:1\n");
    log_send(&line);
    return 0;
}

static long
log_garbage(void)
{
    return pour(attack_brief()->report_fd < 0 ? -1 : log_fd(),
                "\x01garbage\xff\xfe\n\nmtlsd[1] error forged", 40, 1);
}

static long
log_key(void)
{
    return pour(log_fd(),
                "\x01"
                "bad\nevent\0t"
                "a=b\nc\0\x01\x00x",
                22, 1);
}

static long
log_empty(void)
{
    return pour(log_fd(), "", 0, 1);
}

static long
log_huge(void)
{
    static const char huge[LOG_RECORD_MAX + 100];

    return pour(log_fd(), huge, sizeof(huge), 1);
}

static long
log_flood(void)
{
    for (int i = 0; i < LINES; i++)
        log_simple(LOG_L_INFO, "flood", "a line that nobody asked for");
    return 0;
}

/* --- the leash and the listener ---------------------------------------------- */

static char byte[1];

/* the listener in its own set: woken beside its siblings, not in their place */
static long
watch_listener(void)
{
    struct {
        uint32_t events;
        uint64_t data;
    } __attribute__((packed)) event = { POLLIN, 0 };
    long call[7] = { SYS_epoll_ctl, 0, 1, LISTENER, TEXT(&event) };
    long result = -EBADF;

    for (call[1] = 3; result == -EBADF || result == -EINVAL; call[1]++)
        if (call[1] > 40)
            break;
        else
            result = attack_call(call);
    return result;
}

#define REFUSES "worker_misbehaved" /* a keeper has told the master */
#define MISFIT  "worker_misbehaved"

static const struct attack attacks[] = {
    RUN("keeper-own-key", "OK", NULL, keeper_own_key),
    RUN("keeper-no-op", "CLOSED|KILL", REFUSES, keeper_no_op),
    RUN("keeper-bad-op", "CLOSED|KILL", REFUSES, keeper_bad_op),
    RUN("keeper-side", "CLOSED|KILL", REFUSES, keeper_side),
    RUN("keeper-upstream-key", "CLOSED|KILL", REFUSES, keeper_upstream_key),
    RUN("keeper-other-key", "CLOSED|KILL", REFUSES, keeper_other_key),
    RUN("keeper-last-key", "CLOSED|KILL", REFUSES, keeper_last_key),
    RUN("keeper-no-alg", "CLOSED|KILL", REFUSES, keeper_no_alg),
    RUN("keeper-bad-alg", "CLOSED|KILL", REFUSES, keeper_bad_alg),
    RUN("keeper-digest", "CLOSED|KILL", REFUSES, keeper_digest),
    RUN("keeper-no-digest", "CLOSED|KILL", REFUSES, keeper_no_digest),
    RUN("keeper-short", "CLOSED|KILL", REFUSES, keeper_short),
    RUN("keeper-longer", "CLOSED|KILL", REFUSES, keeper_longer),
    RUN("keeper-huge", "CLOSED|KILL", REFUSES, keeper_huge),
    RUN("keeper-empty", "CLOSED|KILL", REFUSES, keeper_empty),
    RUN("keeper-budget", "CLOSED|KILL", REFUSES, keeper_budget),
    RUN("keeper-unread", "CLOSED|EAGAIN|KILL", NULL, keeper_unread),
    RUN("connector-route", "CLOSED", "connector_pair", connector_route),
    RUN("connector-last-route", "CLOSED", "connector_pair",
        connector_last_route),
    RUN("connector-attempt", "OK", NULL, connector_attempt),
    RUN("connector-no-kind", "CLOSED", "connector_pair", connector_no_kind),
    RUN("connector-kind", "CLOSED", "connector_pair", connector_kind),
    RUN("connector-short", "CLOSED", "connector_pair", connector_short),
    RUN("connector-long", "CLOSED", "connector_pair", connector_long),
    RUN("connector-empty", "CLOSED", NULL, connector_empty),
    RUN("connector-unread", "OK|CLOSED|EAGAIN", NULL, connector_unread),
    RUN("connector-slander", "OK", NULL, connector_slander),
    RUN("report-idle", "KILL", MISFIT, report_idle),
    RUN("report-taken", "KILL", MISFIT, report_taken),
    RUN("report-verified", "KILL", MISFIT, report_verified),
    RUN("report-leaving", "KILL", MISFIT, report_leaving),
    RUN("report-refused", "KILL", MISFIT, report_refused),
    RUN("report-none", "KILL", MISFIT, report_none),
    RUN("report-unknown", "KILL", MISFIT, report_unknown),
    RUN("report-short", "KILL", MISFIT, report_short),
    RUN("report-long", "KILL", MISFIT, report_long),
    RUN("report-empty", "KILL", MISFIT, report_empty),
    RUN("report-flood", "OK|KILL", NULL, report_flood),
    RUN("stay-free", "KILL", NULL, stay_free),
    RUN("stay-last", "KILL", NULL, stay_last),
    RUN("stay-busy", "KILL", NULL, stay_busy),
    RUN("log-forge", "OK", "forged", log_forge),
    RUN("log-garbage", "OK", "log_bad", log_garbage),
    RUN("log-key", "OK", "log_bad", log_key),
    RUN("log-empty", "OK", "log_bad", log_empty),
    RUN("log-huge", "OK|EMSGSIZE", "log_bad", log_huge),
    RUN("log-flood", "OK", NULL, log_flood),
    RUN("watch-listener", "OK|EEXIST|EPERM|EINVAL", NULL, watch_listener),
    CALL("leash-read", "EAGAIN", SYS_read, LEASH, TEXT(byte), 1),
    CALL("leash-write", "EBADF", SYS_write, LEASH, TEXT(byte), 1),
};
const struct attack_theme attack_helpers = THEME(attacks);
