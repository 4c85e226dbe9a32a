/*
 * boot.c - from root to the running master
 *
 * Owns the order (mtlsd-internals(7)): what needs root first, what needs more
 * than the master forked before the master fences itself, then the drop, and
 * only then the first look at a key: through the same door as every reload.
 */
#include "common/bans.h"
#include "common/board.h"
#include "common/clock.h"
#include "common/conf_ini.h"
#include "common/fdio.h"
#include "common/landlock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/proctitle.h"
#include "common/text.h"
#include "master/admit.h"
#include "master/confinement.h"
#include "master/crew.h"
#include "master/fence.h"
#include "master/filters.h"
#include "master/generation.h"
#include "master/judging.h"
#include "master/keeper.h"
#include "master/keymem.h"
#include "master/limits.h"
#include "master/listen.h"
#include "master/logger.h"
#include "master/master.h"
#include "master/passed.h"
#include "master/pidfile.h"
#include "master/reader.h"
#include "master/version.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define BOOT_CREW_LEAST 4096 /* so that a reload may ask for more workers */
#define BOOT_CREW_MOST  500000
#define BOOT_PROCESSES  64    /* keepers, helpers, who resolves names */
#define BOOT_WORKERS_MS 10000 /* until the first of each pool is ready */

/* block_signals - all that the loop will read from its descriptor, before the
 * first fork, so that none is ever lost */
static enum err
block_signals(struct master *master, struct why *why)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
        (master->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) <
            0)
        return why_errno(why, ERR_SYS, "signalfd");
    return ERR_OK;
}

/* most_workers - of one generation of all services */
static unsigned long
most_workers(const struct conf *conf)
{
    unsigned long sum = 0;
    size_t i;

    for (i = 0; i < conf->service_count; i++)
        sum += (unsigned long)conf->service[i].workers_max;
    return sum;
}

/* fixed_descriptors - of the connector, besides workers' pairs */
static unsigned long
fixed_descriptors(const struct conf *conf)
{
    return 4 * conf->service_count + 128;
}

/* per_worker - descriptors for each worker in the process that needs most: a
 * pair in the connector; in a runner the pair and the program's 2 */
static unsigned long
per_worker(const struct conf *conf)
{
    size_t i;

    for (i = 0; i < conf->service_count; i++)
        if (conf_command(&conf->service[i]) != NULL)
            return 2;
    return 1;
}

/*
 * raise_limits - the connector has a pair for each worker: it must hold all of
 * one generation, and ought to hold as many of older ones, whose sessions go on
 */
static enum err
raise_limits(struct master *master, const struct conf *conf, struct why *why)
{
    unsigned long workers = most_workers(conf), have, each = per_worker(conf);
    unsigned long fixed = fixed_descriptors(conf);
    unsigned long crew = inetd_single(&master->inetd)    ? 1
                         : 2 * workers < BOOT_CREW_LEAST ? BOOT_CREW_LEAST
                                                         : 2 * workers;
    struct limits_need need = {
        .descriptors = each * workers + fixed,
        .wanted = each * crew + fixed,
        .locked = keymem_need(conf->service_count),
        .processes = 2 * workers + BOOT_PROCESSES,
    };
    enum err err = limits_raise(&need, &have, why);

    if (err != ERR_OK)
        return err;
    if (crew > (have - fixed) / each)
        crew = (have - fixed) / each;
    master->crew_max = crew < BOOT_CREW_MOST ? crew : BOOT_CREW_MOST;
    return ERR_OK;
}

/* open_listener - one address of a service: a socket, or what was passed */
static enum err
open_listener(const struct master *master, const struct conf_service *service,
              const struct addr *addr, struct pool *pool, struct why *why)
{
    enum err err;
    int fd;

    if (addr->kind == ADDR_SYSTEMD)
        return listen_passed(addr, &pool->listen_fd, &pool->listen_count, why);
    err =
        listen_open(service, addr, master->ids.uid, master->ids.gid, &fd, why);
    if (err != ERR_OK)
        return err;
    pool->listen_fd =
        mem_array(pool->listen_fd, pool->listen_count + 1, sizeof(fd));
    pool->listen_fd[pool->listen_count++] = fd;
    return ERR_OK;
}

/* open_pool - a service's sockets and the pair that its workers report on */
static enum err
open_pool(const struct master *master, const struct conf_service *service,
          struct pool *pool, struct why *why)
{
    enum err err = ERR_OK;
    size_t i;

