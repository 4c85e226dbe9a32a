/* yield.h - let the other processes run instead of sleeping */
#ifndef WORKER_YIELD_H
#define WORKER_YIELD_H
#include <stdbool.h>

/*
 * yield_first - before a wait of a session that has just done something
 * paid  has anything come since the last call? It judges the last yield.
 * true: the others have run, ask the descriptors again before you wait.
 * false: wait. After SIGTERM it is always false, so that wait_for says so.
 *
 * On a busy CPU bytes come while the others run, and then nobody has to be
 * put to sleep and woken. Where it is in vain, on an idle CPU or in a silent
 * session, it is left out for ever more waits.
 */
bool yield_first(bool paid);
#endif
