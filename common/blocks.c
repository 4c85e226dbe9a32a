/*
 * blocks.c - an allocator over one span of memory
 *
 * Owns the list of free blocks; blocks in use are in no list. For memory that
 * malloc(3) cannot give: of a kind, or in a place, of our own choice.
 */
#include "common/blocks.h"
#include "common/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGN 16u
#define TAKEN 0x6b65796du /* mark of a block in use */

struct block {
    size_t size;        /* with this header, multiple of ALIGN */
    struct block *next; /* free: the next one by address; else TAKEN */
};

void
blocks_init(struct blocks *blocks, void *start, size_t len)
{
    *blocks = (struct blocks){ .start = start, .len = len, .free = start };
    *blocks->free = (struct block){ .size = len };
}

bool
blocks_has(const struct blocks *blocks, const void *at)
{
    return (uintptr_t)at > (uintptr_t)blocks->start &&
           (uintptr_t)at - (uintptr_t)blocks->start < blocks->len;
}

/* block_of - the header before a payload */
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

/* cut_high - the same with the last bytes */
static struct block *
cut_high(struct block **link, struct block *block, size_t size)
{
    struct block *high;

    if (block->size - size < 2 * sizeof(struct block)) {
        *link = block->next;
        return block;
    }
    block->size -= size;
    high = (struct block *)(void *)((uint8_t *)block + block->size);
    high->size = size;
    return high;
}

/* fitting - the link to the first free block of so many bytes, or to the last
 * one; NULL: there is none */
static struct block **
fitting(struct blocks *blocks, size_t size, bool last)
{
    struct block **link, **found = NULL;

    for (link = &blocks->free; *link != NULL; link = &(*link)->next)
        if ((*link)->size >= size) {
            found = link;
            if (!last)
                break;
        }
    return found;
}

void *
blocks_alloc(struct blocks *blocks, size_t size)
{
    bool large = size >= BLOCKS_LARGE;
    struct block **link;
    struct block *block;

    if (size > blocks->len)
        return NULL;
    size =
        (size + (size == 0) + ALIGN - 1) / ALIGN * ALIGN + sizeof(struct block);
    if ((link = fitting(blocks, size, large)) == NULL)
        return NULL;
    block = *link;
    if (large)
        block = cut_high(link, block, size);
    else
        cut(link, block, size);
    block->next = (struct block *)(uintptr_t)TAKEN;
    blocks->used += block->size;
    if (blocks->used > blocks->peak)
        blocks->peak = blocks->used;
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
blocks_free(struct blocks *blocks, void *at)
{
    struct block *before = NULL;
    struct block **link = &blocks->free;
    struct block *block = block_of(at);

    blocks->used -= block->size;
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

size_t
blocks_size(void *at)
{
    return block_of(at)->size - sizeof(struct block);
}

void *
blocks_resize(struct blocks *blocks, void *at, size_t size)
{
    size_t had = blocks_size(at);
    void *fresh;

    if (size <= had && size > 0)
        return at;
    fresh = blocks_alloc(blocks, size);
    if (fresh == NULL)
        return NULL;
    memcpy(fresh, at, had < size ? had : size);
    blocks_free(blocks, at);
    return fresh;
}

void
blocks_trim(struct blocks *blocks, size_t page)
{
    for (struct block *block = blocks->free; block != NULL;
         block = block->next) {
        uintptr_t from = ((uintptr_t)(block + 1) + page - 1) / page * page,
                  to = ((uintptr_t)block + block->size) / page * page;

        if (from < to)
            (void)madvise((void *)from, to - from, MADV_DONTNEED);
    }
}
