/*
 * certsig.c - do not verify the same signature of a certificate again
 *
 * Owns a small memory of marks. Who adds one has an authority's signature to
 * show, and pushes out at most one: what is lost is verified again. Pure but for
 * that memory.
 */
#include "worker/certsig.h"
#include "common/mem.h"

#include <string.h>

#define MEMORY_COUNT 32 /* 1 KiB, on a page that is written anyway */

static MEM_TOUCHED uint8_t memory[MEMORY_COUNT][CERTSIG_MARK];

/* place_of - every mark has one place; a digest's bytes are evenly spread */
static uint8_t *
place_of(const uint8_t mark[CERTSIG_MARK])
{
    return memory[mark[0] % MEMORY_COUNT];
}

bool
certsig_known(const uint8_t mark[CERTSIG_MARK])
{
    return memcmp(place_of(mark), mark, CERTSIG_MARK) == 0;
}

void
certsig_keep(const uint8_t mark[CERTSIG_MARK])
{
    memcpy(place_of(mark), mark, CERTSIG_MARK);
}
