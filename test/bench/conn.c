/*
 * conn.c - one connection of the generator, from connect(2) to the answer
 *
 *   CLOSED -> CONNECTING -> SHAKING -> SENDING -> ANSWER -> RESTING
 *                                         ^-------- ask ------|
 * Sockets never block; epoll is level-triggered, so that a connection left in
 * the middle comes again, except for bytes that TLS already has: CONN_MORE.
 */
#include "load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BULK = 256 * 1024, READS_PER_TURN = 32 };
static const double retry_after = 0.02;
static char bulk[BULK];

/* watch - wait for these events; a system call only when they change */
static void
watch(struct load *load, struct conn *conn, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = conn };
    int how = conn->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

    if (conn->events == events)
        return;
    conn->events = events;
    epoll_ctl(load->poll, how, conn->wire.fd, &event);
}

static void
set_more(struct load *load, struct conn *conn, int more)
{
    if (more && !conn->more)
        load->more++;
    if (!more && conn->more)
        load->more--;
    conn->more = more;
}

static void
set_state(struct load *load, struct conn *conn, enum conn_state state)
{
    if (conn->state == CONN_CLOSED)
        load->closed--;
    if (state == CONN_CLOSED)
        load->closed++;
    conn->state = state;
}

void
conn_close(struct load *load, struct conn *conn)
{
    set_more(load, conn, 0);
    wire_close(&conn->wire);
    conn->events = 0;
    set_state(load, conn, CONN_CLOSED);
}

void
conn_lost(struct load *load, struct conn *conn)
{
    static const char *const stage[] = { "socket", "connect", "handshake",
                                         "send",   "answer",  "rest" };

    count_failed(&load->count, stage[conn->state]);
    conn_close(load, conn);
    conn->retry = seconds() + retry_after;
}

/* from_source - take one of the source addresses; the kernel chooses the port
 * at connect(2), when it knows that the pair of addresses is free */
static int
from_source(const struct load *load, int fd, unsigned number)
{
    struct sockaddr_in from = { .sin_family = AF_INET };
    int on = 1;

    if (load->sources < 2)
        return 0;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number % load->sources);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    return bind(fd, (struct sockaddr *)&from, sizeof(from));
}

