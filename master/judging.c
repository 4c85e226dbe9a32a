/*
 * judging.c - live sessions of older generations, judged by the running one
 *
 * Owns the judge: its start, the passage to the exposed side, its time, its
 * verdicts. Believes a verdict one thing, that a session of the list falls, and
 * why; who that is stands in memory of the master's own.
 */
#include "master/judging.h"
#include "common/bans.h"
#include "common/board.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/proctitle.h"
#include "master/confinement.h"
#include "master/crew.h"
#include "master/filters.h"
#include "master/generation.h"
#include "master/limits.h"
#include "master/master.h"
#include "worker/judge.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIME_MS     10000 /* for a judge, on a machine that is busy, */
#define PER_CASE_MS 2     /* and for each session: RSA-4096, a chain of three */
#define TRIES       2
#define AT_ONCE     256 /* verdicts; then others get their turn */

struct row { /* whom a case is about */
    pid_t pid;
    uint32_t session;
};

struct judging {
    bool wanted; /* somebody has not been judged yet */
    unsigned failed;
    pid_t pid; /* 0: no judge runs */
    int fd;
    int64_t deadline;
    size_t count, ended;
    struct row *row;
    struct judge_case *cases; /* the judge's copy of this is what it works by */
};

struct judging *
judging_new(void)
{
    struct judging *judging = mem_new(sizeof(*judging));

    judging->fd = -1;
    return judging;
}

/* --- who is to be judged -------------------------------------------------- */

/* subject - is this member's session to be judged by the running generation? */
static bool
subject(const struct master *master, const struct crew_member *member)
{
    const struct pool *pool = &master->pool[member->pool];

    return member->state == CREW_VERIFIED && member->kill_at == 0 &&
           !member->condemned && member->generation != master->gen->number &&
           member->judged != master->gen->number && pool->service >= 0 &&
           master->gen->sides[pool->service].client != NULL;
}

static void
enter(struct crew_member *member, void *ctx)
{
    struct master *master = ctx;
    struct judging *judging = master->judging;
    int service = master->pool[member->pool].service;

    if (!subject(master, member))
        return;
    judging->row[judging->count] =
        (struct row){ member->pid, member->sessions };
    judging->cases[judging->count++] = (struct judge_case){
        .slot = member->slot,
        .side = master->gen->sides[service].client,
        .conf = &master->gen->conf->service[service].client,
    };
}

/* list - make the list of cases */
static void
list(struct master *master)
{
    struct judging *judging = master->judging;
    size_t most = crew_count(master->crew);

    judging->count = judging->ended = 0;
    judging->row = mem_new((most + 1) * sizeof(*judging->row));
    judging->cases = mem_new((most + 1) * sizeof(*judging->cases));
    crew_each(master->crew, enter, master);
}

/* member_of - the session that a row is about, NULL: it is over */
static struct crew_member *
member_of(struct master *master, const struct row *row)
{
    struct crew_member *member = crew_find(master->crew, row->pid);

    return member != NULL && member->sessions == row->session &&
                   subject(master, member)
               ? member
               : NULL;
}

/* --- the judge ------------------------------------------------------------ */

/* child - from a copy of the master to the judge */
static _Noreturn void
child(struct master *master, int verdict_fd)
{
    const struct judge_brief brief = {
        .board = master->board,
        .cases = master->judging->cases,
        .count = master->judging->count,
        .verdict_fd = verdict_fd,
        .filter = filters_get(FILTERS_JUDGE),
    };
    int keep[] = { verdict_fd, log_fd(), master->jail.fd,
                   board_fd(master->board) };
    struct why why;

    fdio_close_except(keep, sizeof(keep) / sizeof(keep[0]));
    proctitle_set("judge");
    if (jail_enter(&master->jail, &why) != ERR_OK)
        confinement_failed("judge", "jail", &why);
    if (board_read_only(master->board, &why) != ERR_OK)
        confinement_failed("judge", "scoreboard", &why);
    if (bans_leave(&why) != ERR_OK)
        confinement_failed("judge", "bans", &why);
    if (limits_child(1, false, &why) != ERR_OK) /* it opens nothing */
        confinement_failed("judge", "limits", &why);
    judge_run(&brief);
}

/* forget - the judge and its list. One that still runs is killed; reap.c buries
 * it without a word. */
static void
forget(struct judging *judging)
{
    if (judging->pid > 0)
        kill(judging->pid, SIGKILL);
    judging->pid = 0;
    fdio_close(&judging->fd);
    free(judging->row);
    free(judging->cases);
    judging->row = NULL;
    judging->cases = NULL;
    judging->count = 0;
}

static void
failed(struct master *master, const char *because)
{
    struct judging *judging = master->judging;
    struct log_line line;

    judging->wanted = ++judging->failed < TRIES;
    log_begin(&line, LOG_L_ERROR, "judge_failed");
    log_text(&line, "reason", because);
    log_int(&line, "generation", master->gen->number);
    log_int(&line, "sessions", (long long)judging->count);
    log_int(&line, "ended", (long long)judging->ended);
    log_text(&line, "retry", judging->wanted ? "yes" : "with the next reload");
    log_send(&line);
    forget(judging);
}

