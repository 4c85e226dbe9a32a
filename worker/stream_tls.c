/*
 * stream_tls.c - a stream's TLS session, once it is established
 *
 * Owns the I/O callbacks of established sessions, the spill, and what the
 * library's errors mean for an end. Must never turn a truncation or a reset
 * into a clean end.
 *
 * Why callbacks of our own: wolfSSL 5.9.2 mixes up records that the socket did
 * not take. It keeps the record and wants the same wolfSSL_write again; but a
 * KeyUpdate that is read meanwhile flushes that record together with its own
 * answer, and then the retry sends the payload a second time. So the callback
 * always takes everything and keeps here (the spill) what the socket refused:
 * wolfSSL never sees a would-block, and stream_tls_write settles the account.
 */
#include <wolfssl/options.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include "common/clock.h"
#include "worker/ahead.h"
#include "worker/stream.h"
#include "worker/stream_plain.h"
#include "worker/stream_tls.h"

#include <errno.h>

/* One read asks the socket so often, then gives the caller a chance to look at
 * clocks and signals: a peer may send records without payload for ever. */
#define READ_CALLS 4
/* Reading may produce answers (KeyUpdate, alerts): it waits for this room. */
#define REPLY_ROOM 1024
/* What a record adds to its payload, at most, and the room that one more needs */
#define OVERHEAD    256
#define TWO_RECORDS (2 * (STREAM_RECORD + OVERHEAD) + REPLY_ROOM)

/* After a pause the peer's window may be a few segments: so much goes in small
 * records, each of which is of use when it has come. */
#define PAUSE_MS     1000
#define FIRST_RECORD 4096
#define FIRST_RUN    16384

/* --- the library's ways --------------------------------------------------- */

/* flush - the spill. 0 nothing left, -ERR_AGAIN, -ERR_RESET, -ERR_IO */
static int
flush(struct stream *stream)
{
    struct spill *spill = &stream->spill;

    while (spill->len > 0) {
        ssize_t n =
            stream_plain_write(stream, spill->at + spill->off, spill->len);

        if (n < 0)
            return (int)n;
        spill_sent(spill, (size_t)n);
    }
    return 0;
}

/*
 * tls_send - wolfSSL's way out. Takes everything: what goes nowhere any more
 * (after a reset, after our own FIN) is dropped, so that wolfSSL stays able to
 * read what the peer sent before; stream_tls_write tells of the reset. What
 * joins others in the spill goes out with them.
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
    if (stream->spill.len == 0 && !stream->gather) {
        n = stream_plain_write(stream, data, left);
        if (n < 0 && stream->reset)
            return len;
        if (n < 0 && n != -ERR_AGAIN) {
            stream->io_error = stream->error;
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

/* nothing_came - number: errno, 0: end of file. What the library is told. */
static int
nothing_came(struct stream *stream, int number)
{
    int failed;

    if (number == 0 && stream->reset)
        number = ECONNRESET; /* the kernel tells of a reset only once */
    failed = number == 0 ? 0 : stream_fail(stream, number);
    if (failed == -ERR_AGAIN)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    stream->io_error = number;
    if (failed == 0)
        return WOLFSSL_CBIO_ERR_CONN_CLOSE;
    if (failed != -ERR_RESET)
        return WOLFSSL_CBIO_ERR_GENERAL;
    stream->reset = true;
    return WOLFSSL_CBIO_ERR_CONN_RST;
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
    n = ahead_recv(stream->ahead, stream->fd, data, (size_t)size);
    return n > 0 ? (int)n : nothing_came(stream, n == 0 ? 0 : errno);
}

void
stream_tls_begin(struct stream *stream)
{
    spill_begin(&stream->spill);
    wolfSSL_SSLSetIORecv(stream->ssl, tls_recv);
    wolfSSL_SSLSetIOSend(stream->ssl, tls_send);
    wolfSSL_SetIOReadCtx(stream->ssl, stream);
    wolfSSL_SetIOWriteCtx(stream->ssl, stream);
}

