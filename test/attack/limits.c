/*
 * limits.c - attacks: take what all share, memory and descriptors
 *
 * Each takes until it is refused; a GiB and a thousand are enough to say that
 * it was not.
 */
#include "common/connwire.h"
#include "test/attack/attack.h"
#include "worker/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GIB   (1L << 30)
#define CHUNK (1L << 24)
#define MANY  1000

static long
brk_chunk(long more)
{
    long start = syscall(SYS_brk, 0), end = syscall(SYS_brk, start + more);

    return end == start + more ? 0 : -ENOMEM;
}

static long
heap(void)
{
    long result = 0;

    for (long size = 0; result == 0 && size < GIB; size += CHUNK)
        result = brk_chunk(CHUNK);
    return result;
}

/* take_fd - of a descriptor that the connector sends: does it arrive? */
static long
take_fd(int pair)
{
    struct connwire_reply reply;
    struct iovec part = { &reply, sizeof(reply) };
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof(control) };

    if (recvmsg(pair, &message, 0) <= 0)
        return -errno;
    return message.msg_flags & MSG_CTRUNC ? -EMFILE : 0;
}

/* connections to its own upstream, none of them closed */
static long
descriptors(void)
{
    const struct connwire_request request = { .kind = CONNWIRE_OPEN };
    int pair = attack_brief()->connector_fd;
    long result = 0;

    for (int i = 0; result == 0 && i < MANY; i++)
        result = send(pair, &request, sizeof(request), MSG_NOSIGNAL) < 0
                     ? -errno
                     : take_fd(pair);
    return result;
}

#define WRITABLE (PROT_READ | PROT_WRITE)

static const struct attack attacks[] = {
    RUN("heap", "ENOMEM", NULL, heap),
    CALL("memory", "ENOMEM", SYS_mmap, 0, GIB, WRITABLE,
         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
    CALL("memory-shared", "ENOMEM", SYS_mmap, 0, GIB, WRITABLE,
         MAP_SHARED | MAP_ANONYMOUS, -1, 0),
    CALL("memory-stack", "ENOMEM", SYS_mmap, 0, GIB, WRITABLE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0),
    /* zeroes take no memory, but their page tables do */
    CALL("page-tables", "ENOMEM", SYS_mmap, 0, GIB, PROT_READ,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
    RUN("descriptors", "EMFILE", NULL, descriptors),
};
const struct attack_theme attack_limits = THEME(attacks);
