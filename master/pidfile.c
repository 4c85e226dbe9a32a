/*
 * pidfile.c - one instance, and its number
 *
 * Owns the pid file's descriptor and lock; stop.c empties it at the end.
 */
#include "master/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* take - lock and write */
static enum err
take(int fd, const char *path, struct why *why)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char text[32];
    int len;

    if (fcntl(fd, F_SETLK, &lock) != 0) {
        if (errno != EACCES && errno != EAGAIN)
            return why_errno(why, ERR_SYS, "lock %s", path);
        if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
            return why_set(why, ERR_SYS,
                           "pid_file %s: mtlsd runs already as pid %ld", path,
                           (long)lock.l_pid);
        return why_set(why, ERR_SYS, "pid_file %s is locked", path);
    }
    len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
        return why_errno(why, ERR_SYS, "write %s", path);
    return ERR_OK;
}

enum err
pidfile_open(const char *path, int *fd, struct why *why)
{
    enum err err;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (file < 0)
        return why_errno(why, ERR_SYS, "pid_file %s", path);
    if ((err = take(file, path, why)) != ERR_OK)
        close(file);
    else
        *fd = file;
    return err;
}
