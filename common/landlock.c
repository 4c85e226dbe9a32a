/*
 * landlock.c - a fence around the files that this process may still reach
 *
 * Owns the three Landlock system calls, and the numbers of landlock(7) as our
 * own constants: the headers of the build machine may be older than the kernel
 * that runs us.
 * Must never leave a right unhandled that the kernel knows: what a ruleset does
 * not handle stays allowed everywhere.
 */
#include "common/landlock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* the same numbers on every machine */
#define CALL_CREATE_RULESET 444
#define CALL_ADD_RULE       445
#define CALL_RESTRICT_SELF  446

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH      1

#define FS_WRITE_FILE  (1ull << 1)
#define FS_READ_FILE   (1ull << 2)
#define FS_READ_DIR    (1ull << 3)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_REG    (1ull << 8)
#define FS_TRUNCATE    (1ull << 14)

#define NET_ALL        3ull /* bind, connect */
#define SCOPE_ABSTRACT (1ull << 0)
#define SCOPE_SIGNAL   (1ull << 1)

#define ABI_NET   4
#define ABI_SCOPE 6

/* struct landlock_ruleset_attr of ABI 6; older kernels take it as long as the
 * fields that they do not know are zero */
struct ruleset {
    uint64_t fs, net, scoped;
};

struct beneath { /* struct landlock_path_beneath_attr */
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

static bool forgone;

void
landlock_forgo(void)
{
    forgone = true;
}

int
landlock_abi(void)
{
    long abi =
        forgone ? 0
                : syscall(CALL_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);

    return abi > 0 ? (int)abi : 0;
}

/* fs_handled - every file right that this version knows */
static uint64_t
fs_handled(int abi)
{
    if (abi >= 5)
        return (1ull << 16) - 1; /* with ioctl on devices */
    if (abi >= 3)
        return (1ull << 15) - 1; /* with truncate */
    if (abi == 2)
        return (1ull << 14) - 1; /* with refer */
    return (1ull << 13) - 1;
}

/* fs_allowed - a directory's or a file's part of the rights */
static uint64_t
fs_allowed(unsigned rights, bool dir)
{
    uint64_t allowed = 0;

    if ((rights & LANDLOCK_READ) != 0)
        allowed |= FS_READ_FILE | FS_READ_DIR;
    if ((rights & LANDLOCK_WRITE) != 0)
        allowed |= FS_WRITE_FILE | FS_TRUNCATE | FS_MAKE_REG | FS_REMOVE_FILE;
    if (!dir)
        allowed &= FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE;
    return allowed;
}

/* add_path - one rule; a path that is not there needs none */
static enum err
add_path(int ruleset, const struct landlock_dir *dir, uint64_t handled,
         struct why *why)
{
    struct beneath rule = { .parent_fd = open(dir->path, O_PATH | O_CLOEXEC) };
    enum err err = ERR_OK;
    struct stat st;

    if (rule.parent_fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return ERR_OK;
    if (rule.parent_fd < 0)
        return why_errno(why, ERR_PRIV, "landlock: cannot open %s", dir->path);
    if (fstat(rule.parent_fd, &st) != 0)
        err = why_errno(why, ERR_PRIV, "landlock: fstat %s", dir->path);
    else
        rule.allowed = fs_allowed(dir->rights, S_ISDIR(st.st_mode)) & handled;
    if (err == ERR_OK && rule.allowed != 0 &&
        syscall(CALL_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) != 0)
        err = why_errno(why, ERR_PRIV, "landlock: cannot allow %s", dir->path);
    close(rule.parent_fd);
    return err;
}

enum err
landlock_fence(const struct landlock_dir *dirs, size_t count,
               struct landlock_extra extra, struct why *why)
{
    int abi = landlock_abi(), ruleset;
    struct ruleset rules = { .fs = fs_handled(abi) };
    enum err err = ERR_OK;

    if (abi == 0)
        return why_set(why, ERR_PRIV, "this kernel has no Landlock");
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return why_set(why, ERR_PRIV, "landlock: no_new_privs is not set");
    if (abi >= ABI_NET && extra.no_tcp)
        rules.net = NET_ALL;
    if (abi >= ABI_SCOPE)
        rules.scoped = (extra.scope_abstract ? SCOPE_ABSTRACT : 0) |
                       (extra.scope_signals ? SCOPE_SIGNAL : 0);
    ruleset = (int)syscall(CALL_CREATE_RULESET, &rules, sizeof(rules), 0);
    if (ruleset < 0)
        return why_errno(why, ERR_PRIV, "landlock: cannot make a ruleset");
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = add_path(ruleset, &dirs[i], rules.fs, why);
    if (err == ERR_OK && syscall(CALL_RESTRICT_SELF, ruleset, 0) != 0)
        err = why_errno(why, ERR_PRIV, "landlock: cannot restrict");
    close(ruleset);
    return err;
}
