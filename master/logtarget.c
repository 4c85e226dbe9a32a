/*
 * logtarget.c - where log lines go: stderr, the syslog daemon, or a file
 *
 * Owns the target's descriptor, its opening as root and its reopening as an
 * ordinary user.
 * Must never follow a link to a log file, never write to a file that has a
 * second name, and never wait for a slow target longer than a line's share.
 */
#include "master/logtarget.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/text.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MS    100
#define OPEN_FLAGS (O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

/* syslog(3), RFC 5424 6.2.1 */
static const struct {
    const char *word;
    unsigned number;
} facilities[] = {
    { "kern", 0 },    { "user", 1 },    { "mail", 2 },      { "daemon", 3 },
    { "auth", 4 },    { "syslog", 5 },  { "lpr", 6 },       { "news", 7 },
    { "uucp", 8 },    { "cron", 9 },    { "authpriv", 10 }, { "ftp", 11 },
    { "local0", 16 }, { "local1", 17 }, { "local2", 18 },   { "local3", 19 },
    { "local4", 20 }, { "local5", 21 }, { "local6", 22 },   { "local7", 23 },
};

static enum err
syslog_connect(int fd, struct why *why)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        return why_errno(why, ERR_SYS, "log = syslog: cannot reach %s",
                         to.sun_path);
    return ERR_OK;
}

static enum err
open_syslog(struct logtarget *target, const char *facility, struct why *why)
{
    bool known = false;

    for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++) {
        if (strcmp(facilities[i].word, facility) != 0)
            continue;
        target->facility = facilities[i].number;
        known = true;
    }
    if (!known)
        return why_set(why, ERR_CONF, "log: no facility \"%s\"", facility);
    target->kind = LOGTARGET_SYSLOG;
    target->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (target->fd < 0)
        return why_errno(why, ERR_SYS, "log = syslog: socket");
    return syslog_connect(target->fd, why);
}

/* check_file - a regular file with one name: a second name would let who owns
 * the directory have us write to, and give away, a file of root's */
static enum err
check_file(int fd, const char *name, struct why *why)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return why_errno(why, ERR_FILE, "log: %s", name);
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
        errno = EINVAL; /* what a reopen answers */
        return why_set(why, ERR_FILE,
                       "log: %s must be a regular file with one name", name);
    }
    return ERR_OK;
}

/* open_base - the file within dir, made when it is not there. *fresh: made. */
static enum err
open_base(int dir, const char *base, int *out, bool *fresh, struct why *why)
{
    enum err err;
    mode_t mask;
    int fd = openat(dir, base, OPEN_FLAGS);

    *fresh = fd < 0 && errno == ENOENT;
    if (*fresh) {
        mask = umask(027); /* ours is narrower: the group may read logs */
        fd = openat(dir, base, OPEN_FLAGS | O_CREAT | O_EXCL, 0640);
        umask(mask);
    }
    if (fd < 0)
        return why_errno(why, ERR_FILE, "log: cannot open %s", base);
    if ((err = check_file(fd, base, why)) != ERR_OK)
        fdio_close(&fd);
    *out = fd;
    return err;
}

/* open_dir - the directory of the log file, and the name within it */
static enum err
open_dir(struct logtarget *target, const char *path, struct why *why)
{
    const char *base = strrchr(path, '/') + 1;
    char dir[PATH_MAX];

    if (*base == '\0' ||
        text_copy(target->base, base, sizeof(target->base)) >=
            sizeof(target->base) ||
        text_copy(dir, path, sizeof(dir)) >= sizeof(dir))
        return why_set(why, ERR_CONF, "log: %s names no file", path);
    dir[base == path + 1 ? 1 : base - path - 1] = '\0';
    target->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target->dir < 0)
        return why_errno(why, ERR_FILE, "log: cannot open %s", dir);
    return ERR_OK;
}

static enum err
open_file(struct logtarget *target, const char *path,
          const struct drop_ids *ids, struct why *why)
{
    enum err err = open_dir(target, path, why);
    bool fresh;

    target->kind = LOGTARGET_FILE;
    if (err != ERR_OK)
        return err;
    err = open_base(target->dir, target->base, &target->fd, &fresh, why);
    if (err != ERR_OK || !ids->root)
        return err;
    /* an existing file keeps its group: adm may read it */
    if (fchown(target->fd, ids->uid, fresh ? ids->gid : (gid_t)-1) != 0)
        return why_errno(why, ERR_FILE, "log: cannot give %s to uid %u", path,
                         (unsigned)ids->uid);
    return ERR_OK;
}

