/*
 * admit.c - limits against abuse: what workers report, against the keys
 *
 * Owns the order of those who shake hands, the counters, and what stands in
 * the table of limits that workers read. Sums are sources.c's, signals reap.c's.
 * What a slot says decides only who of several goes first.
 */
#include "master/admit.h"
#include "common/bans.h"
#include "common/board.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/net.h"
#include "master/crew.h"
#include "master/generation.h"
#include "master/master.h"
#include "master/sources.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>

#define SILENT_LOOKS 64  /* at the oldest, for one that has sent nothing */
#define GRACE_MS     500 /* for every handshake */
#define RESERVE_PART 16  /* of the workers, for priority_from alone */

struct conn { /* what a slot's worker serves */
    pid_t pid;
    unsigned generation;
    size_t pool;
    int64_t since;         /* taken */
    struct source *source; /* NULL: a unix socket, or not limited */
    bool priority;
    bool handshaking;
    enum reason doomed;         /* to be ended, and why */
    struct conn *older, *newer; /* of those that shake hands */
    struct conn *doomed_next;
};

struct gate {                     /* of one pool */
    struct conn *oldest, *newest; /* who shakes hands, in order of taking */
    long handshaking;
    unsigned generation;
    long others; /* connections of that generation without priority */
    bool closed; /* workers have been told that the rest is reserved */
    uint64_t refused[REASON_COUNT];
};

struct admit {
    struct sources *sources;
    struct conn *conn; /* by slot */
    struct gate *gate; /* by pool */
    struct conn *doomed;
};

enum err
admit_new(size_t pools, size_t slots, struct admit **out, struct why *why)
{
    struct admit *admit = mem_own(sizeof(*admit));
    uint8_t seed[16];

    admit->conn = mem_own(slots * sizeof(*admit->conn));
    admit->gate = mem_own(pools * sizeof(*admit->gate));
    if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        return why_errno(why, ERR_SYS, "getrandom");
    admit->sources =
        sources_new(slots * 2 < SOURCES_MIN ? SOURCES_MIN : slots * 2, seed);
    mem_wipe(seed, sizeof(seed));
    if (admit->sources == NULL)
        return why_errno(why, ERR_NOMEM, "the table of sources");
    *out = admit;
    return ERR_OK;
}

/* service_of - the running generation's word about a pool, NULL: gone */
static const struct conf_service *
service_of(const struct master *master, size_t pool)
{
    int index = master->pool[pool].service;

    return index >= 0 ? &master->gen->conf->service[index] : NULL;
}

static struct source_limits
limits_of(const struct conf_service *service)
{
    return (struct source_limits){ service->per_source,
                                   service->per_source_handshaking,
                                   service->per_source_rate };
}

/* --- what workers are to refuse by themselves ------------------------------ */

/* post - the source's entry in the table says what its next connection would
 * meet */
static void
post(struct master *master, const struct conf_service *service,
     struct source *source, int64_t now)
{
    const uint64_t scope = bans_scope(master->gen->number, source->pool);
    const struct source_limits limits = limits_of(service);
    enum reason reason;
    int64_t until;

    reason = source_blocked(source, &limits, now, &until);
    if (reason != REASON_NONE)
        bans_limit(master->bans, &source->net, scope, reason,
                   until < now + BANS_MS ? until : now + BANS_MS);
    else if (source->blocked)
        bans_lift(master->bans, &source->net, scope);
    source->blocked = reason != REASON_NONE;
}

/* others_max - so many workers may serve clients without priority */
static long
others_max(const struct conf_service *service)
{
    long most = conf_workers_max(service), reserve = most / RESERVE_PART;

    if (service->priority_from.count == 0)
        return most;
    return most - (reserve > 0 ? reserve : 1);
}

static const struct net everybody;

/* gate_of - a pool's gate, for the running generation; what it told workers of
 * the one before has no end of its own */
static struct gate *
gate_of(const struct master *master, size_t pool)
{
    struct gate *gate = &master->admit->gate[pool];

    if (gate->generation != master->gen->number) {
        if (gate->closed)
            bans_lift(master->bans, &everybody,
                      bans_scope(gate->generation, pool));
        gate->generation = master->gen->number;
        gate->others = 0;
        gate->closed = false;
    }
    return gate;
}

/* post_gate - is the rest of the pool reserved now? */
static void
post_gate(struct master *master, const struct conf_service *service,
          struct gate *gate, size_t pool)
{
    bool closed =
        service->priority_from.count > 0 && gate->others >= others_max(service);

    if (closed == gate->closed)
        return;
    gate->closed = closed;
    if (closed)
        bans_limit(master->bans, &everybody,
                   bans_scope(master->gen->number, pool), REASON_POOL_FULL,
                   CLOCK_NEVER);
    else
        bans_lift(master->bans, &everybody,
                  bans_scope(master->gen->number, pool));
}

/* --- connections ----------------------------------------------------------- */

static void
list_add(struct gate *gate, struct conn *conn)
{
    conn->older = gate->newest;
    conn->newer = NULL;
    *(gate->newest != NULL ? &gate->newest->newer : &gate->oldest) = conn;
    gate->newest = conn;
    gate->handshaking++;
}

