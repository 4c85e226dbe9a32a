/*
 * stream.c - one interface over a plain descriptor and a TLS session
 *
 * Owns every recv, send and shutdown of payload, the I/O callbacks of
 * established TLS sessions, and the words for how an end ended.
 * Must never wait (but in stream_drain), close, log, or turn a truncation or a
 * reset into a clean end.
 *
 * Why callbacks of our own: wolfSSL 5.9.2 mixes up records that the socket did
 * not take. It keeps the record and wants the same wolfSSL_write again; but a
 * KeyUpdate that is read meanwhile flushes that record together with its own
 * answer, and then the retry sends the payload a second time. So the callback
 * always takes everything and keeps here (the spill) what the socket refused:
 * wolfSSL never sees a would-block, and stream_write settles the account.
 */
#include <wolfssl/options.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include "common/clock.h"
#include "worker/ahead.h"
#include "worker/pages.h"
#include "worker/stream.h"
#include "worker/wait.h"
#include <errno.h>
#include <limits.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One stream_read asks the socket so often, then gives the caller a chance to
 * look at clocks and signals: a peer may send records without payload for ever.
 */
#define READ_CALLS 4
/* Reading may produce answers (KeyUpdate, alerts): it waits for this room. */
#define REPLY_ROOM 1024

/* After a pause the peer's window may be a few segments: so much goes in small
 * records, each of which is of use when it has come. */
#define PAUSE_MS     1000
#define FIRST_RECORD 4096
#define FIRST_RUN    16384

enum { DRAIN_CHUNK = 16384 };

