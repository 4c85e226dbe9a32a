/*
 * main.c - the life of a worker
 *
 * Owns the worker's start (a new stack canary, signals, the RNG of this
 * process) and its end. Comes here jailed and without capabilities; opens
 * nothing. A worker that cannot start says why and ends.
 */
#include "common/board.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "common/report.h"
#include "worker/accept.h"
#include "worker/canary.h"
#include "worker/confine.h"
#include "worker/ground.h"
#include "worker/serve.h"
#include "worker/wait.h"
#include "worker/worker.h"

#include <sys/socket.h>
#include <unistd.h>

/* fail - this worker cannot serve; the master counts it as a strike */
static _Noreturn void
fail(const struct worker_brief *brief, enum err err, const struct why *why)
{
    struct log_line line;

    log_begin(&line, LOG_L_ERROR, "worker_failed");
    log_text(&line, "service", brief->service->name);
    log_text(&line, "reason", why->text);
    log_send(&line);
    _exit(err_exit(err));
}

static void
prepare(const struct worker_brief *brief, struct serve *serve,
        struct accept *accept)
{
    bool given = brief->client_in >= 0;
    struct why why;
    enum err err;

    if ((err = wait_init(&why)) != ERR_OK ||
        (err = serve_init(serve, brief, &why)) != ERR_OK ||
        (!given && (err = accept_init(brief, accept, &why)) != ERR_OK) ||
        (err = confine_self(brief->filter, &why)) != ERR_OK)
        fail(brief, err, &why);
}

/* say_idle - the first report: the master counts on us from now on */
static void
say_idle(const struct worker_brief *brief)
{
    const struct report record = { .kind = REPORT_IDLE };

    atomic_store(&brief->slot->state, SLOT_IDLE);
    proctitle_set("worker %s idle", brief->service->name);
    (void)send(brief->report_fd, &record, sizeof(record), MSG_NOSIGNAL);
}

/* used_up - has this worker served its share, or lost who signs for it? */
static bool
used_up(const struct serve *serve)
{
    return serve->last || serve_gone(serve);
}

/* work - a whole life; on the worker's own ground */
static void
work(const void *arg)
{
    const struct worker_brief *brief = arg;
    struct sockaddr_storage sa;
    struct serve serve = { 0 };
    struct accept accept;
    struct why why;
    socklen_t len;
    enum err err;
    long served = 0;
    int fd;

    prepare(brief, &serve, &accept);
    say_idle(brief);
    if (brief->client_in >= 0)
        _exit(serve_given(&serve));
    do {
        err = accept_next(&accept, &fd, &sa, &len, &why);
        if (err == ERR_SYS)
            fail(brief, err, &why);
        serve.last = ++served == brief->service->max_use;
        if (err == ERR_OK)
            serve_connection(&serve, fd, &sa, len);
    } while (err == ERR_OK && !used_up(&serve));
    _exit(EXIT_OK);
}

_Noreturn void
worker_main(const struct worker_brief *brief)
{
    canary_redraw();
    ground_run(work, brief, sizeof(*brief));
}
