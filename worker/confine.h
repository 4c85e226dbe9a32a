/* confine.h - the last look before the first client */
#ifndef WORKER_CONFINE_H
#define WORKER_CONFINE_H
#include "common/err.h"

struct filter;

/*
 * confine_self - prove that this process is what mtlsd-internals(7) says of a
 * worker, and close the last door. Called once, after everything that needs a
 * door open (epoll, RNG, signal handlers), before the first accept.
 * Proves: no_new_privs set, not dumpable, no capability in any set.
 * filter  what is loaded then; NULL: none.
 * ERR_PRIV: the worker must end with EXIT_CONFINE.
 */
enum err confine_self(const struct filter *filter, struct why *why);
#endif
