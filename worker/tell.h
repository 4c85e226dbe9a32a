/* tell.h - the log lines of a connection */
#ifndef WORKER_TELL_H
#define WORKER_TELL_H
#include "common/err.h"
#include "common/reason.h"
#include <stdint.h>

struct conf_service;
struct outbound;
struct session;

struct tell_who { /* whom the lines are about */
    const struct conf_service *service;
    const char *client;            /* its address */
    const struct session *session; /* NULL: a plain listener */
};

/* tell_refused - one line for every connection that did not get through;
 * stage: handshake, verify, upstream. upstream: NULL, or the one whose
 * TLS failed. */
void tell_refused(const struct tell_who *who, const char *stage,
                  enum reason reason, const struct outbound *upstream,
                  const struct why *why);

/* tell_probe - somebody connected, sent nothing and went: a health check */
void tell_probe(const struct tell_who *who);

struct tell_end {                    /* how a session ended */
    const char *upstream;            /* its address, "respond", "http" */
    const struct outbound *outbound; /* NULL: none was open */
    uint64_t in, out, requests;
    int64_t time_ms;
    enum reason end;
    int alert; /* the fatal alert of the end that broke, -1: none */
};

/* tell_done - one line for every session that is over */
void tell_done(const struct tell_who *who, const struct tell_end *end);
#endif
