/* confinement.h - what holds which kind of process, and can it be had here? */
#ifndef MASTER_CONFINEMENT_H
#define MASTER_CONFINEMENT_H
#include "common/err.h"
#include "master/jail.h"
#include <stdbool.h>

/*
 * confinement_try_jail, confinement_try_landlock - does it work on this machine?
 * Tried in a child, before anything depends on it: a container may lack the
 * capability, or its filter refuse what the kernel has.
 * No jail (fd -1) and a kernel without Landlock are fine: ERR_OK.
 * ERR_PRIV: no; why has the kernel's word. ERR_SYS: fork.
 */
enum err confinement_try_jail(const struct jail *jail, struct why *why);
enum err confinement_try_landlock(struct why *why);

/* confinement_failed - a child that could not be confined must not go on: its
 * last words, and exit code EXIT_CONFINE */
_Noreturn void confinement_failed(const char *process, const char *step,
                                  const struct why *why);

/*
 * confinement_kinds - "master+landlock+seccomp keeper+jail+..." with what holds
 * each kind besides ids, capabilities and no_new_privs; in static memory
 * jail, seccomp  are they active?
 * fenced         Landlock around the master; around the others where there is
 *                one.
 * runs           there are runners, which none of these hold: it would hold
 *                their programs too.
 */
const char *confinement_kinds(bool jail, bool fenced, bool seccomp, bool runs);
#endif
