/*
 * board.c - the scoreboard: a shared slot for each worker
 *
 * Owns the shared mapping and, in private memory, which of its slots are taken.
 * Must never take a number out of a slot: a taken-over worker writes its own.
 */
#include "common/board.h"
#include "common/mem.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct board {
    size_t count;
    size_t size; /* of a slot, in whole pages */
    char *base;
    struct ledger *ledger; /* the owner's alone: no child has it */
};

static struct board *the_board; /* what board_leave leaves */

struct ledger {
    size_t next;  /* where the search for a free one starts */
    bool taken[]; /* by index */
};

#define PAGE      4096      /* the usual size */
#define COUNT_MAX (4 << 20) /* there are no more pids */
#define PLACE     ((sizeof(struct slot) + PAGE - 1) / PAGE * PAGE)

_Static_assert(offsetof(struct slot, chain.der) <= PAGE - 2048,
               "a slot's first page holds a small chain");

enum err
board_new(size_t count, struct board **out, struct why *why)
{
    struct board *board;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = (sizeof(struct slot) + page - 1) / page * page;
    void *base;

    *out = NULL;
    if (count == 0 || count > COUNT_MAX)
        return why_set(why, ERR_RANGE, "a scoreboard of %zu slots", count);
    base = mmap(NULL, count * size, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return why_errno(why, ERR_SYS, "scoreboard: mmap");
    board = mem_new(sizeof(*board));
    board->count = count;
    board->size = size;
    board->base = base;
    board->ledger = mem_own(sizeof(*board->ledger) + count * sizeof(bool));
    *out = the_board = board;
    return ERR_OK;
}

struct slot *
board_slot(const struct board *board, int index)
{
    if (index < 0 || (size_t)index >= board->count)
        return NULL;
    return (void *)(board->base + (size_t)index * board->size);
}

size_t
board_count(const struct board *board)
{
    return board->count;
}

int
board_take(struct board *board)
{
    for (size_t i = 0; i < board->count; i++) {
        size_t at = (board->ledger->next + i) % board->count;

        if (board->ledger->taken[at])
            continue;
        board->ledger->taken[at] = true;
        board->ledger->next = at + 1;
        memset(board->base + at * board->size, 0,
               offsetof(struct slot, chain.der));
        return (int)at;
    }
    return -1;
}

void
board_give(struct board *board, int index)
{
    if (board_slot(board, index) == NULL)
        return;
    board->ledger->taken[index] = false;
    /* back to the kernel: a rush leaves nothing behind, and no worker sees what
     * another one wrote */
    if (madvise(board_slot(board, index), board->size, MADV_REMOVE) != 0)
        memset(board_slot(board, index), 0, board->size);
    /* low slots first: the pages in use stay few */
    if ((size_t)index < board->ledger->next)
        board->ledger->next = (size_t)index;
}

/* unmap - a span of pages, which may be empty */
static enum err
unmap(char *from, const char *to, struct why *why)
{
    if (from < to && munmap(from, (size_t)(to - from)) != 0)
        return why_errno(why, ERR_SYS, "scoreboard: munmap");
    return ERR_OK;
}

/* settle - move the slot to pages among the process's own variables: alone in
 * its part of the address space it would have page tables of its own, as large
 * as itself. Where pages are larger it stays. */
static char *
settle(char *slot, size_t size)
{
    static _Alignas(PAGE) char place[PLACE];

    if (size != PLACE || mremap(slot, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
                                place) == MAP_FAILED)
        return slot;
    return place;
}

enum err
board_read_only(struct board *board, struct why *why)
{
    if (mprotect(board->base, board->count * board->size, PROT_READ) != 0)
        return why_errno(why, ERR_SYS, "scoreboard: mprotect");
    return ERR_OK;
}

enum err
board_leave(struct why *why)
{
    const struct board *board = the_board;

    the_board = NULL;
    return board == NULL ? ERR_OK
                         : unmap(board->base,
                                 board->base + board->count * board->size, why);
}

enum err
board_keep_only(struct board *board, int index, struct slot **slot,
                struct why *why)
{
    char *end = board->base + board->count * board->size;
    char *kept = (char *)board_slot(board, index), *hole = kept;
    enum err err;

    if (kept == NULL)
        return unmap(board->base, end, why);
    if ((kept = settle(kept, board->size)) != hole)
        err = unmap(board->base, end, why);
    else if ((err = unmap(board->base, kept, why)) == ERR_OK)
        err = unmap(kept + board->size, end, why);
    if (slot != NULL)
        *slot = (void *)kept;
    return err;
}
