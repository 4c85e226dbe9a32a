/* filter.h - system call filters: a table of rules in, a loaded program out */
#ifndef COMMON_FILTER_H
#define COMMON_FILTER_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filter; /* a program for the kernel; immutable, survives fork */

#define FILTER_TESTS    3
#define FILTER_PROGRAMS 8 /* at most, in one filter_build */

/*
 * One look at an argument: (argument & mask) == value; mask 0 ends the list. An
 * int has 32 bits, and what stands above them in the register is undefined.
 * Never through a pointer: the kernel's filters cannot follow it.
 */
struct filter_test {
    uint8_t arg; /* 0 to 5 */
    uint64_t mask, value;
};
#define FILTER_INT  UINT32_MAX /* the mask of a whole int */
#define FILTER_LONG UINT64_MAX /* and of a long, or a pointer */

/*
 * One line of a table. A call is allowed when one of its lines holds, and all
 * tests of that line do. The process is killed (SIGSYS) for a call without a
 * line, for one whose tests fail, and for every call of another architecture
 * than ours (i386, x32).
 */
struct filter_rule {
    int call;     /* SCMP_SYS(name); negative: this machine has none such */
    unsigned who; /* bits: in whose filters it stands */
    int error;    /* 0: allowed; else it fails with this errno: no tests */
    struct filter_test test[FILTER_TESTS];
};

/*
 * filter_build - for each who[i] the program of those rules that have a bit of
 * it, in out[i]
 * Where several rules name a call, the widest counts: allowed without a test,
 * then allowed with tests, then refused.
 * Forks, and waits for the child. ERR_SYS: libseccomp. The caller frees each
 * out[i]; what could not be had is NULL.
 */
enum err filter_build(const struct filter_rule *rules, size_t count,
                      const unsigned *who, size_t programs, struct filter **out,
                      struct why *why);
void filter_free(struct filter *filter);

/* filter_length - instructions */
size_t filter_length(const struct filter *filter);

/*
 * filter_load - confine this process and its later children, for good, on top
 * of what they have inherited. One system call, no memory: after fork, in a
 * jail. Needs no_new_privs. NULL: nothing to load.
 * ERR_PRIV: the kernel refused.
 */
enum err filter_load(const struct filter *filter, struct why *why);

/* filter_known - does this kernel take such programs? */
bool filter_known(void);
#endif
