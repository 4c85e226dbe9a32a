/* ends.h - connected descriptors and TLS sessions for the tests of streams */
#ifndef TEST_UNIT_ENDS_H
#define TEST_UNIT_ENDS_H
#include "worker/ahead.h"
#include "worker/stream.h"
#include <stdbool.h>
#include <stdint.h>

enum ends_kind {
    ENDS_UNIX,
    ENDS_TCP,
    ENDS_TLS12,
    ENDS_TLS13,
    ENDS_UP12, /* TLS with the roles the other way round: here is the client */
    ENDS_UP13
};

struct ends { /* two connected, non-blocking ends in one process */
    struct stream here, there; /* TLS: here is the server, there the client */
    struct ahead ahead[2];
};

/* ends_open - or the end of the test. The TLS handshake is done. */
void ends_open(struct ends *ends, enum ends_kind kind);
/* ends_close - what is still open */
void ends_close(struct ends *ends);
/* ends_end - one of them: free the session, close the descriptor */
void ends_end(struct stream *end);

/* ends_wait - until fd is ready (at most ten seconds); what poll(2) said */
short ends_wait(int fd, short events);

/* ends_read, ends_write - the stream's, but waiting instead of -ERR_AGAIN */
ssize_t ends_read(struct stream *stream, void *buf, size_t size);
void ends_write(struct stream *stream, const void *buf, size_t len);
void ends_shut(struct stream *stream);

/* ends_byte - the byte at a place of the endless pattern that the tests send */
static inline uint8_t
ends_byte(uint64_t at)
{
    return (uint8_t)((at * 2654435761u) >> 13 ^ at >> 21);
}
void ends_fill(uint8_t *buf, size_t len, uint64_t at);
bool ends_same(const uint8_t *buf, size_t len, uint64_t at);

#endif
