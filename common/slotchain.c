/*
 * slotchain.c - a client's certificates in its worker's slot
 *
 * Owns the order of the accesses on both sides. Must never read or write
 * outside of the chain's room, whatever stands in it, nor read a number twice.
 */
#include "common/slotchain.h"
#include <string.h>

/* begin, end - the two halves of a change; readers look at `turn` around theirs */
static void
begin(struct slotchain *chain)
{
    atomic_fetch_add_explicit(&chain->turn, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

static void
end(struct slotchain *chain)
{
    atomic_fetch_add_explicit(&chain->turn, 1, memory_order_release);
}

static bool
fits(const struct span *certs, size_t count)
{
    size_t room = SLOTCHAIN_ROOM, i;

    for (i = 0; count <= SLOTCHAIN_CERTS && i < count; i++) {
        if (certs[i].len > room)
            return false;
        room -= certs[i].len;
    }
    return count <= SLOTCHAIN_CERTS;
}

bool
slotchain_put(struct slotchain *chain, const struct span *certs, size_t count)
{
    bool fit = fits(certs, count);
    size_t used = 0, i;

    begin(chain);
    for (i = 0; fit && i < count; i++) {
        chain->len[i] = (uint16_t)certs[i].len;
        memcpy(chain->der + used, certs[i].at, certs[i].len);
        used += certs[i].len;
    }
    chain->count = fit ? (uint32_t)count : 0;
    end(chain);
    return fit;
}

void
slotchain_hold(struct slotchain *chain)
{
    begin(chain);
    chain->held = 1;
    end(chain);
}

void
slotchain_clear(struct slotchain *chain)
{
    begin(chain);
    chain->held = 0;
    chain->count = 0;
    end(chain);
}

/* copy - what stands there now, if it can be a chain */
static bool
copy(const struct slotchain *chain, struct slotchain_copy *out)
{
    uint32_t count = chain->count;
    size_t used = 0, i;

    if (count > SLOTCHAIN_CERTS)
        return false;
    for (i = 0; i < count; i++) {
        size_t len = *(const volatile uint16_t *)&chain->len[i];

        if (len == 0 || len > SLOTCHAIN_ROOM - used)
            return false;
        memcpy(out->der + used, chain->der + used, len);
        out->cert[i] = (struct span){ out->der + used, len };
        used += len;
    }
    out->count = count;
    return true;
}

bool
slotchain_get(const struct slotchain *chain, struct slotchain_copy *out)
{
    uint32_t turn = atomic_load_explicit(&chain->turn, memory_order_acquire);
    bool good = turn % 2 == 0 && chain->held != 0 && copy(chain, out);

    atomic_thread_fence(memory_order_acquire);
    return good &&
           atomic_load_explicit(&chain->turn, memory_order_relaxed) == turn;
}
