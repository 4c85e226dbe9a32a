/*
 * connector_main.c - the process that opens connections to upstreams
 *
 * Owns connect(2): every connection towards an upstream begins here and is
 * handed, still under way, to the worker that asked by number.
 * Must never wait for anything but epoll, take an address from a worker, take a
 * descriptor from one, or read a byte of a connection.
 */
#include "master/connector_main.h"
#include "common/addr.h"
#include "common/clock.h"
#include "common/connwire.h"
#include "common/fdio.h"
#include "common/landlock.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "common/tcp.h"
#include "common/text.h"
#include "master/filters.h"
#include "master/helper.h"
#include "master/limits.h"
#include "master/names.h"
#include "master/pick.h"
#include "master/tables.h"
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define LOG_LINES 20
#define LOG_MS    60000
#define MEMORY    (64u << 20) /* tables of two generations, and a resolver's */

struct pair {           /* one worker */
    enum source source; /* SOURCE_PAIR; first */
    int fd;             /* -1: closed, to be freed */
    bool waiting;       /* request wants a name that is being resolved */
    struct connwire_request request;
    struct table *table;
    struct round round;  /* its walk over a route's addresses */
    struct target given; /* the last descriptor leads there; sa_len 0: none */
    uint32_t given_seq;  /* in this reply */
    struct pair *next, *prev;
};

static struct {
    enum source source; /* SOURCE_CONTROL; first: epoll points here */
    int control;
    int epoll_fd;
    struct pair *pairs;
    struct pair *closed; /* to be freed, singly linked */
} self;

/* complain - an order that makes no sense; the master and we are one program */
static void
complain(const char *reason)
{
    log_simple(LOG_L_ERROR, "connector_order", reason);
}

/* --- connecting ----------------------------------------------------------- */

