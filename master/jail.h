/* jail.h - the empty directory that is the root of every exposed process */
#ifndef MASTER_JAIL_H
#define MASTER_JAIL_H
#include "common/err.h"

/* an O_PATH descriptor of the jail, or -1: no jail */
struct jail {
    int fd;
};

/*
 * jail_open - chroot = auto | none | DIRECTORY, as root, before the drop.
 * auto: makes a directory under /run, opens it O_PATH, removes it: nothing can
 * ever be created in it. Where nothing can be made (/dev/shm and /tmp are tried,
 * too) /var/empty does, by the same rules as a DIRECTORY; ERR_PRIV: neither.
 * A directory must be empty, owned by root, writable by nobody else, and so must
 * be its parents (ERR_CONF says which is not).
 */
enum err jail_open(const char *where, struct jail *out, struct why *why);

/*
 * jail_enter - in a child: fchdir, chroot("."), chdir("/"), close the
 * descriptor, forget every capability (drop_caps_forget). With fd -1 only the
 * last. Proves by stat that "/" is the jail. Then, where the kernel's Landlock
 * can: no file at all, no TCP of its own, no abstract socket, no signal to
 * anybody outside. ERR_PRIV: the child must end.
 */
enum err jail_enter(struct jail *jail, struct why *why);
#endif
