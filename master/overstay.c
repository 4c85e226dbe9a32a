/*
 * overstay.c - workers that have no place any more, and keep it
 *
 * Owns crew_member's leave_by and the master's leave_at, the earliest of them,
 * so that nobody is looked at before somebody is due.
 */
#include "master/overstay.h"
#include "common/clock.h"
#include "master/crew.h"
#include "master/generation.h"
#include "master/master.h"

void
overstay_begin(struct master *master, struct crew_member *member, int64_t now)
{
    member->leave_by = now + OVERSTAY_MS;
    if (master->leave_at == 0)
        master->leave_at = member->leave_by;
}

/* for crew_each */
struct look {
    struct master *master;
    size_t pool;
    int64_t now, next;
};

static void
begin_one(struct crew_member *member, void *ctx)
{
    struct look *look = ctx;

    if (member->pool == look->pool && member->state < CREW_BUSY &&
        member->generation != look->master->gen->number)
        overstay_begin(look->master, member, look->now);
}

void
overstay_begin_pool(struct master *master, size_t pool, int64_t now)
{
    struct look look = { .master = master, .pool = pool, .now = now };

    crew_each(master->crew, begin_one, &look);
}

void
overstay_forget(struct crew_member *member)
{
    member->leave_by = 0;
}

static void
end_if_due(struct crew_member *member, void *ctx)
{
    struct look *look = ctx;

    if (member->leave_by == 0 || member->condemned)
        return;
    if (member->leave_by <= look->now)
        reap_misfit(look->master, member, "it was to retire, and stays");
    else if (member->leave_by < look->next)
        look->next = member->leave_by;
}

int64_t
overstay_due(struct master *master, int64_t now)
{
    struct look look = { .master = master, .now = now, .next = CLOCK_NEVER };

    if (master->leave_at == 0 || now < master->leave_at)
        return master->leave_at == 0 ? CLOCK_NEVER : master->leave_at;
    crew_each(master->crew, end_if_due, &look);
    master->leave_at = look.next == CLOCK_NEVER ? 0 : look.next;
    return look.next;
}
