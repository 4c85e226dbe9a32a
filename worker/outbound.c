/*
 * outbound.c - a connection to an upstream, with TLS on it where asked for; or a
 * program in its place
 *
 * Owns the order connect, handshake, and what a route needs for its TLS. Never
 * talks to a client.
 */
#include "worker/outbound.h"
#include "common/clock.h"
#include "common/conf.h"
#include "common/fdio.h"
#include "common/text.h"
#include "worker/ground.h"
#include "worker/worker.h"
#include <stdio.h>
#include <string.h>

#define DRAIN_MS  200 /* of a client's time: it waits for its own refusal */
#define DRAIN_MAX 65536

/* route_init - what the route needs for TLS */
static enum err
route_init(const struct worker_brief *brief, size_t index,
           struct outbound_route *route, struct why *why)
{
    const struct conf_route *conf = &brief->service->route[index];

    route->sign.keeper_fd = brief->keeper_fd;
    route->sign.side = KEYWIRE_UPSTREAM_SIDE;
    route->sign.key = (uint8_t)index;
    route->target.side = brief->upstream[index];
    route->target.sign = conf->side.key.count > 0 ? &route->sign : NULL;
    route->target.conf = &conf->side;
    return session_target_init(&route->target, why);
}

void
outbounds_install(const struct worker_brief *brief)
{
    const struct conf_service *service = brief->service;
    struct session_target target = { 0 };

    for (size_t i = 0; i < service->route_count; i++)
        if (service->route[i].tls) {
            target.side = brief->upstream[i];
            target.conf = &service->route[i].side;
            session_target_install(&target);
        }
}

enum err
outbounds_init(const struct worker_brief *brief, struct outbounds *out,
               struct why *why)
{
    size_t count = brief->service->route_count, i;
    enum err err = ERR_OK;

    out->brief = brief;
    upstream_ready(brief->connector_fd);
    out->route = ground_new(count * sizeof(*out->route));
    for (i = 0; err == ERR_OK && i < count; i++)
        if (brief->service->route[i].tls) {
            if (out->session == NULL)
                out->session = ground_new(sizeof(*out->session));
            err = route_init(brief, i, &out->route[i], why);
        }
    return err;
}

/* handshake - TLS on a connection that is there */
static enum err
handshake(struct outbounds *outbounds, struct outbound *out, int64_t deadline,
          enum reason *reason, struct why *why)
{
    const struct conf_route *conf =
        &outbounds->brief->service->route[out->route];
    struct session_target *target = &outbounds->route[out->route].target;

    target->name =
        conf->upstream_name != NULL ? conf->upstream_name : out->at.host;
    return session_connect(target, out->at.fd, deadline, out->session, reason,
                           why);
}

/* drain - bytes that are unread at close(2) would turn our alert into a reset */
static void
drain(struct outbound *out)
{
    stream_init(&out->stream, out->at.fd, NULL, NULL);
    (void)stream_shut(&out->stream);
    (void)stream_drain(&out->stream, DRAIN_MAX, clock_deadline(DRAIN_MS));
}

/* run - a program is the upstream */
static enum err
run(struct outbounds *outbounds, const struct program_client *client,
    struct outbound *out, enum reason *reason, struct why *why)
{
    const struct worker_brief *brief = outbounds->brief;
    const struct conf_service *service = brief->service;
    enum err err = program_open(brief->runner_fd, service, client,
                                service->connect_timeout, &out->program,
                                &out->at.fd, reason, why);

    (void)text_copy(out->at.text, service->route[0].upstream.item[0].text,
                    sizeof(out->at.text));
    out->open = true;
    stream_init(&out->stream, out->at.fd, NULL, NULL);
    out->stream.program = true;
    return err;
}

/* dial - an upstream that is connected to */
static enum err
dial(struct outbounds *outbounds, int client_fd, size_t route,
     struct outbound *out, enum reason *reason, struct why *why)
{
    const struct conf_service *service = outbounds->brief->service;
    const struct conf_route *conf = &service->route[route];
    int64_t deadline = clock_deadline(service->connect_timeout);
    enum err err;

    err = upstream_open(outbounds->brief->connector_fd, client_fd,
                        (uint16_t)route, &conf->upstream,
                        service->connect_timeout, &out->at, reason, why);
    if (err != ERR_OK)
        return err;
    out->open = true;
    if (conf->tls)
        err = handshake(outbounds, out, deadline, reason, why);
    if (err == ERR_OK)
        stream_init(&out->stream, out->at.fd,
                    conf->tls ? out->session->ssl : NULL,
                    conf->tls ? &out->session->io.ahead : NULL);
    else if (err == ERR_TLS)
        drain(out);
    return err;
}

enum err
outbound_open(struct outbounds *outbounds, const struct program_client *client,
              size_t route, struct outbound *out, enum reason *reason,
              struct why *why)
{
    out->route = route;
    out->at.fd = -1;
    out->at.text[0] = out->at.local[0] = '\0';
    memset(&out->program, 0, sizeof(out->program));
    out->session =
        outbounds->brief->service->route[route].tls ? outbounds->session : NULL;
    if (out->session != NULL)
        out->session->alert_sent = out->session->alert_received = -1;
    *reason = REASON_INTERNAL;
    return conf_command(outbounds->brief->service) != NULL
               ? run(outbounds, client, out, reason, why)
               : dial(outbounds, client->fd, route, out, reason, why);
}

void
outbound_settle(struct outbounds *outbounds, struct outbound *out, int64_t ms)
{
    if (!out->open || !out->program.open)
        return;
    fdio_close(&out->at.fd);
    program_wait(outbounds->brief->runner_fd, &out->program, ms);
}

bool
outbound_refusal(const struct outbounds *outbounds, struct outbound *out,
                 int alert, struct why *why)
{
    if (!out->open || out->session == NULL || out->session->ssl == NULL ||
        !alert_refuses_us(alert))
        return false;
    out->session->alert_received = alert;
    (void)session_refusal(&outbounds->route[out->route].target, alert, why);
    return true;
}

const char *
outbound_proxy_host(struct outbounds *outbounds, const struct outbound *out)
{
    const struct conf_route *conf =
        &outbounds->brief->service->route[out->route];
    bool v6 = strchr(out->at.host, ':') != NULL;
    int len = snprintf(outbounds->proxy_host, sizeof(outbounds->proxy_host),
                       "%s%s%s", v6 ? "[" : "", out->at.host, v6 ? "]" : "");

    if (out->at.port != 0 && out->at.port != (conf->tls ? 443 : 80))
        snprintf(outbounds->proxy_host + len,
                 sizeof(outbounds->proxy_host) - (size_t)len, ":%u",
                 (unsigned)out->at.port);
    return outbounds->proxy_host;
}

void
outbound_close(struct outbounds *outbounds, struct outbound *out)
{
    if (!out->open)
        return;
    stream_end(&out->stream);
    if (out->session != NULL)
        session_end(out->session);
    fdio_close(&out->at.fd);
    program_close(outbounds->brief->runner_fd, &out->program);
    out->open = false;
}

bool
outbounds_gone(const struct outbounds *outbounds)
{
    size_t i;

    for (i = 0; i < outbounds->brief->service->route_count; i++)
        if (outbounds->route[i].sign.gone)
            return true;
    return false;
}
