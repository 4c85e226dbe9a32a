/*
 * bans.c - sources that are refused for a while, in a page that only the master
 * can write
 *
 * Owns the memfd, its seals and both ways of mapping it.
 * Must never trust what a reader says, because a reader cannot say anything:
 * F_SEAL_FUTURE_WRITE refuses every writable mapping made after the master's.
 */
#include "common/bans.h"
#include "common/mem.h"
#include "common/siphash.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* fcntl(2), Linux 5.1 */
#endif

/* Readers look while the master writes: until_ms is 0 while an entry changes,
 * and a reader looks at it before and behind the address. */
struct entry {
    _Atomic int64_t until_ms; /* 0: free */
    _Atomic uint64_t high, low;
};

/* The same for a limit. That of a source which is there already changes in
 * place: there is no moment without it. */
struct limit {
    _Atomic int64_t until_ms; /* 0: free */
    _Atomic uint64_t high, low;
    _Atomic uint64_t what; /* scope, then the reason in the low bits */
};

#define REASON_BITS 16

struct page {
    struct entry crashed[BANS_MAX];
    struct limit limits[BANS_SETS][BANS_WAYS];
};

struct bans {
    int fd; /* -1: read-only */
    struct page *page;
    uint8_t key[16]; /* of the sets: sources are chosen by attackers */
};

/* one for the program, beside its other variables: a reader writes to it */
static MEM_TOUCHED struct bans table;

#define BANS_SIZE sizeof(struct page)

/* split - an address as two numbers; false: none, a unix socket's. Of IPv6 the
 * network counts: whoever has one address has 2^64 of them. */
static bool
split(const uint8_t addr[16], uint64_t *high, uint64_t *low)
{
    memcpy(high, addr, sizeof(*high));
    memcpy(low, addr + sizeof(*high), sizeof(*low));
    if (*high == 0 && *low == 0)
        return false;
    if (!IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)addr))
        *low = 0;
    return true;
}

/* page_open - map the fresh memfd for the master, then seal it */
static enum err
page_open(struct bans *bans, struct why *why)
{
    const int seals =
        F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
    void *at;

    if (ftruncate(bans->fd, (off_t)BANS_SIZE) != 0)
        return why_errno(why, ERR_SYS, "bans: ftruncate");
    at = mmap(NULL, BANS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, bans->fd, 0);
    if (at == MAP_FAILED)
        return why_errno(why, ERR_SYS, "bans: mmap");
    bans->page = at;
    if (fcntl(bans->fd, F_ADD_SEALS, seals) != 0)
        return why_errno(why, ERR_SYS, "bans: cannot seal the page");
    return ERR_OK;
}

