/* master.h - the running master: what its modules share */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H
#include "common/conf.h"
#include "common/err.h"
#include "common/reason.h"
#include "master/connector.h"
#include "master/drop.h"
#include "master/inetd.h"
#include "master/jail.h"
#include "master/pool.h"
#include "master/runner.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct admit;
struct bans;
struct board;
struct crew;
struct crew_member;
struct fence;
struct generation;
struct judging;
struct watch;

/* what workers said of themselves in their slots, added up */
struct pool_total {
    uint64_t refused, in, out;
};

/* one service's workers and sockets; outlives generations */
struct pool {
    char name[CONF_NAME_MAX + 1];
    int service; /* index in the running generation, -1: no longer there */
    int runner;  /* index: who runs its program; -1: it had none at start */
    int *listen_fd;
    size_t listen_count;
    bool borrowed; /* the listeners are inetd's too */
    bool single;   /* has none: its one client came with us */
    int report[2]; /* [0] ours, [1] the workers' */
    int leash[2];  /* [0] the workers', [1] ours; of the running generation */
    int old_leash; /* ours, of the one before, until a new worker is ready */
    struct pool_throttle throttle;
    struct pool_pace pace;
    long alive;        /* workers of the running generation */
    long starting;     /* of these */
    long idle;         /* of these */
    long leaving;      /* of these, have said that they go */
    long asked;        /* bytes on the leash that nobody has taken yet */
    long old;          /* workers of earlier generations */
    int64_t full_due;  /* look whether somebody waits, 0: no */
    int64_t full_said; /* when pool_full was last written, 0: never */
    bool full_armed;   /* the loop watches the listeners */
    uint64_t taken;    /* connections since start */
    uint64_t crashed;
    struct pool_total past; /* of workers that have ended */
};

enum master_phase { MASTER_RUN, MASTER_DRAIN, MASTER_END };

struct master {
    const char *conf_path;
    const struct conf *boot_conf; /* generation 1's: what only boot can make */
    struct inetd inetd;
    struct drop_ids ids;
    struct why degraded; /* what confine = degrade goes without, and why */
    struct jail jail;
    struct fence *fence; /* NULL: none */
    struct board *board;
    struct bans *bans;
    struct admit *admit;
    struct crew *crew;
    size_t crew_max; /* what slots and descriptors are there for */
    struct judging *judging;
    struct connector connector;
    size_t runner_count;
    struct runner *runner; /* who runs programs; not many */
    int logger_control;
    pid_t logger_pid;
    int pid_fd; /* locked, -1: none */

    int charges[2]; /* keeper.h: [0] ours, [1] the keepers' */
    struct generation *gen;
    size_t pool_count;
    struct pool *pool;

    int epoll_fd, signal_fd;
    enum master_phase phase;
    int exit_code;
    int64_t drain_until; /* CLOCK_NEVER outside MASTER_DRAIN */
    size_t killing;      /* workers whose kill_at is set */

    unsigned last_number; /* of a generation that the connector has heard of */
    unsigned announce;    /* generation whose `reloaded` is still to be said */
    size_t lingering;     /* workers of older ones that may still accept */
    int64_t leave_at;     /* overstay.h: when to look, 0: nobody must leave */

    struct watch *watch; /* NULL: files are not looked at */
    int64_t look_at;     /* the next time */
    int64_t expiry_at;   /* when to look for what runs out */

    int64_t lost_at;    /* when a keeper, or a report pair, was lost last */
    int64_t lost_delay; /* before the reload that makes new ones */
    bool must_reload;   /* the running generation cannot go on as it is */
    int64_t retry_at;   /* a failed reload is tried again, 0: no */
    int64_t retry_until;
    char retry_reason[512]; /* so that the same failure is said once */
};

/* what an event of the loop is about: pools are counted from 0 */
#define LOOP_SIGNAL         0
#define LOOP_REPORT(pool)   (1 + 2 * (uint64_t)(pool))
#define LOOP_LISTENER(pool) (2 + 2 * (uint64_t)(pool))
#define LOOP_JUDGE          UINT64_MAX
#define LOOP_CHARGES        (UINT64_MAX - 1)

/* loop.c - one event at a time until there is nothing left; returns the exit
 * code. */
int loop_run(struct master *master);

/* spawn.c - workers of the running generations, as many as pool_decide wants */
/* spawn_prepare - once per generation, before its first worker is forked */
void spawn_prepare(const struct generation *gen);
/* spawn_fill - fork and let go, at most a batch for each pool; returns when to
 * look again (clock_ms), CLOCK_NEVER: no need */
int64_t spawn_fill(struct master *master, int64_t now);
/* spawn_retire - a byte on a leash for each of count workers, who go when they
 * are idle; returns how many were written */
