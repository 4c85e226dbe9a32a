/*
 * ground.c - the memory that a worker writes, all in one place
 *
 * Owns the worker's stack, the TLS library's heap, and what is given back.
 *
 *   guard | stack, grows down | title | heap, first fit from its low end
 *
 * so that the pages in use lie around the seam. Part of the program's own zeroed
 * memory and not a mapping, because a mapping elsewhere has page tables
 * elsewhere.
 */
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/memory.h>

#include "common/blocks.h"
#include "common/mem.h"
#include "common/proctitle.h"
#include "worker/ground.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#ifdef MTLSD_SANITIZE
/* the sanitizers know no stack but their own, and want to see every malloc */
_Noreturn void
ground_run(void (*run)(const void *arg), const void *arg, size_t len)
{
    (void)len;
    run(arg);
    abort();
}

void *
ground_new(size_t size)
{
    return mem_new(size);
}

void
ground_rest(void)
{
}
#else

#ifdef __x86_64__
#define PAGE 4096u
#else
#define PAGE 65536u /* whatever the kernel's is, it divides this */
#endif
#define GUARD PAGE
#define STACK (256u << 10)
#define HEAP  (256u << 10) /* more comes from malloc(3) */
#define TITLE 256u
#define FRAME 512u        /* ground_rest and what it calls */
#define DEEP  (28u << 10) /* of the stack, in a handshake */
#define HIGH  (16u << 10) /* of the heap, in any case */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* madvise(2), Linux 5.14 */
#endif

static _Alignas(PAGE) uint8_t ground[GUARD + STACK + HEAP];
static MEM_TOUCHED struct blocks heap;
static MEM_TOUCHED struct {
    void (*run)(const void *arg);
    const void *arg;
} entry;

static void *
ground_alloc(size_t size)
{
    void *at = blocks_alloc(&heap, size);

    return at != NULL ? at : malloc(size);
}

/* what the master made before the fork is still malloc's */
static void
ground_free(void *at)
{
    if (blocks_has(&heap, at))
        blocks_free(&heap, at);
    else
        free(at);
}

/* move_out - the heap is full: what lies there goes on as malloc's */
static void *
move_out(void *at, size_t size)
{
    size_t had = blocks_size(at);
    void *fresh = malloc(size);

    if (fresh == NULL)
        return NULL;
    memcpy(fresh, at, had < size ? had : size);
    blocks_free(&heap, at);
    return fresh;
}

static void *
ground_realloc(void *at, size_t size)
{
    void *fresh;

    if (at == NULL)
        return ground_alloc(size);
    if (!blocks_has(&heap, at))
        return realloc(at, size);
    fresh = blocks_resize(&heap, at, size);
    return fresh != NULL ? fresh : move_out(at, size);
}

static void
on_ground(void)
{
    proctitle_move((char *)ground + GUARD + STACK - TITLE, TITLE);
    entry.run(entry.arg);
    abort();
}

/* prepare - what a handshake writes, in one call: a fault for each page costs
 * more than the page. Where the kernel will not, they come by faults. */
static void
prepare(void)
{
    (void)madvise(ground + GUARD + STACK - DEEP, DEEP + HIGH,
                  MADV_POPULATE_WRITE);
}

_Noreturn void
ground_run(void (*run)(const void *arg), const void *arg, size_t len)
{
    uint8_t *top = ground + GUARD + STACK - TITLE - (len + 63) / 64 * 64;
    ucontext_t there;

    prepare();
    blocks_init(&heap, ground + GUARD + STACK, HEAP);
    memcpy(top, arg, len);
    entry.run = run;
    entry.arg = top;
    if (mprotect(ground, GUARD, PROT_NONE) != 0 ||
        wolfSSL_SetAllocators(ground_alloc, ground_free, ground_realloc) != 0 ||
        getcontext(&there) != 0)
        abort();
    there.uc_stack.ss_sp = ground + GUARD;
    there.uc_stack.ss_size = (size_t)(top - ground) - GUARD;
    there.uc_link = NULL;
    makecontext(&there, on_ground, 0);
    setcontext(&there);
    abort();
}

void *
ground_new(size_t size)
{
    void *at = blocks_alloc(&heap, size);

    return at != NULL ? memset(at, 0, size) : mem_new(size);
}

void
ground_rest(void)
{
    const uint8_t *here = __builtin_frame_address(0);
    uint8_t *low = ground + GUARD;
    size_t deep = (size_t)(here - FRAME - low) / PAGE * PAGE;

    if (heap.start == NULL)
        return; /* nobody stands here: a test of what calls us */
    (void)madvise(low, deep, MADV_DONTNEED);
    blocks_trim(&heap, PAGE);
}
#endif
