/*
 * reload.c - a new generation beside the running one, then the switch
 *
 * Owns the rule "whole or none": until every file is read, every key proven
 * and every keeper up, nothing of the running generation changes. A failure
 * is said once, and tried again for a while, because renewers write
 * certificate and key one after the other.
 */
#include "common/clock.h"
#include "common/conf_files.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/text.h"
#include "master/crew.h"
#include "master/drop.h"
#include "master/fence.h"
#include "master/generation.h"
#include "master/judging.h"
#include "master/listen.h"
#include "master/logger.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/overstay.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_EVERY_MS    1000
#define LOST_QUIET_MS     60000 /* then a loss counts as the first again */
#define LOST_DELAY_MAX_MS 32000

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

/* for conf_files_each: the fence, and the first error */
struct holding {
    const struct fence *fence;
    struct why *why;
};

static int
held(void *ctx, const char *path)
{
    const struct holding *holding = ctx;

    return (int)fence_holds(holding->fence, path, holding->why);
}

/* inside - every file must lie where the fenced master can still read */
static enum err
inside(const struct fence *fence, const struct conf *conf, struct why *why)
{
    struct holding holding = { fence, why };

    return fence == NULL ? ERR_OK
                         : (enum err)conf_files_each(conf, held, &holding);
}

/* read_conf - the configuration may be root's alone, like the keys */
static enum err
read_conf(const char *path, struct conf **out, struct why *why)
{
    struct conf_errors errors = { 0 };
    bool power = drop_has(DROP_CAP_READ);
    enum err err = ERR_OK, end;

    if (power && (err = drop_caps_use(DROP_CAP_READ, why)) != ERR_OK)
        return err;
    if (conf_load(path, out, &errors) != ERR_OK)
        err =
            why_set(why, ERR_CONF, "%s%s", errors.text[0],
                    errors.count > 1 ? " (and more: mtlsd -t lists them)" : "");
    conf_errors_free(&errors);
    end = power ? drop_caps_use(0, why) : ERR_OK;
    return end != ERR_OK ? end : err;
}

/* build - read everything again */
static enum err
build(struct master *master, struct generation **out, struct why *why)
{
    struct watch *watch;
    struct conf *conf;
    enum err err = read_conf(master->conf_path, &conf, why);

    if (err != ERR_OK)
        return err;
    if ((watch = renew_watch(conf)) != NULL) /* else only once it is adopted */
        renew_use(master, watch);
    err = inside(master->fence, conf, why);
    if (err == ERR_OK)
        err = generation_build(master->last_number + 1, conf, &master->jail,
                               master->charges[1], out, why);
    if (err != ERR_OK)
        conf_free(conf);
    return err;
}

/* introduce_program - to who ran this service's program at the start */
static enum err
introduce_program(const struct master *master, const struct generation *gen,
                  size_t index, struct why *why)
{
    const struct conf_service *service = &gen->conf->service[index];
    size_t i = 0;

    while (i < master->pool_count &&
           strcmp(master->pool[i].name, service->name) != 0)
        i++;
    if (i == master->pool_count)
        return ERR_OK; /* a new service: it waits for a restart altogether */
    if (master->pool[i].runner < 0)
        return why_set(why, ERR_CONF,
                       "[service %s] has a program now and had none at the "
                       "start: who would run it is made there, restart",
                       service->name);
    return runner_service(&master->runner[master->pool[i].runner], gen->number,
                          (uint16_t)index, service, why);
}

/* introduce_service - every route's addresses, also when there are none */
static enum err
introduce_service(struct master *master, const struct generation *gen,
                  size_t index, struct why *why)
{
    const struct conf_service *service = &gen->conf->service[index];
    enum err err = ERR_OK;
    size_t i;

    for (i = 0; err == ERR_OK && i < service->route_count; i++)
        err = connector_service(&master->connector, gen->number,
                                (uint16_t)index, (uint16_t)i, service->name,
                                &service->route[i].upstream,
                                (enum conf_policy)service->route[i].policy,
                                service->dead_peer_timeout, why);
    if (err == ERR_OK && conf_command(service) != NULL)
        err = introduce_program(master, gen, index, why);
    return err;
}

/* disown - what connector and runners have heard of a generation is past */
static void
disown(struct master *master, unsigned number)
{
    struct why why;

    if (connector_forget(&master->connector, number, &why) != ERR_OK)
        log_simple(LOG_L_WARN, "connector", why.text);
    for (size_t i = 0; i < master->runner_count; i++)
        if (runner_forget(&master->runner[i], number, &why) != ERR_OK)
            log_simple(LOG_L_WARN, "runner", why.text);
}

