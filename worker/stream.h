/* stream.h - one interface over a plain descriptor and a TLS session */
#ifndef WORKER_STREAM_H
#define WORKER_STREAM_H
#include "common/err.h"
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct WOLFSSL;

#define STREAM_RECORD 16384 /* most payload that one write takes (TLS) */
#define STREAM_SPILL \
    (STREAM_RECORD + 2048) /* a record, its overhead, short replies */

#define STREAM_ENDS 4

/*
 * A non-blocking, connected end. After -ERR_AGAIN from read (write) the
 * caller waits for read_events (write_events): TLS may need the other
 * direction. Never logs, never closes, never waits.
 * For TLS it puts its own I/O callbacks on the session (with itself as their
 * context), so it must not move or end before the session's last use. At most
 * STREAM_ENDS TLS ends live at a time in a process.
 */
struct stream {
    int fd;
    struct WOLFSSL *ssl; /* NULL: plain */
    short read_events;   /* what poll must say before the next read */
    short write_events;
    bool shut;     /* our close_notify or FIN is out: writes are refused */
    bool read_eof; /* the peer has finished */
    int error;     /* errno of the last -ERR_IO or -ERR_RESET */
    int tls_error; /* wolfSSL's error of the last -ERR_TLS */
    int alert;     /* that ended it: the peer's fatal alert, -1: none */
    /* from here on stream.c's own */
    bool reset;    /* a reset was seen, perhaps by the other direction */
    bool closing;  /* close_notify was made; it may still be in the spill */
    bool gated;    /* reading waits until the spill has room for replies */
    int io_error;  /* errno of the callbacks' last failure, 0: end of file */
    size_t budget; /* bytes from the socket that this read may still take */
    size_t taken;  /* payload of the record in the spill: owed to a retry */
    size_t spill_off, spill_len;
    uint8_t *spill; /* STREAM_SPILL bytes of ciphertext that the socket did not
                     * take; stream.c's memory, NULL for plain ends */
};

void stream_init(struct stream *stream, int fd, struct WOLFSSL *ssl);

/*
 * stream_read - > 0 bytes; 0 the peer's orderly end (FIN, or close_notify);
 * -ERR_AGAIN; -ERR_RESET (RST); -ERR_TRUNCATED (TLS: FIN without
 * close_notify); -ERR_TLS; -ERR_IO.
 */
ssize_t stream_read(struct stream *stream, void *buf, size_t size);

/* stream_write - > 0 bytes taken; the same negatives. After -ERR_AGAIN it must
 * be called again with the same bytes (wolfSSL_write asks for that). Refuses
 * with -ERR_IO once shut. */
ssize_t stream_write(struct stream *stream, const void *buf, size_t len);

/* stream_shut - pass on an end of input: close_notify then shutdown(SHUT_WR)
 * for TLS, shutdown(SHUT_WR) for plain. 0 done, -ERR_AGAIN, other negatives. */
int stream_shut(struct stream *stream);

/* stream_abort - make the later close(2) send RST (SO_LINGER 0): a truncated
 * or reset end is passed on as a reset, never as a clean end */
void stream_abort(struct stream *stream);

/*
 * stream_drain - after our own end: read and throw away until the peer's end,
 * an error or the deadline, at most `limit` bytes, so that close(2) sends no
 * RST towards a peer that is still reading our last bytes. Waits (wait.h).
 * ERR_OK the peer finished; ERR_TIMEOUT; ERR_STOP; ERR_RESET; ERR_IO (limit).
 */
enum err stream_drain(struct stream *stream, size_t limit, long long deadline);
#endif
