/* serve.h - one connection, from accept to close */
#ifndef WORKER_SERVE_H
#define WORKER_SERVE_H
#include "worker/outbound.h"
#include "worker/session.h"
#include "worker/sign.h"

#include <stdbool.h>
#include <sys/socket.h>

struct worker_brief;

struct serve { /* what lives as long as the worker */
    const struct worker_brief *brief;
    bool last; /* max_use: the worker ends with this connection */
    struct sign sign;
    struct session_rules rules;
    struct session session; /* wiped between connections */
    struct outbounds outbounds;
    struct outbound outbound; /* the one that is open, if any */
};

/* serve_init - everything that a worker makes once; after the fork. *serve is
 * all zero. */
enum err serve_init(struct serve *serve, const struct worker_brief *brief,
                    struct why *why);

/* serve_gone - has a keeper failed on us? The worker must retire. */
bool serve_gone(const struct serve *serve);

/*
 * serve_connection - the whole life of a client: source, handshake, verdict,
 * upstream, relay, goodbye, one log line, the reports. Closes fd. Its end is not
 * reported when it is the worker's too: the master must not count on it.
 * No byte reaches an upstream, and no upstream is asked for, before the client
 * is verified.
 */
void serve_connection(struct serve *serve, int fd,
                      const struct sockaddr_storage *sa, socklen_t len);

/* serve_given - the same for the one client that came with us (worker.h); returns
 * the exit code */
int serve_given(struct serve *serve);
#endif
