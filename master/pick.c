/*
 * pick.c - which address of a route an attempt gets
 *
 * Owns the rule: policy, what failed lately, names that are on their way.
 * Must never connect, wait, or give an address that is not in the table.
 */
#include "master/pick.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* from_answer - a resolved address and the configured port */
static void
from_answer(const struct resolve_addr *addr, uint16_t port, struct target *out)
{
    memset(out, 0, sizeof(*out));
    if (addr->family == AF_INET) {
        struct sockaddr_in *in = (void *)&out->sa;

        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, addr->addr, sizeof(in->sin_addr));
        out->sa_len = sizeof(*in);
    } else {
        struct sockaddr_in6 *in6 = (void *)&out->sa;

        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        in6->sin6_scope_id = addr->scope;
        memcpy(&in6->sin6_addr, addr->addr, sizeof(in6->sin6_addr));
        out->sa_len = sizeof(*in6);
    }
}

/* --- rounds --------------------------------------------------------------- */

void
round_free(struct round *round)
{
    free(round->tried);
    memset(round, 0, sizeof(*round));
}

/* was_tried - in this round? */
static bool
was_tried(const struct round *round, const struct target *target)
{
    for (size_t i = 0; i < round->count; i++)
        if (round->tried[i].sa_len == target->sa_len &&
            memcmp(&round->tried[i].sa, &target->sa, target->sa_len) == 0)
            return true;
    return false;
}

/* note_tried - remember that it is given; without memory it may be given twice */
static void
note_tried(struct round *round, const struct target *target)
{
    size_t room = round->room == 0 ? 2 : 2 * round->room;
    struct target *grown;

    if (round->count == round->room) {
        grown = reallocarray(round->tried, room, sizeof(*grown));
        if (grown == NULL)
            return;
        round->tried = grown;
        round->room = room;
    }
    round->tried[round->count++] = *target;
}

/* round_at - take back what was given for this attempt and later ones; false:
 * the attempts before this one have not been given */
static bool
round_at(struct round *round, const struct route *route, uint16_t number,
         uint16_t attempt)
{
    if (attempt == 0) {
        round->route = number;
        round->turn = route->robin ? route->turn : 0;
        round->count = 0;
        return true;
    }
    if (round->route != number || attempt > round->count)
        return false;
    round->count = attempt;
    return true;
}

/* --- picking -------------------------------------------------------------- */

/* What the addresses of a route look like at this moment. */
struct view {
    size_t seen;       /* addresses, and names without one */
    size_t untried;    /* of these, addresses that this round may be given */
    bool first, worst; /* is there one? */
    size_t at;         /* where the order comes to `first` */
    size_t waits;      /* names on their way that never failed */
    size_t waits_at;   /* where the order comes to the first of these */
    bool hopes;        /* names on their way that failed the last time */
    struct target healthy;      /* if `first` */
    struct target down;         /* if `worst`: failed longest ago */
    int64_t failed_at;          /* then */
    const struct name *failure; /* a name that has none */
};

/* place - how far behind the beginning of the round this slot is */
static size_t
place(size_t slot, size_t turn, size_t count)
{
    return (slot + count - turn % count) % count;
}

/* see_address - one address into the view */
static void
see_address(struct view *view, const struct table *table,
            const struct round *round, const struct target *target, size_t at,
            int64_t now)
{
    const struct health_mark *mark;

    if (was_tried(round, target))
        return;
    view->untried++;
    mark = health_mark(&table->health, &target->sa, target->sa_len);
    if (!health_down(mark, now)) {
        if (!view->first || at < view->at) {
            view->healthy = *target;
            view->at = at;
        }
        view->first = true;
    } else {
        if (!view->worst || mark->failed_at < view->failed_at) {
            view->down = *target;
            view->failed_at = mark->failed_at;
        }
        view->worst = true;
    }
}

/* see_name - a name that has no address now */
static void
see_name(struct view *view, const struct name *name, enum name_state state,
         size_t at)
{
    if (state == NAME_FAILED) {
        if (view->failure == NULL)
            view->failure = name;
    } else if (name->failure[0] != '\0') {
        view->hopes = true;
    } else {
        if (view->waits == 0 || at < view->waits_at)
            view->waits_at = at;
        view->waits++;
    }
}

/* entry_count - addresses of an entry; a name without one holds a place too */
static size_t
entry_count(const struct entry *entry)
{
    return entry->name != NULL && entry->name->known ? entry->name->answer.count
                                                     : 1;
}

/* entry_target - number i of them */
static void
entry_target(const struct entry *entry, size_t i, struct target *out)
{
    if (entry->name != NULL) {
        from_answer(&entry->name->answer.addr[i], entry->port, out);
    } else {
        memset(out, 0, sizeof(*out));
        out->sa = entry->sa;
        out->sa_len = entry->sa_len;
    }
    out->index = entry->index;
}

/* look - the whole route */
static void
look(struct view *view, const struct table *table, const struct route *route,
     const struct round *round, int64_t now)
{
    size_t slot = 0;

    memset(view, 0, sizeof(*view));
    for (size_t i = 0; i < route->count; i++)
        view->seen += entry_count(&route->entry[i]);
    for (size_t i = 0; i < route->count; i++) {
        const struct entry *entry = &route->entry[i];
        size_t count = entry_count(entry);
        enum name_state state =
            entry->name == NULL ? NAME_KNOWN : names_look(entry->name, now);

        for (size_t j = 0; j < count; j++, slot++) {
            size_t at = place(slot, round->turn, view->seen);
            struct target target;

            if (state != NAME_KNOWN) {
                see_name(view, entry->name, state, at);
                continue;
            }
            entry_target(entry, j, &target);
            see_address(view, table, round, &target, at, now);
        }
    }
}

/* choose - the rule; see pick.h */
static enum tables_pick
choose(const struct view *view, const struct route *route,
       const struct round *round, struct target *out)
{
    bool wait = view->waits > 0;

    if (view->first && (!wait || route->robin || view->at < view->waits_at)) {
        *out = view->healthy;
        return PICK_FOUND;
    }
    if (wait)
        return PICK_WAIT;
    if (view->worst) {
        *out = view->down;
        return PICK_FOUND;
    }
    if (view->hopes)
        return PICK_WAIT;
    return round->count == 0 && view->failure != NULL ? PICK_NO_NAME
                                                      : PICK_NONE;
}

enum tables_pick
tables_pick(struct table *table, struct round *round, uint16_t number,
            uint16_t attempt, int64_t now, struct target *out, bool *more,
            const struct name **failure)
{
    struct route *route = &table->route[number];
    enum tables_pick pick;
    struct view view;

    *more = false;
    *failure = NULL;
    if (!round_at(round, route, number, attempt))
        return PICK_NONE;
    look(&view, table, route, round, now);
    *failure = view.failure;
    pick = choose(&view, route, round, out);
    if (pick != PICK_FOUND)
        return pick;
    if (attempt == 0)
        /* one was found, so seen > 0
         * NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
        route->turn = (route->turn + 1) % view.seen;
    note_tried(round, out);
    *more = view.waits > 0 || view.untried > 1;
    return PICK_FOUND;
}
