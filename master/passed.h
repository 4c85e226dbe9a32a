/* passed.h - sockets that a service manager opened and passed: LISTEN_FDS */
#ifndef MASTER_PASSED_H
#define MASTER_PASSED_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>

/*
 * passed_take - read LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, sd_listen_fds(3),
 * and unset them; what was passed is close-on-exec from then on. Before
 * anything forks: they name a process. Nothing is passed when LISTEN_PID is
 * missing or another process's.
 * ERR_SYS: they make no sense, or name a descriptor that is not open.
 */
enum err passed_take(struct why *why);

/* passed_next - the next descriptor called name, from place *at on, which is
 * moved behind it; -1: no more. Whoever is given it owns it. */
int passed_next(const char *name, size_t *at);

/*
 * passed_check - is it fit for a service? Listening, a stream, of IPv4, IPv6 or
 * unix; makes it non-blocking. ERR_SYS: why says what it is.
 */
enum err passed_check(int fd, const char *name, struct why *why);

/* passed_has - was this descriptor passed? Then others hold its socket too, and
 * go on using it: shutdown(2) would end it for them. */
bool passed_has(int fd);

/* passed_names - what was passed, in order: "a, b", or "nothing". In a static
 * buffer. */
const char *passed_names(void);

/* passed_unused - the name of a descriptor that passed_next has not given to
 * anybody; NULL: there is none */
const char *passed_unused(void);
#endif
