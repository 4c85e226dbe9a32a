/*
 * serve.c - one connection, from accept to close
 *
 *   accepted --source refused--> closed, refused
 *      | taken
 *   handshake --refused, probe--> drained, closed    (listen_tls = yes)
 *      | verified
 *   upstream --none--> alert, drained, closed
 *      | connected, or built-in answer
 *   relay --both ends finished, or one broke--> closed --ended-->
 *
 * Owns the order and the reports; the log lines are tell.c's. Everything that
 * parses a byte of the client's is behind session.h, respond.h, http.h and
 * relay.h.
 */
#include "worker/serve.h"
#include "common/bans.h"
#include "common/board.h"
#include "common/clock.h"
#include "common/proctitle.h"
#include "common/report.h"
#include "common/text.h"
#include "worker/accept.h"
#include "worker/http.h"
#include "worker/lifetime.h"
#include "worker/relay.h"
#include "worker/respond.h"
#include "worker/stream.h"
#include "worker/tell.h"
#include "worker/wait.h"
#include "worker/worker.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define GOODBYE_MS       500        /* of a session that was told to end */
#define REFUSED_DRAIN_MS 2000       /* so that the peer can read our alert */
#define DRAIN_MAX        (1u << 20) /* bytes thrown away after our end */

/* one connection, as serve_connection's steps see it */
struct conn {
    struct serve *serve;
    int fd;
    int out_fd; /* another way out, -1: fd is both */
    int64_t start;
    struct stream client;
    struct tell_who who;
    struct relay_result result;
    const char *upstream; /* what served it, for the log */
    uint64_t requests;
    bool aborted; /* http: the client is to be reset */
    bool stopped; /* the master wanted it so */
    uint16_t port;
    uint64_t said_in, said_out; /* of result, already in the slot */
    char client_text[ADDR_TEXT_MAX];
    char host_text[ADDR_TEXT_MAX]; /* the same without the port */
    uint8_t source[16];            /* IPv4 mapped; zero: a unix socket */
};

static const struct conf_service *
service_of(const struct conn *conn)
{
    return conn->serve->brief->service;
}

static struct slot *
slot_of(const struct conn *conn)
{
    return conn->serve->brief->slot;
}

static void
set_state(const struct conn *conn, enum slot_state state)
{
    atomic_store(&slot_of(conn)->since_ms, clock_ms());
    atomic_store(&slot_of(conn)->state, state);
}

/* report - to the master; it is gone: the leash will say so */
static void
report(const struct conn *conn, enum report_kind kind, uint8_t family,
       uint16_t port, enum reason reason)
{
    struct report record = { .kind = (uint8_t)kind,
                             .family = family,
                             .port = port,
                             .reason = (uint16_t)reason };

    memcpy(record.addr, conn->source, sizeof(record.addr));
    (void)send(conn->serve->brief->report_fd, &record, sizeof(record),
               MSG_NOSIGNAL);
}

/* source_of - the client's address as 16 bytes, its port */
static uint16_t
source_of(const struct sockaddr_storage *sa, uint8_t out[16])
{
    const struct sockaddr_in *in = (const void *)sa;
    const struct sockaddr_in6 *in6 = (const void *)sa;

    memset(out, 0, 16);
    switch (sa->ss_family) {
    case AF_INET:
        memset(out + 10, 0xff, 2);
        memcpy(out + 12, &in->sin_addr, 4);
        return ntohs(in->sin_port);
    case AF_INET6:
        memcpy(out, &in6->sin6_addr, 16);
        return ntohs(in6->sin6_port);
    default:
        return 0;
    }
}

/* refused - said and counted */
static void
refused(const struct conn *conn, const char *stage, enum reason reason,
        const struct outbound *upstream, const struct why *why)
{
    tell_refused(&conn->who, stage, reason, upstream, why);
    atomic_fetch_add(&slot_of(conn)->refused, 1);
}

/* meant - is what the master has told us about the connection that is here? We
 * may have heard of it late. */
static bool
meant(void *ctx)
{
    struct slot *slot = ctx;
    uint32_t session = atomic_load(&slot->end_session);

    return session == 0 || session == (uint32_t)atomic_load(&slot->connections);
}

/* stop_reason - why the session must end: the master's word stands in the slot,
 * else its time was up */
