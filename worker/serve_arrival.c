/*
 * serve_arrival.c - from the first look at the source to a verified client
 *
 * Owns the words for who does not get in. Parses no byte of the client's:
 * session.h does.
 */
#include "common/bans.h"
#include "common/clock.h"
#include "common/conf.h"
#include "common/proctitle.h"
#include "common/tcp.h"
#include "common/text.h"
#include "worker/serve_conn.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

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

bool
serve_admitted(struct conn *conn, const struct sockaddr_storage *sa)
{
    enum reason reason;

    conn->port = source_of(sa, conn->source);
    if ((reason = turn_away(conn)) == REASON_NONE)
        return true;
    conn->result.end = reason;
    atomic_fetch_add(&serve_slot(conn)->connections, 1);
    atomic_fetch_add(&serve_slot(conn)->refused, 1);
    close(conn->fd);
    serve_report(conn, REPORT_REFUSED, (uint8_t)sa->ss_family, conn->port,
                 reason);
    return false;
}

void
serve_enter(struct conn *conn, const struct sockaddr_storage *sa, socklen_t len)
{
    if (sa->ss_family == AF_UNSPEC)
        text_copy(conn->client_text, "stdin", sizeof(conn->client_text));
    else
        addr_text((const struct sockaddr *)sa, len, conn->client_text);
    addr_host_text((const struct sockaddr *)sa, len, conn->host_text);
    text_copy(serve_slot(conn)->client, conn->client_text,
              sizeof(serve_slot(conn)->client));
    atomic_store(&serve_slot(conn)->heard, 0);
    atomic_fetch_add(&serve_slot(conn)->connections, 1);
    serve_report(conn, REPORT_TAKEN, (uint8_t)sa->ss_family, conn->port,
                 REASON_NONE);
    proctitle_set("worker %s %s", serve_service(conn)->name, conn->client_text);
}

/* stage_of - the words up to crl_bad are about the certificate */
static const char *
stage_of(enum reason reason)
{
    return reason <= REASON_CRL_BAD ? "verify" : "handshake";
}

/* acknowledge - now: in TLS 1.3 nothing of ours answers the client's last
 * message, and one that gathers small writes (no TCP_NODELAY) would keep its
 * first byte until our delayed acknowledgement comes, 40 ms later. When it has
 * come along, nothing is kept. */
static void
acknowledge(const struct conn *conn)
{
    const struct session *session = &conn->serve->session;

    if (strcmp(session->version, "1.3") == 0 &&
        !ahead_holds(&session->io.ahead))
        tcp_ack_now(conn->fd);
}

/* handshake - serve_hello of a TLS listener */
static bool
handshake(struct conn *conn)
{
    struct serve *serve = conn->serve;
    int64_t deadline = clock_deadline(serve_service(conn)->handshake_timeout);
    enum reason reason = REASON_INTERNAL;
    struct why why = { "" };
    enum err err;

    serve_state(conn, SLOT_HANDSHAKE);
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
        conn->result.end = reason = serve_stop_reason(conn);
        session_alert(&serve->session, reason);
    }
    if ((err == ERR_EOF || err == ERR_RESET) &&
        !session_bytes_seen(&serve->session)) {
        conn->result.end = REASON_NONE;
        tell_probe(&conn->who);
    } else
        serve_refused(conn, stage_of(reason), reason, NULL, &why);
    /* unread bytes at close(2) would turn our alert into a reset */
    stream_init(&conn->client, conn->fd, NULL, NULL);
    serve_farewell(conn, err == ERR_STOP ? 0 : SERVE_REFUSED_MS);
    return false;
}

bool
serve_hello(struct conn *conn)
{
    if (serve_service(conn)->listen_tls)
        return handshake(conn);
    stream_init(&conn->client, conn->fd, NULL, NULL);
    if (conn->out_fd >= 0)
        stream_split(&conn->client, conn->out_fd);
    return true;
}
