/*
 * reload.c - a new generation beside the running one, then the switch
 *
 * Owns the rule "whole or none": until every file is read, every key proven
 * and every keeper up, nothing of the running generation changes. A failure
 * is said once, and tried again for a while, because renewers write
 * certificate and key one after the other.
 */
#include "common/clock.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/text.h"
#include "master/fence.h"
#include "master/generation.h"
#include "master/logger.h"
#include "master/master.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_EVERY_MS 1000

static void
needs_restart(void *ctx, const char *what)
{
    struct log_line line;

    (void)ctx;
    log_begin(&line, LOG_L_WARN, "needs_restart");
    log_text(&line, "what", what);
    log_send(&line);
}

/* find_service - its index in a configuration, -1 */
static int
find_service(const struct conf *conf, const char *name)
{
    size_t i;

    for (i = 0; i < conf->service_count; i++)
        if (strcmp(conf->service[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* inside - every file must lie where the fenced master can still read */
static enum err
inside(const struct fence *fence, const struct conf *conf, struct why *why)
{
    enum err err = ERR_OK;
    size_t i;

    for (i = 0; fence != NULL && err == ERR_OK && i < conf->service_count;
         i++) {
        const struct conf_service *service = &conf->service[i];

        err = fence_holds(fence, service->cert, why);
        if (err == ERR_OK)
            err = fence_holds(fence, service->key, why);
        if (err == ERR_OK && service->ca != NULL)
            err = fence_holds(fence, service->ca, why);
    }
    return err;
}

/* build - read everything again */
static enum err
build(struct master *master, struct generation **out, struct why *why)
{
    struct conf_errors errors = { 0 };
    struct conf *conf;
    enum err err;

    if (conf_load(master->conf_path, &conf, &errors) != ERR_OK) {
        why_set(why, ERR_CONF, "%s%s", errors.text[0],
                errors.count > 1 ? " (and more: mtlsd -t lists them)" : "");
        conf_errors_free(&errors);
        return ERR_CONF;
    }
    err = inside(master->fence, conf, why);
    if (err == ERR_OK)
        err = generation_build(master->gen->number + 1, conf, &master->jail,
                               out, why);
    if (err != ERR_OK)
        conf_free(conf);
    return err;
}

/* introduce - the connector must know a generation before its workers ask */
static enum err
introduce(struct master *master, const struct generation *gen, struct why *why)
{
    enum err err = ERR_OK;
    size_t i;

    for (i = 0; err == ERR_OK && i < gen->conf->service_count; i++)
        err = connector_service(&master->connector, gen->number, (uint16_t)i,
                                &gen->conf->service[i].upstream, why);
    return err;
}

/* a pool's leashes across the switch */
struct turn {
    int leash[2]; /* of the new generation's workers */
    int old;      /* our end of the old one's */
};

static void
turns_close(struct turn *turns, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        fdio_close(&turns[i].leash[0]);
        fdio_close(&turns[i].leash[1]);
    }
    free(turns);
}

/* turns_new - everything that can fail, before anything changes */
static enum err
turns_new(size_t count, struct turn **out, struct why *why)
{
    struct turn *turns = mem_new(count * sizeof(*turns));
    size_t i;

    for (i = 0; i < count; i++)
        if (pipe2(turns[i].leash, O_CLOEXEC | O_NONBLOCK) != 0) {
            why_errno(why, ERR_SYS, "pipe");
            turns_close(turns, i);
            return ERR_SYS;
        }
    *out = turns;
    return ERR_OK;
}

/* turn - one pool's numbers and leash, from one generation to the next */
static void
turn(struct pool *pool, const struct conf *conf, struct turn *turn)
{
    turn->old = pool->leash[1];
    fdio_close(&pool->leash[0]);
    pool->leash[0] = turn->leash[0];
    pool->leash[1] = turn->leash[1];
    pool->old += pool->alive;
    pool->alive = 0;
    pool->idle = 0;
    pool->service = find_service(conf, pool->name);
    if (pool->service >= 0)
        return;
    /* no longer configured: nobody accepts there any more */
    while (pool->listen_count > 0)
        fdio_close(&pool->listen_fd[--pool->listen_count]);
}

enum err
reload_adopt(struct master *master, struct generation *gen, struct why *why)
{
    struct generation *old = master->gen;
    struct turn *turns;
    enum err err;
    size_t i;

    if ((err = introduce(master, gen, why)) != ERR_OK ||
        (err = turns_new(master->pool_count, &turns, why)) != ERR_OK)
        return err;
    master->gen = gen;
    for (i = 0; i < master->pool_count; i++)
        turn(&master->pool[i], gen->conf, &turns[i]);
    /* new workers first, then the old ones retire */
    spawn_fill(master, clock_ms());
    for (i = 0; i < master->pool_count; i++)
        fdio_close(&turns[i].old);
    free(turns);
    if (old != NULL) {
        connector_forget(&master->connector, old->number, why);
        generation_free(old);
    }
    return ERR_OK;
}

/* say_failed - once for each reason, not once for each try */
static void
say_failed(struct master *master, const struct why *why, int64_t now)
{
    struct log_line line;

    if (strcmp(master->retry_reason, why->text) == 0)
        return;
    text_copy(master->retry_reason, why->text, sizeof(master->retry_reason));
    log_begin(&line, LOG_L_ERROR, "reload_failed");
    log_text(&line, "reason", why->text);
    log_int(&line, "generation", master->gen->number);
    if (master->retry_until > now)
        log_time(&line, "retry", master->retry_until - now);
    log_send(&line);
}

/* attempt - build, and switch when it worked */
static void
attempt(struct master *master, int64_t now)
{
    struct generation *gen;
    struct log_line line;
    struct why why;
    enum err err;

    if ((err = build(master, &gen, &why)) == ERR_OK &&
        (err = reload_adopt(master, gen, &why)) != ERR_OK)
        generation_free(gen);
    now = clock_ms();
    if (err != ERR_OK) {
        say_failed(master, &why, now);
        master->retry_at = now < master->retry_until ? now + RETRY_EVERY_MS : 0;
        return;
    }
    master->retry_at = 0;
    master->retry_reason[0] = '\0';
    log_begin(&line, LOG_L_NOTICE, "reloaded");
    log_int(&line, "generation", gen->number);
    log_send(&line);
    /* against what boot made, so that it is said until the restart */
    conf_fixed_changes(master->boot_conf, gen->conf, needs_restart, NULL);
}

/* reopen - the log file, for logrotate(8) */
static void
reopen(struct master *master)
{
    struct why why;

    if (logger_reopen(master->logger_control, &why) != ERR_OK)
        log_simple(LOG_L_ERROR, "log_reopen_failed", why.text);
}

void
reload_now(struct master *master, int64_t now)
{
    reopen(master);
    master->retry_reason[0] = '\0';
    master->retry_until =
        clock_deadline(master->gen->conf->global.reload_retry);
    attempt(master, now);
}

int64_t
reload_retry(struct master *master, int64_t now)
{
    if (master->phase != MASTER_RUN)
        return CLOCK_NEVER;
    if (master->retry_at != 0 && master->retry_at <= now) {
        attempt(master, now);
        if (master->retry_at == 0 && master->retry_reason[0] != '\0')
            log_simple(LOG_L_ERROR, "reload_given_up", master->retry_reason);
    }
    return master->retry_at != 0 ? master->retry_at : CLOCK_NEVER;
}
