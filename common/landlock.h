/* landlock.h - which directories this process may still read or write */
#ifndef COMMON_LANDLOCK_H
#define COMMON_LANDLOCK_H
#include "common/err.h"
#include <stddef.h>

/* Constants of our own: builds against Debian 12's headers, runs on any kernel
 * (linux/landlock.h, landlock(7)). */
enum landlock_right {
    LANDLOCK_READ = 1,
    LANDLOCK_WRITE = 2, /* create, append, truncate, remove; rename inside */
};

struct landlock_dir {
    const char *path; /* directory or file; one that is missing is skipped */
    unsigned rights;  /* enum landlock_right, or-ed */
};

/* landlock_abi - the kernel's version, 0: it has none */
int landlock_abi(void);

/* landlock_forgo - do as if the kernel had none, from here on and in children */
void landlock_forgo(void);

/*
 * landlock_fence - from here on the file system is these directories, in this
 * process and all later children. Needs no_new_privs. Handles every right that
 * the kernel's ABI knows and that concerns files (execute, make, remove, ioctl
 * included); on request also signals and abstract sockets to outside the domain
 * where the ABI has them (6), and bind and connect of TCP (4).
 * ERR_PRIV: why; nothing was restricted. Without a Landlock: ERR_PRIV with why
 * "this kernel has no Landlock"; the caller decides (confine=).
 */
struct landlock_extra {
    int scope_signals, scope_abstract, no_tcp;
};
enum err landlock_fence(const struct landlock_dir *dirs, size_t count,
                        struct landlock_extra extra, struct why *why);
#endif
