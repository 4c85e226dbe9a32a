/*
 * relay.c - move bytes between client and upstream until both have finished
 *
 * Owns the two directions of a session, their buffers, and the word for how
 * the session ended.
 * Must never close an end, log, read more than it can hold, or let an end that
 * broke look as if it had finished.
 */
#include "worker/relay.h"
#include "common/clock.h"
#include "worker/pages.h"
#include "worker/stream.h"
#include "worker/wait.h"
#include "worker/yield.h"
#include <errno.h>
#include <linux/sockios.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Eight records: one recv(2), or one send(2), for all of them. Measured: 64 KiB
 * costs an eighth more, 256 KiB gains nothing. */
#define BUF_SIZE 131072

/* After one end broke, the other end gets this long for what it has not yet
 * taken; then it is reset too. */
#define FAREWELL_MS 1000

/* Two directions that never have to wait must still see SIGTERM. */
#define LOOK_EVERY 64

/*
 *   FLOW_READ --bytes--> FLOW_WRITE --all written--> FLOW_READ
 *   FLOW_READ --end----> FLOW_SHUT --passed on--> FLOW_DONE
 *
 * A direction with unsent bytes does not read: that is the back-pressure. A
 * write that wants a retry is retried with the same bytes.
 */
enum flow_state { FLOW_READ, FLOW_WRITE, FLOW_SHUT, FLOW_DONE };

struct flow {
    struct stream *from, *to;
    enum flow_state state;
    bool blocked; /* tried, and nothing has been reported since */
    bool failed;  /* the last step did; `culprit` says which end */
    struct stream *culprit;
    uint8_t *buf;
    size_t off, len;
    size_t high; /* most that was ever in buf */
    uint64_t total;
};

enum { UP, DOWN, FLOWS }; /* client to upstream, upstream to client */

/* what is watched: both ends, and the client's way out when that is another
 * descriptor (stream_split) */
enum { OUT = FLOWS, ITEMS };

struct relay {
    struct stream *end[FLOWS]; /* end[UP] is the client: from of flow[UP] */
    struct flow flow[FLOWS];
    struct flow *answer; /* against the direction that moved last */
    bool mute[ITEMS];    /* it hung up and we want nothing from it now */
    enum reason first;   /* who finished first */
    int alert;           /* of the end that broke, -1 */
    const struct relay_times *times;
    int64_t deadline;
    uint64_t seen; /* total at the last look, for idle time and progress */
    void (*progress)(void *ctx, uint64_t in, uint64_t out);
    void *ctx;
};

/* One connection per process: buffers live as long as it does. Their pages
 * come into being when bytes do. */
static alignas(PAGES_SIZE) uint8_t buffers[FLOWS][BUF_SIZE];

/* flow_fail - remember which end failed */
static ssize_t
flow_fail(struct flow *flow, struct stream *culprit, ssize_t error)
{
    if (error != -ERR_AGAIN) {
        flow->failed = true;
        flow->culprit = culprit;
    }
    return error;
}

/* flow_step - 0 went one step, -ERR_AGAIN wait, other -ERR_* end */
static ssize_t
flow_step(struct flow *flow)
{
    ssize_t n;

    switch (flow->state) {
    case FLOW_READ:
        if ((n = stream_read(flow->from, flow->buf, BUF_SIZE)) < 0)
            return flow_fail(flow, flow->from, n);
        flow->off = 0;
        flow->len = (size_t)n;
        if (flow->len > flow->high)
            flow->high = flow->len;
        flow->state = n == 0 ? FLOW_SHUT : FLOW_WRITE;
        return 0;
    case FLOW_WRITE:
        n = stream_write(flow->to, flow->buf + flow->off, flow->len);
        if (n == -ERR_EOF) { /* a program: nobody wants the rest */
            flow->state = FLOW_DONE;
            return 0;
        }
        if (n < 0)
            return flow_fail(flow, flow->to, n);
        flow->off += (size_t)n;
        flow->len -= (size_t)n;
        flow->total += (uint64_t)n;
        if (flow->len == 0)
            flow->state = FLOW_READ;
        return 0;
    case FLOW_SHUT:
        if ((n = stream_shut(flow->to)) < 0)
            return flow_fail(flow, flow->to, n);
        flow->state = FLOW_DONE;
        return 0;
    case FLOW_DONE:
        return -ERR_AGAIN;
    }
    abort(); /* -Wswitch-enum keeps this unreachable */
}