    text_copy(pool->name, service->name, sizeof(pool->name));
    pool->service = pool->runner = -1;
    pool->leash[0] = pool->leash[1] = pool->old_leash = -1;
    pool->single = inetd_single(&master->inetd);
    pool->borrowed = master->inetd.kind == INETD_WAIT;
    if (pool->borrowed) {
        pool->listen_fd = mem_new(sizeof(int));
        pool->listen_fd[pool->listen_count++] = master->inetd.listen_fd;
    }
    for (i = 0; err == ERR_OK && i < service->listen.count; i++)
        err =
            open_listener(master, service, &service->listen.item[i], pool, why);
    /* now: a worker that moved it would have a page of its own for it */
    for (i = 0; err == ERR_OK && i < pool->listen_count; i++)
        if (!passed_has(pool->listen_fd[i]))
            err = fdio_move(&pool->listen_fd[i], FILTERS_SHARED_FD, why);
    return err;
}

/* all_named - a socket that was passed and that nobody serves would keep its
 * clients waiting for ever */
static enum err
all_named(struct why *why)
{
    const char *unused = passed_unused();

    if (unused == NULL)
        return ERR_OK;
    return why_set(why, ERR_CONF,
                   "a socket was passed under the name %.64s, and no service "
                   "listens there (listen = systemd:%.64s)",
                   unused, unused);
}

static enum err
open_pools(struct master *master, const struct conf *conf, struct why *why)
{
    enum err err = ERR_OK;
    size_t i;

    master->pool = mem_own(conf->service_count * sizeof(*master->pool));
    master->pool_count = conf->service_count;
    for (i = 0; err == ERR_OK && i < conf->service_count; i++)
        err = open_pool(master, &conf->service[i], &master->pool[i], why);
    return err == ERR_OK ? all_named(why) : err;
}

static void
say_listening(const struct master *master)
{
    char text[ADDR_TEXT_MAX];
    struct sockaddr_storage sa;
    struct log_line line;
    socklen_t len;
    size_t i, j;

    for (i = 0; i < master->pool_count; i++)
        for (j = 0; j < master->pool[i].listen_count; j++) {
            len = sizeof(sa);
            if (getsockname(master->pool[i].listen_fd[j],
                            (struct sockaddr *)&sa, &len) != 0)
                continue;
            log_begin(&line, LOG_L_NOTICE, "listening");
            log_text(&line, "service", master->pool[i].name);
            log_text(&line, "address",
                     addr_text((struct sockaddr *)&sa, len, text));
            log_send(&line);
        }
}

/* plan_runners - who runs the programs of which pool */
static enum err
plan_runners(struct master *master, const struct conf *conf, struct why *why)
{
    int *of = mem_new((conf->service_count + 1) * sizeof(*of));
    enum err err =
        runners_plan(conf, &master->runner, &master->runner_count, of, why);

    for (size_t i = 0; err == ERR_OK && i < conf->service_count; i++)
        master->pool[i].runner = of[i];
    free(of);
    return err;
}

/* strict - must every part of the confinement hold? */
static bool
strict(const struct master *master, const struct conf *conf)
{
    if (conf->global.confine == CONF_CONFINE_AUTO)
        return master->ids.root;
    return conf->global.confine == CONF_CONFINE_STRICT;
}

/* lacking - a part that cannot be had here (ERR_PRIV): strict ends the start,
 * degrade goes without, and the start line has the reason */
static enum err
lacking(struct master *master, const struct conf *conf, enum err err,
        const struct why *why)
{
    char *text = master->degraded.text;
    size_t len = strlen(text);

    if (err != ERR_PRIV || strict(master, conf))
        return err;
    (void)snprintf(text + len, sizeof(master->degraded.text) - len, "%s%s",
                   len > 0 ? "; " : "", why->text);
    return ERR_OK;
}

/* plan_landlock - for all that come */
static enum err
plan_landlock(struct master *master, const struct conf *conf, struct why *why)
{
    enum err err = confinement_try_landlock(why);

    if (err == ERR_PRIV)
        landlock_forgo();
    return lacking(master, conf, err, why);
}

/* plan_jail - the empty root of the exposed processes */
static enum err
plan_jail(struct master *master, const struct conf *conf, struct why *why)
{
    bool none = strcmp(conf->global.chroot, "none") == 0;
    enum err err;

    master->jail.fd = -1;
    if (!master->ids.root && strict(master, conf))
        return why_set(why, ERR_PRIV,
                       "confine = strict needs a start as root: without it "
                       "there is no jail");
    if (!master->ids.root)
        return ERR_OK;
    if (none && strict(master, conf))
        return why_set(why, ERR_CONF, "chroot = none needs confine = degrade");
    err = jail_open(conf->global.chroot, &master->jail, why);
    if (err == ERR_OK &&
        (err = confinement_try_jail(&master->jail, why)) != ERR_OK)
        fdio_close(&master->jail.fd);
    return lacking(master, conf, err, why);
}

