/*
 * reap.c - children that have ended, and workers that must
 *
 * Owns every waitpid(2) of the running master and every signal to a worker.
 * What a dead worker cannot say about its connection any more is said here.
 */
#include "common/bans.h"
#include "common/board.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/log.h"
#include "master/admit.h"
#include "master/crew.h"
#include "master/generation.h"
#include "master/judging.h"
#include "master/keeper.h"
#include "master/master.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define REAP_GRACE_MS 1000 /* from SIGTERM to SIGKILL */

/* source_text - the client of a member, for logs */
static const char *
source_text(const struct crew_member *member, char out[ADDR_TEXT_MAX])
{
    struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };

    if (member->family == 0)
        return NULL;
    if (member->family == AF_UNIX)
        return "unix";
    memcpy(&sin6.sin6_addr, member->source, sizeof(sin6.sin6_addr));
    sin6.sin6_port = htons(member->port);
    return addr_text((const struct sockaddr *)&sin6, sizeof(sin6), out);
}

/* crash_signal - does it mean that our code, or what was fed to it, broke? */
static bool
crash_signal(int sig)
{
    return sig == SIGSEGV || sig == SIGBUS || sig == SIGABRT || sig == SIGSYS ||
           sig == SIGILL || sig == SIGFPE || sig == SIGXFSZ;
}

/* strike - hold the pool back when this happens too often */
static void
strike(struct pool *pool, int64_t now)
{
    struct log_line line;

    if (!pool_strike(&pool->throttle, now))
        return;
    log_begin(&line, LOG_L_ERROR, "crash_storm");
    log_text(&line, "service", pool->name);
    log_text(&line, "reason", "workers end before their time; new ones wait");
    log_time(&line, "delay", pool->throttle.delay);
    log_send(&line);
}

/*
 * crashed - a worker died of a fault: it took one connection with it, and
 * whoever sent that connection gets no second try at the same address layout
 */
static void
crashed(struct master *master, struct pool *pool,
        const struct crew_member *member, int sig, int64_t now)
{
    char client[ADDR_TEXT_MAX];
    struct log_line line;

    pool->crashed++;
    log_begin(&line, LOG_L_ERROR, "worker_crashed");
    log_text(&line, "service", pool->name);
    log_int(&line, "worker", member->pid);
    log_text(&line, "signal", sigabbrev_np(sig));
    log_text(&line, "client", source_text(member, client));
    if (member->family == AF_INET || member->family == AF_INET6) {
        bans_add(master->bans, member->source, now + BANS_MS);
        log_time(&line, "refused_for", BANS_MS);
    }
    log_send(&line);
    strike(pool, now);
}

/* killed - SIGKILL, ours or another's: the worker could not write its line */
static void
killed(struct pool *pool, const struct crew_member *member, int sig)
{
    char client[ADDR_TEXT_MAX];
    struct log_line line;

    if (member->state < CREW_BUSY && member->kill_at != 0)
        return; /* an idle one that we ended: nothing was lost */
    log_begin(&line, member->kill_at ? LOG_L_INFO : LOG_L_ERROR,
              member->kill_at ? "done" : "worker_killed");
    log_text(&line, "service", pool->name);
    log_int(&line, "worker", member->pid);
    log_text(&line, "signal", sigabbrev_np(sig));
    log_text(&line, "client", source_text(member, client));
    if (member->kill_at)
        log_text(&line, "reason", reason_word(member->end_reason));
    log_text(&line, "end", reason_word(REASON_KILLED));
    log_send(&line);
}

/* failed - it ended by itself, but not because its time had come */
static void
failed(struct pool *pool, const struct crew_member *member, int status,
       int64_t now)
{
    struct log_line line;

    log_begin(&line, LOG_L_ERROR, "worker_exited");
    log_text(&line, "service", pool->name);
    log_int(&line, "worker", member->pid);
    log_int(&line, "status", status);
    log_send(&line);
    strike(pool, now);
}

