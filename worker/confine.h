/* confine.h - the last look before the first client */
#ifndef WORKER_CONFINE_H
#define WORKER_CONFINE_H
#include "common/err.h"

/*
 * confine_self - prove that this process is what mtlsd-internals(7) says of a
 * worker, and close the last door. Called once, after everything that needs a
 * door open (epoll, RNG, signal handlers), before the first accept.
 * Proves: no_new_privs set, not dumpable, no capability in any set.
 * System call filters (seccomp(2)) will be loaded here, as the last step.
 * ERR_PRIV: the worker must end with EXIT_CONFINE.
 */
enum err confine_self(struct why *why);
#endif
