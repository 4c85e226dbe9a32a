/*
 * keymem.c - secret memory: a stack and a heap that only this process reads
 *
 * Owns the arena, wolfSSL's allocators and the switch to the secret stack.
 *
 *   guard | stack, grows down | head: saved contexts | heap | guard
 *
 * What stays outside are pointers and sizes. Never logs, never forks.
 */
#include <wolfssl/options.h>
#include "master/keymem.h"
#include "common/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <wolfssl/wolfcrypt/memory.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret \
    447 /* Linux 5.14; the same number on every architecture */
#endif

#define ALIGN 16u
#define TAKEN 0x6b65796du /* mark of a block in use */

struct block {
    size_t size;        /* with this header, multiple of ALIGN */
    struct block *next; /* free: the next one by address; else TAKEN */
};

struct head { /* inside the arena: contexts hold registers */
    ucontext_t outside, inside;
    int (*run)(void *arg);
    void *arg;
    int result;
};

static struct {
    const char *kind;
    uint8_t *map; /* with the guards */
    size_t map_len;
    uint8_t *stack;
    struct head *head;
    uint8_t *heap;
    size_t heap_len;
    struct block *free; /* by address */
    size_t used, peak;
} arena = { .kind = "none" };

static size_t
round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static size_t
page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t
keymem_need(size_t keys)
{
    return round_up(KEYMEM_BASE + keys * KEYMEM_PER_KEY, page_size());
}

const char *
keymem_kind(void)
{
    return arena.kind;
}

/* map_secret - memfd_secret memory at that place; false: errno says why not */
static bool
map_secret(uint8_t *at, size_t len)
{
    int fd = (int)syscall(SYS_memfd_secret, 0x80000u /* O_CLOEXEC */);
    bool done;
    int keep;

    if (fd < 0)
        return false;
    done = ftruncate(fd, (off_t)len) == 0 &&
           mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                0) != MAP_FAILED;
    keep = errno;
    close(fd);
    errno = keep;
    return done;
}

/* lock - on first touch where the kernel can (4.4): what is not used costs
 * nothing; else at once */
static bool
lock(uint8_t *at, size_t len)
{
    return mlock2(at, len, MLOCK_ONFAULT) == 0 || mlock(at, len) == 0;
}

/* map_locked - the next best */
static bool
map_locked(uint8_t *at, size_t len)
{
    int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

    return mmap(at, len, PROT_READ | PROT_WRITE, how, -1, 0) != MAP_FAILED &&
           lock(at, len) && madvise(at, len, MADV_DONTDUMP) == 0;
}

static enum err
no_memory(size_t len, struct why *why)
{
    int saved = errno;
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < len)
        return why_set(why, ERR_SYS,
                       "cannot lock %zu KiB of memory for private keys: "
                       "RLIMIT_MEMLOCK is %llu KiB;"
                       " raise it (LimitMEMLOCK=%zuK, ulimit -l %zu)",
                       len >> 10, (unsigned long long)limit.rlim_cur >> 10,
                       len >> 10, len >> 10);
    errno = saved;
    return why_errno(why, ERR_SYS,
                     "cannot lock %zu KiB of memory for private keys",
                     len >> 10);
}

/* lay_out - guards, stack, head, heap */
static void
lay_out(uint8_t *start, size_t len)
{
    size_t head = round_up(sizeof(struct head), 64);

    arena.stack = start;
    arena.head = (struct head *)(void *)(start + KEYMEM_STACK);
    arena.heap = start + KEYMEM_STACK + head;
    arena.heap_len = len - KEYMEM_STACK - head;
    arena.free = (struct block *)(void *)arena.heap;
    *arena.free = (struct block){ .size = arena.heap_len };
}

enum err
keymem_open(size_t keys, struct why *why)
{
    size_t page = page_size();
    size_t len = keymem_need(keys);
    uint8_t *map;

    map = mmap(NULL, len + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
               0);
    if (map == MAP_FAILED)
        return why_errno(why, ERR_SYS, "memory for private keys");
    if (map_secret(map + page, len)) {
        arena.kind = "memfd_secret";
    } else if (map_locked(map + page, len)) {
        arena.kind = "locked";
    } else {
        enum err err = no_memory(len, why);

        munmap(map, len + 2 * page);
        return err;
    }
    madvise(map + page, len, MADV_DONTFORK);
    arena.map = map;
    arena.map_len = len + 2 * page;
    lay_out(map + page, len);
    if (wolfSSL_SetAllocators(keymem_alloc, keymem_free, keymem_realloc) != 0) {
        keymem_close();
        return why_set(why, ERR_SYS, "the TLS library takes no allocator");
    }
    return ERR_OK;
}

