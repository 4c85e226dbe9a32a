/*
 * jail.c - the empty directory that is the root of every exposed process
 *
 * Owns the program's calls to chroot, and the directory that `auto` makes.
 * Must never follow a symbolic link on the way to a configured jail: who can
 * move it can choose what stands in it.
 */
#include "master/jail.h"
#include "common/fdio.h"
#include "common/landlock.h"
#include "master/drop.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITABLE (S_IWGRP | S_IWOTH)

/* usable - may a directory be made here, out of others' reach? */
static bool
usable(const char *base)
{
    struct stat st;

    return lstat(base, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == 0 &&
           ((st.st_mode & WRITABLE) == 0 || (st.st_mode & S_ISVTX) != 0);
}

/*
 * removed_dir - a descriptor of a directory that is gone, or -1. Nothing can be
 * created in it any more, by anyone (inode flag S_DEAD). Mode 0111: its
 * prisoners are not root, and fchdir asks for the right to search it.
 */
static int
removed_dir(char *path)
{
    struct stat st;
    bool good;
    int fd;

    if (mkdtemp(path) == NULL)
        return -1;
    fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    good = fd >= 0 && chmod(path, S_IXUSR | S_IXGRP | S_IXOTH) == 0;
    good = rmdir(path) == 0 && good && fstat(fd, &st) == 0 &&
           st.st_nlink == 0 && st.st_uid == geteuid() &&
           (st.st_mode & ALLPERMS) == 0111;
    if (!good)
        fdio_close(&fd);
    return fd;
}

/* check_step - owned by root, writable by nobody else; len: of where, to name
 * the directory that is not */
static enum err
check_step(int fd, const char *where, size_t len, struct why *why)
{
    struct stat st;

    if (len == 0)
        len = 1; /* the root directory itself */
    if (fstat(fd, &st) != 0)
        return why_errno(why, ERR_SYS, "chroot: %.*s", (int)len, where);
    if (st.st_uid != 0)
        return why_set(why, ERR_CONF,
                       "chroot: %.*s belongs to uid %u; it must be root's",
                       (int)len, where, (unsigned)st.st_uid);
    if ((st.st_mode & WRITABLE) != 0)
        return why_set(why, ERR_CONF,
                       "chroot: %.*s may be written by others than root "
                       "(mode %04o)",
                       (int)len, where, (unsigned)st.st_mode & ALLPERMS);
    return ERR_OK;
}

/* check_search - its prisoners are not root and must be able to enter */
static enum err
check_search(int fd, const char *where, struct why *why)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return why_errno(why, ERR_SYS, "chroot: %s", where);
    if ((st.st_mode & (S_IXGRP | S_IXOTH)) == 0)
        return why_set(why, ERR_CONF,
                       "chroot: nobody but root can enter %s (mode %04o); "
                       "give it mode 0711",
                       where, (unsigned)st.st_mode & ALLPERMS);
    return ERR_OK;
}

/* step - from the directory *fd into the next name of where at *at */
static enum err
step(int *fd, const char *where, size_t *at, struct why *why)
{
    char name[256];
    size_t len = strcspn(where + *at, "/");
    int next;

    if (len >= sizeof(name))
        return why_set(why, ERR_CONF, "chroot: a name in %s is too long",
                       where);
    memcpy(name, where + *at, len);
    name[len] = '\0';
    *at += len;
    if (strcmp(name, "..") == 0)
        return why_set(why, ERR_CONF, "chroot: %s holds \"..\"", where);
    next = openat(*fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0)
        return why_errno(why, ERR_CONF,
                         "chroot: %.*s must be a directory, not a link",
                         (int)*at, where);
    fdio_close(fd);
    *fd = next;
    return check_step(*fd, where, *at, why);
}

/* check_empty - what stands in there is within reach of who is taken over */
static enum err
check_empty(int fd, const char *where, struct why *why)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;
    enum err err = ERR_OK;

    if (dir == NULL) {
        err = why_errno(why, ERR_SYS, "chroot: %s", where);
        fdio_close(&copy);
        return err;
    }
    while (err == ERR_OK && (entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            err = why_set(why, ERR_CONF, "chroot: %s is not empty: it holds %s",
                          where, entry->d_name);
    closedir(dir);
    return err;
}

static enum err
open_path(const char *where, int *out, struct why *why)
{
    size_t at = 0;
    enum err err;
    int fd;

    if (where[0] != '/')
        return why_set(why, ERR_CONF, "chroot: %s is not an absolute path",
                       where);
    fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return why_errno(why, ERR_SYS, "chroot: /");
    err = check_step(fd, where, 0, why);
    while (err == ERR_OK) {
        at += strspn(where + at, "/");
        if (where[at] == '\0')
            break;
        err = step(&fd, where, &at, why);
    }
    if (err == ERR_OK)
        err = check_search(fd, where, why);
    if (err == ERR_OK)
        err = check_empty(fd, where, why);
    if (err != ERR_OK)
        fdio_close(&fd);
    *out = fd;
    return err;
}

/* open_auto - in the first place that takes a directory; where all is
 * read-only, the one that is empty by its name */
static enum err
open_auto(int *out, struct why *why)
{
    static const char *const bases[] = { "/run", "/dev/shm", "/tmp" };

    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        char path[64];

        snprintf(path, sizeof(path), "%s/mtlsd.XXXXXX", bases[i]);
        if (usable(bases[i]) && (*out = removed_dir(path)) >= 0)
            return ERR_OK;
    }
    if (open_path("/var/empty", out, NULL) == ERR_OK)
        return ERR_OK;
    return why_set(why, ERR_PRIV,
                   "chroot = auto: no directory can be made in /run, /dev/shm "
                   "or /tmp, and /var/empty is not an empty one of root's: "
                   "name one with chroot = DIRECTORY");
}

enum err
jail_open(const char *where, struct jail *out, struct why *why)
{
    out->fd = -1;
    if (strcmp(where, "none") == 0)
        return ERR_OK;
    if (strcmp(where, "auto") == 0)
        return open_auto(&out->fd, why);
    return open_path(where, &out->fd, why);
}

/* is_jail - is the directory at path the one that was meant? */
static bool
is_jail(const char *path, const struct stat *jail)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_dev == jail->st_dev &&
           st.st_ino == jail->st_ino;
}

/* shut_off - no file, no signal to anybody else, no abstract socket, no TCP of
 * our own making, wherever this kernel's Landlock can say so. Whoever forked us
 * is outside, and can still signal us. */
static enum err
shut_off(struct why *why)
{
    const struct landlock_extra all = { 1, 1, 1 };

    return landlock_abi() > 0 ? landlock_fence(NULL, 0, all, why) : ERR_OK;
}

enum err
jail_enter(struct jail *jail, struct why *why)
{
    struct stat st;
    enum err err;

    if (jail->fd < 0) {
        err = drop_caps_forget(why);
        return err == ERR_OK ? shut_off(why) : err;
    }
    if ((err = drop_caps_use(DROP_CAP_CHROOT, why)) != ERR_OK)
        return err;
    if (fstat(jail->fd, &st) != 0 || fchdir(jail->fd) != 0 ||
        chroot(".") != 0 || chdir("/") != 0)
        return why_errno(why, ERR_PRIV, "cannot enter the jail");
    fdio_close(&jail->fd);
    if ((err = drop_caps_forget(why)) != ERR_OK)
        return err;
    if (!is_jail("/", &st) || !is_jail(".", &st) || !is_jail("/..", &st))
        return why_set(why, ERR_PRIV, "the root directory is not the jail");
    return shut_off(why);
}
