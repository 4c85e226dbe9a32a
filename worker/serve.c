/*
 * serve.c - one connection, from accept to close
 *
 *   accepted --source refused--> closed
 *      | taken
 *   handshake --refused, probe--> drained, closed
 *      | verified
 *   upstream --none--> alert, drained, closed
 *      | connected, or built-in answer
 *   relay --both ends finished, or one broke--> closed --ended-->
 *
 * Owns the order, the log line and the reports. Everything that parses a byte
 * of the client's is behind session.h, respond.h and relay.h.
 */
#include "worker/serve.h"
#include "common/bans.h"
#include "common/board.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "common/report.h"
#include "common/text.h"
#include "worker/relay.h"
#include "worker/respond.h"
#include "worker/stream.h"
#include "worker/upstream.h"
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
    int64_t start;
    struct stream client;
    struct upstream upstream;
    struct relay_result result;
    uint64_t said_in, said_out; /* of result, already in the slot */
    char client_text[ADDR_TEXT_MAX];
    uint8_t source[16]; /* IPv4 mapped; zero: a unix socket */
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

static void
nodelay(int fd)
{
    int one = 1;

    /* fails on unix sockets, where nothing is delayed */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* log_peer - who the certificate says it is */
static void
log_peer(struct log_line *line, const struct identity *id)
{
    if (!id->present)
        return;
    log_text(line, "subject", id->subject);
    log_text(line, "issuer", id->issuer);
    log_text(line, "serial", id->serial);
    if (id->san[0] != '\0')
        log_text(line, "san", id->san);
    log_text(line, "sha256", id->sha256_hex);
}

/* log_refused - one line for every connection that did not get through */
static void
log_refused(const struct conn *conn, const char *stage, enum reason reason,
            const struct why *why)
{
    const struct session *session = &conn->serve->session;
    struct log_line line;

    log_begin(&line, LOG_L_WARN, "refused");
    log_text(&line, "service", service_of(conn)->name);
    log_text(&line, "client", conn->client_text);
    log_text(&line, "stage", stage);
    log_text(&line, "reason", reason_word(reason));
    if (session->alert_sent >= 0)
        log_text(&line, "alert", alert_name(session->alert_sent));
    if (session->alert_received >= 0)
        log_text(&line, "alert_received", alert_name(session->alert_received));
    if (session->sni[0] != '\0')
        log_text(&line, "sni", session->sni);
    log_peer(&line, &session->id);
    if (session->id.present)
        log_int(&line, "depth", session->depth);
    if (why->text[0] != '\0')
        log_text(&line, "detail", why->text);
    log_text(&line, "hint", reason_hint(reason));
    log_send(&line);
    atomic_fetch_add(&slot_of(conn)->refused, 1);
}

/* log_probe - somebody connected, sent nothing and went: a health check */
static void
log_probe(const struct conn *conn)
{
    struct log_line line;

    log_begin(&line, LOG_L_DEBUG, "probe");
    log_text(&line, "service", service_of(conn)->name);
    log_text(&line, "client", conn->client_text);
    log_send(&line);
}

static void
log_done(const struct conn *conn)
{
    const struct session *session = &conn->serve->session;
    const struct identity *id = &session->id;
    struct log_line line;

    log_begin(&line, LOG_L_INFO, "done");
    log_text(&line, "service", service_of(conn)->name);
    log_text(&line, "client", conn->client_text);
    if (conn->upstream.local[0] != '\0')
        log_text(&line, "local", conn->upstream.local);
    log_text(&line, "upstream", conn->upstream.text);
    log_text(&line, "tls", session->version);
    log_text(&line, "cipher", session->cipher);
    log_text(&line, "group", session->group);
    log_text(&line, "resumed", session->resumed ? "yes" : "no");
    if (session->sni[0] != '\0')
        log_text(&line, "sni", session->sni);
    if (id->present) {
        log_text(&line, "cn", id->cn);
        log_text(&line, "serial", id->serial);
        log_text(&line, "sha256", id->sha256_hex);
    }
    log_int(&line, "in", (long long)conn->result.in);
    log_int(&line, "out", (long long)conn->result.out);
    log_time(&line, "time", clock_ms() - conn->start);
    log_text(&line, "end", reason_word(conn->result.end));
    log_send(&line);
}

/* stop_reason - why the master told us to end; its word stands in the slot */
static enum reason
stop_reason(const struct conn *conn)
{
    uint32_t reason = atomic_load(&slot_of(conn)->end_reason);

    return reason_valid(reason) && reason != REASON_NONE ? (enum reason)reason
                                                         : REASON_STOPPED;
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
    struct pollfd item = { .fd = conn->fd, .events = POLLOUT };
    int64_t deadline = clock_deadline(ms);

    while (stream_shut(&conn->client) == -ERR_AGAIN)
        if (wait_for(&item, 1, deadline) != ERR_OK)
            return;
    stream_drain(&conn->client, DRAIN_MAX, deadline);
}

/* stage_of - the words up to no_identity are about the certificate */
static const char *
stage_of(enum reason reason)
{
    return reason <= REASON_NO_IDENTITY ? "verify" : "handshake";
}

/* handshake - true: verified; else refused, said and drained */
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
        stream_init(&conn->client, conn->fd, serve->session.ssl);
        return true;
    }
    if (err == ERR_STOP)
        reason = stop_reason(conn);
    if ((err == ERR_EOF || err == ERR_RESET) &&
        !session_bytes_seen(&serve->session))
        log_probe(conn);
    else
        log_refused(conn, stage_of(reason), reason, &why);
    /* unread bytes at close(2) would turn our alert into a reset */
    stream_init(&conn->client, conn->fd, NULL);
    farewell(conn, err == ERR_STOP ? 0 : REFUSED_DRAIN_MS);
    return false;
}

