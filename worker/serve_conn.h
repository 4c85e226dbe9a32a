/* serve_conn.h - one connection, shared by the files that serve it */
#ifndef WORKER_SERVE_CONN_H
#define WORKER_SERVE_CONN_H
#include "common/addr.h"
#include "common/board.h"
#include "common/report.h"
#include "worker/program.h"
#include "worker/relay.h"
#include "worker/serve.h"
#include "worker/stream.h"
#include "worker/tell.h"
#include "worker/worker.h"

struct conn {
    struct serve *serve;
    int fd;
    int out_fd; /* another way out, -1: fd is both */
    int64_t start;
    struct stream client;
    struct tell_who who;
    struct relay_result result;
    const char *upstream; /* what served it, for the log */
    uint64_t requests;
    bool aborted; /* http: the client is to be reset */
    bool stopped; /* the master wanted it so */
    uint16_t port;
    uint64_t said_in, said_out; /* of result, already in the slot */
    char client_text[ADDR_TEXT_MAX];
    char host_text[ADDR_TEXT_MAX]; /* the same without the port */
    uint8_t source[16];            /* IPv4 mapped; zero: a unix socket */
};

static inline const struct conf_service *
serve_service(const struct conn *conn)
{
    return conn->serve->brief->service;
}

static inline struct slot *
serve_slot(const struct conn *conn)
{
    return conn->serve->brief->slot;
}

/* --- serve_conn.c: what is told of it, and what the master tells it ------- */

/* serve_state - into the slot, with the time */
void serve_state(const struct conn *conn, enum slot_state state);

/* serve_report - to the master; it is gone: the leash will say so */
void serve_report(const struct conn *conn, enum report_kind kind,
                  uint8_t family, uint16_t port, enum reason reason);

/* serve_refused - said (tell_refused) and counted */
void serve_refused(const struct conn *conn, const char *stage,
                   enum reason reason, const struct outbound *upstream,
                   const struct why *why);

/* serve_progress - the totals so far, into the slot; ctx: the connection */
void serve_progress(void *ctx, uint64_t in, uint64_t out);

/* serve_meant - is what the master has told us about the connection that is
 * here? We may have heard of it late. slot: ours. */
bool serve_meant(void *slot);

/* serve_stop_reason - why the session must end: the master's word stands in the
 * slot, else its time was up */
enum reason serve_stop_reason(const struct conn *conn);

/* --- serve_arrival.c ------------------------------------------------------ */

/* serve_admitted - may this source be served? If not, it is counted and the
 * descriptor closed; the master writes the line: it has them all, and one line
 * for many is enough. */
bool serve_admitted(struct conn *conn, const struct sockaddr_storage *sa);

/* serve_enter - say who is here */
void serve_enter(struct conn *conn, const struct sockaddr_storage *sa,
                 socklen_t len);

/* serve_hello - conn->client as the service wants it. true: verified, or a plain
 * listener; else refused, said and drained. */
bool serve_hello(struct conn *conn);

/* --- serve_upstream.c ----------------------------------------------------- */

/* serve_client - whom an upstream is for */
struct program_client serve_client(const struct conn *conn);

/* serve_forward - protocol = tcp: to an upstream and back, until the relay is
 * over; false: there is none; refused, said and drained */
bool serve_forward(struct conn *conn);

/* --- serve_http.c --------------------------------------------------------- */

/* serve_requests - protocol = http, until the last response */
void serve_requests(struct conn *conn);

/* --- serve_end.c ---------------------------------------------------------- */

/* serve_say_done - how it ended; an upstream that would not have us is a refusal
 */
void serve_say_done(struct conn *conn);

#define SERVE_REFUSED_MS 2000 /* so that the peer can read our alert */

/* serve_farewell - end our side in order and let the peer read it all, for at
 * most ms */
void serve_farewell(struct conn *conn, int64_t ms);

/* serve_finish - after the relay: what the client still has to hear */
void serve_finish(struct conn *conn);
#endif
