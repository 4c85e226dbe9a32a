/*
 * stream_plain.c - a stream's descriptors, without TLS
 *
 * Owns every recv, send, read and write of payload but the one in ahead.c, and
 * remembers the resets that they tell of.
 * Must never wait: what is no socket is asked first whether it would.
 */
#include "worker/stream_plain.h"
#include "common/err.h"
#include "worker/stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* is_reset - is errno the peer's reset? EPIPE is one too: it comes when the
 * reset itself was already reported to somebody, as we refuse writes after our
 * own FIN. */
static bool
is_reset(int number)
{
    return number == ECONNRESET || number == EPIPE;
}

int
stream_fail(struct stream *stream, int number)
{
    if (number == EAGAIN)
        return -ERR_AGAIN;
    stream->error = number;
    return is_reset(number) ? -ERR_RESET : -ERR_IO;
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

/* receive, transmit - the two system calls, EINTR retried, resets remembered */
static ssize_t
receive(struct stream *stream, void *buf, size_t size)
{
    ssize_t n;

    do {
        n = get(stream, buf, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && is_reset(errno))
        stream->reset = true;
    return n;
}

static ssize_t
transmit(struct stream *stream, const void *buf, size_t len)
{
    ssize_t n;

    if (stream->out_file && len > PIPE_BUF)
        len = PIPE_BUF;
    if (stream->full) {
        stream->full = false;
        errno = EAGAIN;
        return -1;
    }
    do {
        n = put(stream, buf, len,
                MSG_DONTWAIT | MSG_NOSIGNAL | (stream->more ? MSG_MORE : 0));
    } while (n < 0 && errno == EINTR);
    stream->full = n >= 0 && (size_t)n < len;
    if (n < 0 && is_reset(errno))
        stream->reset = true;
    return n;
}

ssize_t
stream_plain_read(struct stream *stream, void *buf, size_t size)
{
    ssize_t n;

    if (stream->dry) {
        stream->dry = false;
        return -ERR_AGAIN;
    }
    n = receive(stream, buf, size);
    stream->dry = n > 0 && (size_t)n < size;
    if (n > 0)
        return n;
    if (n < 0 && !(stream->program && is_reset(errno)))
        return stream_fail(stream, errno);
    if (stream->reset && !stream->program)
        return stream_fail(stream, ECONNRESET);
    stream->read_eof = true;
    return 0;
}

ssize_t
stream_plain_write(struct stream *stream, const void *buf, size_t len)
{
    ssize_t n = transmit(stream, buf, len);

    if (n >= 0)
        return n;
    if (stream->program && is_reset(errno))
        return -ERR_EOF;
    return stream_fail(stream, errno);
}
