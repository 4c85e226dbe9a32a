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
#include "common/board.h"
#include "common/clock.h"
#include "common/proctitle.h"
#include "common/report.h"
#include "common/text.h"
#include "worker/lifetime.h"
#include "worker/respond.h"
#include "worker/serve_conn.h"
#include "worker/wait.h"

#include <string.h>
#include <unistd.h>

/* answer - the built-in one */
static void
answer(struct conn *conn, const struct addr *addr)
{
    struct relay_result *result = &conn->result;

    conn->upstream = "respond";
    result->end = respond_run(&conn->client, addr->code, addr->body,
                              serve_service(conn)->idle_timeout, &result->in,
                              &result->out);
}

/* live - from here on the session's time runs */
static void
live(const struct conn *conn)
{
    const struct conf_service *service = serve_service(conn);
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
    const struct conf_service *service = serve_service(conn);
    const struct conf_addrs *own = &service->route[0].upstream;

    live(conn);
    slotchain_hold(&serve_slot(conn)->chain);
    serve_report(conn, REPORT_VERIFIED, 0, 0, REASON_NONE);
    text_copy(serve_slot(conn)->subject, conn->serve->session.id.subject,
              sizeof(serve_slot(conn)->subject));
    conn->result.alert = -1;
    if (service->protocol == CONF_PROTOCOL_HTTP)
        serve_requests(conn);
    else if (own->item[0].kind == ADDR_RESPOND)
        answer(conn, &own->item[0]);
    else if (!serve_forward(conn))
        return;
    serve_progress(conn, conn->result.in, conn->result.out);
    serve_state(conn, SLOT_CLOSE);
    conn->stopped = conn->result.end == REASON_STOPPED;
    if (conn->stopped)
        conn->result.end = serve_stop_reason(conn);
    serve_say_done(conn);
    outbound_close(&conn->serve->outbounds, &conn->serve->outbound);
    serve_finish(conn);
}

/* leave - nothing of this connection stays in the worker */
static void
leave(struct conn *conn)
{
    outbound_close(&conn->serve->outbounds, &conn->serve->outbound);
    stream_end(&conn->client);
    session_end(&conn->serve->session);
    close(conn->fd);
    serve_slot(conn)->client[0] = '\0';
    serve_slot(conn)->subject[0] = '\0';
    slotchain_clear(&serve_slot(conn)->chain);
    memset(conn->source, 0, sizeof(conn->source));
    wait_life(NULL);
    if (conn->serve->last) {
        serve_report(conn, REPORT_LAST, 0, 0, conn->result.end);
        return;
    }
    serve_state(conn, SLOT_IDLE);
    proctitle_set("worker %s idle", serve_service(conn)->name);
    serve_report(conn, REPORT_ENDED, 0, 0, conn->result.end);
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
    if (!serve_admitted(conn, sa))
        return;
    serve_enter(conn, sa, len);
    if (serve_hello(conn))
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
    wait_meant(serve_meant, brief->slot);
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
