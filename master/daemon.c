/*
 * daemon.c - into the background, and back with an answer
 *
 * Owns the fork of -d. The parent leaves only when the child serves or has
 * failed, so that a start script learns the truth.
 */
#include "master/daemon.h"
#include "common/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* wait_answer - the parent: exit with what the child says */
static _Noreturn void
wait_answer(int fd)
{
    unsigned char code = EXIT_SYS; /* a child that dies says nothing */
    ssize_t n;

    do
        n = read(fd, &code, 1);
    while (n < 0 && errno == EINTR);
    _exit(code);
}

enum err
daemon_fork(int *answer_fd, struct why *why)
{
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0)
        return why_errno(why, ERR_SYS, "background");
    if (pid > 0) {
        close(ends[1]);
        wait_answer(ends[0]);
    }
    close(ends[0]);
    *answer_fd = ends[1];
    if (setsid() < 0)
        return why_errno(why, ERR_SYS, "setsid");
    return ERR_OK;
}

void
daemon_answer(int *answer_fd, int exit_code)
{
    unsigned char code = (unsigned char)exit_code;

    if (*answer_fd < 0)
        return;
    if (exit_code == EXIT_OK)
        fdio_mute();
    /* a failure: the parent has gone, there is nobody to tell */
    (void)!write(*answer_fd, &code, 1);
    fdio_close(answer_fd);
}
