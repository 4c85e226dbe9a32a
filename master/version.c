/*
 * version.c - what we are built from, and what this kernel offers
 *
 * Owns the output of mtlsd -V. Probes without changing anything.
 */
#include "master/version.h"
#include "common/landlock.h"
#include "master/context.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <gnu/libc-version.h>

#ifndef MTLSD_VERSION
#define MTLSD_VERSION "unknown"
#endif
#ifndef MTLSD_WOLFSSL_OPTIONS
#define MTLSD_WOLFSSL_OPTIONS "not recorded"
#endif
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447 /* asm-generic/unistd.h; Debian 12 may lack it */
#endif

const char *
version_text(void)
{
    return MTLSD_VERSION;
}

static bool
has_memfd_secret(void)
{
    long fd = syscall(SYS_memfd_secret, 0);

    if (fd < 0)
        return false;
    close((int)fd);
    return true;
}

/* has_seccomp - EFAULT means that the filter mode is there, seccomp(2) */
static bool
has_seccomp(void)
{
    unsigned action = SECCOMP_RET_KILL_PROCESS;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static const char *
yes_no(bool value)
{
    return value ? "yes" : "no";
}

void
version_print(FILE *out)
{
    const struct scmp_version *seccomp = seccomp_version();
    struct utsname name;

    uname(&name);
    fprintf(out, "mtlsd %s\n", MTLSD_VERSION);
    fprintf(out, "wolfssl: %s\n", context_version());
    fprintf(out, "wolfssl options: %s\n", MTLSD_WOLFSSL_OPTIONS);
    fprintf(out, "libseccomp: %u.%u.%u\n", seccomp->major, seccomp->minor,
            seccomp->micro);
    fprintf(out, "libc: %s\n", gnu_get_libc_version());
    fprintf(out, "kernel: %s %s %s\n", name.sysname, name.release,
            name.machine);
    fprintf(out, "landlock: %d%s\n", landlock_abi(),
            landlock_abi() > 0 ? "" : " (none)");
    fprintf(out, "memfd_secret: %s\n", yes_no(has_memfd_secret()));
    fprintf(out, "seccomp filters: %s\n", yes_no(has_seccomp()));
}
