/* child.h - run what changes a process for good in a process of its own */
#ifndef TEST_UNIT_CHILD_H
#define TEST_UNIT_CHILD_H
#include <stdbool.h>

/* child_run - fork, call run(arg), _exit(0); true: it came to its end. What
 * fails there says so on standard error (child_must). */
bool child_run(void (*run)(void *arg), void *arg);

/* child_signal - the same; the signal that ended it, 0 when none did */
int child_signal(void (*run)(void *arg), void *arg);

/* child_must - the assertion of a child */
#define child_must(condition)                           \
    do {                                                \
        if (!(condition))                               \
            child_fail(__FILE__, __LINE__, #condition); \
    } while (0)
_Noreturn void child_fail(const char *file, int line, const char *what);

/* child_ordinary - leave root for an ordinary user without our own code under
 * test; what it cannot do, fails */
void child_ordinary(void);
#define CHILD_UID 65534

/* child_remove - a directory of a test's own with all that is in it */
void child_remove(const char *dir);

/* child_is_root - may this test change ids? Says why it skips when not. */
bool child_is_root(void);

#endif
