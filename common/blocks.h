/* blocks.h - an allocator over one span of memory */
#ifndef COMMON_BLOCKS_H
#define COMMON_BLOCKS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block;

/* Neighbours are joined: the span is whole again when everything has been freed.
 * First fit from the low end; large blocks from the high end: they are
 * buffers, which come and go, and leave no holes between what stays. */
#define BLOCKS_LARGE 2304

struct blocks {
    uint8_t *start;
    size_t len;
    struct block *free; /* by address */
    size_t used, peak;  /* bytes, headers included */
};

/* blocks_init - the span is borrowed, 16-byte aligned; its first bytes alone
 * are written */
void blocks_init(struct blocks *blocks, void *start, size_t len);

/* blocks_has - did this pointer come from here? */
bool blocks_has(const struct blocks *blocks, const void *at);

/* 16-byte aligned, not zeroed, NULL: full; freeing and moving wipe. `at` is
 * from here and live: a stray or twice freed pointer ends the process. What
 * cannot be resized stays as it is; blocks_size is how much there is room for. */
void *blocks_alloc(struct blocks *blocks, size_t size);
void *blocks_resize(struct blocks *blocks, void *at, size_t size);
size_t blocks_size(void *at);
void blocks_free(struct blocks *blocks, void *at);

/* blocks_trim - give whole pages of free blocks back to the kernel. For private
 * anonymous memory: they come again as zeroes. */
void blocks_trim(struct blocks *blocks, size_t page);
#endif
