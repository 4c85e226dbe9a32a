/*
 * spill.c - ciphertext that is not with the kernel yet
 *
 * Owns the memory that it waits in. Never sends: that is stream_tls.c's.
 */
#include "worker/spill.h"
#include "common/mem.h"
#include "worker/pages.h"
#include <stdalign.h>
#include <string.h>

/* Of the process, not of a stream: an end that never backs up costs nothing,
 * and streams lie on stacks that would be cleared with them. */
static alignas(PAGES_SIZE) uint8_t buffers[SPILL_ENDS][SPILL_SIZE];
_Static_assert(SPILL_SIZE % PAGES_SIZE == 0, "each begins a page");
static MEM_TOUCHED const struct spill *owners[SPILL_ENDS];

/* claim - the one that it had before (a worker's streams are at the same place
 * for each connection), else the one claimed longest ago */
static uint8_t *
claim(const struct spill *spill)
{
    static MEM_TOUCHED unsigned next;
    unsigned i;

    for (i = 0; i < SPILL_ENDS; i++)
        if (owners[i] == spill)
            return buffers[i];
    i = next++ % SPILL_ENDS;
    owners[i] = spill;
    return buffers[i];
}

void
spill_begin(struct spill *spill)
{
    spill->at = claim(spill);
    spill->off = spill->len = spill->high = 0;
}

bool
spill_add(struct spill *spill, const void *data, size_t len)
{
    size_t end;

    if (spill_room(spill) < len)
        return false;
    if (spill->off + spill->len + len > SPILL_SIZE) {
        memmove(spill->at, spill->at + spill->off, spill->len);
        spill->off = 0;
    }
    memcpy(spill->at + spill->off + spill->len, data, len);
    spill->len += len;
    end = spill->off + spill->len;
    if (end > spill->high)
        spill->high = end;
    return true;
}

void
spill_sent(struct spill *spill, size_t n)
{
    spill->len -= n;
    spill->off = spill->len > 0 ? spill->off + n : 0;
}

void
spill_trim(struct spill *spill)
{
    if (spill->len > 0)
        return;
    pages_return(spill->at, spill->high);
    spill->high = 0;
}

void
spill_end(struct spill *spill)
{
    pages_forget(spill->at, spill->high);
    spill->off = spill->len = spill->high = 0;
}