/* answer - the built-in one */
static void
answer(struct conn *conn, const struct addr *addr)
{
    struct relay_result *result = &conn->result;

    text_copy(conn->upstream.text, "respond", sizeof(conn->upstream.text));
    result->end =
        respond_run(&conn->client, addr->code, addr->body,
                    service_of(conn)->idle_timeout, &result->in, &result->out);
}

/* forward - to an upstream; false: there is none, refused and said */
static bool
forward(struct conn *conn)
{
    const struct conf_service *service = service_of(conn);
    const struct relay_times times = { .idle_ms = service->idle_timeout };
    enum reason reason = REASON_INTERNAL;
    struct stream upstream;
    struct why why = { "" };

    set_state(conn, SLOT_CONNECT);
    if (upstream_open(conn->serve->brief->connector_fd, conn->fd,
                      service->connect_timeout, &conn->upstream, &reason,
                      &why) != ERR_OK) {
        if (reason == REASON_STOPPED)
            reason = stop_reason(conn);
        session_alert(&conn->serve->session, reason);
        log_refused(conn, "upstream", reason, &why);
        return false;
    }
    set_state(conn, SLOT_RELAY);
    stream_init(&upstream, conn->upstream.fd, NULL);
    relay_run(&conn->client, &upstream, &times, progress, conn, &conn->result);
    /* cut short by us: neither end has said that it is complete */
    if (conn->result.end == REASON_IDLE_TIMEOUT ||
        conn->result.end == REASON_STOPPED)
        stream_abort(&upstream);
    return true;
}

/* finish - after the relay: what the client still has to hear */
static void
finish(struct conn *conn, enum reason end)
{
    switch ((int)end) {
    case REASON_STOPPED:
        wait_goodbye();
        farewell(conn, GOODBYE_MS);
        return;
    case REASON_CLIENT_RESET:
    case REASON_CLIENT_TRUNCATED:
    case REASON_CLIENT_ERROR:
    case REASON_UPSTREAM_RESET:
    case REASON_UPSTREAM_ERROR:
        return; /* relay.h has marked what is to be reset */
    case REASON_IDLE_TIMEOUT:
        stream_abort(&conn->client);
        return;
    default:
        farewell(conn, service_of(conn)->close_timeout);
        return;
    }
}

/* talk - a verified client gets what the service is for */
static void
talk(struct conn *conn)
{
    const struct addr *first = &service_of(conn)->upstream.item[0];
    enum reason end;

    report(conn, REPORT_VERIFIED, 0, 0, REASON_NONE);
    text_copy(slot_of(conn)->subject, conn->serve->session.id.subject,
              sizeof(slot_of(conn)->subject));
    if (first->kind == ADDR_RESPOND)
        answer(conn, first);
    else if (!forward(conn)) {
        farewell(conn, REFUSED_DRAIN_MS);
        return;
    }
    progress(conn, conn->result.in, conn->result.out);
    set_state(conn, SLOT_CLOSE);
    if (conn->upstream.fd >= 0)
        close(conn->upstream.fd);
    if ((end = conn->result.end) == REASON_STOPPED)
        conn->result.end = stop_reason(conn);
    log_done(conn);
    finish(conn, end);
}

/* enter - say who is here; false: this source is not served now */
static bool
enter(struct conn *conn, const struct sockaddr_storage *sa, socklen_t len)
{
    uint16_t port = source_of(sa, conn->source);
    const struct why none = { "" };

    addr_text((const struct sockaddr *)sa, len, conn->client_text);
    text_copy(slot_of(conn)->client, conn->client_text,
              sizeof(slot_of(conn)->client));
    report(conn, REPORT_TAKEN, (uint8_t)sa->ss_family, port, REASON_NONE);
    atomic_fetch_add(&slot_of(conn)->connections, 1);
    if (sa->ss_family != AF_UNIX &&
        bans_has(conn->serve->brief->bans, conn->source, clock_ms())) {
        log_refused(conn, "accept", REASON_CRASHED_SOURCE, &none);
        return false;
    }
    proctitle_set("worker %s %s", service_of(conn)->name, conn->client_text);
    nodelay(conn->fd);
    return true;
}

/* leave - nothing of this connection stays in the worker */
static void
leave(struct conn *conn)
{
    session_end(&conn->serve->session);
    close(conn->fd);
    slot_of(conn)->client[0] = '\0';
    slot_of(conn)->subject[0] = '\0';
    set_state(conn, SLOT_IDLE);
    proctitle_set("worker %s idle", service_of(conn)->name);
    memset(conn->source, 0, sizeof(conn->source));
    report(conn, REPORT_ENDED, 0, 0, conn->result.end);
}

void
serve_connection(struct serve *serve, int fd, const struct sockaddr_storage *sa,
                 socklen_t len)
{
    struct conn conn = {
        .serve = serve, .fd = fd, .start = clock_ms(), .upstream.fd = -1
    };

    serve->session.alert_sent = serve->session.alert_received = -1;
    if (enter(&conn, sa, len) && handshake(&conn))
        talk(&conn);
    leave(&conn);
}