long spawn_retire(int leash, long count);

/* reports.c - a pool's report pair, watched by the loop */
enum err reports_open(struct master *master, struct pool *pool,
                      struct why *why);
/* reports_read - what workers of a pool report */
void reports_read(struct master *master, struct pool *pool);
/* reports_charges - what keepers say of workers: who has broken their rules is
 * ended; reports_charges_open - for the master's life */
enum err reports_charges_open(struct master *master, struct why *why);
void reports_charges(struct master *master);
/* reports_watch - the last free worker is gone: have the loop say when somebody
 * waits at a listener; reports_listener is that event; reports_full_due looks
 * again after a settling time and returns when to look next */
void reports_watch(struct master *master, struct pool *pool);
void reports_listener(struct pool *pool, int64_t now);
int64_t reports_full_due(struct master *master, int64_t now);
/* reports_waiting - so many connections are in the listen queues */
unsigned reports_waiting(const struct pool *pool);

/* reap.c - collect every child that has ended */
void reap_all(struct master *master);
/*
 * reap_end - tell one worker to end the session that it reported last, now, for
 * a reason. One that has ended meanwhile costs the next client nothing: the
 * worker is told which session is meant.
 * reap_dismiss - tell it to end, whatever it does
 * reap_misfit - end it for what no worker of ours would do, and say what
 * reap_over - its session has ended: no SIGKILL for that one any more
 */
void reap_end(struct master *master, struct crew_member *member,
              enum reason reason, int64_t now);
void reap_dismiss(struct master *master, struct crew_member *member,
                  enum reason reason, int64_t now);
void reap_misfit(const struct master *master, struct crew_member *member,
                 const char *what);
void reap_over(struct master *master, struct crew_member *member);
/* reap_kill_due - SIGKILL those who did not; returns the next time */
int64_t reap_kill_due(struct master *master, int64_t now);

/* reload.c - a new generation beside the running one, then switch */
void reload_now(struct master *master);
/* reload_again - the same, but the log stays as it is */
void reload_again(struct master *master);
/* reload_retry - again, when it is due; says that one has been adopted once that
 * holds for every client; returns the next time */
int64_t reload_retry(struct master *master, int64_t now);
/* reload_lost - the running generation lost what a reload makes anew: do so at
 * once the first time, later and later when it goes on */
void reload_lost(struct master *master, int64_t now);
/* reload_came_up - a worker of the running generation is ready: those of the
 * one before may go */
void reload_came_up(struct master *master, struct pool *pool);
/* reload_lingers - this worker may accept for an old generation; reload_left - no
 * more. `reloaded` is said when the last such has left, and those who have a
 * session are sure to leave after it. */
void reload_lingers(struct master *master, struct crew_member *member);
void reload_left(struct master *master, struct crew_member *member);
/* reload_adopt - make gen the running generation: boot and reload alike */
enum err reload_adopt(struct master *master, struct generation *gen,
                      struct why *why);

/* renew.c - with watch = yes: look at the configured files every second.
 * renew_watch notes how they are, before they are read; NULL: watch = no.
 * renew_use makes that the list that is looked at. renew_due looks, and reloads;
 * returns the next time. */
struct watch *renew_watch(const struct conf *conf);
void renew_use(struct master *master, struct watch *watch);
int64_t renew_due(struct master *master, int64_t now);
/* renew_expiry - warn of what runs out while nobody renews it */
int64_t renew_expiry(struct master *master, int64_t now);

/* stop.c - from MASTER_RUN to the end */
/* stop_listening - for every process that holds the pool's listeners */
void stop_listening(struct pool *pool);
void stop_drain(struct master *master, const char *signal, int64_t now);
void stop_now(struct master *master, const char *signal, int64_t now);
int64_t stop_due(struct master *master, int64_t now);
/* stop_helpers - after the last worker: connector, runners, logger; wait for
 * them */
void stop_helpers(struct master *master);

/* status.c - SIGUSR1: what is going on, into the log */
void status_log(struct master *master);
/* status_notify - the same in a sentence, to the service manager: we serve */
void status_notify(const struct master *master);
/* status_unsafe - what the running generation does that it should not: at
 * start, after a reload, in every status */
void status_unsafe(const struct master *master);
/* status_add - a worker's slot to a sum; before board_give */
void status_add(const struct master *master, const struct crew_member *member,
                struct pool_total *total);

/* boot.c - everything up to the first generation; fills master. inetd: where
 * clients come from; a copy is made. Errors are
 * said on standard error (and in the log once there is one). */
enum err boot_up(struct master *master, struct conf *conf,
                 const struct inetd *inetd, struct why *why);

#endif
