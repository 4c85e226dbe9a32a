/* relay.h - move bytes between client and upstream until both have finished */
#ifndef WORKER_RELAY_H
#define WORKER_RELAY_H
#include "common/err.h"
#include "common/reason.h"
#include <stdint.h>

struct stream;

struct relay_result {
    uint64_t in;  /* payload from the client */
    uint64_t out; /* payload to the client */
    /* CLIENT_EOF or UPSTREAM_EOF (who finished first; both halves went
     * through), CLIENT_TRUNCATED, UPSTREAM_TRUNCATED, CLIENT_RESET,
     * UPSTREAM_RESET, CLIENT_ERROR, UPSTREAM_ERROR, IDLE_TIMEOUT, STOPPED;
     * UPSTREAM_REFUSED_OUR_CERTIFICATE when it said so before any payload
     * (TLS 1.3: our own handshake was over before it looked) */
    enum reason end;
    int alert; /* the fatal alert of the end that broke; -1: none */
};

struct relay_times {
    int64_t idle_ms; /* longest silence on both ends together; CLOCK_NEVER */
};

/*
 * relay_run - relay both directions on the calling process's time
 * client, upstream  connected, non-blocking; borrowed: the caller closes both.
 * progress  may be NULL: called with the totals so far whenever they have
 *           changed and the relay is about to wait (for the scoreboard).
 * Each orderly end is passed on as a half-close (RFC 8446 6.1, shutdown(2)) and
 * the other direction goes on. A reset or truncation on one end: bytes that
 * the other end can still take are written first (up to what is buffered),
 * then the other end is marked with stream_abort so that the caller's close
 * passes it on as a reset. A direction with unsent bytes does not read:
 * that is the back-pressure. Tries reads first, waits only after EAGAIN.
 * Never logs, never exits.
 */
void relay_run(struct stream *client, struct stream *upstream,
               const struct relay_times *times,
               void (*progress)(void *ctx, uint64_t in, uint64_t out),
               void *ctx, struct relay_result *result);
#endif
