/* mem.h - memory that is there or the process ends, and wiping */
#ifndef COMMON_MEM_H
#define COMMON_MEM_H
#include <stddef.h>

/* mem_new, mem_copy, mem_array - zeroed memory, duplicated text, grown array.
 * For start-up and reload, where no memory means no service: on failure they
 * write one sentence to standard error and exit 111. Never used for sizes that
 * a peer chooses. */
void *mem_new(size_t size);
char *mem_copy(const char *text);
void *mem_array(void *old, size_t count, size_t size);

/*
 * mem_own, mem_own_free - zeroed memory that a forked child does not get: an
 * access there ends it. For tables that the master goes on writing: it is no
 * child's business, and each page that the master writes between two forks
 * would be one more page of the child's. On failure as mem_new.
 */
void *mem_own(size_t size);
void mem_own_free(void *at);

/*
 * MEM_TOUCHED - of a variable without const that every worker writes: these lie
 * together, because each page with one of them is a page more of every worker.
 * The linker does it (etc/mtlsd.ld).
 */
#define MEM_TOUCHED __attribute__((section(".data.touched")))

/* mem_wipe - explicit_bzero(3), accepts NULL */
void mem_wipe(void *at, size_t len);
#endif
