/*
 * stop.c - from the first SIGTERM to the last process
 *
 *   MASTER_RUN --SIGTERM--> MASTER_DRAIN --drain_timeout, second SIGTERM,
 *                               |          SIGINT--> MASTER_END
 *                               +--no worker left--> MASTER_END
 *
 * Owns the order of the end: listeners, idle workers, sessions, keepers,
 * connector and runners, logger. Every wait here is bounded.
 */
#include "common/clock.h"
#include "common/fdio.h"
#include "common/log.h"
#include "master/crew.h"
#include "master/generation.h"
#include "master/judging.h"
#include "master/keeper.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/passed.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELPERS_MS 2000 /* for helpers to end by themselves */

void
stop_listening(struct pool *pool)
{
    while (pool->listen_count > 0) {
        int *fd = &pool->listen_fd[--pool->listen_count];

        /* busy workers hold copies, and nobody may queue up there; but where
         * others go on listening, everybody may */
        if (!passed_has(*fd) && !pool->borrowed)
            shutdown(*fd, SHUT_RDWR);
        fdio_close(fd);
    }
}

/* let_go - nobody accepts any more; idle workers retire */
static void
let_go(struct master *master)
{
    size_t i;

    for (i = 0; i < master->pool_count; i++) {
        master->pool[i].full_due = 0;
        fdio_close(&master->pool[i].leash[1]);
        fdio_close(&master->pool[i].old_leash);
        stop_listening(&master->pool[i]);
    }
}

static void
count_busy(struct crew_member *member, void *ctx)
{
    size_t *busy = ctx;

    *busy += member->state >= CREW_BUSY;
}

static void
say_stopping(struct master *master, const char *signal)
{
    struct log_line line;
    char status[64];
    size_t busy = 0;

    crew_each(master->crew, count_busy, &busy);
    snprintf(status, sizeof(status), "stopping, %zu sessions left", busy);
    notify_stopping(status);
    log_begin(&line, LOG_L_NOTICE, "stopping");
    log_text(&line, "signal", signal);
    log_int(&line, "sessions", (long long)busy);
    log_send(&line);
}

/* for crew_each: everybody, for one reason */
struct ending {
    struct master *master;
    enum reason reason;
    int64_t now;
};

static void
end_one(struct crew_member *member, void *ctx)
{
    struct ending *ending = ctx;

    reap_dismiss(ending->master, member, ending->reason, ending->now);
}

static void
end_all(struct master *master, enum reason reason, int64_t now)
{
    struct ending ending = { master, reason, now };

    master->phase = MASTER_END;
    crew_each(master->crew, end_one, &ending);
}

void
stop_drain(struct master *master, const char *signal, int64_t now)
{
    if (master->phase != MASTER_RUN) {
        stop_now(master, signal, now);
        return;
    }
    say_stopping(master, signal);
    master->phase = MASTER_DRAIN;
    master->drain_until =
        clock_deadline(master->gen->conf->global.drain_timeout);
    let_go(master);
}

void
stop_now(struct master *master, const char *signal, int64_t now)
{
    if (master->phase == MASTER_END)
        return;
    if (master->phase == MASTER_RUN)
        let_go(master);
    say_stopping(master, signal);
    end_all(master, REASON_STOPPED, now);
}

int64_t
stop_due(struct master *master, int64_t now)
{
    if (master->phase != MASTER_DRAIN)
        return CLOCK_NEVER;
    if (now < master->drain_until)
        return master->drain_until;
    end_all(master, REASON_DRAIN_TIMEOUT, now);
    return CLOCK_NEVER;
}

/* gone - wait for one process, at most until the deadline, then make it go */
static void
gone(pid_t pid, int64_t deadline)
{
    while (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0) {
        if (clock_ms() >= deadline) {
            /* a runner may be of another user: then it is left to itself */
            if (kill(pid, SIGKILL) == 0)
                waitpid(pid, NULL, 0);
            return;
        }
        poll(NULL, 0, 5);
    }
}

void
stop_helpers(struct master *master)
{
    int64_t deadline = clock_deadline(HELPERS_MS);

    /* keepers, and a judge, hold the log open too: they go first */
    judging_stop(master);
    keepers_free(master->gen->keepers);
    master->gen->keepers = NULL;
    fdio_close(&master->connector.control);
    for (size_t i = 0; i < master->runner_count; i++)
        fdio_close(&master->runner[i].control);
    gone(master->connector.pid, deadline);
    for (size_t i = 0; i < master->runner_count; i++)
        gone(master->runner[i].pid, deadline);
    if (master->pid_fd >= 0 && ftruncate(master->pid_fd, 0) != 0)
        log_simple(LOG_L_WARN, "pid_file", "could not be emptied");
    log_simple(LOG_L_NOTICE, "stopped", NULL);
    close(log_fd());
    fdio_close(&master->logger_control);
    gone(master->logger_pid, deadline);
}
