/* worker.h - the door of the exposed side: what a worker is given */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H
#include "common/conf.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct tls_side;
struct bans;
struct filter;
struct slot;

/*
 * Everything that a worker may touch. All descriptors are its own copies;
 * everything else has been closed, the jail entered and the capabilities
 * forgotten before worker_main is called (master/spawn.c). What a worker shares
 * with its siblings (listeners, leash, report, the log) has high numbers, its
 * own descriptors low ones: the filter tells them apart (master/filters.h).
 */
struct worker_brief {
    const struct conf_service *service;
    unsigned generation;
    const struct tls_side *client;    /* NULL: listen_tls = no */
    struct tls_side *const *upstream; /* one per route, NULL: not tls:// */
    const int *listen_fd;             /* non-blocking listeners */
    size_t listen_count;
    int leash_fd;     /* read end: EOF retires all, one byte one idle worker */
    int report_fd;    /* report.h, shared by the pool */
    int keeper_fd;    /* keywire.h, own pair */
    int connector_fd; /* connwire.h, own pair; -1 when never needed */
    int runner_fd;    /* runwire.h, own pair; -1 without a program */
    int client_in, client_out; /* one client that came with us, -1: listen */
    struct sockaddr_storage client_sa; /* AF_UNSPEC: it has no address */
    socklen_t client_len;
    struct slot *slot;
    const struct bans *bans;     /* read-only view */
    unsigned pool;               /* how the limits in there name it */
    const struct filter *filter; /* to be loaded before the first accept */
};

/*
 * worker_install - in the master, once per generation and service, before the
 * first worker: callbacks on the TLS contexts. Looks at service, client and
 * upstream alone.
 */
void worker_install(const struct worker_brief *brief);

/* worker_main - serve until told to retire or max_use is reached, or the one
 * client that came with us; never returns. Exit codes: 0 retired, EXIT_SYS,
 * EXIT_CONFINE; with a client of our own what reason_exit makes of its end. */
_Noreturn void worker_main(const struct worker_brief *brief);
#endif
