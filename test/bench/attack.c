/*
 * attack.c - the generator as a nuisance: connections that never say a word,
 * and handshakes that the server must refuse
 *
 * A silent connection that the server has had enough of comes again.
 */
#include "load.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, TURN_MS = 5 };

/* ended - has somebody told us to go on? */
static int
ended(void)
{
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

    return poll(&in, 1, 0) != 0;
}

static void
silent_open(const struct load *load, int poll)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)&load->target,
                sizeof(load->target)) == 0 ||
        errno == EINPROGRESS)
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    else
        close(fd);
}

/* silent_turn - whoever was closed, or sent an alert, comes again */
static void
silent_turn(const struct load *load, int poll)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(poll, events, EVENTS, 0);

    for (int i = 0; i < n; i++) {
        close(events[i].data.fd);
        silent_open(load, poll);
    }
}

/* bad - an answer would mean that the server did not refuse */
static void
bad(struct load *load, struct conn *conn, enum outcome outcome)
{
    if (outcome == CONN_ANSWERED)
        count_done(&load->count, conn->began, seconds());
    if (outcome == CONN_LOST)
        conn_lost(load, conn);
    if (outcome == CONN_ANSWERED)
        conn_close(load, conn);
}

void
job_attack(struct load *load)
{
    int silent = epoll_create1(0);
    double began = seconds(), begun = 0;

    for (unsigned i = 0; i < load->silent; i++)
        silent_open(load, silent);
    count_from(&load->count, began);
    load_word("begin");
    while (!ended()) {
        double due = (seconds() - began) * load->rate - begun;

        if (due >= 1) {
            unsigned before = load->closed;

            load_open(load, bad, (unsigned)due);
            begun += before - load->closed;
        }
        load_turn(load, TURN_MS, bad);
        silent_turn(load, silent);
    }
    count_print(&load->count, seconds() - began);
}