static enum reason
stop_reason(const struct conn *conn)
{
    struct slot *slot = slot_of(conn);
    uint32_t reason =
        meant(slot) ? atomic_load(&slot->end_reason) : (uint32_t)REASON_NONE;

    if (reason_valid(reason) && reason != REASON_NONE)
        return (enum reason)reason;
    reason = (uint32_t)wait_life_over();
    return reason != REASON_NONE ? (enum reason)reason : REASON_STOPPED;
}

/* progress - the relay's totals so far, into the slot */
static void
progress(void *ctx, uint64_t in, uint64_t out)
{
    struct conn *conn = ctx;

    atomic_fetch_add(&slot_of(conn)->bytes_in, in - conn->said_in);
    atomic_fetch_add(&slot_of(conn)->bytes_out, out - conn->said_out);
    conn->said_in = in;
    conn->said_out = out;
}

/* farewell - end our side in order and let the peer read it all */
static void
farewell(struct conn *conn, int64_t ms)
{
    struct pollfd item = { .fd = conn->client.out_fd, .events = POLLOUT };
    int64_t deadline = clock_deadline(ms);

    while (stream_shut(&conn->client) == -ERR_AGAIN)
        if (wait_for(&item, 1, deadline) != ERR_OK)
            return;
    stream_drain(&conn->client, DRAIN_MAX, deadline);
}

/* stage_of - the words up to crl_bad are about the certificate */
static const char *
stage_of(enum reason reason)
{
    return reason <= REASON_CRL_BAD ? "verify" : "handshake";
}

/* acknowledge - now: in TLS 1.3 nothing of ours answers the client's last
 * message, and one that gathers small writes (no TCP_NODELAY) would keep its
 * first byte until our delayed acknowledgement comes, 40 ms later */
static void
acknowledge(const struct conn *conn)
{
    int one = 1;

    if (strcmp(conn->serve->session.version, "1.3") == 0)
        (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_QUICKACK, &one,
                         sizeof(one));
}

/* handshake - true: verified, or a plain listener; else refused, said and
 * drained */
static bool
handshake(struct conn *conn)
{
    struct serve *serve = conn->serve;
    int64_t deadline = clock_deadline(service_of(conn)->handshake_timeout);
    enum reason reason = REASON_INTERNAL;
    struct why why = { "" };
    enum err err;

    set_state(conn, SLOT_HANDSHAKE);
    err = session_accept(&serve->rules, conn->fd, deadline, &serve->session,
                         &reason, &why);
    if (err == ERR_OK) {
        acknowledge(conn);
        stream_init(&conn->client, conn->fd, serve->session.ssl,
                    &serve->session.io.ahead);
        return true;
    }
    conn->result.end = reason;
    if (err == ERR_STOP) {
        conn->result.end = reason = stop_reason(conn);
        session_alert(&serve->session, reason);
    }
    if ((err == ERR_EOF || err == ERR_RESET) &&
        !session_bytes_seen(&serve->session)) {
        conn->result.end = REASON_NONE;
        tell_probe(&conn->who);
    } else
        refused(conn, stage_of(reason), reason, NULL, &why);
    /* unread bytes at close(2) would turn our alert into a reset */
    stream_init(&conn->client, conn->fd, NULL, NULL);
    farewell(conn, err == ERR_STOP ? 0 : REFUSED_DRAIN_MS);
    return false;
}

/* hello - the client side as the service wants it */
static bool
hello(struct conn *conn)
{
    if (service_of(conn)->listen_tls)
        return handshake(conn);
    stream_init(&conn->client, conn->fd, NULL, NULL);
    if (conn->out_fd >= 0)
        stream_split(&conn->client, conn->out_fd);
    return true;
}

/* answer - the built-in one */
static void
answer(struct conn *conn, const struct addr *addr)
{
    struct relay_result *result = &conn->result;

    conn->upstream = "respond";
    result->end =
        respond_run(&conn->client, addr->code, addr->body,
                    service_of(conn)->idle_timeout, &result->in, &result->out);
}

/* client_of - whom an upstream is for */
static struct program_client
client_of(const struct conn *conn)
{
    return (struct program_client){ .fd = conn->client.out_fd,
                                    .session = conn->who.session,
                                    .host = conn->host_text,
                                    .port = conn->port };
}

