/*
 * judge.c - the process that judges live sessions again
 *
 * Owns nothing: it reads slots, and tells the master who falls. Parses what
 * clients sent and workers stored, so it is confined like a worker, and has no
 * connection and no listener at all. Must never wait for anybody but the master.
 */
#include "worker/judge.h"
#include "common/fdio.h"
#include "common/log.h"
#include "worker/confine.h"
#include "worker/recheck.h"

#include <unistd.h>

enum reason
judge_look(const struct judge_case *what, const struct slot *slot)
{
    struct slotchain_copy copy;

    if (slot == NULL || !slotchain_get(&slot->chain, &copy))
        return REASON_NONE;
    return recheck_chain(what->side, what->conf, copy.cert, copy.count);
}

static void
say(const struct judge_brief *brief, uint32_t index, enum reason reason)
{
    const struct judge_verdict verdict = { index, (uint32_t)reason };

    if (fdio_send(brief->verdict_fd, &verdict, sizeof(verdict), -1, 0, NULL) !=
        ERR_OK)
        _exit(EXIT_SYS);
}

_Noreturn void
judge_run(const struct judge_brief *brief)
{
    enum reason reason;
    struct why why;
    size_t i;

    if (confine_self(brief->filter, &why) != ERR_OK) {
        log_simple(LOG_L_ERROR, "confine_failed", why.text);
        _exit(EXIT_CONFINE);
    }
    for (i = 0; i < brief->count; i++) {
        reason = judge_look(&brief->cases[i],
                            board_slot(brief->board, brief->cases[i].slot));
        if (reason == REASON_INTERNAL)
            _exit(EXIT_SYS); /* that is no verdict: the master tries again */
        if (reason != REASON_NONE)
            say(brief, (uint32_t)i, reason);
    }
    say(brief, JUDGE_DONE, REASON_NONE);
    _exit(EXIT_OK);
}
