/*
 * stream_drain.c - after our own end, until the peer's
 *
 * Owns the one wait that a stream does itself, and what is thrown away in it.
 */
#include "common/clock.h"
#include "worker/pages.h"
#include "worker/stream.h"
#include "worker/stream_plain.h"
#include "worker/wait.h"

#include <stdalign.h>

enum { DRAIN_CHUNK = 16384 };

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
    return stream_plain_read(stream, waste, sizeof(waste));
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
