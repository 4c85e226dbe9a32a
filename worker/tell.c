/*
 * tell.c - the log lines of a connection
 *
 * Owns which fields they have and in which order. Never decides anything.
 */
#include "worker/tell.h"
#include "common/conf.h"
#include "common/log.h"
#include "worker/outbound.h"
#include "worker/session.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static void
begin(struct log_line *line, enum log_level level, const char *event,
      const struct tell_who *who)
{
    log_begin(line, level, event);
    log_text(line, "service", who->service->name);
    log_text(line, "client", who->client);
}

/* add_peer - who a certificate says it is */
static void
add_peer(struct log_line *line, const struct identity *id)
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

static void
add_sni(struct log_line *line, const struct session *session)
{
    if (session->sni[0] != '\0')
        log_text(line, "sni", session->sni);
}

static void
add_alerts(struct log_line *line, const struct session *session)
{
    if (session->alert_sent >= 0)
        log_text(line, "alert", alert_name(session->alert_sent));
    if (session->alert_received >= 0)
        log_text(line, "alert_received", alert_name(session->alert_received));
}

/* add_hint - the key that would admit it; what is about a certificate has one
 * for each side */
static void
add_hint(struct log_line *line, enum reason reason, bool upstream)
{
    const char *hint = reason_hint(reason);
    char key[64];

    if (hint != NULL && upstream && reason <= REASON_CRL_BAD &&
        reason != REASON_BAD_NAME) {
        snprintf(key, sizeof(key), "upstream_%s", hint);
        hint = key;
    }
    log_text(line, "hint", hint);
}

void
tell_refused(const struct tell_who *who, const char *stage, enum reason reason,
             const struct outbound *upstream, const struct why *why)
{
    /* the side that the reason is about */
    const struct session *session =
        upstream != NULL ? upstream->session : who->session;
    struct log_line line;

    begin(&line, LOG_L_WARN, "refused", who);
    log_text(&line, "stage", stage);
    log_text(&line, "reason", reason_word(reason));
    if (upstream != NULL && upstream->at.text[0] != '\0')
        log_text(&line, "upstream", upstream->at.text);
    if (session != NULL) {
        add_alerts(&line, session);
        add_sni(&line, session);
        add_peer(&line, &session->id);
        if (session->id.present)
            log_int(&line, "depth", session->depth);
    }
    if (why->text[0] != '\0')
        log_text(&line, "detail", why->text);
    add_hint(&line, reason, upstream != NULL);
    log_send(&line);
}

void
tell_probe(const struct tell_who *who)
{
    struct log_line line;

    begin(&line, LOG_L_DEBUG, "probe", who);
    log_send(&line);
}

/* add_client - TLS towards the client, and who it was */
static void
add_client(struct log_line *line, const struct session *session)
{
    if (session == NULL) {
        log_text(line, "tls", "no");
        return;
    }
    log_text(line, "tls", session->version);
    log_text(line, "cipher", session->cipher);
    log_text(line, "group", session->group);
    log_text(line, "resumed", session->resumed ? "yes" : "no");
    add_sni(line, session);
    if (session->id.present) {
        log_text(line, "cn", session->id.cn);
        log_text(line, "serial", session->id.serial);
        log_text(line, "sha256", session->id.sha256_hex);
    }
}

/* add_upstream - TLS towards the upstream, and who that was */
static void
add_upstream(struct log_line *line, const struct outbound *outbound)
{
    const struct session *session = outbound->session;

    if (session == NULL || session->ssl == NULL)
        return;
    log_text(line, "upstream_tls", session->version);
    log_text(line, "upstream_cipher", session->cipher);
    log_text(line, "upstream_group", session->group);
    if (session->id.present)
        log_text(line, "upstream_sha256", session->id.sha256_hex);
}

/* add_program - how it ended; neither word: not while we waited */
static void
add_program(struct log_line *line, const struct program *program)
{
    if (!program->ended)
        return;
    if (WIFSIGNALED(program->status))
        log_text(line, "signal", sigabbrev_np(WTERMSIG(program->status)));
    else
        log_int(line, "exit", WEXITSTATUS(program->status));
}

void
tell_done(const struct tell_who *who, const struct tell_end *end)
{
    const struct outbound *outbound = end->outbound;
    struct log_line line;

    begin(&line, LOG_L_INFO, "done", who);
    if (outbound != NULL && outbound->at.local[0] != '\0')
        log_text(&line, "local", outbound->at.local);
    log_text(&line, "upstream", end->upstream);
    add_client(&line, who->session);
    if (outbound != NULL)
        add_upstream(&line, outbound);
    if (end->requests > 0)
        log_int(&line, "requests", (long long)end->requests);
    log_int(&line, "in", (long long)end->in);
    log_int(&line, "out", (long long)end->out);
    log_time(&line, "time", end->time_ms);
    if (end->alert >= 0)
        log_text(&line, "alert_received", alert_name(end->alert));
    if (outbound != NULL)
        add_program(&line, &outbound->program);
    log_text(&line, "end", reason_word(end->end));
    log_send(&line);
}