/* flow_wants - what poll(2) must say of which end before the next step */
static short
flow_wants(const struct flow *flow, const struct stream *end)
{
    switch (flow->state) {
    case FLOW_READ:
        if (flow->from == end)
            return end->read_events;
        break;
    case FLOW_WRITE:
    case FLOW_SHUT:
        if (flow->to == end)
            return end->write_events;
        break;
    case FLOW_DONE:
        break;
    }
    return 0;
}

/* end_wants - of an end, for both directions */
static short
end_wants(const struct relay *relay, const struct stream *end)
{
    int up = flow_wants(&relay->flow[UP], end),
        down = flow_wants(&relay->flow[DOWN], end);

    return (short)(up | down);
}

/* end_reason - the word for an end that failed with error */
static enum reason
end_reason(const struct relay *relay, const struct stream *end, ssize_t error)
{
    bool client = end == relay->end[UP];

    if (error == -ERR_RESET)
        return client ? REASON_CLIENT_RESET : REASON_UPSTREAM_RESET;
    if (error == -ERR_TRUNCATED)
        return client ? REASON_CLIENT_TRUNCATED : REASON_UPSTREAM_TRUNCATED;
    return client ? REASON_CLIENT_ERROR : REASON_UPSTREAM_ERROR;
}

/* --- the farewell: one end broke ------------------------------------------ */

/* sent_wait - SO_LINGER 0 throws away what the kernel has not delivered: give
 * TCP a moment. There is no event for an empty send queue. */
static void
sent_wait(int fd, int64_t deadline)
{
    int family = 0, unsent = 0;
    socklen_t len = sizeof(family);
    int64_t pause = 1;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) != 0 ||
        family == AF_UNIX)
        return;
    while (ioctl(fd, SIOCOUTQ, &unsent) == 0 && unsent > 0 &&
           clock_left(deadline) > 0) {
        int64_t until = clock_deadline(pause);

        if (wait_for(NULL, 0, until < deadline ? until : deadline) !=
            ERR_TIMEOUT)
            return;
        pause *= 2;
    }
}

/* farewell - the end that flow comes from broke: what it sent before goes out
 * to the other end (an orderly end too, when it was read before the break),
 * then that is marked to be reset */
static void
farewell(struct flow *flow)
{
    int64_t deadline = clock_deadline(FAREWELL_MS);
    struct pollfd item = { .fd = flow->to->out_fd };
    bool ended = flow->state == FLOW_SHUT;

    while (flow->state != FLOW_DONE && (ended || flow->state != FLOW_SHUT)) {
        ssize_t n;

        stream_recheck(flow->from); /* nobody will wait for it any more */
        n = flow_step(flow);
        if (clock_left(deadline) == 0 || wait_stopped())
            break; /* both ends may be ready for ever */
        if (n == 0)
            continue;
        if (n != -ERR_AGAIN || flow->state == FLOW_READ)
            break;
        item.events = flow->to->write_events;
        if (wait_for(&item, 1, deadline) != ERR_OK)
            break;
    }
    sent_wait(flow->to->out_fd, deadline);
    stream_abort(flow->to);
}

/* refused - an upstream that speaks TLS 1.3 looks at our certificate after our
 * own handshake is over; its alert is the first thing that we read then */
static bool
refused(const struct relay *relay, const struct stream *culprit)
{
    return culprit == relay->end[DOWN] && relay->flow[DOWN].total == 0 &&
           alert_refuses_us(culprit->alert);
}

/* broke - an end failed: say goodbye to the other one. The culprit's alert may
 * be read only then: a write met its reset first. */
static enum reason
broke(struct relay *relay, struct stream *culprit, ssize_t error)
{
    enum reason reason = end_reason(relay, culprit, error);
    struct flow *flow = &relay->flow[culprit == relay->end[UP] ? UP : DOWN];

    flow->failed = false;
    farewell(flow);
    relay->alert = culprit->alert;
    return refused(relay, culprit) ? REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE
                                   : reason;
}

/* --- waiting -------------------------------------------------------------- */