/* forward - to an upstream; false: there is none, refused and said */
static bool
forward(struct conn *conn)
{
    struct outbound *out = &conn->serve->outbound;
    const struct relay_times times = { .idle_ms =
                                           service_of(conn)->idle_timeout };
    enum reason reason = REASON_INTERNAL, told = REASON_INTERNAL;
    struct program_client client = client_of(conn);
    struct why why = { "" };

    set_state(conn, SLOT_CONNECT);
    if (outbound_open(&conn->serve->outbounds, &client, 0, out, &reason,
                      &why) != ERR_OK) {
        if (reason == REASON_STOPPED)
            reason = told = stop_reason(conn);
        conn->result.end = reason;
        if (reason_alert(told) < 0)
            told = REASON_INTERNAL;
        session_alert(&conn->serve->session, told);
        refused(conn, "upstream", reason, out, &why);
        return false;
    }
    set_state(conn, SLOT_RELAY);
    conn->upstream = out->at.text;
    relay_run(&conn->client, &out->stream, &times, progress, conn,
              &conn->result);
    /* cut short by us: neither end has said that it is complete */
    if (conn->result.end == REASON_IDLE_TIMEOUT ||
        conn->result.end == REASON_STOPPED)
        stream_abort(&out->stream);
    outbound_settle(&conn->serve->outbounds, out,
                    service_of(conn)->close_timeout);
    return true;
}

/* open_route, close_route, http_progress - http.h's links to the outside */
static enum err
open_route(void *ctx, size_t route, struct http_upstream *up,
           enum reason *reason, struct why *why)
{
    struct conn *conn = ctx;
    struct outbound *out = &conn->serve->outbound;
    struct program_client client = client_of(conn);
    enum err err = outbound_open(&conn->serve->outbounds, &client, route, out,
                                 reason, why);

    if (err != ERR_OK) {
        refused(conn, "upstream",
                *reason == REASON_STOPPED ? stop_reason(conn) : *reason, out,
                why);
        outbound_close(&conn->serve->outbounds, out);
        return err;
    }
    up->stream = &out->stream;
    up->text = out->at.text;
    up->proxy_host = outbound_proxy_host(&conn->serve->outbounds, out);
    return ERR_OK;
}

static void
close_route(void *ctx, size_t route)
{
    struct conn *conn = ctx;

    (void)route;
    outbound_close(&conn->serve->outbounds, &conn->serve->outbound);
}

static enum reason
blame_route(void *ctx, size_t route)
{
    struct conn *conn = ctx;
    struct outbound *out = &conn->serve->outbound;
    struct why why = { "" };

    (void)route;
    if (!outbound_refusal(&conn->serve->outbounds, out, out->stream.alert,
                          &why))
        return REASON_NONE;
    refused(conn, "upstream", REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE, out,
            &why);
    return REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE;
}

static bool
retiring(void *ctx)
{
    const struct conn *conn = ctx;

    return accept_over(conn->serve->brief);
}

/* requests - protocol = http */
static void
requests(struct conn *conn)
{
    const struct http_links links = { conn,        open_route, close_route,
                                      blame_route, retiring,   progress };
    struct http_peer peer = { .session = conn->who.session,
                              .remote_port = conn->port };
    struct http_result result = { .end = REASON_INTERNAL };

    set_state(conn, SLOT_RELAY);
    conn->upstream = "http";
    text_copy(peer.remote_addr, conn->host_text, sizeof(peer.remote_addr));
    http_run(service_of(conn), &conn->client, &peer, &links, &result);
    conn->requests = result.requests;
    conn->result.in = result.in;
    conn->result.out = result.out;
    conn->result.end = result.end;
    /* in order, behind an answer; but not because the client wanted it so */
    if (result.end == REASON_RESPONDED && wait_life_over() != REASON_NONE)
        conn->result.end = REASON_STOPPED;
    conn->aborted = result.abort;
}

/* finish - after the relay: what the client still has to hear */
static void
finish(struct conn *conn)
{
    if (conn->aborted)
        return;
    if (conn->stopped) {
        wait_goodbye();
        farewell(conn, GOODBYE_MS);
        return;
    }
    switch ((int)conn->result.end) {
    case REASON_CLIENT_RESET:
    case REASON_CLIENT_TRUNCATED:
    case REASON_CLIENT_ERROR:
    case REASON_UPSTREAM_RESET:
    case REASON_UPSTREAM_TRUNCATED:
    case REASON_UPSTREAM_ERROR:
    case REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE:
        return; /* relay.h has marked what is to be reset */
    case REASON_IDLE_TIMEOUT:
        /* http ends idle connections in order, between two answers */
        if (service_of(conn)->protocol != CONF_PROTOCOL_HTTP) {
            stream_abort(&conn->client);
            return;
        }
        farewell(conn, service_of(conn)->close_timeout);
        return;
    default:
        farewell(conn, service_of(conn)->close_timeout);
        return;
    }
}