/* plan_fence - a fence that cannot be drawn is an error where the master keeps
 * a capability that it is there to hold, else it is left out */
static enum err
plan_fence(struct master *master, const struct conf *conf, struct why *why)
{
    enum err err = fence_plan(conf, &master->fence, why);

    if (err == ERR_CONF && !master->ids.root) {
        master->fence = NULL;
        return ERR_OK;
    }
    return err;
}

/* shared - what is made once and lives as long as we do; behind the helpers, who
 * inherit none of it */
static enum err
shared(struct master *master, struct why *why)
{
    enum err err;

    master->crew = crew_new();
    master->judging = judging_new();
    /* mappings grow down: what workers look at stays beside the libraries, where
     * it shares their page tables */
    err = bans_new(&master->bans, why);
    if (err == ERR_OK)
        err = board_new(master->crew_max, &master->board, why);
    if (err == ERR_OK)
        err = admit_new(master->pool_count, board_count(master->board),
                        &master->admit, why);
    return err;
}

/* helpers - who needs more than the master keeps is forked now */
static enum err
helpers(struct master *master, const struct conf *conf, struct why *why)
{
    const struct conf_global *global = &conf->global;
    enum err err;
    int fd;

    err = logger_start(global->log, (enum log_format)global->log_format,
                       (enum log_level)global->log_level, &master->ids, &fd,
                       &master->logger_control, &master->logger_pid, why);
    if (err == ERR_OK)
        err = connector_start(
            &master->ids, strict(master, conf) && landlock_abi() > 0,
            global->resolve_interval, &master->connector, why);
    for (size_t i = 0; err == ERR_OK && i < master->runner_count; i++)
        err = runner_start(&master->runner[i], why);
    return err;
}