/* introduce - connector and runners must know a generation before its workers ask */
static enum err
introduce(struct master *master, const struct generation *gen, struct why *why)
{
    enum err err = ERR_OK;
    size_t i;

    for (i = 0; err == ERR_OK && i < gen->conf->service_count; i++)
        err = introduce_service(master, gen, i, why);
    return err;
}

/* what a pool gets at the switch */
struct turn {
    int leash[2]; /* of the new generation's workers */
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

/* let_go - the pool's workers of the generation before retire. Closing says it,
 * but fresh workers may still hold a copy of the leash's end: a byte for each of
 * the old ones says it at once. */
static void
let_go(struct master *master, struct pool *pool)
{
    (void)spawn_retire(pool->old_leash, pool->old);
    fdio_close(&pool->old_leash);
    overstay_begin_pool(master, (size_t)(pool - master->pool), clock_ms());
}

/* turn_leash - the running leash becomes the old one. When the generation that
 * held it never came up, the one before it goes on holding the fort. */
static void
turn_leash(struct pool *pool, const struct turn *turn)
{
    fdio_close(&pool->leash[0]);
    if (pool->old_leash < 0)
        pool->old_leash = pool->leash[1];
    else
        fdio_close(&pool->leash[1]);
    pool->leash[0] = turn->leash[0];
    pool->leash[1] = turn->leash[1];
}

/* turn - one pool, from one generation to the next */
static void
turn(struct master *master, struct pool *pool, const struct turn *turn)
{
    const struct conf *conf = master->gen->conf;
    char what[64];

    turn_leash(pool, turn);
    pool->old += pool->alive;
    pool->alive = pool->starting = pool->idle = pool->leaving = pool->asked = 0;
    memset(&pool->throttle, 0, sizeof(pool->throttle));
    memset(&pool->pace, 0, sizeof(pool->pace));
    pool->service = find_service(conf, pool->name);
    if (pool->service >= 0 && (pool->listen_count > 0 || pool->single)) {
        listen_tune(&conf->service[pool->service], pool->listen_fd,
                    pool->listen_count);
        return;
    }
    if (pool->service >= 0) { /* it was gone, and its sockets with it */
        snprintf(what, sizeof(what), "listen of [service %s]", pool->name);
        needs_restart(NULL, what);
    }
    pool->service = -1;
    let_go(master, pool);
    stop_listening(pool);
}

/* mark - for crew_each: who may still accept for an older generation */
static void
mark(struct crew_member *member, void *ctx)
{
    struct master *master = ctx;

    if (member->generation != master->gen->number && member->state <= CREW_IDLE)
        reload_lingers(master, member);
}

static void
say_reloaded(struct master *master)
{
    struct log_line line;

    log_begin(&line, LOG_L_NOTICE, "reloaded");
    log_int(&line, "generation", master->announce);
    log_send(&line);
    master->announce = 0;
}

/* turning - is there a pool whose older workers may go on accepting? */
static bool
turning(const struct master *master)
{
    for (size_t i = 0; i < master->pool_count; i++)
        if (master->pool[i].old_leash >= 0)
            return true;
    return false;
}

/* settle - say it once nobody can be served by an older generation any more:
 * whoever has read the line can rely on it */
static void
settle(struct master *master)
{
    if (master->announce == 0 || master->lingering > 0 || turning(master))
        return;
    say_reloaded(master);
    status_notify(master);
}

void
reload_came_up(struct master *master, struct pool *pool)
{
    if (pool->old_leash >= 0)
        let_go(master, pool);
}

void
reload_lingers(struct master *master, struct crew_member *member)
{
    master->lingering += !member->lingers;
    member->lingers = true;
}

void
reload_left(struct master *master, struct crew_member *member)
{
    master->lingering -= member->lingers;
    member->lingers = false;
}

/* forget - the generation before: first, so that the workers forked next do
 * not carry it, and give back what it took */
static void
forget(struct master *master, struct generation *old)
{
    if (old == NULL)
        return;
    disown(master, old->number);
    generation_free(old);
    malloc_trim(0);
}

/* switch_to - nothing in here can fail */
static void
switch_to(struct master *master, struct generation *gen, struct turn *turns)
{
    struct generation *old = master->gen;
    size_t i;

    master->gen = gen;
    spawn_prepare(gen);
    for (i = 0; i < master->pool_count; i++)
        turn(master, &master->pool[i], &turns[i]);
    crew_each(master->crew, mark, master);
    judging_begin(master);
    forget(master, old);
    /* new workers first; the old ones retire when one of them is ready */
    spawn_fill(master, clock_ms());
}

/* plain_is_near - a plain service may have a listener from a time when it was
 * none, or one of somebody else's making */
static enum err
plain_is_near(const struct master *master, const struct conf *conf,
              struct why *why)
{
    enum err err = ERR_OK;
    size_t i;

