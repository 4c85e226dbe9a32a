/* limits.h - resource limits, raised or refused at boot */
#ifndef MASTER_LIMITS_H
#define MASTER_LIMITS_H
#include "common/err.h"
#include <stddef.h>

struct limits_need {
    unsigned long descriptors; /* in the process that needs most */
    unsigned long processes;   /* of our uid */
    unsigned long locked;      /* bytes of locked memory in one keeper */
};

/* limits_raise - raise soft (and as root hard) RLIMIT_NOFILE, RLIMIT_NPROC,
 * RLIMIT_MEMLOCK to what is needed, RLIMIT_CORE to 0. ERR_SYS: why names the
 * limit, what it is, what it must be, and the systemd key (LimitNOFILE=...).
 * Without CAP_SYS_RESOURCE hard limits cannot be raised: an error only when
 * the hard limit is below the need. */
enum err limits_raise(const struct limits_need *need, struct why *why);

/* limits_child - for jailed children: core 0, no more files than `descriptors`
 * (0: leave), no file growth (RLIMIT_FSIZE 0), RLIMIT_NPROC 0 */
enum err limits_child(unsigned long descriptors, struct why *why);
#endif
