/* helper.h - a process that is forked at boot and takes orders until the end */
#ifndef MASTER_HELPER_H
#define MASTER_HELPER_H
#include "common/err.h"
#include <stddef.h>
#include <sys/types.h>

/*
 * helper_start - fork it, and wait until it says hello: confined, or why not
 * name   in sentences: "connector".
 * run    its life, in the child: from helper_hello on it serves the control
 *        pair (SOCK_SEQPACKET).
 * setup  for run; borrowed.
 * pid, control  out: the master's. Orders never block it for long.
 * ERR_PRIV: it could not confine itself; ERR_SYS. Nothing is left behind.
 */
enum err helper_start(const char *name,
                      void (*run)(const void *setup, int control),
                      const void *setup, pid_t *pid, int *control,
                      struct why *why);

/* helper_hello - in the child: err is ERR_OK, or the child ends with its code */
void helper_hello(int control, enum err err, const struct why *why);

/* helper_order - one packet with count descriptors. ERR_EOF: it is gone
 * (control is -1, or its end closed), which is said when it is reaped; ERR_SYS:
 * it takes no orders, or the packet could not be sent. */
enum err helper_order(const char *name, int control, const void *packet,
                      size_t len, const int *fds, size_t count,
                      struct why *why);
#endif
