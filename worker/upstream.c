/*
 * upstream.c - get a connected descriptor from the connector
 *
 * Owns the worker's end of the connector pair: requests, replies, descriptors
 * that come along, the waiting for a connection to stand, and the word to the
 * connector of how that went.
 * Must never make a socket, name an address, keep a descriptor that belongs to
 * a request given up before, or take a host name from the connector.
 */
#include "worker/upstream.h"
#include "common/clock.h"
#include "common/conf.h"
#include "common/connwire.h"
#include "common/fdio.h"
#include "common/mem.h"
#include "common/text.h"
#include "worker/wait.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define BUSY_MS 5 /* a full unix backlog: ask again after this */

/* The connector answers at once, unless it has to look a name up: so long we
 * wait for nothing but its answer, which costs half as many calls. SIGTERM, or
 * a client that goes, is seen that much later. */
#define PROMPT_MS 50

struct attempt { /* one call of upstream_open */
    int connector_fd;
    int client_fd;
    int64_t deadline;
    int64_t fair; /* an address that had less than this ms is not blamed */
    struct connwire_request request;
    struct connwire_reply reply;
    int fd;     /* of the reply, -1 */
    int failed; /* errno of the last address that failed, 0: none did */
    char last[ADDR_TEXT_MAX]; /* that address */
};

/* ask - send the request for at->request.attempt */
static enum err
ask(struct attempt *at, struct why *why)
{
    static MEM_TOUCHED uint32_t seq; /* of this process: its pair is its own */
    enum err err;

    at->request.seq = ++seq;
    for (;;) {
        err = fdio_send(at->connector_fd, &at->request, sizeof(at->request), -1,
                        MSG_DONTWAIT, why);
        if (err != ERR_AGAIN)
            return err == ERR_IO ? ERR_PEER
                                 : err; /* ERR_IO speaks of an upstream here */
        if ((err = wait_beside(at->connector_fd, POLLOUT, at->client_fd,
                               at->deadline)) != ERR_OK)
            return err;
    }
}

/* hear - the reply to the last request; older ones are dropped */
static enum err
hear(struct attempt *at, struct why *why)
{
    int flags = clock_left(at->deadline) > PROMPT_MS ? 0 : MSG_DONTWAIT;
    enum err err;
    size_t len;

    for (;;) {
        len = sizeof(at->reply);
        err = fdio_recv(at->connector_fd, &at->reply, &len, &at->fd, NULL,
                        flags, why);
        flags = MSG_DONTWAIT;
        if (err == ERR_AGAIN) {
            if ((err = wait_beside(at->connector_fd, POLLIN, at->client_fd,
                                   at->deadline)) != ERR_OK)
                return err;
            continue;
        }
        if (err != ERR_OK)
            return err == ERR_IO ? ERR_PEER : err;
        at->reply.text[sizeof(at->reply.text) - 1] = '\0';
        if (len == sizeof(at->reply) && at->reply.seq == at->request.seq)
            break;
        fdio_close(&at->fd);
        if (len != sizeof(at->reply))
            return why_set(why, ERR_PEER,
                           "the connector's reply has a wrong length");
    }
    if ((at->fd >= 0) == (at->reply.status == CONNWIRE_CONNECTING))
        return ERR_OK;
    fdio_close(&at->fd);
    return why_set(why, ERR_PEER,
                   "the connector's reply and its descriptor do not fit");
}

/* tell - how the connection of the last reply went. It may get lost: then the
 * connector finds out with the next worker. */
static void
tell(const struct attempt *at, int error)
{
    struct connwire_request packet = {
        .kind = CONNWIRE_OUTCOME,
        .seq = at->request.seq,
        .error = error,
    };

    (void)fdio_send(at->connector_fd, &packet, sizeof(packet), -1, MSG_DONTWAIT,
                    NULL);
}

/* limit - how long this address may take: when there are others, half of what
 * is left, so that one that never answers does not eat all of the time */
static int64_t
limit(const struct attempt *at)
{
    int left = clock_left(at->deadline);

    if (at->reply.more == 0 || left < 0)
        return at->deadline;
    return clock_deadline(left / 2);
}

/* note_failed - remember why an address failed, for the log */
static void
note_failed(struct attempt *at, int error)
{
    at->failed = error;
    (void)snprintf(at->last, sizeof(at->last), "%s", at->reply.text);
}

/* under_way - does the connection not stand yet? A send(2) of nothing asks for
 * all: EAGAIN while connecting, then 0 or what went wrong. EPIPE: it stood, and
 * who was there has closed; what it has said can be read. */
