/*
 * stream.c - one interface over a plain descriptor and a TLS session
 *
 * Owns the choice between the two (stream_plain.c, stream_tls.c), the state that
 * both keep, and every shutdown.
 * Must never wait, close a socket, or log.
 */
#include "worker/stream.h"
#include "worker/ahead.h"
#include "worker/stream_plain.h"
#include "worker/stream_tls.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

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
    stream->dry = stream->full = stream->gather = stream->more = false;
    stream->io_error = 0;
    stream->budget = 0;
    stream->taken = stream->run = 0;
    stream->wrote = 0;
    stream->due = 0;
    stream->ahead = ahead;
    stream->spill = (struct spill){ NULL, 0, 0, 0 };
    if (ssl != NULL)
        stream_tls_begin(stream);
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

ssize_t
stream_read(struct stream *stream, void *buf, size_t size)
{
    if (stream->read_eof)
        return 0;
    return stream->ssl == NULL ? stream_plain_read(stream, buf, size)
                               : stream_tls_read(stream, buf, size);
}

void
stream_recheck(struct stream *stream)
{
    stream->dry = stream->full = false;
    if (stream->ahead != NULL)
        stream->ahead->dry = false;
}

ssize_t
stream_write(struct stream *stream, const void *buf, size_t len)
{
    if (stream->shut || stream->closing)
        return stream_fail(stream, ESHUTDOWN);
    if (stream->reset)
        return stream->program ? -ERR_EOF : stream_fail(stream, ECONNRESET);
    if (len == 0)
        return 0;
    return stream->ssl == NULL ? stream_plain_write(stream, buf, len)
                               : stream_tls_write(stream, buf, len);
}

int
stream_shut(struct stream *stream)
{
    int result = 0;

    if (stream->shut)
        return 0;
    if (stream->ssl != NULL &&
        (result = stream_tls_notify(stream)) == -ERR_AGAIN)
        return result;
    stream->shut = true;
    if (stream->out_file) {
        close(stream->out_fd);
        stream->out_fd = -1;
    } else if (shutdown(stream->out_fd, SHUT_WR) != 0 && result == 0)
        result = stream_fail(stream, errno == ENOTCONN ? ECONNRESET : errno);
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

void
stream_end(struct stream *stream)
{
    spill_end(&stream->spill);
}
