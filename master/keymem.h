/* keymem.h - the memory in which private keys live: nothing else may read it */
#ifndef MASTER_KEYMEM_H
#define MASTER_KEYMEM_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>

/*
 * One arena per process: a stack and a heap. memfd_secret(2) memory where the
 * kernel gives it (out of reach of ptrace, /proc/PID/mem and the kernel's own
 * map), else locked memory that is left out of core files. Neither kind is
 * inherited by fork.
 */
#define KEYMEM_STACK (128u << 10) /* RSA-4096 takes 44 KiB of it */
#define KEYMEM_BASE \
    (256u << 10) /* stack, generator, 32 KiB of a key file while read */
#define KEYMEM_PER_KEY (10u << 10) /* one takes 9.1 KiB, of whatever kind */

/* keymem_need - bytes of the arena for so many different keys; what
 * RLIMIT_MEMLOCK must allow */
size_t keymem_need(size_t keys);

/*
 * keymem_open - make the arena and point wolfSSL's allocators at it
 * Once per process, after its last fork, before RLIMIT_FSIZE is lowered
 * (giving secret memory its size counts as growing a file).
 * ERR_SYS: why names RLIMIT_MEMLOCK, what it is and what it must be.
 */
enum err keymem_open(size_t keys, struct why *why);

/* keymem_kind - "memfd_secret", "locked", or "none" before keymem_open */
const char *keymem_kind(void);

/*
 * keymem_run - run(arg) on the arena's stack; returns what it returns. Whoever
 * touches a key runs in here: registers that spill, land in the arena.
 */
int keymem_run(int (*run)(void *arg), void *arg);

/* the allocator: 16-byte aligned, not zeroed; freeing wipes. A pointer that is
 * not from here (wolfSSL's, from before the fork) is left alone. NULL: full. */
void *keymem_alloc(size_t size);
void *keymem_realloc(void *old, size_t size);
void keymem_free(void *at);

/* keymem_peak - most bytes of the heap, and of the stack, ever in use: for
 * tests and sizing */
void keymem_peak(size_t *heap, size_t *stack);

/* keymem_holds - is [at, at + len) inside the arena? */
bool keymem_holds(const void *at, size_t len);

/* keymem_close - wipe, unmap, give wolfSSL its own allocators back: for tests,
 * keepers just end. Not from within keymem_run. */
void keymem_close(void);
#endif
