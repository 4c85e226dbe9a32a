/*
 * keyring.c - open key, certificate and CA files
 *
 * Owns open(2) of everything that a [service] names. CAP_DAC_READ_SEARCH is
 * effective around that one call and nowhere else. A private key is opened and
 * looked at from outside, never read: its bytes are the keepers'. Symbolic links
 * are followed, that is how renewers work.
 */
#include "master/keyring.h"

#include "common/fdio.h"
#include "common/mem.h"
#include "master/drop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* open_read - open(2) with the reading capability when we have it. O_NONBLOCK:
 * a FIFO must not hold up the master. */
static int
open_read(const char *path)
{
    bool power = drop_has(DROP_CAP_READ);
    int fd, error;

    if (power && drop_caps_use(DROP_CAP_READ, NULL) != ERR_OK)
        return -1;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    error = errno;
    if (power && drop_caps_use(0, NULL) != ERR_OK)
        abort(); /* power that cannot be put away must not go on */
    errno = error;
    return fd;
}

/* refused - EACCES, in words that end in a way out */
static enum err
refused(const char *path, struct why *why)
{
    return why_set(why, ERR_FILE,
                   "%s: permission denied for uid %u: give the file and its "
                   "directories to that user or to a group that groups = "
                   "names, or start as root on a kernel with Landlock (see "
                   "unsafe_reader in mtlsd.conf(5))",
                   path, (unsigned)geteuid());
}

static enum err
open_regular(const char *path, int *fd, struct stat *st, struct why *why)
{
    if ((*fd = open_read(path)) < 0)
        return errno == EACCES ? refused(path, why)
                               : why_errno(why, ERR_FILE, "%s", path);
    if (fstat(*fd, st) != 0) {
        (void)why_errno(why, ERR_FILE, "%s", path);
        fdio_close(fd);
        return ERR_FILE;
    }
    if (!S_ISREG(st->st_mode)) {
        fdio_close(fd);
        return why_set(why, ERR_FILE, "%s: not a regular file", path);
    }
    return ERR_OK;
}

/* read_whole - a file that grows or shrinks meanwhile is an error: somebody is
 * writing it, and the next try will see it whole */
static enum err
read_whole(const char *path, int fd, struct blob *out, struct why *why)
{
    size_t got = 0;
    ssize_t n;

    while (got < out->len + 1) {
        do
            n = pread(fd, out->data + got, out->len + 1 - got, (off_t)got);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return why_errno(why, ERR_FILE, "%s", path);
        if (n == 0)
            break;
        got += (size_t)n;
    }
    if (got != out->len)
        return why_set(why, ERR_FILE, "%s: changed while it was read", path);
    out->data[got] = 0;
    return ERR_OK;
}

enum err
keyring_read(const char *path, struct blob *out, struct why *why)
{
    struct stat st = { 0 };
    enum err err;
    int fd;

    memset(out, 0, sizeof(*out));
    if ((err = open_regular(path, &fd, &st, why)) != ERR_OK)
        return err;
    if (st.st_size > (off_t)KEYRING_FILE_MAX) {
        fdio_close(&fd);
        return why_set(why, ERR_FILE, "%s: larger than %u bytes", path,
                       KEYRING_FILE_MAX);
    }
    out->path = path;
    out->len = (size_t)st.st_size;
    out->data = mem_new(out->len + 1);
    if ((err = read_whole(path, fd, out, why)) != ERR_OK)
        keyring_free(out);
    fdio_close(&fd);
    return err;
}

/* keyring_free - wiped: somebody may have put a private key into the file */
void
keyring_free(struct blob *blob)
{
    if (blob->data != NULL)
        mem_wipe(blob->data, blob->len);
    free(blob->data);
    memset(blob, 0, sizeof(*blob));
}

/* group_ours - root's group, or one that this process has */
static bool
group_ours(gid_t gid)
{
    gid_t list[NGROUPS_MAX > 1024 ? 1024 : NGROUPS_MAX];
    int count, i;

    if (gid == 0 || gid == getegid())
        return true;
    count = getgroups((int)(sizeof(list) / sizeof(list[0])), list);
    for (i = 0; i < count; i++)
        if (list[i] == gid)
            return true;
    return false;
}

/* check_mode - who else could read or change this key? */
static enum err
check_mode(const char *path, const struct stat *st, struct why *why)
{
    unsigned mode = st->st_mode & 07777;

    if ((mode & S_IROTH) != 0)
        return why_set(why, ERR_FILE,
                       "%s is readable by everybody (mode %04o); chmod 600 %s",
                       path, mode, path);
    if ((mode & (S_IWOTH | S_IWGRP)) != 0)
        return why_set(why, ERR_FILE,
                       "%s is writable by others (mode %04o); chmod 600 %s",
                       path, mode, path);
    if ((mode & S_IRGRP) != 0 && !group_ours(st->st_gid))
        return why_set(why, ERR_FILE,
                       "%s is readable by group %u (mode %04o), which is "
                       "neither root's nor one of groups =; chmod 600 %s",
                       path, (unsigned)st->st_gid, mode, path);
    /* root before the drop (mtlsd -t) knows no other id yet: asked again later */
    if (st->st_uid != 0 && geteuid() != 0 && st->st_uid != geteuid())
        return why_set(why, ERR_FILE,
                       "%s belongs to uid %u; a key belongs to root or to uid "
                       "%u, which runs this; chown it",
                       path, (unsigned)st->st_uid, (unsigned)geteuid());
    if (st->st_size == 0)
        return why_set(why, ERR_FILE, "%s: the file is empty", path);
    if (st->st_size > (off_t)KEYRING_FILE_MAX)
        return why_set(why, ERR_FILE, "%s: larger than %u bytes", path,
                       KEYRING_FILE_MAX);
    return ERR_OK;
}

enum err
keyring_open_key(const char *path, int *fd, struct why *why)
{
    struct stat st = { 0 };
    enum err err;

    *fd = -1;
    if ((err = open_regular(path, fd, &st, why)) != ERR_OK)
        return err;
    if ((err = check_mode(path, &st, why)) != ERR_OK)
        fdio_close(fd);
    return err;
}