static bool
under_way(int fd, int *error)
{
    *error = send(fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
    if (*error == EPIPE)
        *error = 0;
    return *error == EAGAIN;
}

/* stand - wait until the connection stands: a near one does when we get it.
 * ERR_OK; ERR_IO: this address failed, at->failed says why; else the whole
 * attempt ends. */
static enum err
stand(struct attempt *at)
{
    int64_t until = limit(at);
    int had = clock_left(until), error;
    enum err err = ERR_OK;

    while (err == ERR_OK && under_way(at->fd, &error))
        err = wait_beside(at->fd, POLLOUT, at->client_fd, until);
    if (err == ERR_TIMEOUT) {
        if (had >= at->fair)
            tell(at, ETIMEDOUT);
        if (clock_left(at->deadline) == 0)
            return err;
        note_failed(at, ETIMEDOUT);
        return ERR_IO;
    }
    if (err != ERR_OK)
        return err;
    if (error != 0 || at->reply.trial != 0)
        tell(at, error);
    if (error == 0)
        return ERR_OK;
    note_failed(at, error);
    return ERR_IO;
}

/* act - what one reply means. ERR_OK: connected. ERR_AGAIN: ask (again). */
static enum err
act(struct attempt *at, struct why *why)
{
    enum err err;

    switch ((enum connwire_status)at->reply.status) {
    case CONNWIRE_CONNECTING:
        if ((err = stand(at)) == ERR_OK)
            return ERR_OK;
        fdio_close(&at->fd);
        if (err != ERR_IO)
            return err;
        break;
    case CONNWIRE_FAILED:
        note_failed(at, at->reply.error);
        break;
    case CONNWIRE_BUSY:
        err = wait_beside(-1, 0, at->client_fd, clock_deadline(BUSY_MS));
        if (err == ERR_TIMEOUT)
            err = clock_left(at->deadline) == 0 ? ERR_TIMEOUT : ERR_AGAIN;
        return err;
    case CONNWIRE_NO_MORE:
        return ERR_IO;
    case CONNWIRE_NO_NAME:
        return why_set(why, ERR_CONF, "%s", at->reply.text);
    default:
        return why_set(why, ERR_PEER,
                       "the connector's reply has an unknown status");
    }
    if (at->reply.more == 0)
        return ERR_IO;
    at->request.attempt++;
    return ERR_AGAIN;
}

/* conclude - word and sentence for the end of a failed call */
static enum err
conclude(const struct attempt *at, enum err err, enum reason *reason,
         struct why *why)
{
    const char *where = at->reply.text[0] != '\0' ? at->reply.text : "upstream";

    *reason = REASON_INTERNAL;
    if (err == ERR_CONF) {
        *reason = REASON_UPSTREAM_NAME;
    } else if (err == ERR_STOP) {
        *reason = REASON_STOPPED;
        return why_set(why, err, "stopped while connecting");
    } else if (err == ERR_RESET) {
        *reason = REASON_CLIENT_RESET;
        return why_set(why, err, "the client went away while we connected");
    } else if (err == ERR_TIMEOUT) {
        *reason = REASON_UPSTREAM_TIMEOUT;
        return why_set(why, err, "%s: no connection in time", where);
    } else if (err == ERR_IO && at->failed == 0) {
        *reason = REASON_UPSTREAM_REFUSED;
        return why_set(why, err, "no upstream has an address");
    } else if (err == ERR_IO) {
        *reason = at->failed == ETIMEDOUT ? REASON_UPSTREAM_TIMEOUT
                                          : REASON_UPSTREAM_REFUSED;
        errno = at->failed;
        return why_errno(why, err, "%s", at->last);
    } else if (err == ERR_EOF) {
        return why_set(why, err, "the connector is gone");
    }
    return err;
}

/* local_text - our address on the connection, "" when it cannot be told */
static void
local_text(int fd, char *out)
{
    struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof(sa);

    out[0] = '\0';
    if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
        (void)addr_text((struct sockaddr *)&sa, len, out);
}

/* identify - which configured address this is, and its host as written there */
static enum err
identify(const struct conf_addrs *addrs, size_t index, struct upstream *out,
         struct why *why)
{
    const struct addr *addr;

    if (index >= addrs->count)
        return why_set(why, ERR_PEER,
                       "the connector names an address that there is not");
    addr = &addrs->item[index];
    out->index = index;
    (void)text_copy(out->host,
                    addr->kind == ADDR_UNIX ? "localhost" : addr->host,
                    sizeof(out->host));
    out->port = addr->kind == ADDR_UNIX ? 0 : addr->port;
    return ERR_OK;
}

void
upstream_ready(int connector_fd)
{
    struct timeval prompt = { .tv_usec = PROMPT_MS * 1000 };

    (void)setsockopt(connector_fd, SOL_SOCKET, SO_RCVTIMEO, &prompt,
                     sizeof(prompt));
}

enum err
upstream_open(int connector_fd, int client_fd, uint16_t route,
              const struct conf_addrs *addrs, int64_t timeout_ms,
              struct upstream *out, enum reason *reason, struct why *why)
{
    struct attempt at = {
        .connector_fd = connector_fd,
        .client_fd = client_fd,
        .deadline = clock_deadline(timeout_ms),
        .fair = timeout_ms / 4,
        .request = { .kind = CONNWIRE_OPEN, .route = route },
        .fd = -1,
    };
    enum err err;

    out->fd = -1;
    out->text[0] = out->local[0] = out->host[0] = '\0';
    out->index = 0;
    out->port = 0;
    do {
        if ((err = ask(&at, why)) == ERR_OK && (err = hear(&at, why)) == ERR_OK)
            err = act(&at, why);
    } while (err == ERR_AGAIN);
    (void)snprintf(out->text, sizeof(out->text), "%s",
                   err == ERR_OK || at.failed == 0 ? at.reply.text : at.last);
    if (err == ERR_OK &&
        (err = identify(addrs, at.reply.index, out, why)) != ERR_OK)
        fdio_close(&at.fd);
    if (err != ERR_OK)
        return conclude(&at, err, reason, why);
    out->fd = at.fd;
    local_text(at.fd, out->local);
    *reason = REASON_NONE;
    return ERR_OK;
}