/* say_done - how it ended; an upstream that would not have us is a refusal */
static void
say_done(struct conn *conn)
{
    struct outbound *out = &conn->serve->outbound;
    struct why why = { "" };
    struct tell_end end = {
        .upstream = conn->upstream,
        .outbound = out->open ? out : NULL,
        .in = conn->result.in,
        .out = conn->result.out,
        .requests = conn->requests,
        .time_ms = clock_ms() - conn->start,
        .end = conn->result.end,
        .alert = conn->result.alert,
    };

    if (conn->result.end == REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE &&
        outbound_refusal(&conn->serve->outbounds, out, conn->result.alert,
                         &why))
        refused(conn, "upstream", conn->result.end, out, &why);
    else
        tell_done(&conn->who, &end);
}

/* live - from here on the session's time runs */
static void
live(const struct conn *conn)
{
    const struct conf_service *service = service_of(conn);
    const struct session *session = &conn->serve->session;
    struct lifetime life = { .until =
                                 clock_deadline(service->session_timeout) };

    if (service->session_end == CONF_END_CERTIFICATE && session->id.present)
        life.not_after = session->id.not_after;
    wait_life(&life);
}

/* talk - an admitted client gets what the service is for */
static void
talk(struct conn *conn)
{
    const struct conf_service *service = service_of(conn);
    const struct conf_addrs *own = &service->route[0].upstream;

    live(conn);
    slotchain_hold(&slot_of(conn)->chain);
    report(conn, REPORT_VERIFIED, 0, 0, REASON_NONE);
    text_copy(slot_of(conn)->subject, conn->serve->session.id.subject,
              sizeof(slot_of(conn)->subject));
    conn->result.alert = -1;
    if (service->protocol == CONF_PROTOCOL_HTTP)
        requests(conn);
    else if (own->item[0].kind == ADDR_RESPOND)
        answer(conn, &own->item[0]);
    else if (!forward(conn)) {
        /* TLS has its alert; a plain end would look like all was delivered */
        if (!service->listen_tls)
            stream_abort(&conn->client);
        else
            farewell(conn, REFUSED_DRAIN_MS);
        return;
    }
    progress(conn, conn->result.in, conn->result.out);
    set_state(conn, SLOT_CLOSE);
    conn->stopped = conn->result.end == REASON_STOPPED;
    if (conn->stopped)
        conn->result.end = stop_reason(conn);
    say_done(conn);
    outbound_close(&conn->serve->outbounds, &conn->serve->outbound);
    finish(conn);
}

/* turn_away - why is this source not served now? REASON_NONE: it is. Those who
 * have priority are free of limits, not of a crash nor of `from`. */
static enum reason
turn_away(const struct conn *conn)
{
    const struct worker_brief *brief = conn->serve->brief;
    const struct conf_service *service = brief->service;
    int64_t now = clock_ms();

    if (bans_has(brief->bans, conn->source, now))
        return REASON_CRASHED_SOURCE;
    if (service->from.count > 0 && !net_is_none(conn->source) &&
        !net_has(service->from.item, service->from.count, conn->source))
        return REASON_NOT_FROM;
    if (net_has(service->priority_from.item, service->priority_from.count,
                conn->source))
        return REASON_NONE;
    return bans_limited(brief->bans, conn->source, &service->per_source_mask,
                        bans_scope(brief->generation, brief->pool), now);
}

/* admitted - may this source be served? If not, the master writes the line: it
 * has them all, and one line for many is enough */
static bool
admitted(struct conn *conn, const struct sockaddr_storage *sa)
{
    enum reason reason;

    conn->port = source_of(sa, conn->source);
    if ((reason = turn_away(conn)) == REASON_NONE)
        return true;
    conn->result.end = reason;
    atomic_fetch_add(&slot_of(conn)->connections, 1);
    atomic_fetch_add(&slot_of(conn)->refused, 1);
    close(conn->fd);
    report(conn, REPORT_REFUSED, (uint8_t)sa->ss_family, conn->port, reason);
    return false;
}

