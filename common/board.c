/*
 * board.c - the scoreboard: a shared slot for each worker
 *
 * Owns the memfd and its mappings and, in private memory, which slots are taken.
 * Must never take a number out of a slot: a taken-over worker writes its own.
 */
#include "common/board.h"
#include "common/fdio.h"
#include "common/mem.h"
#include <fcntl.h>
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
    int fd;
    char *base;            /* all slots: the owner's, no child has it */
    struct ledger *ledger; /* the owner's alone: no child has it */
};

struct ledger {
    size_t next;  /* where the search for a free one starts */
    bool taken[]; /* by index */
};

#define PAGE      4096      /* the usual size */
#define COUNT_MAX (4 << 20) /* there are no more pids */
#define PLACE     ((sizeof(struct slot) + PAGE - 1) / PAGE * PAGE)

_Static_assert(offsetof(struct slot, chain.der) <= PAGE - 2048,
               "a slot's first page holds a small chain");

/* slots_map - all of them, for this process and none of its children */
static enum err
slots_map(struct board *board, struct why *why)
{
    size_t len = board->count * board->size;
    void *base;

    board->fd = memfd_create("mtlsd-board", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    if (board->fd < 0 || ftruncate(board->fd, (off_t)len) != 0 ||
        fcntl(board->fd, F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return why_errno(why, ERR_SYS, "scoreboard: memfd");
    base = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, board->fd, 0);
    if (base == MAP_FAILED)
        return why_errno(why, ERR_SYS, "scoreboard: mmap");
    board->base = base;
    if (madvise(base, len, MADV_DONTFORK) != 0)
        return why_errno(why, ERR_SYS, "scoreboard: madvise");
    return ERR_OK;
}

enum err
board_new(size_t count, struct board **out, struct why *why)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct board *board;
    enum err err;

    *out = NULL;
    if (count == 0 || count > COUNT_MAX)
        return why_set(why, ERR_RANGE, "a scoreboard of %zu slots", count);
    board = mem_new(sizeof(*board));
    board->count = count;
    board->size = (sizeof(struct slot) + page - 1) / page * page;
    if ((err = slots_map(board, why)) != ERR_OK) {
        board_free(board);
        return err;
    }
    board->ledger = mem_own(sizeof(*board->ledger) + count * sizeof(bool));
    *out = board;
    return ERR_OK;
}

void
board_free(struct board *board)
{
    if (board->base != NULL)
        munmap(board->base, board->count * board->size);
    fdio_close(&board->fd);
    mem_own_free(board->ledger);
    free(board);
}

int
board_fd(const struct board *board)
{
    return board->fd;
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

enum err
board_read_only(struct board *board, struct why *why)
{
    void *base = mmap(NULL, board->count * board->size, PROT_READ, MAP_SHARED,
                      board->fd, 0);

    if (base == MAP_FAILED)
        return why_errno(why, ERR_SYS, "scoreboard: mmap");
    fdio_close(&board->fd);
    board->base = base;
    return ERR_OK;
}

/* A slot lies among the process's own variables: alone in its part of the
 * address space it would have page tables of its own, as large as itself. Where
 * pages are larger than usual the kernel finds a place. */
enum err
board_keep_only(struct board *board, int index, struct slot **slot,
                struct why *why)
{
    static _Alignas(PAGE) char place[PLACE];
    bool fits = board->size == PLACE;
    void *at = mmap(fits ? place : NULL, board->size, PROT_READ | PROT_WRITE,
                    MAP_SHARED | (fits ? MAP_FIXED : 0), board->fd,
                    (off_t)((size_t)index * board->size));

    if (at == MAP_FAILED)
        return why_errno(why, ERR_SYS, "scoreboard: mmap");
    close(board->fd);
    *slot = at;
    return ERR_OK;
}
