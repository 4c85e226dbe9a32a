/* spill.h - ciphertext that is not with the kernel yet */
#ifndef WORKER_SPILL_H
#define WORKER_SPILL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* the records of a whole buffer of the relay's, with what each adds, and short
 * replies */
#define SPILL_SIZE (131072 + 8192)
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

/* spill_end - nothing is left for the next connection */
void spill_end(struct spill *spill);

#endif
