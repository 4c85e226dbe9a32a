/*
 * fdio.c - packets between our processes, passed descriptors, and hygiene
 *
 * Owns every sendmsg and recvmsg with a control buffer, and the closing of what
 * a forked child must not hold.
 * Must never leave a descriptor behind that the caller did not ask for: the
 * other end may be taken over and send as many as it likes.
 */
#include "common/fdio.h"
#include "common/mem.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* close_range(2), the same on all machines */
#endif

enum err
fdio_pair(int pair[2], struct why *why)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return why_errno(why, ERR_SYS, "socketpair");
    return ERR_OK;
}

enum err
fdio_nonblock(int fd, struct why *why)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return why_errno(why, ERR_SYS, "cannot make a descriptor non-blocking");
    return ERR_OK;
}

/* socket_err - what errno says about the other end */
static enum err
socket_err(struct why *why, const char *what)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return why_errno(why, ERR_AGAIN, "%s", what);
    if (errno == EPIPE || errno == ECONNRESET || errno == ECONNREFUSED ||
        errno == ENOTCONN)
        return why_errno(why, ERR_EOF, "%s", what);
    return why_errno(why, ERR_IO, "%s", what);
}

enum err
fdio_send_all(int sock, const void *data, size_t len, const int *fds,
              size_t count, int flags, struct why *why)
{
    union { /* aligned as cmsg(3) wants it */
        char room[CMSG_SPACE(FDIO_FDS_MAX * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = { (void *)(uintptr_t)data, len };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
    size_t size = count * sizeof(*fds);
    ssize_t n;

    if (count > FDIO_FDS_MAX)
        return why_set(why, ERR_RANGE, "send: too many descriptors");
    if (count > 0) {
        struct cmsghdr *head;

        memset(&control, 0, CMSG_SPACE(size));
        msg.msg_control = control.room;
        msg.msg_controllen = CMSG_SPACE(size);
        head = CMSG_FIRSTHDR(&msg);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(head), fds, size);
    }
    /* a worker never sends a descriptor: sendmsg(2) is not among its calls */
    do {
        n = count > 0 ? sendmsg(sock, &msg, flags | MSG_NOSIGNAL)
                      : send(sock, data, len, flags | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return socket_err(why, "send");
    if ((size_t)n != len)
        return why_set(why, ERR_IO, "send: a packet went out in part");
    return ERR_OK;
}

enum err
fdio_send(int sock, const void *data, size_t len, int fd, int flags,
          struct why *why)
{
    return fdio_send_all(sock, data, len, &fd, fd >= 0 ? 1 : 0, flags, why);
}

struct extras { /* what came in the control buffer */
    bool cred;
    pid_t pid;
    size_t room;     /* of fds */
    size_t fd_count; /* that came; those without room are closed already */
    int *fds;
};

/* take_fds - keep what there is room for, close every further one */
static void
take_fds(const struct cmsghdr *head, struct extras *extras)
{
    size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    for (size_t i = 0; i < count; i++) {
        int fd;

        memcpy(&fd, CMSG_DATA(head) + i * sizeof(fd), sizeof(fd));
        if (extras->fd_count < extras->room)
            extras->fds[extras->fd_count] = fd;
        else
            close(fd);
        extras->fd_count++;
    }
}

static void
take_extras(struct msghdr *msg, struct extras *extras)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head != NULL;
         head = CMSG_NXTHDR(msg, head)) {
        struct ucred cred;

        if (head->cmsg_level != SOL_SOCKET)
            continue;
        if (head->cmsg_type == SCM_RIGHTS) {
            take_fds(head, extras);
        } else if (head->cmsg_type == SCM_CREDENTIALS &&
                   head->cmsg_len >= CMSG_LEN(sizeof(cred))) {
            memcpy(&cred, CMSG_DATA(head), sizeof(cred));
            extras->cred = true;
            extras->pid = cred.pid;
        }
    }
}

/* judge - is it one packet with what we asked for and nothing else? */
static enum err
judge(const struct msghdr *msg, size_t len, struct extras *extras,
      struct why *why)
{
    bool cut = extras->room > 0 && (msg->msg_flags & MSG_CTRUNC) != 0;
    enum err err = ERR_OK;

    /* an empty packet and the end both read as 0 bytes, but only a packet has
     * a sender: nobody may fake the end of a socket that many share */
    if (len == 0 && !extras->cred)
        err = why_set(why, ERR_EOF, "the other end is closed");
    else if ((msg->msg_flags & MSG_TRUNC) != 0)
        err = why_set(why, ERR_PEER, "a packet is too long");
    else if (cut || (extras->room > 0 && extras->fd_count > extras->room))
        err = why_set(why, ERR_PEER, "too many descriptors came along");
    for (size_t i = 0; err != ERR_OK && i < extras->room; i++)
        fdio_close(&extras->fds[i]);
    return err;
}

/* receive - one packet; extras says what is wanted besides the data */
static enum err
receive(int sock, void *data, size_t *len, bool cred, struct extras *extras,
        int flags, struct why *why)
{
    union {
        char room[CMSG_SPACE(sizeof(struct ucred)) +
                  CMSG_SPACE(FDIO_FDS_MAX * sizeof(int))];
        struct cmsghdr align;
    } control;
    /* cppcheck-suppress ctuuninitvar ; it is to be written */
    struct iovec part = { data, *len };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
    size_t room =
        (cred ? CMSG_SPACE(sizeof(struct ucred)) : 0) +
        (extras->room > 0 ? CMSG_SPACE(extras->room * sizeof(int)) : 0);
    enum err err;
    ssize_t n;

    for (size_t i = 0; i < extras->room; i++)
        extras->fds[i] = -1;
    do {
        msg.msg_control = room > 0 ? control.room : NULL;
        msg.msg_controllen = room;
        n = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return socket_err(why, "receive");
    take_extras(&msg, extras);
    if ((err = judge(&msg, (size_t)n, extras, why)) == ERR_OK)
        *len = (size_t)n;
    return err;
}

enum err
/* NOLINTNEXTLINE(readability-non-const-parameter): written by way of extras */
fdio_recv(int sock, void *data, size_t *len, int *fd, pid_t *sender, int flags,
          struct why *why)
{
    struct extras extras = { .room = fd != NULL ? 1 : 0, .fds = fd };
    enum err err =
        receive(sock, data, len, sender != NULL, &extras, flags, why);

    if (sender != NULL)
        *sender = extras.pid; /* who broke the rules is told, too */
    return err;
}

enum err
/* NOLINTNEXTLINE(readability-non-const-parameter): the same */
fdio_recv_all(int sock, void *data, size_t *len, int *fds, size_t *count,
              int flags, struct why *why)
{
    struct extras extras = { .room = *count, .fds = fds };
    enum err err;

    *count = 0;
    if (extras.room == 0 || extras.room > FDIO_FDS_MAX)
        return why_set(why, ERR_RANGE, "receive: room for %zu descriptors",
                       extras.room);
    err = receive(sock, data, len, false, &extras, flags, why);
    if (err == ERR_OK)
        *count = extras.fd_count;
    return err;
}

static int
compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

/* close_listed - kernels before 5.9: what /proc says is open; without /proc
 * everything up to the limit */
static void
close_listed(int first, int last)
{
    DIR *dir = opendir("/proc/self/fd");
    struct rlimit limit;
    const struct dirent *entry;

    if (dir == NULL) {
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
            limit.rlim_cur <= (rlim_t)last)
            last = (int)limit.rlim_cur - 1;
        for (int fd = first; fd <= last; fd++)
            close(fd);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        long fd = strtol(entry->d_name, NULL, 10);

        if (entry->d_name[0] != '.' && fd >= first && fd <= last &&
            fd != dirfd(dir))
            close((int)fd);
    }
    closedir(dir);
}

static void
close_span(int first, int last)
{
    if (first <= last &&
        syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0u) != 0)
        close_listed(first, last);
}

/* for children: opened while the file system is still there, because a jailed
 * process cannot open it any more */
static MEM_TOUCHED struct {
    bool open;
    int fd;
} null;

/* in_list - keep is short */
static bool
in_list(const int *keep, size_t count, int fd)
{
    for (size_t i = 0; i < count; i++)
        if (keep[i] == fd)
            return true;
    return false;
}

/* mute - the terminal, pipe or journal of whoever started us is not for
 * children; where a stray message goes must still be open. Sanitizers report
 * to descriptor 2. */
static void
mute(const int *keep, size_t count)
{
#ifdef MTLSD_SANITIZE
    int last = STDOUT_FILENO;
#else
    int last = STDERR_FILENO;
#endif

    for (int fd = 0; null.open && fd <= last; fd++)
        if (!in_list(keep, count, fd))
            (void)dup2(null.fd, fd);
    if (!in_list(keep, count, null.fd))
        null.open = false; /* closed with the others */
}

void
fdio_close_except(int *keep, size_t count)
{
    int first = STDERR_FILENO + 1;

    mute(keep, count);
    if (count > 0)
        qsort(keep, count, sizeof(*keep), compare_ints);
    for (size_t i = 0; i < count; i++) {
        if (keep[i] < first)
            continue;
        close_span(first, keep[i] - 1);
        first = keep[i] + 1;
    }
    close_span(first, INT32_MAX);
}

enum err
fdio_move(int *fd, int least, struct why *why)
{
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, least);

    if (moved < 0)
        return why_errno(why, ERR_SYS, "cannot move a descriptor");
    close(*fd);
    *fd = moved;
    return ERR_OK;
}

void
fdio_close(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

void
fdio_null(int fd)
{
    if (null.open)
        (void)dup2(null.fd, fd);
}

void
fdio_mute(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        fdio_null(fd);
}

/* open_null - /dev/null; where there is none (chroot(8)), an empty file that
 * takes no byte */
static int
open_null(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode))
        return fd;
    fdio_close(&fd);
    fd = memfd_create("mtlsd-null", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 &&
        fcntl(fd, F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
        fdio_close(&fd);
    return fd;
}

enum err
fdio_std(struct why *why)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* it gets the lowest free number, and all below are taken */
        if (open_null() != fd || fcntl(fd, F_SETFD, 0) != 0)
            return why_errno(why, ERR_SYS, "cannot open /dev/null as %d", fd);
    }
    null.fd = open_null();
    null.open = null.fd >= 0;
    if (!null.open)
        return why_errno(why, ERR_SYS, "cannot open /dev/null");
    return ERR_OK;
}
