/*
 * runner_child.c - between a runner's fork and its program
 *
 * Owns what a program finds: descriptors, signals, limits, directory. The only
 * file that calls execve. Must never return.
 */
#include "master/runner_child.h"
#include "common/fdio.h"
#include "common/runwire.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UMASK        022
#define EXIT_NOT_RUN 127 /* as a shell's */

static _Noreturn void
fail(const struct runner_child *child, enum runwire_step step)
{
    struct runner_fault fault;

    memset(&fault, 0, sizeof(fault));
    fault.step = (uint8_t)step;
    fault.error = errno;
    /* nobody reads: the runner is gone, and nobody wants to know */
    (void)!write(child->fault, &fault, sizeof(fault));
    _exit(EXIT_NOT_RUN);
}

static void
descriptors(const struct runner_child *child)
{
    int keep[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, child->fault };

    if (dup2(child->socket, STDIN_FILENO) < 0 ||
        dup2(child->socket, STDOUT_FILENO) < 0 ||
        dup2(child->errors, STDERR_FILENO) < 0)
        fail(child, RUNWIRE_PROCESS);
    fdio_close_except(keep, sizeof(keep) / sizeof(keep[0]));
}

/* signals - a handler does not survive execve(2), but an ignored one does. By
 * the kernel's own door: the C library keeps two signals to itself. */
static void
signals(void)
{
    static const unsigned long
        by_default[8]; /* all of the kernel's sigaction */
    sigset_t none;

    for (int number = 1; number < NSIG; number++) /* but those that are fixed */
        (void)syscall(SYS_rt_sigaction, number, by_default, NULL, NSIG / 8);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn void
runner_child_run(const struct runner_child *child)
{
    const struct runner_table *table = child->table;

    (void)setsid(); /* a fresh child leads no group: it cannot fail */
    descriptors(child);
    signals();
    (void)umask(UMASK);
    if (chdir(table->dir) != 0)
        fail(child, RUNWIRE_DIR);
    if (limits_program_set(&table->limits) != 0)
        fail(child, RUNWIRE_LIMIT);
    (void)execve(table->words.word[0], table->words.word, child->env->item);
    fail(child, RUNWIRE_EXEC);
}