static enum err
start_judge(struct master *master, struct why *why)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = LOOP_JUDGE };
    struct judging *judging = master->judging;
    int pair[2];
    enum err err = fdio_pair(pair, why);

    if (err != ERR_OK)
        return err;
    judging->fd = pair[0];
    limits_weigh(); /* the list, and the generation that was built meanwhile */
    if (epoll_ctl(master->epoll_fd, EPOLL_CTL_ADD, pair[0], &event) != 0)
        err = why_errno(why, ERR_SYS, "epoll_ctl");
    else if ((judging->pid = fork()) == 0)
        child(master, pair[1]);
    else if (judging->pid < 0)
        err = why_errno(why, ERR_SYS, "fork");
    close(pair[1]);
    return err;
}

static void
start(struct master *master, int64_t now)
{
    struct judging *judging = master->judging;
    struct why why;

    judging->wanted = false;
    list(master);
    if (judging->count == 0)
        forget(judging);
    else if (start_judge(master, &why) != ERR_OK)
        failed(master, why.text);
    else
        judging->deadline =
            now + TIME_MS + PER_CASE_MS * (int64_t)judging->count;
}

/* --- verdicts ------------------------------------------------------------- */

/* carry_out - one session falls, if it is still the one that was judged */
static void
carry_out(struct master *master, const struct row *row, enum reason reason)
{
    struct crew_member *member = member_of(master, row);

    if (member == NULL)
        return;
    reap_end(master, member, reason, clock_ms());
    master->judging->ended++;
}

/* finish - all have been looked at */
static void
finish(struct master *master)
{
    struct judging *judging = master->judging;
    struct crew_member *member;
    struct log_line line;
    size_t i;

    for (i = 0; i < judging->count; i++)
        if ((member = member_of(master, &judging->row[i])) != NULL)
            member->judged = master->gen->number;
    judging->failed = 0;
    log_begin(&line, LOG_L_INFO, "judged");
    log_int(&line, "generation", master->gen->number);
    log_int(&line, "sessions", (long long)judging->count);
    log_int(&line, "ended", (long long)judging->ended);
    log_send(&line);
    forget(judging);
}

/* apply - one packet; false: no judge of ours would say that */
static bool
apply(struct master *master, const struct judge_verdict *verdict)
{
    if (verdict->index == JUDGE_DONE) {
        finish(master);
        return true;
    }
    if (verdict->index >= master->judging->count ||
        !reason_valid(verdict->reason) || verdict->reason == REASON_NONE)
        return false;
    carry_out(master, &master->judging->row[verdict->index],
              (enum reason)verdict->reason);
    return true;
}

void
judging_read(struct master *master)
{
    struct judging *judging = master->judging;
    struct judge_verdict verdict;
    size_t len, i;
    enum err err;

    /* first who has begun anew meanwhile, as far as that was said */
    for (i = 0; i < master->pool_count; i++)
        reports_read(master, &master->pool[i]);
    for (i = 0; judging->fd >= 0 && i < AT_ONCE; i++) {
        len = sizeof(verdict);
        err = fdio_recv(judging->fd, &verdict, &len, NULL, NULL, MSG_DONTWAIT,
                        NULL);
        if (err == ERR_AGAIN)
            return;
        if (err == ERR_EOF) /* how it ended is said when it is reaped */
            fdio_close(&judging->fd);
        else if (err != ERR_OK || len != sizeof(verdict) ||
                 !apply(master, &verdict))
            failed(master, "the judge said what no judge says");
    }
}

bool
judging_ended(struct master *master, pid_t pid, int status)
{
    struct judging *judging = master->judging;
    char text[64];

    if (pid != judging->pid)
        return false;
    while (judging->fd >= 0 && judging->pid == pid)
        judging_read(master); /* its last words; the other end is closed */
    if (judging->pid != pid)
        return true;
    judging->pid = 0;
    snprintf(text, sizeof(text), "the judge ended with %s %d",
             WIFSIGNALED(status) ? "signal" : "status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    failed(master, text);
    return true;
}

/* --- when ----------------------------------------------------------------- */

void
judging_begin(struct master *master)
{
    forget(master->judging); /* what it works by is of a generation before */
    master->judging->failed = 0;
    master->judging->wanted = true;
}

void
judging_verified(struct master *master, const struct crew_member *member)
{
    if (member->generation != master->gen->number)
        master->judging->wanted = true;
}

void
judging_stop(struct master *master)
{
    pid_t pid = master->judging->pid;

    forget(master->judging);
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

int64_t
judging_due(struct master *master, int64_t now)
{
    struct judging *judging = master->judging;

    if (master->phase == MASTER_END)
        return CLOCK_NEVER;
    if (judging->pid > 0 && judging->deadline <= now)
        failed(master, "the judge took too long");
    if (judging->pid == 0 && judging->wanted)
        start(master, now);
    return judging->pid > 0 ? judging->deadline : CLOCK_NEVER;
}
