/*
 * extras.c - what newer kernels have and we use, but never demand
 *
 * Owns the list. Probes without changing anything; after the master's filter,
 * too.
 */
#include "master/extras.h"
#include "common/landlock.h"
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447 /* asm-generic/unistd.h; Debian 12 may lack it */
#endif

/* by version of Landlock, landlock(7); the confinement line says version 0 */
static const struct {
    int abi;
    const char *word;
} landlock[] = {
    { 1, "landlock" },          /* 5.13 */
    { 3, "landlock_truncate" }, /* 6.2 */
    { 4, "landlock_tcp" },      /* 6.7 */
    { 6, "landlock_scope" },    /* 6.12: signals, abstract sockets */
};

bool
extras_memfd_secret(void)
{
    long fd = syscall(SYS_memfd_secret, 0);

    if (fd < 0)
        return false;
    close((int)fd);
    return true;
}

const char *
extras_lacking(void)
{
    static char text[96];
    int abi = landlock_abi();
    size_t len = 0;

    for (size_t i = 0; i < sizeof(landlock) / sizeof(landlock[0]); i++)
        if (abi < landlock[i].abi)
            len += (size_t)snprintf(text + len, sizeof(text) - len, ",%s",
                                    landlock[i].word);
    if (!extras_memfd_secret())
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, ",memfd_secret");
    return len > 0 ? text + 1 : "nothing";
}