/* io_again - is errno "nothing now"? */
static bool
io_again(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

/* io_reset - is errno the peer's reset? EPIPE is one too: it comes when the
 * reset itself was already reported to somebody, as we refuse writes after our
 * own FIN. */
static bool
io_reset(int number)
{
    return number == ECONNRESET || number == EPIPE;
}

/* file_ready - would read(2), or write(2) of a little, return at once? */
static bool
file_ready(int fd, short events)
{
    struct pollfd item = { .fd = fd, .events = events };

    if (poll(&item, 1, 0) > 0)
        return true;
    errno = EAGAIN;
    return false;
}

/* get, put - one system call */
static ssize_t
get(const struct stream *stream, void *buf, size_t size)
{
    if (!stream->in_file)
        return recv(stream->fd, buf, size, MSG_DONTWAIT);
    return file_ready(stream->fd, POLLIN) ? read(stream->fd, buf, size) : -1;
}

static ssize_t
put(const struct stream *stream, const void *buf, size_t len, int flags)
{
    if (!stream->out_file)
        return send(stream->out_fd, buf, len, flags);
    return file_ready(stream->out_fd, POLLOUT) ? write(stream->out_fd, buf, len)
                                               : -1;
}

/* io_recv, io_send - the two system calls, EINTR retried, resets remembered */
static ssize_t
io_recv(struct stream *stream, void *buf, size_t size)
{
    ssize_t n;

    do {
        n = get(stream, buf, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && io_reset(errno))
        stream->reset = true;
    return n;
}

static ssize_t
io_send(struct stream *stream, const void *buf, size_t len)
{
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (stream->more ? MSG_MORE : 0);
    ssize_t n;

    if (stream->out_file && len > PIPE_BUF)
        len = PIPE_BUF;
    if (stream->full) {
        stream->full = false;
        errno = EAGAIN;
        return -1;
    }
    do {
        n = put(stream, buf, len, flags);
    } while (n < 0 && errno == EINTR);
    stream->full = n >= 0 && (size_t)n < len;
    if (n < 0 && io_reset(errno))
        stream->reset = true;
    return n;
}

/* fail - the -ERR_* for errno of a failed call */
static int
fail(struct stream *stream, int number)
{
    stream->error = number;
    return io_reset(number) ? -ERR_RESET : -ERR_IO;
}

/* --- the way out ---------------------------------------------------------- */

/* flush - the spill. 0 nothing left, -ERR_AGAIN, -ERR_RESET, -ERR_IO */
static int
flush(struct stream *stream)
{
    struct spill *spill = &stream->spill;

    while (spill->len > 0) {
        ssize_t n = io_send(stream, spill->at + spill->off, spill->len);

        if (n < 0 && io_again())
            return -ERR_AGAIN;
        if (n < 0)
            return fail(stream, errno);
        spill_sent(spill, (size_t)n);
    }
    return 0;
}

/*
 * tls_send - wolfSSL's way out. Takes everything: what goes nowhere any more
 * (after a reset, after our own FIN) is dropped, so that wolfSSL stays able to
 * read what the peer sent before; stream_write tells of the reset.
 */
static int
tls_send(WOLFSSL *ssl, char *data, int len, void *ctx)
{
    struct stream *stream = ctx;
    size_t left = (size_t)len;
    ssize_t n;

    (void)ssl;
    if (stream->shut || stream->reset || len <= 0)
        return len;
    if (flush(stream) != 0 && stream->reset)
        return len;
    if (stream->spill.len == 0) {
        n = io_send(stream, data, left);
        if (n < 0 && stream->reset)
            return len;
        if (n < 0 && !io_again()) {
            stream->io_error = errno;
            return WOLFSSL_CBIO_ERR_GENERAL;
        }
        if (n > 0) {
            data += n;
            left -= (size_t)n;
        }
    }
    if (left > 0 && !spill_add(&stream->spill, data, left)) {
        stream->io_error = ENOBUFS; /* answers upon answers: an attack */
        return WOLFSSL_CBIO_ERR_GENERAL;
    }
    return len;
}

/* ask - the socket, for the library; what it said */
static ssize_t
ask(struct stream *stream, void *data, size_t size)
{
    ssize_t n = ahead_recv(stream->ahead, stream->fd, data, size);

    if (n < 0 && io_reset(errno))
        stream->reset = true;
    return n;
}

/* tls_recv - wolfSSL's way in */
static int
tls_recv(WOLFSSL *ssl, char *data, int size, void *ctx)
{
    struct stream *stream = ctx;
    ssize_t n;

    (void)ssl;
    stream->gated = spill_room(&stream->spill) < REPLY_ROOM;
    if (stream->gated)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    if (!ahead_holds(stream->ahead)) {
        if (stream->budget == 0)
            return WOLFSSL_CBIO_ERR_WANT_READ;
        stream->budget--;
    }
    n = ask(stream, data, (size_t)size);
    if (n > 0)
        return (int)n;
    if (n < 0 && io_again())
        return WOLFSSL_CBIO_ERR_WANT_READ;
    stream->io_error = n == 0 ? 0 : errno;
    if (n == 0 && stream->reset)
        stream->io_error =
            ECONNRESET; /* the kernel tells of a reset only once */
    if (stream->io_error == 0)
        return WOLFSSL_CBIO_ERR_CONN_CLOSE;
    return io_reset(stream->io_error) ? WOLFSSL_CBIO_ERR_CONN_RST
                                      : WOLFSSL_CBIO_ERR_GENERAL;
}

void
stream_init(struct stream *stream, int fd, struct WOLFSSL *ssl,
            struct ahead *ahead)
{
    stream->fd = stream->out_fd = fd;
    stream->in_file = stream->out_file = false;
    stream->ssl = ssl;
    stream->program = false;
    stream->read_events = POLLIN;
    stream->write_events = POLLOUT;
    stream->shut = stream->read_eof = false;
    stream->error = stream->tls_error = 0;
    stream->alert = -1;
    stream->reset = stream->closing = stream->gated = false;
    stream->dry = stream->full = stream->more = false;
    stream->io_error = 0;
    stream->budget = 0;
    stream->taken = stream->run = 0;
    stream->wrote = 0;
    stream->due = 0;
    stream->ahead = ahead;
    stream->spill = (struct spill){ NULL, 0, 0, 0 };
    if (ssl == NULL)
        return;
    spill_begin(&stream->spill);
    wolfSSL_SSLSetIORecv(ssl, tls_recv);
    wolfSSL_SSLSetIOSend(ssl, tls_send);
    wolfSSL_SetIOReadCtx(ssl, stream);
    wolfSSL_SetIOWriteCtx(ssl, stream);
}

/* is_file - not a socket */
static bool
is_file(int fd)
{
    int type;
    socklen_t len = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0;
}

void
stream_split(struct stream *stream, int out_fd)
{
    stream->out_fd = out_fd;
    stream->in_file = is_file(stream->fd);
    stream->out_file = is_file(out_fd);
}

/* --- reading -------------------------------------------------------------- */

static ssize_t
plain_read(struct stream *stream, void *buf, size_t size)
{
    ssize_t n;

    if (stream->dry) {
        stream->dry = false;
        return -ERR_AGAIN;
    }
    n = io_recv(stream, buf, size);
    stream->dry = n > 0 && (size_t)n < size;
    if (n > 0)
        return n;
    if (n < 0 && !(stream->program && io_reset(errno)))
        return io_again() ? -ERR_AGAIN : fail(stream, errno);
    if (stream->reset && !stream->program)
        return fail(stream, ECONNRESET);
    stream->read_eof = true;
    return 0;
}

/* note_alert - did the peer say why? TLS 1.3 knows no
 * warnings but close_notify and user_canceled (RFC 8446 6) */
static void
note_alert(struct stream *stream)
{
    WOLFSSL_ALERT_HISTORY history = { { -1, -1 }, { -1, -1 } };

    if (wolfSSL_get_alert_history(stream->ssl, &history) == WOLFSSL_SUCCESS &&
        history.last_rx.code > 0 && history.last_rx.code != 90 &&
        (history.last_rx.level == 2 ||
         wolfSSL_version(stream->ssl) == TLS1_3_VERSION))
        stream->alert = history.last_rx.code;
}

/* tls_fail - the -ERR_* for what wolfSSL says */
static int
tls_fail(struct stream *stream, int error)
{
    if (error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE)
        return -ERR_AGAIN;
    if (error == SOCKET_PEER_CLOSED_E && stream->io_error == 0)
        return stream->reset ? fail(stream, ECONNRESET) : -ERR_TRUNCATED;
    if (stream->io_error != 0)
        return fail(stream, stream->io_error);
    stream->tls_error = error;
    note_alert(stream);
    return -ERR_TLS;
}

/* tls_ended - what wolfSSL_read's failure means: 0 or -ERR_* */
static ssize_t
tls_ended(struct stream *stream, int n)
{
    int error = wolfSSL_get_error(stream->ssl, n);

    if (error == WOLFSSL_ERROR_ZERO_RETURN) {
        stream->read_eof = true;
        return 0;
    }
    stream->read_events = stream->gated ? POLLOUT : POLLIN;
    return tls_fail(stream, error);
}

/* tls_read - one record, for which the socket may be asked, and what else is
 * here already and has room. An end that is found behind a record is kept for
 * the next call: the library forgets it with the next write. */
static ssize_t
tls_read(struct stream *stream, uint8_t *buf, size_t size)
{
    size_t done = 0, room;
    int n;

    if (stream->due != 0)
        return stream->due;
    stream->io_error = 0;
    (void)flush(stream); /* a failure shows when we read or write */
    stream->budget = READ_CALLS;
    do {
        room = size - done < STREAM_RECORD ? size - done : STREAM_RECORD;
        if ((n = wolfSSL_read(stream->ssl, buf + done, (int)room)) <= 0)
            break;
        done += (size_t)n;
        stream->budget = 0;
    } while (size - done >= STREAM_RECORD && ahead_holds(stream->ahead));
    if (n > 0)
        return (ssize_t)done;
    if (done == 0)
        return tls_ended(stream, n);
    if ((stream->due = tls_ended(stream, n)) == -ERR_AGAIN)
        stream->due = 0;
    return (ssize_t)done;
}

ssize_t
stream_read(struct stream *stream, void *buf, size_t size)
{
    if (stream->read_eof)
        return 0;
    return stream->ssl == NULL ? plain_read(stream, buf, size)
                               : tls_read(stream, buf, size);
}

void
stream_recheck(struct stream *stream)
{
    stream->dry = stream->full = false;
    if (stream->ahead != NULL)
        stream->ahead->dry = false;
}

/* --- writing -------------------------------------------------------------- */

static ssize_t
plain_write(struct stream *stream, const void *buf, size_t len)
{
    ssize_t n = io_send(stream, buf, len);

    if (n < 0 && stream->program && io_reset(errno))
        return -ERR_EOF;
    if (n < 0)
        return io_again() ? -ERR_AGAIN : fail(stream, errno);
    return n;
}

/* tls_settle - is the whole record that was owed with the kernel now? */
static ssize_t
tls_settle(struct stream *stream)
{
    int result = flush(stream);
    size_t done = stream->taken;

    if (result != 0)
        return result;
    stream->taken = 0;
    return (ssize_t)done;
}

/* record_size - payload of the records of a write */
static size_t
record_size(struct stream *stream, size_t len)
{
    int64_t now;

    if (len <= FIRST_RECORD)
        return len;
    now = clock_ms();
    if (now - stream->wrote > PAUSE_MS)
        stream->run = 0;
    stream->wrote = now;
    if (stream->run >= FIRST_RUN)
        return STREAM_RECORD;
    stream->run += len;
    return FIRST_RECORD;
}

/* tls_record - one; > 0 its payload, which the kernel or the spill has now */
static ssize_t
tls_record(struct stream *stream, const void *data, size_t len, bool more)
{
    int n;

    stream->io_error = 0;
    stream->more = more;
    n = wolfSSL_write(stream->ssl, data, (int)len);
    stream->more = false;
    if (stream->reset)
        return fail(stream, ECONNRESET);
    return n > 0 ? n : tls_fail(stream, wolfSSL_get_error(stream->ssl, n));
}

/* tls_write - record after record, as long as the socket takes them: MSG_MORE
 * makes large segments of them without another copy */
static ssize_t
tls_write(struct stream *stream, const uint8_t *data, size_t len)
{
    size_t done = 0, record, size;
    ssize_t n;

    if (stream->taken > 0)
        return tls_settle(stream);
    if ((n = flush(stream)) != 0)
        return n;
    record = record_size(stream, len);
    do {
        size = len - done < record ? len - done : record;
        n = tls_record(stream, data + done, size, done + size < len);
        if (n > 0 && stream->spill.len > 0) {
            stream->taken = (size_t)n;
            n = -ERR_AGAIN;
        }
        if (n > 0)
            done += (size_t)n;
    } while (n > 0 && done < len);
    if (done > 0)
        return (ssize_t)done; /* when there is a rest, it will say so */
    stream->full = false;     /* as we do now: the caller waits */
    return n;
}

ssize_t
stream_write(struct stream *stream, const void *buf, size_t len)
{
    if (stream->shut || stream->closing)
        return fail(stream, ESHUTDOWN);
    if (stream->reset)
        return stream->program ? -ERR_EOF : fail(stream, ECONNRESET);
    if (len == 0)
        return 0;
    return stream->ssl == NULL ? plain_write(stream, buf, len)
                               : tls_write(stream, buf, len);
}

/* --- ending --------------------------------------------------------------- */

/* tls_notify - close_notify, once, and all the way to the kernel */
static int
tls_notify(struct stream *stream)
{
    int result = flush(stream);

    if (result != 0 || stream->closing)
        return result;
    stream->io_error = 0;
    result = wolfSSL_shutdown(stream->ssl);
    /* 2 is sent, 1 is sent and the peer's was here before */
    if (result != WOLFSSL_SHUTDOWN_NOT_DONE && result != WOLFSSL_SUCCESS)
        return tls_fail(stream, wolfSSL_get_error(stream->ssl, result));
    stream->closing = true;
    if (stream->reset)
        return fail(stream, ECONNRESET);
    return flush(stream);
}

int
stream_shut(struct stream *stream)
{
    int result = 0;

    if (stream->shut)
        return 0;
    if (stream->ssl != NULL && (result = tls_notify(stream)) == -ERR_AGAIN)
        return result;
    stream->shut = true;
    if (stream->out_file) {
        close(stream->out_fd);
        stream->out_fd = -1;
    } else if (shutdown(stream->out_fd, SHUT_WR) != 0 && result == 0)
        result = fail(stream, errno == ENOTCONN ? ECONNRESET : errno);
    return result;
}

void
stream_abort(struct stream *stream)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    /* Fails on nothing that could be helped; on a unix socket it has no effect:
     * those have no reset to pass on. */
    (void)setsockopt(stream->out_fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void
stream_trim(struct stream *stream)
{
    if (stream->ssl == NULL)
        return;
    ahead_trim(stream->ahead);
    spill_trim(&stream->spill);
}

/* drain_step - > 0 thrown away, 0 the end, negatives as stream_read's. A TLS
 * session that is past reading is drained below it: only the bytes matter. */
static ssize_t
drain_step(struct stream *stream, bool *raw)
{
    static alignas(PAGES_SIZE) uint8_t waste[DRAIN_CHUNK];
    ssize_t n;

    if (!*raw) {
        n = stream_read(stream, waste, sizeof(waste));
        if (n != -ERR_TLS)
            return n == -ERR_TRUNCATED ? 0 : n;
        *raw = true;
    }
    stream->read_events = POLLIN;
    return plain_read(stream, waste, sizeof(waste));
}

/* drain_look - without waiting: is it time to stop? */
static enum err
drain_look(struct pollfd *item, long long deadline)
{
    if (wait_for(item, 1, 0) == ERR_STOP)
        return ERR_STOP;
    return clock_left(deadline) == 0 ? ERR_TIMEOUT : ERR_OK;
}

enum err
stream_drain(struct stream *stream, size_t limit, long long deadline)
{
    bool raw = stream->ssl == NULL;
    struct pollfd item = { .fd = stream->fd };
    size_t total = 0;
    unsigned turn = 0;

    if (stream->in_file)
        return ERR_OK; /* nobody is sent a RST for what we leave there */
    for (;;) {
        ssize_t n = drain_step(stream, &raw);
        enum err err = ERR_OK;

        if (n == 0)
            return ERR_OK;
        if (n < 0 && n != -ERR_AGAIN)
            return (enum err) - n;
        if (n > 0 && (total += (size_t)n) >= limit)
            return ERR_IO;
        item.events = stream->read_events;
        if (n == -ERR_AGAIN)
            err = wait_for(&item, 1, deadline);
        else if (++turn % 16 ==
                 0) /* a busy peer must not keep us from clock and signal */
            err = drain_look(&item, deadline);
        if (err != ERR_OK)
            return err;
    }
}
