/*
 * board.c - the scoreboard: one shared page per worker
 *
 * Owns the shared mapping and, in private memory, which of its slots are taken.
 * Must never take a number out of a slot: a taken-over worker writes its own.
 */
#include "common/board.h"
#include "common/mem.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct board {
    size_t count, page;
    size_t next; /* where the search for a free one starts */
    char *base;
    bool *taken;
};

_Static_assert(sizeof(struct slot) <= 4096, "a slot is one page");

enum err
board_new(size_t count, struct board **out, struct why *why)
{
    struct board *board;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *base;

    *out = NULL;
    if (count == 0 || count > INT32_MAX / page)
        return why_set(why, ERR_RANGE, "a scoreboard of %zu slots", count);
    base = mmap(NULL, count * page, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return why_errno(why, ERR_SYS, "scoreboard: mmap");
    board = mem_new(sizeof(*board));
    board->count = count;
    board->page = page;
    board->base = base;
    board->taken = mem_new(count * sizeof(*board->taken));
    *out = board;
    return ERR_OK;
}

struct slot *
board_slot(const struct board *board, int index)
{
    if (index < 0 || (size_t)index >= board->count)
        return NULL;
    return (void *)(board->base + (size_t)index * board->page);
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
        size_t at = (board->next + i) % board->count;

        if (board->taken[at])
            continue;
        board->taken[at] = true;
        board->next = at + 1;
        memset(board->base + at * board->page, 0, board->page);
        return (int)at;
    }
    return -1;
}

void
board_give(struct board *board, int index)
{
    if (board_slot(board, index) == NULL)
        return;
    board->taken[index] = false;
    /* back to the kernel: a rush leaves nothing behind */
    (void)madvise(board_slot(board, index), board->page, MADV_REMOVE);
    /* low slots first: the pages in use stay few */
    if ((size_t)index < board->next)
        board->next = (size_t)index;
}

/* unmap - a span of pages, which may be empty */
static enum err
unmap(char *from, const char *to, struct why *why)
{
    if (from < to && munmap(from, (size_t)(to - from)) != 0)
        return why_errno(why, ERR_SYS, "scoreboard: munmap");
    return ERR_OK;
}

enum err
board_keep_only(struct board *board, int index, struct why *why)
{
    char *end = board->base + board->count * board->page;
    char *slot = (char *)board_slot(board, index);
    char *behind = slot == NULL ? end : slot + board->page;
    enum err err = unmap(board->base, slot == NULL ? end : slot, why);

    if (err == ERR_OK)
        err = unmap(behind, end, why);
    if (err != ERR_OK)
        return err;
    free(board->taken);
    memset(board, 0, sizeof(*board));
    return ERR_OK;
}