/* enter - say who is here */
static void
enter(struct conn *conn, const struct sockaddr_storage *sa, socklen_t len)
{
    if (sa->ss_family == AF_UNSPEC)
        text_copy(conn->client_text, "stdin", sizeof(conn->client_text));
    else
        addr_text((const struct sockaddr *)sa, len, conn->client_text);
    addr_host_text((const struct sockaddr *)sa, len, conn->host_text);
    text_copy(slot_of(conn)->client, conn->client_text,
              sizeof(slot_of(conn)->client));
    atomic_store(&slot_of(conn)->heard, 0);
    atomic_fetch_add(&slot_of(conn)->connections, 1);
    report(conn, REPORT_TAKEN, (uint8_t)sa->ss_family, conn->port, REASON_NONE);
    proctitle_set("worker %s %s", service_of(conn)->name, conn->client_text);
}

/* leave - nothing of this connection stays in the worker */
static void
leave(struct conn *conn)
{
    outbound_close(&conn->serve->outbounds, &conn->serve->outbound);
    session_end(&conn->serve->session);
    close(conn->fd);
    slot_of(conn)->client[0] = '\0';
    slot_of(conn)->subject[0] = '\0';
    slotchain_clear(&slot_of(conn)->chain);
    memset(conn->source, 0, sizeof(conn->source));
    wait_life(NULL);
    if (conn->serve->last) {
        report(conn, REPORT_LAST, 0, 0, conn->result.end);
        return;
    }
    set_state(conn, SLOT_IDLE);
    proctitle_set("worker %s idle", service_of(conn)->name);
    report(conn, REPORT_ENDED, 0, 0, conn->result.end);
}

/* serve_conn - from the first look at the source to the end */
static void
serve_conn(struct conn *conn, const struct sockaddr_storage *sa, socklen_t len)
{
    struct serve *serve = conn->serve;

    serve->session.alert_sent = serve->session.alert_received = -1;
    conn->who.service = serve->brief->service;
    conn->who.client = conn->client_text;
    conn->who.session = conn->who.service->listen_tls ? &serve->session : NULL;
    if (!admitted(conn, sa))
        return;
    enter(conn, sa, len);
    if (hello(conn))
        talk(conn);
    leave(conn);
}

void
serve_connection(struct serve *serve, int fd, const struct sockaddr_storage *sa,
                 socklen_t len)
{
    struct conn conn = {
        .serve = serve, .fd = fd, .out_fd = -1, .start = clock_ms()
    };

    serve_conn(&conn, sa, len);
}

int
serve_given(struct serve *serve)
{
    const struct worker_brief *brief = serve->brief;
    struct conn conn = { .serve = serve,
                         .fd = brief->client_in,
                         .out_fd = brief->client_out == brief->client_in
                                       ? -1
                                       : brief->client_out,
                         .start = clock_ms() };

    serve->last = true;
    serve_conn(&conn, &brief->client_sa, brief->client_len);
    return reason_exit(conn.result.end);
}

/* rules_of - what the service asks of clients */
static struct session_rules
rules_of(const struct worker_brief *brief)
{
    return (struct session_rules){
        .side = brief->client,
        .conf = &brief->service->client,
        .sni_strict = brief->service->sni_strict,
        .sha1 = brief->service->protocol == CONF_PROTOCOL_HTTP,
    };
}

void
worker_install(const struct worker_brief *brief)
{
    struct session_rules rules = rules_of(brief);

    if (brief->client != NULL)
        session_install(&rules);
    outbounds_install(brief);
}

enum err
serve_init(struct serve *serve, const struct worker_brief *brief,
           struct why *why)
{
    enum err err = ERR_OK;

    serve->brief = brief;
    wait_meant(meant, brief->slot);
    serve->sign.keeper_fd = brief->keeper_fd;
    serve->sign.side = KEYWIRE_CLIENT_SIDE;
    serve->rules = rules_of(brief);
    serve->rules.sign = &serve->sign;
    serve->rules.heard = &brief->slot->heard;
    serve->rules.keep = &brief->slot->chain;
    if (brief->client != NULL)
        err = session_init(&serve->rules, why);
    if (err == ERR_OK)
        err = outbounds_init(brief, &serve->outbounds, why);
    return err;
}

bool
serve_gone(const struct serve *serve)
{
    return serve->sign.gone || outbounds_gone(&serve->outbounds);
}