    for (i = 0; err == ERR_OK && i < master->pool_count; i++) {
        const struct pool *pool = &master->pool[i];
        int service = find_service(conf, pool->name);

        if (service >= 0)
            err = listen_plain(&conf->service[service], pool->listen_fd,
                               pool->listen_count, why);
    }
    return err;
}

enum err
reload_adopt(struct master *master, struct generation *gen, struct why *why)
{
    struct turn *turns = NULL;
    enum err err;

    if ((err = plain_is_near(master, gen->conf, why)) != ERR_OK)
        return err;
    master->last_number = gen->number; /* the connector has heard of it */
    err = introduce(master, gen, why);
    if (err == ERR_OK)
        err = turns_new(master->pool_count, &turns, why);
    if (err != ERR_OK) {
        disown(master, gen->number);
        return err;
    }
    switch_to(master, gen, turns);
    free(turns);
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
    status_notify(master);
    log_begin(&line, LOG_L_ERROR, "reload_failed");
    log_text(&line, "reason", why->text);
    log_int(&line, "generation", master->gen->number);
    if (master->retry_until == CLOCK_NEVER)
        log_text(&line, "retry", "until it works");
    else if (master->retry_until > now)
        log_time(&line, "retry", master->retry_until - now);
    log_send(&line);
}

/* too_many - slots and descriptors for workers were made at boot */
static void
too_many(const struct master *master)
{
    const struct conf *conf = master->gen->conf;
    size_t most = 0, i;

    for (i = 0; i < conf->service_count; i++)
        most += (size_t)conf->service[i].workers_max;
    if (most > master->crew_max)
        needs_restart(NULL, "workers, more than there was room for at start");
}

/* adopted - the new generation runs; its line comes when the old one is gone */
static void
adopted(struct master *master)
{
    if (master->announce != 0)
        say_reloaded(master); /* overtaken: what it promised is past */
    master->announce = master->gen->number;
    master->must_reload = false;
    if (!master->gen->conf->global.watch)
        renew_use(master, NULL);
    master->retry_at = 0;
    master->retry_reason[0] = '\0';
    status_unsafe(master);
    /* against what boot made, so that it is said until the restart */
    conf_fixed_changes(master->boot_conf, master->gen->conf, needs_restart,
                       NULL);
    too_many(master);
}

/* attempt - build, and switch when it worked */
static void
attempt(struct master *master)
{
    struct generation *gen;
    struct why why;
    int64_t now;
    enum err err;

    if ((err = build(master, &gen, &why)) == ERR_OK &&
        (err = reload_adopt(master, gen, &why)) != ERR_OK)
        generation_free(gen);
    if (err == ERR_OK) {
        adopted(master);
        return;
    }
    now = clock_ms();
    say_failed(master, &why, now);
    master->retry_at = now < master->retry_until ? now + RETRY_EVERY_MS : 0;
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
reload_now(struct master *master)
{
    reopen(master);
    reload_again(master);
}

void
reload_again(struct master *master)
{
    notify_reloading();
    master->retry_reason[0] = '\0';
    master->retry_until =
        master->must_reload
            ? CLOCK_NEVER
            : clock_deadline(master->gen->conf->global.reload_retry);
    attempt(master);
}

void
reload_lost(struct master *master, int64_t now)
{
    if (master->phase != MASTER_RUN)
        return;
    if (master->inetd.kind != INETD_NONE) { /* a new start is as good */
        master->exit_code = EXIT_SYS;
        stop_drain(master, "lost", now);
        return;
    }
    if (master->lost_at == 0 || now - master->lost_at > LOST_QUIET_MS)
        master->lost_delay = 0;
    else if (master->lost_delay == 0)
        master->lost_delay = RETRY_EVERY_MS;
    else if (master->lost_delay < LOST_DELAY_MAX_MS)
        master->lost_delay *= 2;
    master->lost_at = now;
    master->must_reload = true;
    master->retry_until = CLOCK_NEVER;
    if (master->retry_at == 0 || master->retry_at > now + master->lost_delay)
        master->retry_at = now + master->lost_delay;
}

int64_t
reload_retry(struct master *master, int64_t now)
{
    if (master->phase != MASTER_RUN)
        return CLOCK_NEVER;
    if (master->retry_at != 0 && master->retry_at <= now) {
        attempt(master);
        if (master->retry_at == 0 && master->retry_reason[0] != '\0')
            log_simple(LOG_L_ERROR, "reload_given_up", master->retry_reason);
    }
    settle(master); /* every report before the last leash's end has been read */
    return master->retry_at != 0 ? master->retry_at : CLOCK_NEVER;
}