/* watch_all - signals and reports wake the loop */
static enum err
watch_all(struct master *master, struct why *why)
{
    struct epoll_event event = { .events = EPOLLIN };
    enum err err = ERR_OK;
    size_t i;

    event.data.u64 = LOOP_SIGNAL;
    if ((master->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
        epoll_ctl(master->epoll_fd, EPOLL_CTL_ADD, master->signal_fd, &event) !=
            0)
        return why_errno(why, ERR_SYS, "epoll");
    for (i = 0; err == ERR_OK && i < master->pool_count; i++)
        err = reports_open(master, &master->pool[i], why);
    return err == ERR_OK ? reports_charges_open(master, why) : err;
}

/* open_all - everything that may need root */
static enum err
open_all(struct master *master, const struct conf *conf, struct why *why)
{
    enum err err = raise_limits(master, conf, why);

    if (err == ERR_OK)
        err = open_pools(master, conf, why);
    if (err == ERR_OK)
        err = plan_runners(master, conf, why);
    if (err == ERR_OK && conf->global.pid_file != NULL)
        err = pidfile_open(conf->global.pid_file, &master->pid_fd, why);
    if (err == ERR_OK)
        err = plan_landlock(master, conf, why);
    if (err == ERR_OK)
        err = plan_jail(master, conf, why);
    if (err == ERR_OK)
        err = plan_fence(master, conf, why);
    return err;
}

static void
say_start(const struct master *master)
{
    struct log_line line;

    if (!conf_ini_can())
        log_simple(LOG_L_NOTICE, "no_proc",
                   "no /proc here: iniparser cannot check what our own reader "
                   "makes of the configuration; mtlsd -t outside can");

    log_begin(&line, LOG_L_NOTICE, "start");
    log_text(&line, "version", version_text());
    log_text(&line, "file", master->conf_path);
    log_send(&line);
}

/* for limits_short */
static void
say_short(void *ctx, const char *what, unsigned long is)
{
    const unsigned long *needs = ctx;
    struct log_line line;

    log_begin(&line, LOG_L_WARN, "limit_low");
    log_text(&line, "limit", what);
    log_int(&line, "is", (long long)is);
    log_int(&line, "needs", (long long)*needs);
    log_send(&line);
}

/* say_limits - what may be in the way of as many workers as are configured, two
 * generations of them */
static void
say_limits(const struct master *master, const struct conf *conf)
{
    unsigned long workers = most_workers(conf);
    unsigned long processes = 2 * workers + BOOT_PROCESSES;
    unsigned long each = per_worker(conf);
    unsigned long descriptors = each * 2 * workers + fixed_descriptors(conf);

    limits_short(processes, say_short, &processes);
    if (master->crew_max < 2 * workers)
        say_short(&descriptors, "LimitNOFILE",
                  each * master->crew_max + fixed_descriptors(conf));
}

static void
say_ready(const struct master *master)
{
    struct log_line line;

    log_begin(&line, LOG_L_NOTICE, "ready");
    log_int(&line, "generation", master->gen->number);
    log_int(&line, "services", (long long)master->pool_count);
    log_int(&line, "workers", (long long)crew_count(master->crew));
    if (master->gen->keepers != NULL)
        log_text(&line, "key_memory", keepers_memory(master->gen->keepers));
    log_send(&line);
}

/* is_up - has the pool as many workers as there must be, and one that waits
 * for clients? */
static bool
is_up(const struct master *master, const struct pool *pool)
{
    return pool->idle > 0 &&
           pool->alive >= master->gen->conf->service[pool->service].workers_min;
}

/* came_up - every pool is up; nothing else happens meanwhile */
static enum err
came_up(struct master *master, struct why *why)
{
    int64_t deadline = clock_deadline(BOOT_WORKERS_MS), next;
    size_t i = 0;

    while (i < master->pool_count) {
        struct pool *pool = &master->pool[i];
        struct pollfd item = { .fd = pool->report[0], .events = POLLIN };

        if (is_up(master, pool)) {
            i++;
            continue;
        }
        if (clock_left(deadline) == 0)
            return why_set(why, ERR_SYS, "no worker of [service %s] came up",
                           pool->name);
        next = spawn_fill(master, clock_ms());
        (void)poll(&item, 1, clock_left(next < deadline ? next : deadline));
        reports_read(master, pool);
    }
    return ERR_OK;
}

/* first_generation - after the drop, inside the fence, as every later one */
static enum err
first_generation(struct master *master, struct conf *conf, struct why *why)
{
    struct generation *gen;
    enum err err;

    renew_use(master, renew_watch(conf));
    err = generation_build(master->last_number + 1, conf, &master->jail,
                           master->charges[1], &gen, why);
    if (err != ERR_OK)
        return err;
    gen->keep_conf = true;
    master->boot_conf = conf;
    err = reload_adopt(master, gen, why);
    if (err == ERR_OK && !inetd_single(&master->inetd))
        err = came_up(master, why);
    return err;
}

/* only_one - the worker has its client: whatever happens, no other follows, and
 * we end with it. If there is none, that was an error. */
static void
only_one(struct master *master)
{
    inetd_handed(&master->inetd);
    master->exit_code = EXIT_SYS; /* until the worker says otherwise */
    master->phase = MASTER_DRAIN;
}

/* hush - one client, one line: the worker's. Ours are for daemons, and for who
 * looks for an error. */
static void
hush(const struct master *master)
{
    if (inetd_single(&master->inetd) && log_level() > LOG_L_WARN &&
        log_level() < LOG_L_DEBUG)
        log_open(log_fd(), LOG_L_WARN);
}

enum err
boot_up(struct master *master, struct conf *conf, const struct inetd *inetd,
        struct why *why)
{
    const struct conf_global *global = &conf->global;
    enum err err;

    memset(master, 0, sizeof(*master));
    master->conf_path = conf->path;
    master->inetd = *inetd;
    master->pid_fd = master->logger_control = -1;
    master->drain_until = CLOCK_NEVER;
    err = drop_resolve(global->user, global->group, global->groups.item,
                       global->groups.count, &master->ids, why);
    if (err == ERR_OK)
        err = block_signals(master, why);
    if (err == ERR_OK)
        err = filters_build(strict(master, conf), why);
    if (err == ERR_OK)
        err = open_all(master, conf, why);
    if (err == ERR_OK)
        err = helpers(master, conf, why);
    if (err == ERR_OK)
        err = shared(master, why);
    if (err != ERR_OK)
        return err;
    proctitle_set("master");
    hush(master);
    say_start(master);
    if (!inetd_single(inetd))
        say_limits(master, conf);
    if ((err = reader_drop(master, conf, why)) == ERR_OK &&
        (err = watch_all(master, why)) == ERR_OK &&
        (err = first_generation(master, conf, why)) == ERR_OK) {
        say_listening(master);
        status_unsafe(master);
        say_ready(master);
        status_notify(master);
        if (inetd_single(inetd))
            only_one(master);
    } else if (master->pid_fd >= 0 && ftruncate(master->pid_fd, 0) != 0)
        log_simple(LOG_L_WARN, "pid_file", "could not be emptied");
    return err;
}
