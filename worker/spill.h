/* spill.h - ciphertext that the socket did not take */
#ifndef WORKER_SPILL_H
#define WORKER_SPILL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPILL_SIZE (16384 + 2048) /* a record, its overhead, short replies */
#define SPILL_ENDS 4

struct spill {
    uint8_t *at; /* SPILL_SIZE bytes, spill.c's; NULL: none (plain ends) */
    size_t off, len;
    size_t high; /* most that was ever there */
};

/* spill_begin - empty; at most SPILL_ENDS live at a time in a process */
void spill_begin(struct spill *spill);

static inline size_t
spill_room(const struct spill *spill)
{
    return SPILL_SIZE - spill->len;
}

/* spill_add - keep it behind what is there; false: no room, nothing kept */
bool spill_add(struct spill *spill, const void *data, size_t len);

/* spill_sent - n bytes of it are gone */
void spill_sent(struct spill *spill, size_t n);

/* spill_trim - pages that are not needed now go back */
void spill_trim(struct spill *spill);

#endif
