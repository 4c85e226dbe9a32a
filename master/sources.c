/*
 * sources.c - who is connected from where, and how it behaves
 *
 * Owns the table, what is forgotten first, and the sums of rates and
 * penalties. Never asks a clock, never calls the system but for memory.
 */
#include "master/sources.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/siphash.h"

#include <string.h>
#include <sys/mman.h>

struct sources {
    uint8_t seed[16];
    size_t max, count;
    uint64_t forgotten;
    struct source **bucket;         /* max of them */
    struct source *entry;           /* max of them, count in use */
    struct source *oldest, *newest; /* without connections */
    struct source *unsaid, *unsaid_last;
    size_t bytes;
};

struct sources *
sources_new(size_t max, const uint8_t seed[16])
{
    struct sources *sources = mem_own(sizeof(*sources));
    size_t buckets = max * sizeof(*sources->bucket);
    void *at;

    sources->bytes = buckets + max * sizeof(*sources->entry);
    at = mmap(NULL, sources->bytes, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED || madvise(at, sources->bytes, MADV_DONTFORK) != 0) {
        mem_own_free(sources);
        return NULL;
    }
    memcpy(sources->seed, seed, sizeof(sources->seed));
    sources->max = max;
    sources->bucket = at;
    sources->entry = (void *)((char *)at + buckets);
    return sources;
}

void
sources_free(struct sources *sources)
{
    if (sources == NULL)
        return;
    munmap(sources->bucket, sources->bytes);
    mem_own_free(sources);
}

static struct source **
bucket_of(struct sources *sources, const struct net *net, unsigned pool)
{
    uint32_t key[6] = { [4] = net->bits, [5] = pool };

    memcpy(key, net->addr, sizeof(net->addr));
    return &sources->bucket[siphash(sources->seed, key, sizeof(key)) %
                            sources->max];
}

/* --- those without connections, in the order in which they were seen ------- */

static void
idle_remove(struct sources *sources, struct source *source)
{
    *(source->older != NULL ? &source->older->newer : &sources->oldest) =
        source->newer;
    *(source->newer != NULL ? &source->newer->older : &sources->newest) =
        source->older;
    source->older = source->newer = NULL;
}

static void
idle_add(struct sources *sources, struct source *source)
{
    source->older = sources->newest;
    source->newer = NULL;
    *(sources->newest != NULL ? &sources->newest->newer : &sources->oldest) =
        source;
    sources->newest = source;
}

/* remembers - would it matter to forget it? */
static bool
remembers(const struct source *source, int64_t now)
{
    return source->penalty_until > now || source->rate_us > now * 1000 ||
           source->unsaid > 0;
}

static void
unsaid_add(struct sources *sources, struct source *source)
{
    struct source *last = sources->unsaid_last;

    source->waits = true;
    source->unsaid_before = last;
    *(last != NULL ? &last->unsaid_next : &sources->unsaid) = source;
    sources->unsaid_last = source;
}

static void
unsaid_remove(struct sources *sources, struct source *source)
{
    struct source *before = source->unsaid_before, *next = source->unsaid_next;

    *(before != NULL ? &before->unsaid_next : &sources->unsaid) = next;
    *(next != NULL ? &next->unsaid_before : &sources->unsaid_last) = before;
    source->unsaid_before = source->unsaid_next = NULL;
    source->waits = false;
}

/* forget - the one that was seen longest ago; its entry is free */
static struct source *
forget(struct sources *sources, int64_t now)
{
    struct source *source = sources->oldest, **at;

    sources->forgotten += remembers(source, now);
    idle_remove(sources, source);
    if (source->waits)
        unsaid_remove(sources, source);
    at = bucket_of(sources, &source->net, source->pool);
    while (*at != source)
        at = &(*at)->chain;
    *at = source->chain;
    return source;
}

