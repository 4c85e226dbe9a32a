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
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

struct bans {
    int fd; /* -1: read-only */
    struct entry *entries;
};

/* one for the program, beside its other variables: a reader writes to it */
static struct bans table;

#define BANS_SIZE (BANS_MAX * sizeof(struct entry))

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
    bans->entries = at;
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
    bans->entries = NULL;
    bans->fd = memfd_create("mtlsd-bans", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    if (bans->fd < 0)
        err = why_errno(why, ERR_SYS, "bans: memfd_create");
    else
        err = page_open(bans, why);
    if (err == ERR_OK) {
        *out = bans;
        return ERR_OK;
    }
    if (bans->entries != NULL)
        munmap(bans->entries, BANS_SIZE);
    if (bans->fd >= 0)
        close(bans->fd);
    return err;
}

/* entry_for - the entry of this address, else the one that ends first; free
 * ones end at 0 */
static struct entry *
entry_for(struct bans *bans, uint64_t high, uint64_t low)
{
    struct entry *first = &bans->entries[0];

    for (size_t i = 0; i < BANS_MAX; i++) {
        struct entry *entry = &bans->entries[i];

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
    at = mmap(bans->entries, BANS_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED,
              bans->fd, 0);
    if (at == MAP_FAILED)
        return why_errno(why, ERR_SYS, "bans: mmap");
    close(bans->fd);
    bans->fd = -1;
    return ERR_OK;
}

bool
bans_has(const struct bans *bans, const uint8_t addr[16], int64_t now_ms)
{
    uint64_t high, low;

    if (!split(addr, &high, &low))
        return false;
    for (size_t i = 0; i < BANS_MAX; i++) {
        struct entry *entry = &bans->entries[i];
        int64_t until = entry->until_ms;

        if (until > now_ms && entry->high == high && entry->low == low &&
            entry->until_ms == until)
            return true;
    }
    return false;
}

int
bans_fd(const struct bans *bans)
{
    return bans->fd;
}
