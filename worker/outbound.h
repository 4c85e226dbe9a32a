/* outbound.h - a connection to an upstream, with TLS on it where asked for; or a
 * program in its place */
#ifndef WORKER_OUTBOUND_H
#define WORKER_OUTBOUND_H
#include "common/err.h"
#include "common/reason.h"
#include "worker/program.h"
#include "worker/session.h"
#include "worker/sign.h"
#include "worker/stream.h"
#include "worker/upstream.h"
#include <stdbool.h>
#include <stddef.h>

struct worker_brief;

struct outbound_route { /* of one tls:// route, for the life of the worker */
    struct sign sign;
    struct session_target target;
};

struct outbounds { /* one per worker */
    const struct worker_brief *brief;
    struct outbound_route *route; /* brief->service->route_count */
    struct session *session; /* of tls:// routes, NULL: there are none. All zero
                              * before the first; kept for reuse */
    char proxy_host[264];
};

/*
 * one open upstream connection; wolfSSL and stream.h hold pointers into it: it
 * must not move while it is open
 */
struct outbound {
    bool open;
    size_t route;
    struct upstream at;      /* of a program: fd, and text as configured */
    struct program program;  /* all zero: there is none */
    struct session *session; /* the worker's; NULL: without TLS */
    struct stream stream;
};

/* outbounds_install - callbacks on the contexts of tls:// routes; in the master */
void outbounds_install(const struct worker_brief *brief);

/* outbounds_init - every tls:// route gets its target; its TLS context is
 * prepared by its first handshake, so that a worker with many routes starts as
 * fast as with one */
enum err outbounds_init(const struct worker_brief *brief, struct outbounds *out,
                        struct why *why);

/*
 * outbound_open - connect, and handshake for tls://, all under the service's
 * connect_timeout
 * client  watched while waiting (upstream.h); a program learns who it is.
 * ERR_OK: out->stream is ready. Else *reason and why say why, out->session has
 * who the upstream was (for the log), and what was sent has been drained;
 * errors as upstream_open, program_open and session_connect. outbound_close in every case.
 */
enum err outbound_open(struct outbounds *outbounds,
                       const struct program_client *client, size_t route,
                       struct outbound *out, enum reason *reason,
                       struct why *why);

/* outbound_proxy_host - $proxy_host of nginx: the host as written, with the
 * port unless it is the scheme's own; valid until the next call */
const char *outbound_proxy_host(struct outbounds *outbounds,
                                const struct outbound *out);

/* outbound_settle - the relay is over: a program sees the end of its input, and
 * has so long to end, for the log; of other upstreams nothing is asked */
void outbound_settle(struct outbounds *outbounds, struct outbound *out,
                     int64_t ms);

/* outbound_close - close(2) as the stream was left: in order, or as a reset
 * after stream_abort. Fine when it is not open. */
void outbound_close(struct outbounds *outbounds, struct outbound *out);

/* outbound_refusal - did the upstream refuse our certificate, after a handshake
 * that we took for done (TLS 1.3)? alert: what it said, stream.h or relay.h.
 * why gets the sentence, out->session the alert. */
bool outbound_refusal(const struct outbounds *outbounds, struct outbound *out,
                      int alert, struct why *why);

/* outbounds_gone - has a keeper failed on us? The worker must retire. */
bool outbounds_gone(const struct outbounds *outbounds);
#endif
