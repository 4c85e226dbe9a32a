/*
 * inetd.c - the smallest inetd(8): a process for each connection, nowait
 *
 * usage: inetd ADDRESS:PORT PROGRAM [argument]...
 * PROGRAM, an absolute path, has the connection as 0 and 1; 2 stays ours. Those
 * that have ended are waited for, so that their time is in ours.
 */
#include "wire.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static int
listens(const char *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in address;

    wire_address(at, &address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, BACKLOG) != 0) {
        perror(at);
        _exit(111);
    }
    return fd;
}

static void
start(int fd, char **argv)
{
    pid_t pid = vfork();

    if (pid == 0) {
        if (dup2(fd, STDIN_FILENO) == STDIN_FILENO &&
            dup2(fd, STDOUT_FILENO) == STDOUT_FILENO)
            execv(argv[0], argv);
        _exit(111);
    }
    if (pid < 0)
        perror("fork");
}

int
main(int argc, char **argv)
{
    int listener;

    if (argc < 3) {
        fprintf(stderr, "inetd: the head of inetd.c has the usage\n");
        return 100;
    }
    listener = listens(argv[1]);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0) {
            start(fd, argv + 2);
            close(fd);
        }
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}
