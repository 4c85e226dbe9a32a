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

/*
 * What a child may have: nothing that it has no need of, and what it needs
 * bounded. For all: no core, no locked memory (what is locked stays so), 1 MiB of
 * the first stack, and memory (RLIMIT_DATA): what it inherits, LIMITS_MEMORY and
 * LIMITS_PER_FD for each descriptor. Limits only ever get lower. Sanitizer builds
 * bound no memory.
 */
struct limits_bound {
    unsigned long descriptors; /* 0: as many as it may have at once now */
    size_t memory;             /* bytes besides the above */
    bool forks;                /* else RLIMIT_NPROC 0 */
    bool writes;               /* files; else RLIMIT_FSIZE 0 */
};
#define LIMITS_MEMORY (16u << 20) /* variables of the program take 2 MiB */
#define LIMITS_PER_FD (1u << 10)

/* limits_bound - in a child; weighs by itself */
enum err limits_bound(const struct limits_bound *bound, struct why *why);

/* limits_child - a jailed child: so many descriptors, no process, and no file,
 * unless it `writes` one that its parent has opened */
enum err limits_child(unsigned long descriptors, bool writes, struct why *why);

/* limits_weigh - before a fork: how large is the heap that the child inherits?
 * Asked by limits_child it would be a page of memory more in each. */
void limits_weigh(void);

/* how many of what a program may have; 0: what we may */
struct limits_program {
    unsigned long files, memory, processes;
    unsigned long cpu; /* seconds */
};

/* limits_program_set - in a child that is to run one: soft and hard. 0, or -1
 * and errno. */
int limits_program_set(const struct limits_program *limits);
#endif