enum outcome
conn_open(struct load *load, struct conn *conn, unsigned number)
{
    int on = 1;

    conn->began = seconds();
    conn->heard = 0;
    conn->head_size = 0;
    conn->events = 0;
    conn->wire.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (conn->wire.fd < 0 || from_source(load, conn->wire.fd, number) != 0)
        return CONN_LOST;
    setsockopt(conn->wire.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    set_state(load, conn, CONN_CONNECTING);
    if (connect(conn->wire.fd, (struct sockaddr *)&load->target,
                sizeof(load->target)) != 0 &&
        errno != EINPROGRESS)
        return CONN_LOST;
    if (load->tls != NULL) {
        conn->wire.ssl = SSL_new(load->tls);
        SSL_set_fd(conn->wire.ssl, conn->wire.fd);
        SSL_set_connect_state(conn->wire.ssl);
        SSL_set_tlsext_host_name(conn->wire.ssl, load->name);
        if (load->certs != NULL)
            SSL_use_certificate(
                conn->wire.ssl,
                load->certs[load->cert_next++ % load->cert_count]);
    }
    watch(load, conn, EPOLLOUT);
    return CONN_WAIT;
}

/* say - begin to send, and expect the whole answer */
static void
say(struct load *load, struct conn *conn, const char *what, size_t size)
{
    conn->out = what;
    conn->out_left = size;
    conn->answer_left = load->talk.http ? 0 : load->talk.answer;
    conn->head_size = 0;
    set_state(load, conn, CONN_SENDING);
}

enum outcome
conn_ask(struct load *load, struct conn *conn)
{
    conn->began = seconds();
    say(load, conn, load->talk.next, load->talk.next_size);
    return conn_drive(load, conn);
}

static enum outcome
connecting(struct load *load, struct conn *conn)
{
    socklen_t size = sizeof(errno);

    getsockopt(conn->wire.fd, SOL_SOCKET, SO_ERROR, &errno, &size);
    if (errno != 0)
        return CONN_LOST;
    set_state(load, conn, CONN_SHAKING);
    return CONN_MORE;
}

static enum outcome
shaking(struct load *load, struct conn *conn)
{
    uint32_t events;
    int result;

    if (conn->heard <= 0 && conn->events == EPOLLIN)
        conn->heard = seconds();
    result = wire_shake(&conn->wire, &events);
    if (result == WIRE_AGAIN)
        watch(load, conn, events);
    if (result != 1)
        return result == WIRE_AGAIN ? CONN_WAIT : CONN_LOST;
    conn->stream_left = load->talk.stream;
    say(load, conn, load->talk.first, load->talk.first_size);
    return CONN_MORE;
}

/* sent - what is left after n bytes went out: of `out`, then of the stream */
static void
sent(struct load *load, struct conn *conn, size_t n)
{
    if (conn->out_left > 0) {
        conn->out += n;
        conn->out_left -= n;
        return;
    }
    load->count.bytes += n;
    if (conn->stream_left != UINT64_MAX)
        conn->stream_left -= n;
}

static enum outcome
sending(struct load *load, struct conn *conn)
{
    const char *from = conn->out_left > 0 ? conn->out : bulk;
    size_t size = conn->out_left;
    ssize_t n;

    if (size == 0)
        size = conn->stream_left < BULK ? (size_t)conn->stream_left : BULK;
    if (size == 0) {
        watch(load, conn, EPOLLIN);
        set_state(load, conn, CONN_ANSWER);
        return CONN_MORE;
    }
    n = wire_write(&conn->wire, from, size);
    if (n == WIRE_AGAIN)
        watch(load, conn, EPOLLOUT);
    if (n < 0)
        return n == WIRE_AGAIN ? CONN_WAIT : CONN_LOST;
    sent(load, conn, (size_t)n);
    return CONN_MORE;
}

/* head - take bytes of an HTTP answer's head: how many, or -1. At its end
 * answer_left is the body's length. */
static ssize_t
head(struct conn *conn, const char *from, size_t size)
{
    size_t room = HEAD_MOST - 1 - conn->head_size;
    size_t take = size < room ? size : room, whole;
    char *end, *length;

    memcpy(conn->head + conn->head_size, from, take);
    conn->head[conn->head_size + take] = '\0';
    end = strstr(conn->head, "\r\n\r\n");
    if (end == NULL) {
        conn->head_size += take;
        return take == room ? -1 : (ssize_t)take;
    }
    length = strcasestr(conn->head, "\r\ncontent-length:");
    if (strncmp(conn->head, "HTTP/1.1 200", 12) != 0 || length == NULL)
        return -1;
    conn->answer_left = strtoull(length + 17, NULL, 10);
    whole = (size_t)(end + 4 - conn->head);
    take = whole - conn->head_size;
    conn->head_size = HEAD_MOST; /* it is over */
    return (ssize_t)take;
}

/* answer - take bytes of the answer; more than it has is an error */
static enum outcome
answer(struct load *load, struct conn *conn, const char *from, size_t size)
{
    if (load->talk.http && conn->head_size != HEAD_MOST) {
        ssize_t n = head(conn, from, size);

        if (n < 0)
            return CONN_LOST;
        size -= (size_t)n;
        if (conn->head_size != HEAD_MOST)
            return CONN_MORE;
    }
    if (size > conn->answer_left)
        return CONN_LOST;
    load->count.bytes += size;
    if (conn->answer_left != UINT64_MAX)
        conn->answer_left -= size;
    if (conn->answer_left > 0)
        return CONN_MORE;
    set_state(load, conn, CONN_RESTING);
    return CONN_ANSWERED;
}

static enum outcome
reading(struct load *load, struct conn *conn)
{
    ssize_t n = wire_read(&conn->wire, bulk, BULK);

    if (n == WIRE_AGAIN)
        watch(load, conn, EPOLLIN);
    if (n <= 0)
        return n == WIRE_AGAIN ? CONN_WAIT : CONN_LOST;
    if (conn->state == CONN_RESTING)
        return CONN_LOST;
    return answer(load, conn, bulk, (size_t)n);
}

static enum outcome
step(struct load *load, struct conn *conn)
{
    switch (conn->state) {
    case CONN_CONNECTING:
        return connecting(load, conn);
    case CONN_SHAKING:
        return shaking(load, conn);
    case CONN_SENDING:
        return sending(load, conn);
    case CONN_ANSWER:
    case CONN_RESTING:
        return reading(load, conn);
    case CONN_CLOSED:
        break;
    }
    return CONN_WAIT;
}

enum outcome
conn_drive(struct load *load, struct conn *conn)
{
    enum outcome outcome = CONN_MORE;

    for (int i = 0; i < READS_PER_TURN && outcome == CONN_MORE; i++)
        outcome = step(load, conn);
    set_more(load, conn, outcome == CONN_MORE);
    return outcome;
}