enum err
logtarget_open(struct logtarget *target, const char *where,
               const struct drop_ids *ids, struct why *why)
{
    *target = (struct logtarget){ .fd = -1, .dir = -1 };
    if (strcmp(where, "stderr") == 0) {
        target->fd = STDERR_FILENO;
        return ERR_OK;
    }
    if (strcmp(where, "syslog") == 0)
        return open_syslog(target, "daemon", why);
    if (strncmp(where, "syslog:", 7) == 0)
        return open_syslog(target, where + 7, why);
    if (where[0] == '/')
        return open_file(target, where, ids, why);
    return why_set(why, ERR_CONF,
                   "log = %s: write stderr, syslog, syslog:FACILITY or an "
                   "absolute path",
                   where);
}

void
logtarget_close(struct logtarget *target)
{
    if (target->fd > STDERR_FILENO)
        fdio_close(&target->fd);
    fdio_close(&target->dir);
}

/* wait_room - until the target takes bytes, not longer than a line's share */
static bool
wait_room(int fd, int64_t deadline)
{
    struct pollfd poller = { .fd = fd, .events = POLLOUT };
    int left = clock_left(deadline);

    return left > 0 && poll(&poller, 1, left) == 1 &&
           (poller.revents & POLLOUT) != 0;
}

/*
 * write_stream - a line to stderr or the file. stderr is shared with whoever
 * started us: it is never made non-blocking, but a pipe that has room (POLLOUT)
 * takes PIPE_BUF without blocking, and no line is longer.
 */
static bool
write_stream(struct logtarget *target, const char *line, size_t len)
{
    bool waits = target->kind != LOGTARGET_FILE;
    int64_t deadline = clock_deadline(WAIT_MS);
    size_t done = 0;

    while (done < len) {
        ssize_t n;

        /* a regular file has room, or says that there will be none */
        if (waits && !wait_room(target->fd, deadline))
            break;
        n = write(target->fd, line + done, len - done);
        if (n < 0 && errno != EINTR && (errno != EAGAIN || !waits))
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    if (done > 0)
        target->torn = done < len;
    return done == len;
}

/* write_syslog - one datagram; a daemon that was restarted has a new socket
 * under the old name */
static bool
write_syslog(struct logtarget *target, const char *line, size_t len)
{
    int64_t deadline = clock_deadline(WAIT_MS);
    bool again = true;

    while (send(target->fd, line, len, MSG_NOSIGNAL) < 0) {
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN) {
            if (!wait_room(target->fd, deadline))
                return false;
        } else if (!again || syslog_connect(target->fd, NULL) != ERR_OK) {
            return false;
        } else {
            again = false;
        }
    }
    return true;
}

bool
logtarget_write(struct logtarget *target, const char *line, size_t len)
{
    if (target->kind == LOGTARGET_SYSLOG)
        return write_syslog(target, line, len);
    /* the rest of a torn line gets its end before the next one starts */
    if (target->torn && !write_stream(target, "\n", 1))
        return false;
    return write_stream(target, line, len);
}

enum err
logtarget_settle(struct logtarget *target, struct why *why)
{
    bool file = target->kind == LOGTARGET_FILE;

    if ((file ? fchdir(target->dir) : chdir("/")) != 0)
        return why_errno(why, ERR_SYS, "logger: cannot change directory");
    fdio_close(&target->dir);
    return ERR_OK;
}

enum err
logtarget_reopen(struct logtarget *target, struct why *why)
{
    enum err err;
    bool fresh;
    int fd = -1;

    if (target->kind == LOGTARGET_STDERR)
        return ERR_OK;
    if (target->kind == LOGTARGET_SYSLOG)
        return syslog_connect(target->fd, why);
    if ((err = open_base(AT_FDCWD, target->base, &fd, &fresh, why)) != ERR_OK)
        return err;
    fdio_close(&target->fd);
    target->fd = fd;
    target->torn = false;
    return ERR_OK;
}