/* list_remove - it need not be there */
static void
list_remove(struct gate *gate, struct conn *conn)
{
    if (conn->older == NULL && gate->oldest != conn)
        return;
    *(conn->older != NULL ? &conn->older->newer : &gate->oldest) = conn->newer;
    *(conn->newer != NULL ? &conn->newer->older : &gate->newest) = conn->older;
    conn->older = conn->newer = NULL;
    gate->handshaking--;
}

static struct conn *
conn_of(const struct master *master, const struct crew_member *member)
{
    return &master->admit->conn[member->slot];
}

/* doom - admit_due will end it */
static void
doom(struct admit *admit, struct conn *conn, enum reason reason)
{
    conn->doomed = reason;
    conn->doomed_next = admit->doomed;
    admit->doomed = conn;
}

/* count_source - the connection belongs to its source; the limit that it
 * breaks */
static enum reason
count_source(struct master *master, const struct conf_service *service,
             struct conn *conn, const uint8_t addr[16], int64_t now)
{
    const struct source_limits limits = limits_of(service);
    struct net net = net_of(addr, &service->per_source_mask);
    enum reason reason;
    int64_t until;

    conn->source =
        sources_get(master->admit->sources, &net, (unsigned)conn->pool, now);
    reason = source_blocked(conn->source, &limits, now, &until);
    sources_enter(master->admit->sources, conn->source,
                  reason == REASON_NONE ? &limits.rate : NULL, now);
    post(master, service, conn->source, now);
    return reason;
}

void
admit_taken(struct master *master, const struct crew_member *member,
            int64_t now)
{
    const struct conf_service *service = service_of(master, member->pool);
    struct conn *conn = conn_of(master, member);
    enum reason reason = REASON_NONE;
    struct gate *gate;

    *conn = (struct conn){ .pid = member->pid,
                           .generation = member->generation,
                           .pool = member->pool,
                           .since = now,
                           .handshaking = true };
    if (service == NULL)
        return;
    gate = gate_of(master, member->pool);
    conn->priority = net_has(service->priority_from.item,
                             service->priority_from.count, member->source);
    if (conn->priority)
        return;
    if (member->family == AF_INET || member->family == AF_INET6)
        reason = count_source(master, service, conn, member->source, now);
    if (service->listen_tls)
        list_add(gate, conn);
    if (conn->generation == gate->generation) {
        gate->others++;
        post_gate(master, service, gate, member->pool);
        if (gate->others > others_max(service) &&
            service->priority_from.count > 0)
            reason = REASON_POOL_FULL;
    }
    if (reason != REASON_NONE)
        doom(master->admit, conn, reason);
}

void
admit_verified(struct master *master, const struct crew_member *member,
               int64_t now)
{
    const struct conf_service *service = service_of(master, member->pool);
    struct conn *conn = conn_of(master, member);

    conn->handshaking = false;
    list_remove(&master->admit->gate[conn->pool], conn);
    if (conn->source == NULL)
        return;
    source_verified(conn->source);
    if (service != NULL)
        post(master, service, conn->source, now);
}

/* leave_source - the connection is over: what its source pays for it */
static void
leave_source(struct master *master, const struct conf_service *service,
             struct conn *conn, enum reason reason, int64_t now)
{
    struct source *source = conn->source;

    if (service != NULL && conn->handshaking && reason_blames_client(reason))
        source_fail(source, service->per_source_penalty, now);
    sources_leave(master->admit->sources, source, conn->handshaking);
    if (service != NULL)
        post(master, service, source, now);
}

void
admit_ended(struct master *master, const struct crew_member *member,
            enum reason reason, int64_t now)
{
    const struct conf_service *service = service_of(master, member->pool);
    struct conn *conn = conn_of(master, member), **at;
    struct gate *gate = gate_of(master, conn->pool);

    list_remove(gate, conn);
    if (conn->source != NULL)
        leave_source(master, service, conn, reason, now);
    if (service != NULL && !conn->priority &&
        conn->generation == gate->generation && gate->others > 0) {
        gate->others--;
        post_gate(master, service, gate, conn->pool);
    }
    for (at = &master->admit->doomed; conn->doomed != REASON_NONE && *at;
         at = &(*at)->doomed_next)
        if (*at == conn) {
            *at = conn->doomed_next;
            break;
        }
    memset(conn, 0, sizeof(*conn));
}

/* --- carried out ----------------------------------------------------------- */

/* end - tell the worker; it writes the line */
static void
end(struct master *master, struct conn *conn, enum reason reason, int64_t now)
{
    struct crew_member *member = crew_find(master->crew, conn->pid);
    struct gate *gate = &master->admit->gate[conn->pool];

    list_remove(gate, conn);
    gate->refused[reason]++;
    if (member != NULL)
        reap_end(master, member, reason, now);
}

/* ripe - when this one may be ended for others: honest clients that come all at
 * once need a moment, and their workers to look at the first byte */
static int64_t
ripe(const struct conn *conn)
{
    return conn->since + GRACE_MS;
}

