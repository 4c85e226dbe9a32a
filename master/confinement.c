/*
 * confinement.c - what holds which kind of process, and can it be had here?
 *
 * Owns the trial of what only a real attempt can tell, and the words of the
 * start line. Changes nothing in the calling process.
 */
#include "master/confinement.h"
#include "common/landlock.h"
#include "common/log.h"
#include "common/text.h"
#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* the kinds of process, as ps(1) shows them */
static const struct {
    const char *name;
    bool jailed;
} kinds[] = {
    { "master", false },    { "keeper", true },    { "worker", true },
    { "connector", false }, { "resolver", false }, { "logger", false },
    { "judge", true },
};

/* try_in_child - 0, or the errno with which step failed there */
static enum err
try_in_child(int (*step)(int fd), int fd, const char *what, struct why *why)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(step(fd) == 0 ? 0 : errno);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return why_errno(why, ERR_SYS, "confinement: fork");
    if (!WIFEXITED(status))
        return why_set(why, ERR_PRIV, "%s: killed by signal %d", what,
                       WTERMSIG(status));
    errno = WEXITSTATUS(status);
    return errno == 0 ? ERR_OK : why_errno(why, ERR_PRIV, "%s", what);
}

static int
enter(int fd)
{
    return fchdir(fd) == 0 ? chroot(".") : -1;
}

enum err
confinement_try_jail(const struct jail *jail, struct why *why)
{
    if (jail->fd < 0)
        return ERR_OK;
    return try_in_child(enter, jail->fd, "no jail: chroot", why);
}

static int
fence(int fd)
{
    const struct landlock_extra none = { 0, 0, 0 };

    (void)fd;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return 0;  /* drop.c has the word for that */
    errno = EPERM; /* where no system call has failed */
    return landlock_fence(NULL, 0, none, NULL) == ERR_OK ? 0 : -1;
}

enum err
confinement_try_landlock(struct why *why)
{
    if (landlock_abi() == 0)
        return ERR_OK;
    return try_in_child(fence, -1, "no Landlock, though the kernel has it",
                        why);
}

const char *
confinement_kinds(bool jail, bool fenced, bool seccomp, bool runs)
{
    static char text[256];
    size_t len = 0;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        bool in = i == 0 ? fenced : landlock_abi() > 0;

        len += (size_t)snprintf(
            text + len, sizeof(text) - len, "%s%s%s%s%s", i > 0 ? " " : "",
            kinds[i].name, jail && kinds[i].jailed ? "+jail" : "",
            in ? "+landlock" : "", seccomp ? "+seccomp" : "");
    }
    if (runs)
        text_copy(text + len, " runner", sizeof(text) - len);
    return text;
}

void
confinement_failed(const char *process, const char *step, const struct why *why)
{
    struct log_line line;

    log_begin(&line, LOG_L_ERROR, "confine_failed");
    log_text(&line, "process", process);
    log_text(&line, "step", step);
    log_text(&line, "reason", why->text);
    log_send(&line);
    _exit(EXIT_CONFINE);
}
