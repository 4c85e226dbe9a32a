/* board.h - the scoreboard: a shared slot for each worker */
#ifndef COMMON_BOARD_H
#define COMMON_BOARD_H
#include "common/addr.h"
#include "common/err.h"
#include "common/slotchain.h"
#include <stdatomic.h>
#include <stdint.h>

enum slot_state {
    SLOT_FREE,
    SLOT_IDLE,
    SLOT_HANDSHAKE,
    SLOT_CONNECT,
    SLOT_RELAY,
    SLOT_CLOSE
};

/*
 * Written by its worker (and `end_...` by the master before it sends SIGTERM),
 * read by the master for status alone: it may hold anything once the worker is
 * taken over, so no pid, index or length is taken from it, and text is read with
 * a bound. The chain is for the judge, and nobody else parses it. What most
 * sessions use, all but long chains, lies on the first page.
 */
struct slot {
    _Atomic uint32_t state;       /* enum slot_state */
    _Atomic uint32_t end_reason;  /* enum reason, by the master */
    _Atomic uint32_t end_session; /* which one, of `connections`; 0: any */
    _Atomic uint32_t heard;       /* has the client sent a byte? */
    _Atomic uint64_t connections; /* accepted, this one too */
    _Atomic uint64_t refused;
    _Atomic uint64_t bytes_in;  /* from clients, payload, all sessions */
    _Atomic uint64_t bytes_out; /* to clients */
    _Atomic int64_t since_ms;   /* of the state, clock_ms */
    char client[ADDR_TEXT_MAX];
    char subject[256];      /* of the verified client, escaped */
    struct slotchain chain; /* last: most of it is never touched */
};

struct board;

/* board_new - room for count slots; pages are touched when used */
enum err board_new(size_t count, struct board **out, struct why *why);
void board_free(struct board *board);
size_t board_count(const struct board *board);
/* board_take - the index of a free slot, whose numbers are zero, or -1. Master
 * only. */
int board_take(struct board *board);
void board_give(struct board *board, int index);
struct slot *board_slot(const struct board *board, int index);
/*
 * In a child, which inherits the descriptor (for a keep list) and no slot. Both
 * close it.
 * board_read_only   all slots, to read; the judge's filter keeps it so
 * board_keep_only   the one of that index; the board is no more to be used
 */
int board_fd(const struct board *board);
enum err board_read_only(struct board *board, struct why *why);
enum err board_keep_only(struct board *board, int index, struct slot **slot,
                         struct why *why);
#endif