/* --- reading -------------------------------------------------------------- */

/* note_alert - did the peer say why? TLS 1.3 knows no warnings but close_notify
 * and user_canceled (RFC 8446 6) */
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
        return stream->reset ? stream_fail(stream, ECONNRESET) : -ERR_TRUNCATED;
    if (stream->io_error != 0)
        return stream_fail(stream, stream->io_error);
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

/* An end that is found behind a record is kept for the next call: the library
 * forgets it with the next write. */
ssize_t
stream_tls_read(struct stream *stream, void *buf, size_t size)
{
    uint8_t *to = buf;
    size_t done = 0, room;
    int n;

    if (stream->due != 0)
        return stream->due;
    stream->io_error = 0;
    (void)flush(stream); /* a failure shows when we read or write */
    stream->budget = READ_CALLS;
    do {
        room = size - done < STREAM_RECORD ? size - done : STREAM_RECORD;
        if ((n = wolfSSL_read(stream->ssl, to + done, (int)room)) <= 0)
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

/* --- writing -------------------------------------------------------------- */

/* tls_settle - how much of what was owed is with the kernel now? A slow peer's
 * progress counts: a record is longer than its payload, so no more of that is in
 * the spill than the spill is long. */
static ssize_t
tls_settle(struct stream *stream)
{
    int result = flush(stream);
    size_t left = stream->spill.len, done;

    if (result != 0 && (result != -ERR_AGAIN || left >= stream->taken))
        return result;
    done = stream->taken - left;
    stream->taken = left;
    stream->full = left > 0;
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
tls_record(struct stream *stream, const void *data, size_t len, bool gather)
{
    int n;

    stream->io_error = 0;
    stream->gather = gather;
    n = wolfSSL_write(stream->ssl, data, (int)len);
    stream->gather = false;
    if (stream->reset)
        return stream_fail(stream, ECONNRESET);
    return n > 0 ? n : tls_fail(stream, wolfSSL_get_error(stream->ssl, n));
}

/* tls_records - as many as there is room for; all but the last one wait in the
 * spill, for one send(2). > 0: their payload; a failure behind them shows with the
 * next write. */
static ssize_t
tls_records(struct stream *stream, const uint8_t *data, size_t len)
{
    size_t done = 0, record = record_size(stream, len), size;
    bool more;
    ssize_t n;

    do {
        size = len - done < record ? len - done : record;
        more = done + size < len && spill_room(&stream->spill) >= TWO_RECORDS;
        n = tls_record(stream, data + done, size, more);
        if (n > 0)
            done += (size_t)n;
    } while (n > 0 && more);
    return done > 0 ? (ssize_t)done : n;
}

ssize_t
stream_tls_write(struct stream *stream, const void *buf, size_t len)
{
    ssize_t n;

    if (stream->taken == 0) {
        if ((n = flush(stream)) != 0 || (n = tls_records(stream, buf, len)) < 0)
            return n;
        stream->taken = (size_t)n;
    }
    return tls_settle(stream);
}

/* --- ending --------------------------------------------------------------- */

int
stream_tls_notify(struct stream *stream)
{
    int result = flush(stream);

    if (result != 0 || stream->closing)
        return result;
    stream->io_error = 0;
    stream->more = true; /* our FIN: both in one segment */
    result = wolfSSL_shutdown(stream->ssl);
    stream->more = false;
    /* 2 is sent, 1 is sent and the peer's was here before */
    if (result != WOLFSSL_SHUTDOWN_NOT_DONE && result != WOLFSSL_SUCCESS)
        return tls_fail(stream, wolfSSL_get_error(stream->ssl, result));
    stream->closing = true;
    if (stream->reset)
        return stream_fail(stream, ECONNRESET);
    return flush(stream);
}