/* silent - the oldest ripe one that has not sent a byte, as far as its worker
 * says; NULL: there is none among the oldest */
static struct conn *
silent(const struct master *master, const struct gate *gate, int64_t now)
{
    struct conn *conn = gate->oldest;

    for (int i = 0; conn != NULL && ripe(conn) <= now && i < SILENT_LOOKS;
         i++, conn = conn->newer) {
        long slot = conn - master->admit->conn;

        if (!atomic_load(&board_slot(master->board, (int)slot)->heard))
            return conn;
    }
    return NULL;
}

/* exhausted - has the pool no worker for the next client, and may there be no
 * more of them? */
static bool
exhausted(const struct master *master, size_t index,
          const struct conf_service *service)
{
    const struct pool *pool = &master->pool[index];

    if (service->priority_from.count > 0)
        return gate_of(master, index)->others >= others_max(service);
    return pool->idle <= 0 && pool->alive >= conf_workers_max(service);
}

/*
 * crowd_due - no more than may shake hands; the next time. Who has spoken is
 * ended only when somebody could want his place: three thousand honest clients
 * that come back at once, after a restart, are a crowd too.
 */
static int64_t
crowd_due(struct master *master, size_t pool, int64_t now)
{
    const struct conf_service *service = service_of(master, pool);
    struct gate *gate = &master->admit->gate[pool];
    struct conn *conn;
    bool wanted;

    if (service == NULL)
        return CLOCK_NEVER;
    wanted = exhausted(master, pool, service);
    while (gate->handshaking > conf_handshaking_max(service)) {
        if (ripe(gate->oldest) > now)
            return ripe(gate->oldest);
        conn = silent(master, gate, now);
        if (conn == NULL && !wanted)
            return now + GRACE_MS;
        end(master, conn != NULL ? conn : gate->oldest, REASON_MAX_HANDSHAKING,
            now);
    }
    return CLOCK_NEVER;
}

/* say - refusals of one source */
static void
say(const struct master *master, const struct source *source, unsigned count)
{
    struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
    char client[ADDR_TEXT_MAX] = "unix";
    struct log_line line;

    memcpy(&sin6.sin6_addr, source->client, sizeof(sin6.sin6_addr));
    sin6.sin6_port = htons(source->port);
    if (!net_is_none(source->client))
        addr_text((const struct sockaddr *)&sin6, sizeof(sin6), client);
    log_begin(&line, LOG_L_WARN, "refused");
    log_text(&line, "service", master->pool[source->pool].name);
    log_text(&line, "client", client);
    log_text(&line, "stage", "accept");
    log_text(&line, "reason", reason_word(source->reason));
    log_text(&line, "hint", reason_hint(source->reason));
    log_int(&line, "count", count);
    log_send(&line);
}

void
admit_refused(struct master *master, const struct pool *pool,
              const struct report *report, int64_t now)
{
    static const struct net_mask whole = { 32, 128 };
    size_t index = (size_t)(pool - master->pool);
    const struct conf_service *service = service_of(master, index);
    struct net net = net_of(
        report->addr, service != NULL ? &service->per_source_mask : &whole);
    enum reason reason = reason_valid(report->reason)
                             ? (enum reason)report->reason
                             : REASON_INTERNAL;
    struct source *source;
    unsigned count;

    master->admit->gate[index].refused[reason]++;
    source = sources_get(master->admit->sources, &net, (unsigned)index, now);
    count = sources_refused(master->admit->sources, source, report->addr,
                            report->port, reason, now);
    if (count > 0)
        say(master, source, count);
}

int64_t
admit_due(struct master *master, int64_t now)
{
    struct admit *admit = master->admit;
    int64_t next, crowd;
    struct source *source;
    struct conn *conn;
    unsigned count;
    size_t i;

    while ((conn = admit->doomed) != NULL) {
        enum reason reason = conn->doomed;

        admit->doomed = conn->doomed_next;
        conn->doomed = REASON_NONE;
        end(master, conn, reason, now);
    }
    while ((source = sources_unsaid(admit->sources, now, &count, &next)) !=
           NULL)
        say(master, source, count);
    for (i = 0; i < master->pool_count; i++)
        if ((crowd = crowd_due(master, i, now)) < next)
            next = crowd;
    return next;
}

void
admit_status(const struct master *master, size_t pool, struct log_line *line)
{
    static const enum reason shown[] = {
        REASON_NOT_FROM,        REASON_CRASHED_SOURCE,
        REASON_PER_SOURCE,      REASON_PER_SOURCE_HANDSHAKING,
        REASON_PER_SOURCE_RATE, REASON_PER_SOURCE_PENALTY,
        REASON_MAX_HANDSHAKING, REASON_POOL_FULL,
    };
    const struct gate *gate = &master->admit->gate[pool];

    log_int(line, "handshaking", gate->handshaking);
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        log_int(line, reason_word(shown[i]),
                (long long)gate->refused[shown[i]]);
    log_int(line, "sources", (long long)sources_count(master->admit->sources));
    log_int(line, "sources_forgotten",
            (long long)sources_forgotten(master->admit->sources));
}
