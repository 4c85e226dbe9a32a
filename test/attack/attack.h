/* attack.h - what a worker that was taken over tries, one attack a connection */
#ifndef ATTACK_H
#define ATTACK_H
#include <stddef.h>
#include <stdint.h>

struct worker_brief;

/* What the attacker holds, and what its client has told it; in a row's
 * arguments they stand for the numbers, which are known only then. */
enum attack_held {
    MASTER = 0x5a5a0000, /* pids */
    KEEPER,
    CONNECTOR,
    LOGGER,
    SIBLING,  /* another worker of the service */
    CLIENT,   /* descriptors */
    LISTENER, /* from here on shared with siblings */
    LEASH,
    REPORT,
    LOG,
    KEYS,      /* its own pair to a keeper */
    ROUTES,    /* its own pair to the connector */
    PROGRAMS,  /* its own pair to the runner */
    SLOT,      /* addresses: its page of the scoreboard */
    NEIGHBOUR, /* where the page of another's slot was before the fork */
    BANS,      /* the page of refused sources; the client knows it from /proc */
    ATTACK_HELD_END
};
long attack_held(long which);
const struct worker_brief *attack_brief(void);

/*
 * One attack. `end` is how it must end, words with | between them:
 *   SYS SEGV    the worker dies of that signal
 *   KILL        the master ends it
 *   EACCES ...  the last call fails so
 *   CLOSED      who was asked closes the pair
 *   OK          it goes through, and does nobody harm
 * `seen` is the event that must be in the log then, NULL: none. A death is
 * always seen: it needs no word here.
 */
struct attack {
    const char *name;
    const char *end;
    const char *seen;
    long (*run)(void); /* a value, or -errno; NULL: the call */
    long call[7];      /* number, arguments */
};
#define CALL(name, end, ...)   \
    {                          \
        name, end, NULL, NULL, \
        {                      \
            __VA_ARGS__        \
        }                      \
    }
#define RUN(name, end, seen, run) \
    {                             \
        name, end, seen, run,     \
        {                         \
            0                     \
        }                         \
    }
#define TEXT(text) (long)(uintptr_t)(text)

#define ATTACK_CLOSED (-10000) /* what CLOSED is returned as */

/* attack_call - the system call itself, no library in between: value, -errno */
long attack_call(const long call[7]);

struct attack_theme {
    const struct attack *attack;
    size_t count;
};
extern const struct attack_theme attack_files, attack_processes, attack_memory,
    attack_network, attack_helpers, attack_runner, attack_limits, attack_jail;
#define THEME(list)                              \
    {                                            \
        (list), sizeof(list) / sizeof((list)[0]) \
    }
#endif
