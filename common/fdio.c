/*
 * fdio.c - packets between our processes, passed descriptors, and hygiene
 *
 * Owns every sendmsg and recvmsg with a control buffer, and the closing of what
 * a forked child must not hold.
 * Must never leave a descriptor behind that the caller did not ask for: the
 * other end may be taken over and send as many as it likes.
 */
#include "common/fdio.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
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
fdio_send(int sock, const void *data, size_t len, int fd, int flags,
          struct why *why)
{
    union { /* aligned as cmsg(3) wants it */
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = { (void *)(uintptr_t)data, len };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
    ssize_t n;

    if (fd >= 0) {
        struct cmsghdr *head;

        memset(&control, 0, sizeof(control));
        msg.msg_control = control.room;
        msg.msg_controllen = sizeof(control.room);
        head = CMSG_FIRSTHDR(&msg);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(head), &fd, sizeof(fd));
    }
    /* a worker never sends a descriptor: sendmsg(2) is not among its calls */
    do {
        n = fd >= 0 ? sendmsg(sock, &msg, flags | MSG_NOSIGNAL)
                    : send(sock, data, len, flags | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return socket_err(why, "send");
    if ((size_t)n != len)
        return why_set(why, ERR_IO, "send: a packet went out in part");
    return ERR_OK;
}

struct extras { /* what came in the control buffer */
    bool cred;
    pid_t pid;
    size_t fd_count;
    int fd; /* the only one; all are closed when there were more */
};

/* take_fds - keep the first descriptor, close every further one */
static void
take_fds(const struct cmsghdr *head, struct extras *extras)
{
    size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    for (size_t i = 0; i < count; i++) {
        int fd;

        memcpy(&fd, CMSG_DATA(head) + i * sizeof(fd), sizeof(fd));
        if (extras->fd_count++ == 0)
            extras->fd = fd;
        else
            close(fd);
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
      const int *fd, struct why *why)
{
    bool cut = fd != NULL && (msg->msg_flags & MSG_CTRUNC) != 0;
    enum err err = ERR_OK;

    /* an empty packet and the end both read as 0 bytes, but only a packet has
     * a sender: nobody may fake the end of a socket that many share */
    if (len == 0 && !extras->cred)
        err = why_set(why, ERR_EOF, "the other end is closed");
    else if ((msg->msg_flags & MSG_TRUNC) != 0)
        err = why_set(why, ERR_PEER, "a packet is too long");
    else if (cut || (fd != NULL && extras->fd_count > 1))
        err = why_set(why, ERR_PEER, "too many descriptors came along");
    if (extras->fd_count > 0 && (fd == NULL || err != ERR_OK))
        fdio_close(&extras->fd);
    return err;
}

enum err
fdio_recv(int sock, void *data, size_t *len, int *fd, pid_t *sender, int flags,
          struct why *why)
{
    union {
        char room[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    /* cppcheck-suppress ctuuninitvar ; it is to be written */
    struct iovec part = { data, *len };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
    struct extras extras = { .fd = -1 };
    size_t room = (sender != NULL ? CMSG_SPACE(sizeof(struct ucred)) : 0) +
                  (fd != NULL ? CMSG_SPACE(sizeof(int)) : 0);
    enum err err;
    ssize_t n;

    if (fd != NULL)
        *fd = -1;
    if (sender != NULL)
        *sender = 0;
    do {
        msg.msg_control = room > 0 ? control.room : NULL;
        msg.msg_controllen = room;
        n = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return socket_err(why, "receive");
    take_extras(&msg, &extras);
    if (sender != NULL)
        *sender = extras.pid; /* who broke the rules is told, too */
    if ((err = judge(&msg, (size_t)n, &extras, fd, why)) != ERR_OK)
        return err;
    *len = (size_t)n;
    if (fd != NULL)
        *fd = extras.fd;
    return ERR_OK;
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
static int null_fd = -1;

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

    for (int fd = 0; null_fd >= 0 && fd <= last; fd++)
        if (!in_list(keep, count, fd))
            (void)dup2(null_fd, fd);
    if (!in_list(keep, count, null_fd))
        null_fd = -1; /* closed with the others */
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
fdio_mute(void)
{
    for (int fd = 0; null_fd >= 0 && fd <= STDERR_FILENO; fd++)
        (void)dup2(null_fd, fd);
}

enum err
fdio_std(struct why *why)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* open gives the lowest free number, and all below are taken */
        if (open("/dev/null", O_RDWR) != fd)
            return why_errno(why, ERR_SYS, "cannot open /dev/null as %d", fd);
    }
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0)
        return why_errno(why, ERR_SYS, "cannot open /dev/null");
    return ERR_OK;
}
