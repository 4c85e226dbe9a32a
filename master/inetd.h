/* inetd.h - clients that come from whoever started us: mtlsd -i and -c */
#ifndef MASTER_INETD_H
#define MASTER_INETD_H
#include "common/conf.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct master;

enum inetd_kind {
    INETD_NONE,    /* an ordinary daemon */
    INETD_NOWAIT,  /* -i: descriptor 0 is one client's connection */
    INETD_WAIT,    /* -i: descriptor 0 is a listening socket */
    INETD_CONNECT, /* -c: descriptors 0 and 1 are the client */
};

struct inetd {
    enum inetd_kind kind;
    int in, out;   /* the client's; the same one when it is a socket of -i */
    int listen_fd; /* INETD_WAIT; else -1 */
    struct sockaddr_storage sa; /* the client; AF_UNSPEC: nobody knows */
    socklen_t sa_len;
    int64_t idle_since; /* INETD_WAIT: nobody was served, 0: somebody is */
    uint64_t taken;     /* connections, when we looked last */
};

/* inetd_given - is descriptor 0 a stream socket, as -i wants it? */
bool inetd_given(void);

/*
 * inetd_take - the descriptors of -i or (connect) of -c, and a configuration
 * that fits: conf has the one service, and gets the rest of what such a process
 * is (one worker for one connection; nothing is watched, no pid file, no log on
 * a client's socket). Descriptors 0 and 1 are /dev/null afterwards.
 * Nowait or wait is told by SO_ACCEPTCONN.
 * ERR_CONF: the service does not go with that.  ERR_SYS: a descriptor.
 */
enum err inetd_take(bool connect, struct conf *conf, struct inetd *out,
                    struct why *why);

/* inetd_single - does the whole process serve one client alone? */
bool inetd_single(const struct inetd *inetd);

/* inetd_handed - the worker has the client now: keep no copy, so that it sees
 * the end when the worker ends */
void inetd_handed(struct inetd *inetd);

/* inetd_due - INETD_WAIT: stop after inetd_timeout without a session; returns
 * when to look next, as the loop asks */
int64_t inetd_due(struct master *master, int64_t now);
#endif
