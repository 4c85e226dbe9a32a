/* judge.h - the door of the judge: live sessions against a new generation */
#ifndef WORKER_JUDGE_H
#define WORKER_JUDGE_H
#include "common/board.h"
#include "common/reason.h"
#include <stddef.h>
#include <stdint.h>

struct conf_tls;
struct filter;
struct tls_side;

struct judge_case { /* a session, and what it must satisfy now */
    int slot;
    const struct tls_side *side;
    const struct conf_tls *conf;
};

/* over a SOCK_SEQPACKET pair: one packet for each session that falls, then one
 * that says that all have been looked at */
struct judge_verdict {
    uint32_t index;  /* of the case, or JUDGE_DONE */
    uint32_t reason; /* enum reason */
};
#define JUDGE_DONE UINT32_MAX

struct judge_brief {
    const struct board *board; /* mapped read-only */
    const struct judge_case *cases;
    size_t count;
    int verdict_fd;
    const struct filter *filter; /* loaded before the first certificate */
};

/*
 * judge_run - look at every case, say who falls, end. Comes here jailed and
 * without capabilities (master/judging.c). What it reads was written by workers:
 * whatever it is, it moves one session at most. Exit codes: 0, EXIT_SYS (nobody
 * listens), EXIT_CONFINE.
 */
_Noreturn void judge_run(const struct judge_brief *brief);

/* judge_look - one case: REASON_NONE: the session stays, or is none any more */
enum reason judge_look(const struct judge_case *what, const struct slot *slot);
#endif