enum err
bans_new(struct bans **out, struct why *why)
{
    struct bans *bans = &table;
    enum err err;

    *out = NULL;
    bans->page = NULL;
    bans->fd = memfd_create("mtlsd-bans", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    if (bans->fd < 0)
        err = why_errno(why, ERR_SYS, "bans: memfd_create");
    else if (getrandom(bans->key, sizeof(bans->key), 0) !=
             (ssize_t)sizeof(bans->key))
        err = why_errno(why, ERR_SYS, "bans: getrandom");
    else
        err = page_open(bans, why);
    if (err == ERR_OK) {
        *out = bans;
        return ERR_OK;
    }
    if (bans->page != NULL)
        munmap(bans->page, BANS_SIZE);
    if (bans->fd >= 0)
        close(bans->fd);
    return err;
}

/* entry_for - the entry of this address, else the one that ends first; free
 * ones end at 0 */
static struct entry *
entry_for(struct bans *bans, uint64_t high, uint64_t low)
{
    struct entry *first = &bans->page->crashed[0];

    for (size_t i = 0; i < BANS_MAX; i++) {
        struct entry *entry = &bans->page->crashed[i];

        if (entry->until_ms != 0 && entry->high == high && entry->low == low)
            return entry;
        if (entry->until_ms < first->until_ms)
            first = entry;
    }
    return first;
}

void
bans_add(struct bans *bans, const uint8_t addr[16], int64_t until_ms)
{
    struct entry *entry;
    uint64_t high, low;

    if (bans->fd < 0 || until_ms <= 0 || !split(addr, &high, &low))
        return;
    entry = entry_for(bans, high, low);
    entry->until_ms = 0;
    entry->high = high;
    entry->low = low;
    entry->until_ms = until_ms;
}

enum err
bans_read_only(struct bans *bans, struct why *why)
{
    void *at;

    if (bans->fd < 0)
        return ERR_OK;
    /* over the old mapping: there is no moment with both */
    at = mmap(bans->page, BANS_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED,
              bans->fd, 0);
    if (at == MAP_FAILED)
        return why_errno(why, ERR_SYS, "bans: mmap");
    close(bans->fd);
    bans->fd = -1;
    return ERR_OK;
}

enum err
bans_leave(struct why *why)
{
    if (table.page != NULL && munmap(table.page, BANS_SIZE) != 0)
        return why_errno(why, ERR_SYS, "bans: munmap");
    table = (struct bans){ .fd = -1 };
    return ERR_OK;
}

bool
bans_has(const struct bans *bans, const uint8_t addr[16], int64_t now_ms)
{
    uint64_t high, low;

    if (!split(addr, &high, &low))
        return false;
    for (size_t i = 0; i < BANS_MAX; i++) {
        struct entry *entry = &bans->page->crashed[i];
        int64_t until = entry->until_ms;

        if (until > now_ms && entry->high == high && entry->low == low &&
            entry->until_ms == until)
            return true;
    }
    return false;
}

/* what a limit is about */
struct place {
    uint64_t high, low, what; /* what without a reason */
    struct limit *set;
};

uint64_t
bans_scope(unsigned generation, size_t pool)
{
    return (uint64_t)(generation & 0xffffff) << 16 | (pool & 0xffff);
}

static struct place
place_of(const struct bans *bans, const struct net *net, uint64_t scope)
{
    uint64_t words[3];

    memcpy(words, net->addr, sizeof(net->addr));
    words[2] = (scope << 8 | net->bits) << REASON_BITS;
    return (struct place){
        words[0], words[1], words[2],
        bans->page->limits[siphash(bans->key, words, sizeof(words)) % BANS_SETS]
    };
}

static bool
is_about(const struct limit *limit, const struct place *place)
{
    return limit->what >> REASON_BITS == place->what >> REASON_BITS &&
           limit->high == place->high && limit->low == place->low;
}

/* limit_find - the entry of that place, NULL: none */
static struct limit *
limit_find(const struct place *place)
{
    for (size_t i = 0; i < BANS_WAYS; i++)
        if (place->set[i].until_ms != 0 && is_about(&place->set[i], place))
            return &place->set[i];
    return NULL;
}

static struct limit *
first_to_end(const struct place *place)
{
    struct limit *first = &place->set[0];

    for (size_t i = 1; i < BANS_WAYS; i++)
        if (place->set[i].until_ms < first->until_ms)
            first = &place->set[i];
    return first;
}

void
bans_limit(struct bans *bans, const struct net *net, uint64_t scope,
           enum reason reason, int64_t until_ms)
{
    struct place place = place_of(bans, net, scope);
    struct limit *limit = limit_find(&place);

    if (bans->fd < 0 || until_ms <= 0)
        return;
    if (limit == NULL) {
        limit = first_to_end(&place);
        limit->until_ms = 0;
        limit->high = place.high;
        limit->low = place.low;
    }
    limit->what = place.what | (uint64_t)reason;
    limit->until_ms = until_ms;
}

void
bans_lift(struct bans *bans, const struct net *net, uint64_t scope)
{
    struct place place = place_of(bans, net, scope);
    struct limit *limit = limit_find(&place);

    if (bans->fd >= 0 && limit != NULL)
        limit->until_ms = 0;
}

/* scope_limited - why is exactly this refused now? */
static enum reason
place_limited(const struct place *place, int64_t now_ms)
{
    for (size_t i = 0; i < BANS_WAYS; i++) {
        const struct limit *limit = &place->set[i];
        int64_t until = limit->until_ms;
        uint64_t what = limit->what;

        if (until > now_ms && is_about(limit, place) && limit->until_ms != 0 &&
            limit->what == what)
            return (enum reason)(what & ((1u << REASON_BITS) - 1));
    }
    return REASON_NONE;
}

enum reason
bans_limited(const struct bans *bans, const uint8_t addr[16],
             const struct net_mask *mask, uint64_t scope, int64_t now_ms)
{
    static const struct net everybody;
    struct place all = place_of(bans, &everybody, scope), own;
    enum reason reason = place_limited(&all, now_ms);
    struct net net;

    if (reason != REASON_NONE || net_is_none(addr))
        return reason;
    net = net_of(addr, mask);
    own = place_of(bans, &net, scope);
    return place_limited(&own, now_ms);
}

int
bans_fd(const struct bans *bans)
{
    return bans->fd;
}
