/*
 * bans.c - sources that are refused for a while, in a page that only the master
 * can write
 *
 * Owns the memfd, its seals and both mappings of it.
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
    struct page *own;  /* to write; no child has it */
    struct page *page; /* to read */
    uint8_t key[16];   /* of the sets: sources are chosen by attackers */
};

static struct bans table; /* one for the program */

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

/* map - the page once more, with what the seals still let */
static enum err
map(int fd, int rights, struct page **out, struct why *why)
{
    void *at = mmap(NULL, BANS_SIZE, rights, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED)
        return why_errno(why, ERR_SYS, "bans: mmap");
    *out = at;
    return ERR_OK;
}

/* pages_map - the master's own view, which no child has, then the seal, then the
 * view that all have and nobody can make writable again */
static enum err
pages_map(struct bans *bans, int fd, struct why *why)
{
    const int seals =
        F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
    enum err err;

    if (ftruncate(fd, (off_t)BANS_SIZE) != 0)
        return why_errno(why, ERR_SYS, "bans: ftruncate");
    if ((err = map(fd, PROT_READ | PROT_WRITE, &bans->own, why)) != ERR_OK)
        return err;
    if (madvise(bans->own, BANS_SIZE, MADV_DONTFORK) != 0)
        return why_errno(why, ERR_SYS, "bans: madvise");
    if (fcntl(fd, F_ADD_SEALS, seals) != 0)
        return why_errno(why, ERR_SYS, "bans: cannot seal the page");
    return map(fd, PROT_READ, &bans->page, why);
}

void
bans_free(struct bans *bans)
{
    if (bans->own != NULL)
        munmap(bans->own, BANS_SIZE);
    if (bans->page != NULL)
        munmap(bans->page, BANS_SIZE);
    bans->own = bans->page = NULL;
}

enum err
bans_new(struct bans **out, struct why *why)
{
    struct bans *bans = &table;
    int fd = memfd_create("mtlsd-bans", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    enum err err;

    *out = NULL;
    bans->own = bans->page = NULL;
    if (fd < 0)
        return why_errno(why, ERR_SYS, "bans: memfd_create");
    if (getrandom(bans->key, sizeof(bans->key), 0) !=
        (ssize_t)sizeof(bans->key))
        err = why_errno(why, ERR_SYS, "bans: getrandom");
    else
        err = pages_map(bans, fd, why);
    close(fd);
    if (err == ERR_OK)
        *out = bans;
    else
        bans_free(bans);
    return err;
}

/* entry_for - the entry of this address, else the one that ends first; free
 * ones end at 0 */
static struct entry *
entry_for(struct bans *bans, uint64_t high, uint64_t low)
{
    struct entry *first = &bans->own->crashed[0];

    for (size_t i = 0; i < BANS_MAX; i++) {
        struct entry *entry = &bans->own->crashed[i];

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

    if (until_ms <= 0 || !split(addr, &high, &low))
        return;
    entry = entry_for(bans, high, low);
    entry->until_ms = 0;
    entry->high = high;
    entry->low = low;
    entry->until_ms = until_ms;
}

enum err
bans_leave(struct why *why)
{
    if (table.page != NULL && munmap(table.page, BANS_SIZE) != 0)
        return why_errno(why, ERR_SYS, "bans: munmap");
    table.page = NULL;
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

/* place_of - in one of the two views */
static struct place
place_of(const struct bans *bans, struct page *page, const struct net *net,
         uint64_t scope)
{
    uint64_t words[3];

    memcpy(words, net->addr, sizeof(net->addr));
    words[2] = (scope << 8 | net->bits) << REASON_BITS;
    return (struct place){
        words[0], words[1], words[2],
        page->limits[siphash(bans->key, words, sizeof(words)) % BANS_SETS]
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
    struct place place = place_of(bans, bans->own, net, scope);
    struct limit *limit = limit_find(&place);

    if (until_ms <= 0)
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
    struct place place = place_of(bans, bans->own, net, scope);
    struct limit *limit = limit_find(&place);

    if (limit != NULL)
        limit->until_ms = 0;
}

/* place_limited - why is exactly this refused now? */
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
    struct place all = place_of(bans, bans->page, &everybody, scope), own;
    enum reason reason = place_limited(&all, now_ms);
    struct net net;

    if (reason != REASON_NONE || net_is_none(addr))
        return reason;
    net = net_of(addr, mask);
    own = place_of(bans, bans->page, &net, scope);
    return place_limited(&own, now_ms);
}