/* idle_end - did it retire without ever having served, though nobody asked? Its
 * pairs must have closed at once; the next one would fare no better. */
static bool
idle_end(const struct master *master, const struct crew_member *member)
{
    return !member->took && member->state != CREW_LEAVING &&
           master->phase == MASTER_RUN &&
           member->generation == master->gen->number;
}

/* unheard - has it left without being told? Then it took a byte off the leash,
 * and its report stands behind so many others that we have not come to it. */
static bool
unheard(const struct crew_member *member, int status)
{
    return member->state == CREW_IDLE && status == 0 && member->kill_at == 0 &&
           member->end_session == 0;
}

/* count_out - the pool's numbers without this member */
static void
count_out(struct master *master, struct pool *pool, struct crew_member *member,
          int status)
{
    reload_left(master, member);
    if (member->generation != master->gen->number) {
        pool->old--;
        return;
    }
    pool->asked -= pool->asked > 0 && unheard(member, status);
    pool->alive--;
    pool->starting -= member->state == CREW_STARTING;
    pool->leaving -= member->state == CREW_LEAVING;
    if (member->state == CREW_IDLE && --pool->idle == 0)
        reports_watch(master, pool);
}

static void
worker_ended(struct master *master, struct crew_member *member, int status,
             int64_t now)
{
    struct pool *pool = &master->pool[member->pool];

    if (WIFSIGNALED(status) && crash_signal(WTERMSIG(status)))
        crashed(master, pool, member, WTERMSIG(status), now);
    else if (WIFSIGNALED(status))
        killed(pool, member, WTERMSIG(status));
    else if (inetd_single(&master->inetd))
        master->exit_code = WEXITSTATUS(status); /* it has said why */
    else if (WEXITSTATUS(status) != 0)
        failed(pool, member, WEXITSTATUS(status), now);
    else if (idle_end(master, member))
        strike(pool, now);
    if (member->kill_at != 0)
        master->killing--;
    if (member->state >= CREW_BUSY)
        admit_ended(master, member, REASON_NONE, now);
    count_out(master, pool, member, status);
    status_add(master, member, &pool->past);
    board_give(master->board, member->slot);
    crew_remove(master->crew, member->pid);
}

/* how - a process has ended */
static void
how(struct log_line *line, int status)
{
    if (WIFSIGNALED(status))
        log_text(line, "signal", sigabbrev_np(WTERMSIG(status)));
    else
        log_int(line, "status", WEXITSTATUS(status));
}

/* lost - a process that cannot be made again has ended: finish what runs */
static void
lost(struct master *master, const char *event, int status, int64_t now)
{
    struct log_line line;

    if (master->phase == MASTER_END)
        return;
    master->exit_code = EXIT_SYS;
    log_begin(&line, LOG_L_ERROR, event);
    how(&line, status);
    log_text(&line, "reason",
             "it cannot be started again without root: draining, then a "
             "restart is needed");
    log_send(&line);
    if (master->phase == MASTER_RUN) /* a drain that runs goes on */
        stop_drain(master, event, now);
}

static void
keeper_lost(struct master *master, pid_t pid, int status, int64_t now)
{
    struct log_line line;

    log_begin(&line, LOG_L_ERROR, "keeper_lost");
    log_int(&line, "keeper", pid);
    how(&line, status);
    log_text(&line, "reason", "its workers retire; a reload makes new keepers");
    log_send(&line);
    reload_lost(master, now);
}

/* other_ended - whom nobody needs any more: no process crashes without a line.
 * SIGKILL is ours, for a judge. */
static void
other_ended(pid_t pid, int status)
{
    struct log_line line;

    if (!WIFSIGNALED(status) || WTERMSIG(status) == SIGKILL)
        return;
    log_begin(&line, LOG_L_ERROR, "process_crashed");
    log_int(&line, "process", pid);
    how(&line, status);
    log_text(&line, "reason", "a keeper of before a reload; sessions go on");
    log_send(&line);
}

