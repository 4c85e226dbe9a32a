/* limits.h - resource limits, raised or refused at boot */
#ifndef MASTER_LIMITS_H
#define MASTER_LIMITS_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>

struct limits_need {
    unsigned long descriptors; /* at least, in the process that needs most */
    unsigned long wanted;      /* rather as many; not less */
    unsigned long processes;   /* of our uid */
    unsigned long locked;      /* bytes of locked memory in one keeper */
};

/* limits_raise - raise soft (and as root hard) RLIMIT_NOFILE, RLIMIT_NPROC,
 * RLIMIT_MEMLOCK to what is needed, RLIMIT_CORE to 0. ERR_SYS: too few
 * descriptors or too little locked memory; why names the limit, what it is, what
 * it must be, and the systemd key (LimitNOFILE=...). *descriptors is what there
 * are, at least need->descriptors. Without CAP_SYS_RESOURCE hard limits cannot
 * be raised: an error only when the hard limit is below the need. */
enum err limits_raise(const struct limits_need *need,
                      unsigned long *descriptors, struct why *why);

/* limits_short - tell what allows fewer processes than needed: RLIMIT_NPROC,
 * pid_max, threads-max, the control group's pids.max; what cannot be read is
 * left out. Others share the last three, so that enough is no promise. */
void limits_short(unsigned long processes,
                  void (*tell)(void *ctx, const char *what, unsigned long is),
                  void *ctx);

/* limits_child - for jailed children: core 0, no more files than `descriptors`
 * (0: leave), no file growth (RLIMIT_FSIZE 0) unless it writes one, which its
 * parent has opened, RLIMIT_NPROC 0 */
enum err limits_child(unsigned long descriptors, bool writes, struct why *why);
#endif
