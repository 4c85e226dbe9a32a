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
#include "common/blocks.h"
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
    struct blocks heap;
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
    blocks_init(&arena.heap, start + KEYMEM_STACK + head,
                len - KEYMEM_STACK - head);
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
    uintptr_t end = (uintptr_t)arena.heap.start + arena.heap.len;

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
    *heap = arena.heap.peak;
}

/* --- the heap --- */

void *
keymem_alloc(size_t size)
{
    return blocks_alloc(&arena.heap, size);
}

void
keymem_free(void *at)
{
    if (blocks_has(&arena.heap, at))
        blocks_free(&arena.heap, at);
}

void *
keymem_realloc(void *old, size_t size)
{
    if (old == NULL)
        return keymem_alloc(size);
    return blocks_has(&arena.heap, old) ? blocks_resize(&arena.heap, old, size)
                                        : NULL;
}
