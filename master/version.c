/*
 * version.c - what we are built from, and what this kernel offers
 *
 * Owns the output of mtlsd -V. Probes without changing anything.
 */
#include "master/version.h"
#include "common/filter.h"
#include "common/landlock.h"
#include "master/confinement.h"
#include "master/context.h"
#include "master/extras.h"
#include "master/filters.h"

#include <seccomp.h>
#include <stdbool.h>
#include <sys/utsname.h>

#include <gnu/libc-version.h>

#ifndef MTLSD_VERSION
#define MTLSD_VERSION "unknown"
#endif
#ifndef MTLSD_WOLFSSL_OPTIONS
#define MTLSD_WOLFSSL_OPTIONS "not recorded"
#endif

const char *
version_text(void)
{
    return MTLSD_VERSION;
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
    fprintf(out, "memfd_secret: %s\n", yes_no(extras_memfd_secret()));
    fprintf(out, "seccomp filters: %s\n", yes_no(filter_known()));
    fprintf(out, "lacks: %s\n", extras_lacking());
    fprintf(out, "processes, as root: %s\n",
            confinement_kinds(true, landlock_abi() > 0,
                              filters_compiled() && filter_known(), false));
}
