/* stream.h - one interface over a plain descriptor and a TLS session */
#ifndef WORKER_STREAM_H
#define WORKER_STREAM_H
#include "common/err.h"
#include "worker/spill.h"
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct WOLFSSL;
struct ahead;

#define STREAM_RECORD 16384 /* most payload of a TLS record */

/*
 * A non-blocking, connected end. After -ERR_AGAIN from read (write) the
 * caller waits for read_events (write_events): TLS may need the other
 * direction. Never logs, never closes, never waits.
 * For TLS it puts its own I/O callbacks on the session (with itself as their
 * context), so it must not move or end before the session's last use. At most
 * SPILL_ENDS TLS ends live at a time in a process.
 * It may say -ERR_AGAIN without asking the descriptor, when the call before took
 * all that was there: poll(2) tells what has changed since. It never says so
 * while a byte that can be read is in a buffer of ours.
 */
struct stream {
    int fd;
    int out_fd; /* fd, but after stream_split; -1: closed by stream_shut */
    struct WOLFSSL *ssl; /* NULL: plain */
    bool program; /* plain, and a program's: it may end without reading all that
                   * was sent to it. stream_init clears it. */
    short read_events; /* what poll must say before the next read */
    short write_events;
    bool shut;     /* our close_notify or FIN is out: writes are refused */
    bool read_eof; /* the peer has finished */
    int error;     /* errno of the last -ERR_IO or -ERR_RESET */
    int tls_error; /* wolfSSL's error of the last -ERR_TLS */
    int alert;     /* that ended it: the peer's fatal alert, -1: none */
    /* from here on of stream*.c alone */
    bool in_file;    /* fd is no socket: a pipe, a terminal, a file */
    bool out_file;   /* the same of out_fd */
    bool reset;      /* a reset was seen, perhaps by the other direction */
    bool closing;    /* close_notify was made; it may still be in the spill */
    bool gated;      /* reading waits until the spill has room for replies */
    bool dry;        /* plain: the last recv(2) emptied the socket */
    bool full;       /* the last send(2) filled it */
    bool gather;     /* another record follows at once: one send for all */
    bool more;       /* our FIN follows at once */
    int io_error;    /* errno of the callbacks' last failure, 0: end of file */
    unsigned budget; /* recv(2) calls that this read may still make */
    size_t taken;    /* payload of records that were made: owed to a retry */
    size_t run;      /* payload written since the last pause */
    int64_t wrote;   /* clock_ms of the last large write */
    ssize_t due;     /* -ERR_* that was found behind bytes, for the next read */
    struct ahead *ahead; /* the session's; NULL for plain ends */
    struct spill spill;  /* records that wait for others, or for the socket */
};

/* stream_init - ahead: what the handshake has read and not used, and where more
 * is read to (ahead.h); it lives as long as the session. Both NULL: plain. */
void stream_init(struct stream *stream, int fd, struct WOLFSSL *ssl,
                 struct ahead *ahead);

/*
 * stream_split - a plain end that writes to another descriptor, which may be
 * the same socket; after stream_init. Neither needs to be a socket, nor
 * non-blocking: O_NONBLOCK of a pipe or a terminal would be for everybody who
 * has it open, our parent too. So each read(2) waits for what poll(2) says, and
 * so does each write(2), of at most PIPE_BUF bytes: a pipe that can be written
 * to has room for them. (A terminal may have less: then its user's ^S is what
 * we wait for.) Somebody else who reads the same pipe could still make us wait.
 */
void stream_split(struct stream *stream, int out_fd);

/*
 * stream_read - > 0 bytes; 0 the peer's orderly end (FIN, or close_notify);
 * A program that ended without reading all has ended, too.
 * -ERR_AGAIN; -ERR_RESET (RST); -ERR_TRUNCATED (TLS: FIN without
 * close_notify); -ERR_TLS; -ERR_IO.
 */
ssize_t stream_read(struct stream *stream, void *buf, size_t size);

/* stream_recheck - time has passed: the next call asks the descriptor, whatever
 * the last one found there */
void stream_recheck(struct stream *stream);

/* stream_write - > 0 bytes that the kernel has taken; the same negatives, or
 * -ERR_EOF: a program does not read any more. It
 * must be called again with the bytes that are left, also after -ERR_AGAIN: a
 * record of them may be on its way. Refuses with -ERR_IO once shut. TLS: long
 * writes go as records of STREAM_RECORD, but smaller ones after a pause, since
 * the peer can use none of a record before its last byte has come. */
ssize_t stream_write(struct stream *stream, const void *buf, size_t len);

/* stream_shut - pass on an end of input: close_notify then shutdown(SHUT_WR)
 * for TLS, shutdown(SHUT_WR) for plain; what is no socket is closed. 0 done,
 * -ERR_AGAIN, other negatives. */
int stream_shut(struct stream *stream);

/* stream_abort - make the later close(2) send RST (SO_LINGER 0): a truncated
 * or reset end is passed on as a reset, never as a clean end */
void stream_abort(struct stream *stream);

/* stream_trim - memory that only bulk needs goes back; for a pause */
void stream_trim(struct stream *stream);

/* stream_end - nothing of what it sent is left for the next connection; the last
 * call, after which stream_init may begin another */
void stream_end(struct stream *stream);

/*
 * stream_drain - after our own end: read and throw away until the peer's end,
 * an error or the deadline, at most `limit` bytes, so that close(2) sends no
 * RST towards a peer that is still reading our last bytes. Waits (wait.h).
 * ERR_OK the peer finished; ERR_TIMEOUT; ERR_STOP; ERR_RESET; ERR_IO (limit).
 */
enum err stream_drain(struct stream *stream, size_t limit, long long deadline);
#endif
