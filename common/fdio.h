/* fdio.h - descriptors: packets with passed descriptors, hygiene */
#ifndef COMMON_FDIO_H
#define COMMON_FDIO_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FDIO_FDS_MAX 64 /* descriptors in one packet; the kernel takes 253 */

/* fdio_pair - an AF_UNIX SOCK_SEQPACKET pair, close-on-exec, blocking */
enum err fdio_pair(int pair[2], struct why *why);

enum err fdio_nonblock(int fd, struct why *why);

/*
 * fdio_send - one packet, whole; fd >= 0 goes along (SCM_RIGHTS; the caller
 * keeps and closes its copy). MSG_NOSIGNAL. ERR_AGAIN only when flags holds
 * MSG_DONTWAIT or a send timeout is set; ERR_EOF: the other end is gone.
 */
enum err fdio_send(int sock, const void *data, size_t len, int fd, int flags,
                   struct why *why);

/* fdio_send_all - the same with count descriptors, at most FDIO_FDS_MAX */
enum err fdio_send_all(int sock, const void *data, size_t len, const int *fds,
                       size_t count, int flags, struct why *why);

/*
 * fdio_recv - one packet. *len in: room, out: length. fd NULL: received without
 * a control buffer, so descriptors vanish in the kernel; else *fd is the
 * descriptor (close-on-exec) or -1. More than one descriptor: all are closed,
 * ERR_PEER. A packet longer than the room: ERR_PEER. sender NULL or, on a
 * socket with SO_PASSCRED, the pid that the kernel names (0 if none).
 * ERR_EOF: the other end is closed. An empty packet reads the same, except on
 * a socket with SO_PASSCRED and with sender asked for: there it is a packet of
 * length 0, so that no sender can fake the end of a shared socket. Retries
 * EINTR.
 */
enum err fdio_recv(int sock, void *data, size_t *len, int *fd, pid_t *sender,
                   int flags, struct why *why);

/* fdio_recv_all - the same without sender, for any number of descriptors: *count
 * in: room in fds, at most FDIO_FDS_MAX; out: how many came. More than the room:
 * all are closed, ERR_PEER. */
enum err fdio_recv_all(int sock, void *data, size_t *len, int *fds,
                       size_t *count, int flags, struct why *why);

/* fdio_close_except - close every descriptor from 3 up that is not in keep
 * (keep gets sorted; negative ones are skipped), and point 0, 1 and 2, where
 * they are not in keep, to /dev/null (after fdio_std). Uses close_range(2). */
void fdio_close_except(int *keep, size_t count);

/* fdio_move - give a descriptor the lowest free number that is not below
 * `least`; close-on-exec. ERR_SYS: it stays what it was. */
enum err fdio_move(int *fd, int least, struct why *why);

/* fdio_close - close(2) and set to -1; keeps errno */
void fdio_close(int *fd);

/* fdio_null - point one descriptor to /dev/null (after fdio_std) */
void fdio_null(int fd);

/* fdio_mute - point 0, 1 and 2 to /dev/null (after fdio_std): a process that has
 * left its terminal, and may not open anything any more */
void fdio_mute(void);

/* fdio_std - make sure 0, 1, 2 are open (on /dev/null when not), and keep a
 * descriptor of /dev/null for fdio_close_except in children. In a root directory
 * without that device an empty file stands in for it: end-of-file, EPERM. */
enum err fdio_std(struct why *why);
#endif