/* begin - start a connection; the descriptor, or -1 and errno */
static int
begin(const struct target *target, int64_t dead_peer_ms)
{
    int family = target->sa.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int saved;

    if (fd < 0)
        return -1;
    if (family != AF_UNIX) {
        tcp_nodelay(fd);
        tcp_dead_peer(fd, dead_peer_ms);
    }
    if (connect(fd, (const struct sockaddr *)&target->sa, target->sa_len) ==
            0 ||
        errno == EINPROGRESS)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* may_say - not more than LOG_LINES about one service in LOG_MS: the word of its
 * workers is behind them */
static bool
may_say(struct table *table, int64_t now)
{
    if (table->logged == 0 || now - table->log_from >= LOG_MS) {
        table->log_from = now;
        table->logged = 0;
    }
    return table->logged++ < LOG_LINES;
}

/* learn - how an attempt went; a change is worth a line */
static void
learn(struct table *table, const struct target *target, int error, int64_t now)
{
    char text[ADDR_TEXT_MAX];
    struct log_line line;
    int64_t penalty;

    if (!health_outcome(&table->health, &target->sa, target->sa_len, error, now,
                        &penalty) ||
        !may_say(table, now))
        return;
    log_begin(&line, penalty > 0 ? LOG_L_WARN : LOG_L_NOTICE,
              penalty > 0 ? "upstream_down" : "upstream_up");
    log_text(&line, "service", table->name);
    log_text(
        &line, "upstream",
        addr_text((const struct sockaddr *)&target->sa, target->sa_len, text));
    log_text(&line, "reason", penalty > 0 ? strerror(error) : NULL);
    if (penalty > 0)
        log_time(&line, "skipped", penalty);
    log_send(&line);
}

/* connect_for - begin, and say in the reply what became of it */
static void
connect_for(struct pair *pair, const struct target *target,
            struct connwire_reply *reply, int *fd, int64_t now)
{
    (void)addr_text((const struct sockaddr *)&target->sa, target->sa_len,
                    reply->text);
    reply->index = target->index;
    reply->trial =
        health_given(&pair->table->health, &target->sa, target->sa_len, now);
    *fd = begin(target, pair->table->dead_peer_ms);
    if (*fd >= 0) {
        reply->status = CONNWIRE_CONNECTING;
        pair->given = *target;
        pair->given_seq = reply->seq;
    } else if (errno == EAGAIN && target->sa.ss_family == AF_UNIX) {
        reply->status = CONNWIRE_BUSY;
    } else {
        reply->status = CONNWIRE_FAILED;
        reply->error = errno;
        learn(pair->table, target, reply->error, now);
    }
}

/* --- workers' pairs ------------------------------------------------------- */

/* unwatch - close, and out of epoll by name: a resolver that was just forked
 * still has a copy, which would keep the old pointer alive in there */
static void
unwatch(int *fd)
{
    (void)epoll_ctl(self.epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
    fdio_close(fd);
}

/* pair_close - no more of it; freed after this round of events, because one of
 * them may still point to it */
static void
pair_close(struct pair *pair)
{
    if (pair->fd < 0)
        return;
    unwatch(&pair->fd);
    pair->waiting = false;
    pair->table->pairs--;
    if (pair->prev != NULL)
        pair->prev->next = pair->next;
    else
        self.pairs = pair->next;
    if (pair->next != NULL)
        pair->next->prev = pair->prev;
    pair->next = self.closed;
    self.closed = pair;
}

/* pair_broken - the worker broke the rules of connwire.h */
static void
pair_broken(struct pair *pair, const char *reason)
{
    struct log_line line;

    log_begin(&line, LOG_L_WARN, "connector_pair");
    log_int(&line, "generation", pair->table->generation);
    log_text(&line, "service", pair->table->name);
    log_text(&line, "reason", reason);
    log_send(&line);
    pair_close(pair);
}

/* pair_serve - answer pair->request, or let it wait for a name */
static void
pair_serve(struct pair *pair, int64_t now)
{
    struct connwire_reply reply;
    const struct name *failure;
    struct target target;
    bool more;
    int fd = -1;
    enum err err;

    memset(&reply, 0, sizeof(reply));
    reply.seq = pair->request.seq;
    pair->waiting = false;
    pair->given.sa_len = 0;
    switch (tables_pick(pair->table, &pair->round, pair->request.route,
                        pair->request.attempt, now, &target, &more, &failure)) {
    case PICK_WAIT:
        pair->waiting = true;
        return;
    case PICK_FOUND:
        reply.more = more;
        connect_for(pair, &target, &reply, &fd, now);
        break;
    case PICK_NO_NAME:
        reply.status = CONNWIRE_NO_NAME;
        (void)text_copy(reply.text, failure->host, sizeof(reply.text) / 2);
        (void)text_copy(reply.text + strlen(reply.text), ": ", 3);
        (void)text_copy(reply.text + strlen(reply.text), failure->failure,
                        sizeof(reply.text) - strlen(reply.text));
        break;
    case PICK_NONE:
        reply.status = CONNWIRE_NO_MORE;
        break;
    }
    err = fdio_send(pair->fd, &reply, sizeof(reply), fd, MSG_DONTWAIT, NULL);
    fdio_close(&fd);
    if (err == ERR_AGAIN)
        pair_broken(pair, "it does not read its replies");
    else if (err != ERR_OK)
        pair_close(pair);
}

/* pair_outcome - what became of the descriptor that it was given last. One word
 * for one descriptor, whatever the worker says. */
static void
pair_outcome(struct pair *pair, const struct connwire_request *request,
             int64_t now)
{
    if (pair->given.sa_len == 0 || request->seq != pair->given_seq)
        return;
    learn(pair->table, &pair->given, request->error, now);
    pair->given.sa_len = 0;
}

/* pair_request - a packet of the right length */
static void
pair_request(struct pair *pair, const struct connwire_request *request,
             int64_t now)
{
    switch ((enum connwire_kind)request->kind) {
    case CONNWIRE_OPEN:
        if (!tables_has(pair->table, request->route)) {
            pair_broken(pair, "not a route of its service");
            return;
        }
        pair->request = *request;
        pair_serve(pair, now);
        return;
    case CONNWIRE_OUTCOME:
        pair_outcome(pair, request, now);
        return;
    default:
        pair_broken(pair, "not a request");
    }
}

/* pair_event - one request, or the end of the worker. Received without room
 * for descriptors: what is sent along vanishes. */
static void
pair_event(struct pair *pair, int64_t now)
{
    struct connwire_request request;
    size_t len = sizeof(request);
    enum err err;

    if (pair->fd < 0)
        return;
    err = fdio_recv(pair->fd, &request, &len, NULL, NULL, MSG_DONTWAIT, NULL);
    if (err == ERR_AGAIN)
        return;
    if (err == ERR_EOF) {
        pair_close(pair);
    } else if (err != ERR_OK || len != sizeof(request)) {
        pair_broken(pair, "not a request");
    } else {
        pair_request(pair, &request, now);
    }
}

/* pairs_retry - a name has an answer now, or failed */
static void
pairs_retry(int64_t now)
{
    for (struct pair *pair = self.pairs, *next; pair != NULL; pair = next) {
        next = pair->next; /* it may be closed, and is then in another list */
        if (pair->waiting)
            pair_serve(pair, now);
    }
}

/* --- the master's orders -------------------------------------------------- */

/* order_worker - fd is the connector's end of a worker's pair; taken */
static void
order_worker(const struct connector_order *order, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };
    struct table *table = tables_find(order->generation, order->service);
    struct pair *pair = NULL;

    if (table != NULL && tables_has(table, 0))
        pair = calloc(1, sizeof(*pair));
    event.data.ptr = pair;
    if (pair == NULL ||
        epoll_ctl(self.epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        complain("a worker that cannot be served");
        fdio_close(&fd); /* it sees the end and retires */
        free(pair);
        return;
    }
    pair->source = SOURCE_PAIR;
    pair->fd = fd;
    pair->table = table;
    pair->next = self.pairs;
    if (self.pairs != NULL)
        self.pairs->prev = pair;
    self.pairs = pair;
    table->pairs++;
}

/* order_act - what an order says; descriptors belong to CONNECTOR_WORKERS */
static void
order_act(const struct connector_order *order)
{
    switch ((enum connector_order_kind)order->kind) {
    case CONNECTOR_IP:
    case CONNECTOR_UNIX:
    case CONNECTOR_NAME:
    case CONNECTOR_EMPTY:
        if (!tables_address(order))
            complain("an address out of turn, or no memory");
        break;
    case CONNECTOR_WORKERS:
        break;
    case CONNECTOR_FORGET:
        tables_forget(order->generation);
        break;
    default:
        complain("an unknown order");
    }
}

static void
control_event(void)
{
    struct connector_order order;
    size_t len = sizeof(order), count = FDIO_FDS_MAX;
    int fds[FDIO_FDS_MAX];
    enum err err;

    if (self.control < 0)
        return;
    err = fdio_recv_all(self.control, &order, &len, fds, &count, MSG_DONTWAIT,
                        NULL);
    if (err == ERR_AGAIN)
        return;
    if (err == ERR_EOF || err == ERR_IO) {
        unwatch(&self.control); /* workers that there are go on */
        return;
    }
    if (err != ERR_OK ||
        len != sizeof(order)) { /* also: no descriptor was free for it */
        complain("not an order");
        order.kind = CONNECTOR_EMPTY;
    } else
        order_act(&order);
    for (size_t i = 0; i < count; i++) {
        if (order.kind == CONNECTOR_WORKERS)
            order_worker(&order, fds[i]);
        else
            close(fds[i]);
    }
}

/* --- the loop ------------------------------------------------------------- */

/* sweep - free closed pairs, then what nobody uses any more */
static void
sweep(void)
{
    struct pair *gone;

    while ((gone = self.closed) != NULL) {
        self.closed = gone->next;
        round_free(&gone->round);
        free(gone);
    }
    tables_sweep();
}

static void
dispatch(void *at, int64_t now)
{
    switch (*(enum source *)at) {
    case SOURCE_CONTROL:
        control_event();
        break;
    case SOURCE_PAIR:
        pair_event(at, now);
        break;
    case SOURCE_NAME:
        names_event(at, now);
        pairs_retry(now);
        break;
    }
}

static void
serve(void)
{
    struct epoll_event events[64];
    int64_t now;
    int n;

    while (self.control >= 0 || self.pairs != NULL) {
        n = epoll_wait(self.epoll_fd, events,
                       sizeof(events) / sizeof(events[0]),
                       clock_left(names_next(clock_ms())));
        now = clock_ms();
        for (int i = 0; i < n; i++)
            dispatch(events[i].data.ptr, now);
        if (names_tend(now))
            pairs_retry(now);
        sweep();
    }
}

/* --- coming up ------------------------------------------------------------ */

static enum err
signals(struct why *why)
{
    static const int deaf[] = { SIGHUP,  SIGINT,  SIGTERM,
                                SIGUSR1, SIGUSR2, SIGPIPE };
    struct sigaction action = { .sa_handler = SIG_IGN };
    sigset_t none;

    sigemptyset(&none);
    for (size_t i = 0; i < sizeof(deaf) / sizeof(deaf[0]); i++)
        if (sigaction(deaf[i], &action, NULL) != 0)
            return why_errno(why, ERR_SYS, "sigaction");
    action.sa_handler = SIG_DFL; /* children are reaped by hand */
    if (sigaction(SIGCHLD, &action, NULL) != 0 ||
        sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        return why_errno(why, ERR_SYS, "sigaction");
    return ERR_OK;
}

/* fence - from here on only what a resolver reads can be read */
static enum err
fence(bool strict, struct why *why)
{
    char link[PATH_MAX];
    const struct landlock_dir dirs[] = {
        { "/etc", LANDLOCK_READ },
        { "/usr", LANDLOCK_READ },
        { "/lib", LANDLOCK_READ },
        { "/lib64", LANDLOCK_READ },
        { "/var/lib/misc", LANDLOCK_READ },
        { "/run/systemd/resolve", LANDLOCK_READ },
        { "/run/resolvconf", LANDLOCK_READ },
        { "/run/NetworkManager", LANDLOCK_READ },
        { "/run/nscd", LANDLOCK_READ },
        /* wherever else somebody has put it */
        { realpath("/etc/resolv.conf", link) != NULL ? link
                                                     : "/etc/resolv.conf",
          LANDLOCK_READ },
    };
    struct landlock_extra extra = { .scope_signals = 1 };
    enum err err;

    if (landlock_abi() == 0 && !strict)
        return ERR_OK; /* the confinement line says so */
    err = landlock_fence(dirs, sizeof(dirs) / sizeof(dirs[0]), extra, why);
    if (err == ERR_OK || strict)
        return err;
    log_simple(LOG_L_WARN, "connector_unfenced", why->text);
    return ERR_OK;
}

static enum err
come_up(const struct connector_setup *setup, int control, struct why *why)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = &self };
    const struct limits_bound bound = { .memory = MEMORY, .forks = true };
    int keep[] = { control, log_fd() };
    enum err err;

    proctitle_set("connector");
    fdio_close_except(keep, sizeof(keep) / sizeof(keep[0]));
    self.source = SOURCE_CONTROL;
    self.control = control;
    if ((self.epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
        epoll_ctl(self.epoll_fd, EPOLL_CTL_ADD, self.control, &event) != 0)
        return why_errno(why, ERR_SYS, "epoll");
    names_init(self.epoll_fd, setup->resolve_ms);
    if ((err = signals(why)) == ERR_OK)
        err = limits_bound(&bound, why);
    if (err == ERR_OK)
        err = drop_now(setup->ids, 0, false, why);
    if (err == ERR_OK)
        err = fence(setup->strict, why);
    return err == ERR_OK ? filters_enter(FILTERS_CONNECTOR, why) : err;
}

void
connector_main(const void *setup, int control)
{
    struct why why = { "" };

    helper_hello(control, come_up(setup, control, &why), &why);
    serve();
}
