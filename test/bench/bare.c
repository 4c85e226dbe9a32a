/*
 * bare.c - mtlsd on a kernel that could not confine it
 *
 * Linked in place of the two questions by which mtlsd learns what its kernel
 * can do: for the benchmark, which tells what the confinement costs. The
 * variant's configuration leaves out the jail (peers.py).
 */
#include "common/filter.h"
#include "common/landlock.h"

bool __wrap_filter_known(void);
int __wrap_landlock_abi(void);

bool
__wrap_filter_known(void)
{
    return false;
}

int
__wrap_landlock_abi(void)
{
    return 0;
}