/* tell - the totals, when they have changed; true: they have */
static bool
tell(struct relay *relay)
{
    uint64_t total = relay->flow[UP].total + relay->flow[DOWN].total;

    if (total == relay->seen)
        return false;
    relay->seen = total;
    if (relay->progress != NULL)
        relay->progress(relay->ctx, relay->flow[UP].total,
                        relay->flow[DOWN].total);
    return true;
}

/* over - a program has closed both its ends, and we have read all that it wrote:
 * the client has nobody to talk to */
static bool
over(const struct relay *relay, const struct stream *end, short revents)
{
    return end->program && (revents & POLLHUP) != 0 &&
           relay->flow[DOWN].state == FLOW_DONE;
}

/* hung_up - poll(2) reported more of an end than we asked for. 0: it is an
 * orderly end that we already know or will read later; keep quiet about it. */
static ssize_t
hung_up(struct stream *end, const struct pollfd *item)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (end->program)
        return 0;
    /* This clears the error, so the session must end here if there is one. A
     * pipe has none to tell: nobody reads it any more. */
    if (getsockopt(item->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = (item->revents & POLLERR) != 0 ? EPIPE : 0;
    if (error == 0)
        return 0;
    end->error = error;
    end->reset = true;
    return error == ECONNRESET || error == EPIPE ? -ERR_RESET : -ERR_IO;
}

/* item_end - whose item is it? */
static struct stream *
item_end(const struct relay *relay, int i)
{
    return relay->end[i == OUT ? UP : i];
}

/* item_fd, item_wants - of an end whose way out is another descriptor, each
 * item is one way */
static int
item_fd(const struct stream *end, int i)
{
    if (i != OUT)
        return end->fd;
    return end->out_fd == end->fd ? -1 : end->out_fd;
}

static short
item_wants(const struct stream *end, int i, short wants)
{
    if (end->out_fd == end->fd)
        return (short)(i == OUT ? 0 : wants);
    return (short)(wants & (i == OUT ? POLLOUT : POLLIN));
}

/* ask - fill in what poll(2) shall look for. An end that we want nothing from
 * (its bytes wait for the other end) is watched too, for a reset; once it has
 * hung up poll(2) would report that for ever, so it is left out then. */
static void
ask(struct relay *relay, struct pollfd items[ITEMS])
{
    for (int i = 0; i < ITEMS; i++) {
        struct stream *end = item_end(relay, i);
        short wants = item_wants(end, i, end_wants(relay, end));
        bool said_all = end->program && relay->flow[DOWN].state == FLOW_DONE;

        if (wants != 0 || said_all) /* then its hanging up is news: over() */
            relay->mute[i] = false;
        items[i].fd = relay->mute[i] ? -1 : item_fd(end, i);
        items[i].events = wants;
        items[i].revents = 0;
    }
}

/* hear - wake the directions that poll(2) speaks of; negative: an end broke,
 * culprit says which */
static ssize_t
hear(struct relay *relay, const struct pollfd items[ITEMS],
     struct stream **culprit)
{
    for (int i = 0; i < ITEMS; i++) {
        struct stream *end = item_end(relay, i);
        ssize_t error = 0;

        if (items[i].revents == 0)
            continue;
        if (over(relay, end, items[i].revents)) {
            relay->flow[UP].state = FLOW_DONE;
            continue;
        }
        if (items[i].events == 0) {
            relay->mute[i] = true;
            *culprit = end;
            error =
                items[i].revents & POLLNVAL ? -ERR_IO : hung_up(end, &items[i]);
        }
        if (error != 0)
            return error;
        for (int f = 0; f < FLOWS; f++) {
            short wants = item_wants(end, i, flow_wants(&relay->flow[f], end));

            if (wants != 0 && (items[i].revents &
                               (wants | POLLHUP | POLLERR | POLLNVAL)) != 0)
                relay->flow[f].blocked = false;
        }
    }
    return 0;
}

/* trim - memory that only traffic needs goes back */
static void
trim(struct relay *relay)
{
    for (int i = 0; i < FLOWS; i++) {
        struct flow *flow = &relay->flow[i];

        stream_trim(relay->end[i]);
        if (flow->len == 0) {
            pages_return(flow->buf, flow->high);
            flow->high = 0;
        }
    }
}

/* doze - wait; for longer than a moment without that memory */
static enum err
doze(struct relay *relay, struct pollfd items[ITEMS])
{
    int64_t moment = clock_deadline(WAIT_MOMENT_MS);
    enum err err;

    if (moment < relay->deadline) {
        err = wait_for(items, ITEMS, moment);
        if (err != ERR_TIMEOUT)
            return err;
        trim(relay);
    }
    return wait_for(items, ITEMS, relay->deadline);
}

/* rest - both directions wait. REASON_NONE: go on. After a yield only the one
 * is tried in which an answer would come: most sessions talk in turns. */
static enum reason
rest(struct relay *relay)
{
    struct pollfd items[ITEMS];
    struct stream *culprit = NULL;
    enum err err;
    ssize_t error;
    bool moved = tell(relay);

    if (moved)
        relay->deadline = clock_deadline(relay->times->idle_ms);
    if (yield_first(moved)) {
        relay->answer->blocked = false;
        return REASON_NONE;
    }
    ask(relay, items);
    err = doze(relay, items);
    if (err == ERR_TIMEOUT)
        return REASON_IDLE_TIMEOUT;
    if (err == ERR_STOP)
        return REASON_STOPPED;
    if (err != ERR_OK)
        return REASON_INTERNAL;
    if ((error = hear(relay, items, &culprit)) != 0)
        return broke(relay, culprit, error);
    /* an end may be ready for ever and never give a byte (KeyUpdates) */
    if (clock_left(relay->deadline) == 0)
        return REASON_IDLE_TIMEOUT;
    return REASON_NONE;
}

/* --- the loop ------------------------------------------------------------- */

/* turn - at most one read and one write of a direction, so that neither starves
 * the other. REASON_NONE: go on */
static enum reason
turn(struct relay *relay, struct flow *flow)
{
    for (int step = 0; step < 2 && !flow->blocked && flow->state != FLOW_DONE;
         step++) {
        ssize_t n = flow_step(flow);

        if (n == 0)
            relay->answer = &relay->flow[flow == &relay->flow[UP] ? DOWN : UP];
        else if (n == -ERR_AGAIN)
            flow->blocked = true;
        else
            return broke(relay, flow->culprit, n);
        if (flow->state == FLOW_SHUT && relay->first == REASON_NONE)
            relay->first = flow == &relay->flow[UP] ? REASON_CLIENT_EOF
                                                    : REASON_UPSTREAM_EOF;
    }
    return REASON_NONE;
}

static bool
resting(const struct flow *flow)
{
    return flow->blocked || flow->state == FLOW_DONE;
}

static enum reason
relay_loop(struct relay *relay)
{
    enum reason end;

    for (unsigned count = 1;; count++) {
        for (int i = 0; i < FLOWS; i++)
            if ((end = turn(relay, &relay->flow[i])) != REASON_NONE)
                return end;
        if (relay->flow[UP].state == FLOW_DONE &&
            relay->flow[DOWN].state == FLOW_DONE)
            return relay->first;
        if (resting(&relay->flow[UP]) && resting(&relay->flow[DOWN])) {
            if ((end = rest(relay)) != REASON_NONE)
                return end;
        } else if (count % LOOK_EVERY == 0) {
            if (wait_stopped())
                return REASON_STOPPED;
            if (tell(relay))
                relay->deadline = clock_deadline(relay->times->idle_ms);
        }
    }
}

void
relay_run(struct stream *client, struct stream *upstream,
          const struct relay_times *times,
          void (*progress)(void *ctx, uint64_t in, uint64_t out), void *ctx,
          struct relay_result *result)
{
    struct relay relay = {
        .end = { client, upstream },
        .flow = { { .from = client, .to = upstream, .buf = buffers[UP] },
                  { .from = upstream, .to = client, .buf = buffers[DOWN] } },
        .first = REASON_NONE,
        .alert = -1,
        .times = times,
        .deadline = clock_deadline(times->idle_ms),
        .progress = progress,
        .ctx = ctx,
    };

    relay.answer = &relay.flow[UP];
    result->end = relay_loop(&relay);
    result->alert = relay.alert;
    (void)tell(&relay);
    /* nothing of this client is left for whoever takes over the next */
    for (int i = 0; i < FLOWS; i++)
        pages_forget(buffers[i], relay.flow[i].high);
    result->in = relay.flow[UP].total;
    result->out = relay.flow[DOWN].total;
}
