/*
 * pages.c - give memory back
 *
 * Owns the choice between wiping and returning. Never leaves a byte readable,
 * whatever the kernel says.
 */
#include "worker/pages.h"
#include "common/mem.h"
#include <sys/mman.h>
#include <unistd.h>

void
pages_return(void *at, size_t used)
{
    /* the kernel rounds the length up to whole pages, and they read as zero:
     * where its pages are larger than ours, others' bytes would be among them */
    if (used > 0 && sysconf(_SC_PAGESIZE) == PAGES_SIZE &&
        madvise(at, used, MADV_DONTNEED) == 0)
        return;
    mem_wipe(at, used);
}

void
pages_forget(void *at, size_t used)
{
    if (used > PAGES_LIGHT)
        pages_return(at, used);
    else
        mem_wipe(at, used);
}
