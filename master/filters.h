/* filters.h - which system calls each kind of process may make */
#ifndef MASTER_FILTERS_H
#define MASTER_FILTERS_H
#include "common/err.h"
#include <stdbool.h>

struct filter;

enum filters_kind {
    FILTERS_MASTER, /* and all that is forked by it later on */
    FILTERS_KEEPER,
    FILTERS_WORKER,
    FILTERS_CONNECTOR, /* and its resolvers */
    FILTERS_RESOLVER,
    FILTERS_LOGGER,
    FILTERS_JUDGE,
    FILTERS_KINDS
};

/* where a worker's descriptors lie: what it shares with its siblings at
 * FILTERS_SHARED_FD and above, its own pairs and connections below. Its filter
 * tells them apart by this number. */
#define FILTERS_SHARED_FD 32

/*
 * filters_build - make every program, once, before the first fork
 * strict  ERR_PRIV when this kernel has no filters; else there are none, and
 *         filters_text says so.
 * The programs are the process's own from then on; children inherit them.
 * A sanitizer build has none: its run time needs calls that no process of ours
 * makes. ERR_SYS: libseccomp.
 */
enum err filters_build(bool strict, struct why *why);

/* filters_enter - load one, for good. Without filters_build: nothing happens.
 * ERR_PRIV. */
enum err filters_enter(enum filters_kind kind, struct why *why);

/* filters_get - for a process that loads it itself (worker.h); NULL: none */
const struct filter *filters_get(enum filters_kind kind);

/* filters_compiled - are there tables in this build? Not with a sanitizer. */
bool filters_compiled(void);

/* filters_text - for the start line: "yes", or "none: " and why */
const char *filters_text(void);
#endif
