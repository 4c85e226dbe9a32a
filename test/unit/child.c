/*
 * child.c - run what changes a process for good in a process of its own
 *
 * Owns the forks of the unit tests. Must never return into cmocka in a child:
 * its longjmp and its counts belong to the parent.
 */
#include "test/unit/child.h"
#include <errno.h>
#include <ftw.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* run_one - the status that waitpid tells, -1 when there is none */
static int
run_one(void (*run)(void *arg), void *arg)
{
    int status = -1;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        alarm(250);
        run(arg);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return status;
}

bool
child_run(void (*run)(void *arg), void *arg)
{
    int status = run_one(run, arg);

    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int
child_signal(void (*run)(void *arg), void *arg)
{
    int status = run_one(run, arg);

    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

_Noreturn void
child_fail(const char *file, int line, const char *what)
{
    dprintf(STDERR_FILENO, "%s:%d: %s (errno: %s)\n", file, line, what,
            strerror(errno));
    _exit(1);
}

void
child_ordinary(void)
{
    child_must(setgroups(0, NULL) == 0);
    child_must(setresgid(CHILD_UID, CHILD_UID, CHILD_UID) == 0);
    child_must(setresuid(CHILD_UID, CHILD_UID, CHILD_UID) == 0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void
child_remove(const char *dir)
{
    (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

bool
child_is_root(void)
{
    if (geteuid() == 0)
        return true;
    printf("skipped: this needs root\n");
    return false;
}