void
keymem_close(void)
{
    size_t page = page_size();

    if (arena.map == NULL)
        return;
    wolfSSL_SetAllocators(malloc, free, realloc);
    mem_wipe(arena.map + page, arena.map_len - 2 * page);
    munmap(arena.map, arena.map_len);
    memset(&arena, 0, sizeof(arena));
    arena.kind = "none";
}

bool
keymem_holds(const void *at, size_t len)
{
    uintptr_t start = (uintptr_t)arena.stack;
    uintptr_t end = (uintptr_t)arena.heap + arena.heap_len;

    return arena.map != NULL && (uintptr_t)at >= start &&
           (uintptr_t)at <= end && len <= end - (uintptr_t)at;
}

/* --- the stack --- */

#ifdef MTLSD_SANITIZE
/* the sanitizers know no stack but their own, and keep copies of everything
 * anyway */
int
keymem_run(int (*run)(void *arg), void *arg)
{
    return run(arg);
}
#else
static void
on_stack(void)
{
    struct head *head = arena.head;

    head->result = head->run(head->arg);
}

int
keymem_run(int (*run)(void *arg), void *arg)
{
    struct head *head = arena.head;

    head->run = run;
    head->arg = arg;
    head->result = -1;
    if (getcontext(&head->inside) != 0)
        abort();
    head->inside.uc_stack.ss_sp = arena.stack;
    head->inside.uc_stack.ss_size = KEYMEM_STACK;
    head->inside.uc_link = &head->outside;
    makecontext(&head->inside, on_stack, 0);
    if (swapcontext(&head->outside, &head->inside) != 0)
        abort();
    return head->result;
}
#endif

void
keymem_peak(size_t *heap, size_t *stack)
{
    size_t i = 0;

    while (i < KEYMEM_STACK && arena.stack[i] == 0)
        i++;
    *stack = KEYMEM_STACK - i;
    *heap = arena.peak;
}

/* --- the heap: a free list by address; blocks in use are in no list --- */

static bool
is_heap(const void *at)
{
    return (uintptr_t)at > (uintptr_t)arena.heap &&
           (uintptr_t)at < (uintptr_t)arena.heap + arena.heap_len;
}

/* block_of - the header before a payload; a stray or twice freed pointer
 * ends the process */
static struct block *
block_of(void *at)
{
    struct block *block = (struct block *)at - 1;

    if ((uintptr_t)at % ALIGN != 0 || (uintptr_t)block->next != TAKEN)
        abort();
    return block;
}

/* cut - use the first `size` bytes of a free block; what is left stays free */
static void
cut(struct block **link, struct block *block, size_t size)
{
    if (block->size - size >= 2 * sizeof(struct block)) {
        struct block *rest = (struct block *)(void *)((uint8_t *)block + size);

        *rest =
            (struct block){ .size = block->size - size, .next = block->next };
        block->size = size;
        *link = rest;
    } else {
        *link = block->next;
    }
}

void *
keymem_alloc(size_t size)
{
    struct block **link = &arena.free;
    struct block *block;

    if (size > arena.heap_len)
        return NULL;
    size = round_up(size == 0 ? 1 : size, ALIGN) + sizeof(struct block);
    while ((block = *link) != NULL && block->size < size)
        link = &block->next;
    if (block == NULL)
        return NULL;
    cut(link, block, size);
    block->next = (struct block *)(uintptr_t)TAKEN;
    arena.used += block->size;
    if (arena.used > arena.peak)
        arena.peak = arena.used;
    return block + 1;
}

/* join - make one block of two neighbours */
static void
join(struct block *left)
{
    struct block *right = left->next;

    if (right == NULL || (uint8_t *)left + left->size != (uint8_t *)right)
        return;
    left->size += right->size;
    left->next = right->next;
    memset(right, 0, sizeof(*right));
}

void
keymem_free(void *at)
{
    struct block *before = NULL;
    struct block **link = &arena.free;
    struct block *block;

    if (!is_heap(at))
        return;
    block = block_of(at);
    arena.used -= block->size;
    mem_wipe(at, block->size - sizeof(*block));
    while (*link != NULL && *link < block) {
        before = *link;
        link = &before->next;
    }
    block->next = *link;
    *link = block;
    join(block);
    if (before != NULL)
        join(before);
}

void *
keymem_realloc(void *old, size_t size)
{
    size_t had;
    void *fresh;

    if (old == NULL)
        return keymem_alloc(size);
    if (!is_heap(old))
        return NULL;
    had = block_of(old)->size - sizeof(struct block);
    if (size <= had && size > 0)
        return old;
    fresh = keymem_alloc(size);
    if (fresh == NULL)
        return NULL;
    memcpy(fresh, old, had < size ? had : size);
    keymem_free(old);
    return fresh;
}