/* runner_ended - false: it is none */
static bool
runner_ended(struct master *master, pid_t pid, int status, int64_t now)
{
    for (size_t i = 0; i < master->runner_count; i++) {
        struct runner *runner = &master->runner[i];

        if (runner->pid != pid)
            continue;
        fdio_close(&runner->control);
        runner->pid = 0;
        lost(master, "runner_lost", status, now);
        return true;
    }
    return false;
}

static void
ended(struct master *master, pid_t pid, int status)
{
    struct crew_member *member = crew_find(master->crew, pid);
    int64_t now = clock_ms();

    if (member != NULL)
        worker_ended(master, member, status, now);
    else if (pid == master->connector.pid) {
        fdio_close(&master->connector.control);
        master->connector.pid = 0;
        lost(master, "connector_lost", status, now);
    } else if (pid == master->logger_pid) {
        log_open(-1, log_level());
        master->logger_pid = 0;
        lost(master, "logger_lost", status, now);
    } else if (runner_ended(master, pid, status, now) ||
               judging_ended(master, pid, status))
        return;
    else if (master->gen != NULL && master->gen->keepers != NULL &&
             keepers_lost(master->gen->keepers, pid))
        keeper_lost(master, pid, status, now);
    else
        other_ended(pid, status);
}

void
reap_all(struct master *master)
{
    int status;
    size_t i;
    pid_t pid;

    /* first what they said, then that they are gone */
    for (i = 0; i < master->pool_count; i++)
        reports_read(master, &master->pool[i]);
    reports_charges(master);
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        ended(master, pid, status);
}

/* tell - a worker to end a session, 0: whatever it does. That counts for more
 * than what it was told before. */
static void
tell(struct master *master, struct crew_member *member, uint32_t session,
     enum reason reason, int64_t now)
{
    struct slot *slot = board_slot(master->board, member->slot);

    if (member->kill_at != 0 && (session != 0 || member->end_session == 0))
        return;
    if (member->kill_at == 0)
        master->killing++;
    member->kill_at = now + REAP_GRACE_MS;
    member->end_reason = reason;
    member->end_session = session;
    atomic_store(&slot->end_reason, (uint32_t)reason);
    atomic_store(&slot->end_session, session);
    kill(member->pid, SIGTERM);
}

void
reap_end(struct master *master, struct crew_member *member, enum reason reason,
         int64_t now)
{
    tell(master, member, member->sessions, reason, now);
}

void
reap_dismiss(struct master *master, struct crew_member *member,
             enum reason reason, int64_t now)
{
    tell(master, member, 0, reason, now);
}

void
reap_misfit(const struct master *master, struct crew_member *member,
            const char *what)
{
    struct log_line line;

    member->condemned = true;
    log_begin(&line, LOG_L_ERROR, "worker_misbehaved");
    log_text(&line, "service", master->pool[member->pool].name);
    log_int(&line, "worker", member->pid);
    log_text(&line, "reason", what);
    log_send(&line);
    kill(member->pid, SIGKILL);
}

void
reap_over(struct master *master, struct crew_member *member)
{
    if (member->kill_at == 0 || member->end_session == 0)
        return;
    member->kill_at = 0;
    master->killing--;
}

/* for crew_each: who is due, and when the next one is */
struct due {
    int64_t now, next;
};

static void
kill_if_due(struct crew_member *member, void *ctx)
{
    struct due *due = ctx;

    if (member->kill_at == 0)
        return;
    if (member->kill_at <= due->now)
        kill(member->pid, SIGKILL);
    else if (member->kill_at < due->next)
        due->next = member->kill_at;
}

int64_t
reap_kill_due(struct master *master, int64_t now)
{
    struct due due = { now, CLOCK_NEVER };

    if (master->killing > 0)
        crew_each(master->crew, kill_if_due, &due);
    return due.next;
}