struct source *
sources_get(struct sources *sources, const struct net *net, unsigned pool,
            int64_t now)
{
    struct source **bucket = bucket_of(sources, net, pool), *source;

    for (source = *bucket; source != NULL; source = source->chain)
        if (source->pool == pool && source->net.bits == net->bits &&
            memcmp(source->net.addr, net->addr, sizeof(net->addr)) == 0)
            break;
    if (source == NULL) {
        source = sources->count < sources->max
                     ? &sources->entry[sources->count++]
                     : forget(sources, now);
        memset(source, 0, sizeof(*source));
        source->net = *net;
        source->pool = pool;
        source->chain = *bucket;
        *bucket = source;
    } else if (source->connections == 0) {
        idle_remove(sources, source);
    }
    if (source->connections == 0)
        idle_add(sources, source);
    return source;
}

/* --- limits ---------------------------------------------------------------- */

/* rate_step - what one connection costs of the bucket, in us */
static int64_t
rate_step(const struct conf_rate *rate)
{
    return rate->per_ms * 1000 / rate->count;
}

/* rate_free - when the bucket has room for one more (clock_ms, rounded up) */
static int64_t
rate_free(const struct source *source, const struct conf_rate *rate)
{
    int64_t us = source->rate_us + rate_step(rate) - rate->per_ms * 1000;

    return us > 0 ? (us + 999) / 1000 : 0;
}

enum reason
source_blocked(const struct source *source, const struct source_limits *limits,
               int64_t now, int64_t *until)
{
    *until = source->refused_until;
    if (*until > now)
        return REASON_PER_SOURCE_PENALTY;
    *until = CLOCK_NEVER;
    if (limits->connections > 0 && source->connections >= limits->connections)
        return REASON_PER_SOURCE;
    if (limits->handshaking > 0 && source->handshaking >= limits->handshaking)
        return REASON_PER_SOURCE_HANDSHAKING;
    if (limits->rate.count > 0 &&
        (*until = rate_free(source, &limits->rate)) > now)
        return REASON_PER_SOURCE_RATE;
    return REASON_NONE;
}

void
sources_enter(struct sources *sources, struct source *source,
              const struct conf_rate *rate, int64_t now)
{
    if (source->connections++ == 0)
        idle_remove(sources, source);
    source->handshaking++;
    if (rate == NULL || rate->count == 0)
        return;
    if (source->rate_us < now * 1000)
        source->rate_us = now * 1000;
    source->rate_us += rate_step(rate);
}

void
source_verified(struct source *source)
{
    source->handshaking--;
}

void
sources_leave(struct sources *sources, struct source *source, bool handshaking)
{
    source->handshaking -= handshaking;
    if (--source->connections == 0)
        idle_add(sources, source);
}

void
source_fail(struct source *source, int64_t penalty, int64_t now)
{
    if (penalty == 0)
        return;
    if (source->penalty_until < now)
        source->penalty_until = now;
    source->penalty_until += penalty;
    if (source->penalty_until > now + SOURCES_PENALTY_MS)
        source->penalty_until = now + SOURCES_PENALTY_MS;
    if (source->penalty_until - now > 2 * penalty)
        source->refused_until = source->penalty_until;
}

/* --- what is said of refusals ---------------------------------------------- */

unsigned
sources_refused(struct sources *sources, struct source *source,
                const uint8_t client[16], uint16_t port, enum reason reason,
                int64_t now)
{
    memcpy(source->client, client, sizeof(source->client));
    source->port = port;
    source->reason = reason;
    if (source->said_at == 0 ||
        (now - source->said_at >= SOURCES_SAY_MS && !source->waits)) {
        source->said_at = now;
        return 1;
    }
    source->unsaid++;
    if (!source->waits)
        unsaid_add(sources, source);
    return 0;
}

/* due_at - nobody waits longer than the one before: said_at is not far from
 * when it was put behind */
static int64_t
due_at(const struct source *source)
{
    return source->said_at + SOURCES_SAY_MS;
}

struct source *
sources_unsaid(struct sources *sources, int64_t now, unsigned *count,
               int64_t *next)
{
    struct source *source = sources->unsaid;

    if (source == NULL || due_at(source) > now) {
        *next = source != NULL ? due_at(source) : CLOCK_NEVER;
        return NULL;
    }
    unsaid_remove(sources, source);
    *count = source->unsaid;
    source->unsaid = 0;
    source->said_at = now;
    return source;
}

uint64_t
sources_forgotten(const struct sources *sources)
{
    return sources->forgotten;
}

size_t
sources_count(const struct sources *sources)
{
    return sources->count;
}
