/*
 * status.c - SIGUSR1: what is going on, into the log
 *
 * Owns the wording of the status lines. What comes from a worker's slot is
 * that worker's own word, and is marked by nothing but this comment: numbers
 * are only ever added up, text is never taken.
 */
#include "common/board.h"
#include "common/log.h"
#include "master/admit.h"
#include "master/crew.h"
#include "master/generation.h"
#include "master/master.h"
#include "master/notify.h"

#include <stdio.h>

#include <string.h>

/* for crew_each: the members of one pool */
struct sum {
    const struct master *master;
    size_t pool;
    struct pool_total total;
    long busy;
};

void
status_add(const struct master *master, const struct crew_member *member,
           struct pool_total *total)
{
    const struct slot *slot = board_slot(master->board, member->slot);

    total->refused += atomic_load(&slot->refused);
    total->in += atomic_load(&slot->bytes_in);
    total->out += atomic_load(&slot->bytes_out);
}

static void
add(struct crew_member *member, void *ctx)
{
    struct sum *sum = ctx;

    if (member->pool != sum->pool)
        return;
    status_add(sum->master, member, &sum->total);
    sum->busy += member->state >= CREW_BUSY;
}

static void
log_pool(const struct master *master, size_t i)
{
    const struct pool *pool = &master->pool[i];
    struct sum sum = { .master = master, .pool = i, .total = pool->past };
    struct log_line line;

    crew_each(master->crew, add, &sum);
    log_begin(&line, LOG_L_NOTICE, "status");
    log_text(&line, "service", pool->name);
    log_int(&line, "generation", master->gen->number);
    log_int(&line, "workers", pool->alive);
    log_int(&line, "idle", pool->idle);
    log_int(&line, "busy", sum.busy);
    log_int(&line, "retiring", pool->old);
    log_int(&line, "connections", (long long)pool->taken);
    log_int(&line, "refused", (long long)sum.total.refused);
    admit_status(master, i, &line);
    log_int(&line, "crashed", (long long)pool->crashed);
    log_int(&line, "in", (long long)sum.total.in);
    log_int(&line, "out", (long long)sum.total.out);
    log_send(&line);
}

static void
unverified(const struct conf_service *service, const struct conf_route *route)
{
    struct log_line line;

    log_begin(&line, LOG_L_WARN, "upstream_unverified");
    log_text(&line, "service", service->name);
    if (route->name[0] != '\0')
        log_text(&line, "route", route->name);
    log_text(&line, "upstream", route->upstream.item[0].text);
    log_text(&line, "reason",
             "upstream_verify = none: whoever answers there is believed");
    log_send(&line);
}

/* as_root - the ids that boot found, whatever the user is called */
static void
as_root(const struct master *master, const struct conf_service *service)
{
    struct log_line line;

    for (size_t i = 0; i < master->pool_count; i++) {
        const struct pool *pool = &master->pool[i];

        if (pool->runner < 0 || strcmp(pool->name, service->name) != 0 ||
            master->runner[pool->runner].ids.uid != 0)
            continue;
        log_begin(&line, LOG_L_WARN, "program_as_root");
        log_text(&line, "service", service->name);
        log_text(&line, "program", service->route[0].upstream.item[0].text);
        log_text(&line, "reason",
                 "exec_user is root: who finds a fault in it has the machine");
        log_send(&line);
    }
}

void
status_unsafe(const struct master *master)
{
    const struct conf *conf = master->gen->conf;
    size_t i, j;

    for (i = 0; i < conf->service_count; i++) {
        const struct conf_service *service = &conf->service[i];

        if (conf_command(service) != NULL)
            as_root(master, service);
        for (j = 0; j < service->route_count; j++)
            if (service->route[j].tls &&
                service->route[j].side.verify == CONF_VERIFY_NONE)
                unverified(service, &service->route[j]);
    }
}

void
status_notify(const struct master *master)
{
    char text[sizeof(master->retry_reason) + 64];
    int len;

    if (master->phase != MASTER_RUN) /* it has heard STOPPING=1 */
        return;
    len = snprintf(text, sizeof(text), "serving, generation %u",
                   master->gen->number);
    if (master->retry_reason[0] != '\0')
        snprintf(text + len, sizeof(text) - (size_t)len, "; reload failed: %s",
                 master->retry_reason);
    notify_ready(text);
}

void
status_log(struct master *master)
{
    size_t i;

    for (i = 0; i < master->pool_count; i++)
        log_pool(master, i);
    status_unsafe(master);
}
