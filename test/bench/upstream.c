/*
 * upstream.c - the upstream of the benchmark: one process, as many connections
 * as there are descriptors
 *
 * usage: upstream [--tcp ADDRESS:PORT] [--tls ADDRESS:PORT --cert F --key F
 *                 --ca F]
 * A client says in one line what shall be done with its connection:
 *   echo            send back what comes
 *   sink N          read N bytes, then send one; 0: for ever
 *   source N        send N bytes; 0: for ever
 *   reply ASK SIZE  send SIZE bytes for every ASK that come
 *   GET /N          HTTP/1.1: a body of N bytes
 *   POST            HTTP/1.1: read Content-Length bytes, a body of one
 * Prints a line when it listens.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BULK = 256 * 1024, LINE = 2048, EVENTS = 512, STEPS_PER_TURN = 32 };
enum { ACCEPTS_PER_TURN = 64, BACKLOG = 4096 };

enum mode {
    MODE_LINE, /* until it is known what is wanted, or a request's head */
    MODE_ECHO,
    MODE_COUNT, /* sink, reply: bytes that count, and are forgotten */
    MODE_BODY,  /* of an HTTP request: as MODE_COUNT, then the next head */
    MODE_SOURCE
};

struct conn {
    struct wire wire;
    enum mode mode;
    int shaken, http;
    uint32_t events;
    uint64_t left;       /* bytes to come until a reply is due */
    uint64_t ask, reply; /* a reply for so many bytes; ask 0: only once */
    uint64_t bulk_left;  /* bytes due, of any content, behind `out` */
    size_t line_size, out_size, out_sent;
    char line[LINE], out[LINE];
};

struct listener {
    int fd;
    SSL_CTX *tls;
};

static char bulk[BULK];
static int poll_fd;

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

/* watch - wait for these events; a system call only when they change */
static void
watch(struct conn *conn, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = conn };
    int how = conn->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

    if (conn->events != events)
        epoll_ctl(poll_fd, how, conn->wire.fd, &event);
    conn->events = events;
}

/* reply - the bytes that were waited for are there */
static void
reply(struct conn *conn)
{
    if (conn->http) {
        conn->out_size = (size_t)snprintf(
            conn->out, LINE, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
            (unsigned long long)conn->reply);
        conn->out_sent = 0;
        conn->mode = MODE_LINE;
    }
    conn->bulk_left += conn->reply;
    conn->left = conn->ask == 0 ? UINT64_MAX : conn->ask;
}

/* counted - take bytes, at most up to the next reply */
static size_t
counted(struct conn *conn, size_t size)
{
    if (conn->left == UINT64_MAX)
        return size;
    if (size > conn->left)
        size = (size_t)conn->left;
    conn->left -= size;
    if (conn->left == 0)
        reply(conn);
    return size;
}

static void
request(struct conn *conn)
{
    char *length = strcasestr(conn->line, "\r\ncontent-length:");
    char *slash = strchr(conn->line, '/');

    conn->http = 1;
    conn->reply = 1;
    conn->left = 0;
    if (conn->line[0] == 'G')
        conn->reply = slash == NULL ? 0 : strtoull(slash + 1, NULL, 10);
    else if (length != NULL)
        conn->left = strtoull(length + 17, NULL, 10);
    conn->mode = MODE_BODY;
    if (conn->left == 0)
        reply(conn);
}

/* command - do what the line says: 0, or -1 when nobody knows it */
static int
command(struct conn *conn)
{
    unsigned long long n, ask;

    conn->reply = 1;
    if (conn->line[0] == 'G' || conn->line[0] == 'P') {
        request(conn);
    } else if (sscanf(conn->line, "source %llu", &n) == 1) {
        conn->mode = MODE_SOURCE;
        conn->bulk_left = n == 0 ? UINT64_MAX : n;
    } else if (sscanf(conn->line, "sink %llu", &n) == 1) {
        conn->mode = MODE_COUNT;
        conn->left = n == 0 ? UINT64_MAX : n;
    } else if (sscanf(conn->line, "reply %llu %llu", &ask, &n) == 2) {
        conn->mode = MODE_COUNT;
        conn->left = conn->ask = ask;
        conn->reply = n;
    } else if (strcmp(conn->line, "echo\n") == 0) {
        conn->mode = MODE_ECHO;
    } else {
        return -1;
    }
    return 0;
}

/* line - take bytes up to the end of the line or head: how many, or -1 */
static ssize_t
line(struct conn *conn, const char *from, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int head = conn->line[0] == 'G' || conn->line[0] == 'P';

        if (conn->line_size == LINE - 1)
            return -1;
        conn->line[conn->line_size++] = from[i];
        conn->line[conn->line_size] = '\0';
        if (from[i] != '\n')
            continue;
        if (head && strcmp(conn->line + conn->line_size - 2, "\r\n") == 0 &&
            strcmp(conn->line + conn->line_size - 4, "\r\n\r\n") != 0)
            continue;
        conn->line_size = 0;
        return command(conn) == 0 ? (ssize_t)i + 1 : -1;
    }
    return (ssize_t)size;
}

/* feed - bytes came: 0, or -1 to close */
static int
feed(struct conn *conn, const char *from, size_t size)
{
    while (size > 0) {
        ssize_t n = (ssize_t)size;

        switch (conn->mode) {
        case MODE_LINE:
            n = line(conn, from, size);
            break;
        case MODE_ECHO: /* never more than `out` holds: see want() */
            memcpy(conn->out, from, size);
            conn->out_size = size;
            conn->out_sent = 0;
            break;
        case MODE_COUNT:
        case MODE_BODY:
            n = (ssize_t)counted(conn, size);
            break;
        case MODE_SOURCE:
            break;
        }
        if (n < 0)
            return -1;
        from += n;
        size -= (size_t)n;
    }
    return 0;
}

/* want - how much may be read at once */
static size_t
want(const struct conn *conn)
{
    return conn->mode == MODE_LINE || conn->mode == MODE_ECHO ? LINE : BULK;
}

static int
due(const struct conn *conn)
{
    return conn->out_sent < conn->out_size || conn->bulk_left > 0;
}

/* sends - what is due: the number of bytes or as wire_write */
static ssize_t
sends(struct conn *conn)
{
    size_t size = conn->bulk_left < BULK ? (size_t)conn->bulk_left : BULK;
    ssize_t n;

    if (conn->out_sent < conn->out_size) {
        n = wire_write(&conn->wire, conn->out + conn->out_sent,
                       conn->out_size - conn->out_sent);
        conn->out_sent += n > 0 ? (size_t)n : 0;
        return n;
    }
    n = wire_write(&conn->wire, bulk, size);
    if (n > 0 && conn->bulk_left != UINT64_MAX)
        conn->bulk_left -= (size_t)n;
    return n;
}

/* step - one thing: >0 go on, WIRE_AGAIN wait, 0 or WIRE_FAILED close */
static ssize_t
step(struct conn *conn)
{
    uint32_t events = EPOLLIN;
    ssize_t n;

    if (!conn->shaken) {
        n = wire_shake(&conn->wire, &events);
        conn->shaken = n == 1;
    } else if (due(conn)) {
        n = sends(conn);
        events = EPOLLOUT;
    } else {
        n = wire_read(&conn->wire, bulk, want(conn));
        if (n > 0 && feed(conn, bulk, (size_t)n) != 0)
            return WIRE_FAILED;
    }
    if (n == WIRE_AGAIN)
        watch(conn, events);
    return n;
}

static void
drive(struct conn *conn)
{
    ssize_t n = 1;

    /* What TLS has read already makes no event: go on until it has nothing. */
    for (int i = 0; n > 0 && (i < STEPS_PER_TURN || wire_pending(&conn->wire));
         i++)
        n = step(conn);
    if (n > 0) /* others' turn; there is more to do here */
        watch(conn, due(conn) ? EPOLLOUT : EPOLLIN);
    if (n == 0 || n == WIRE_FAILED) {
        wire_close(&conn->wire);
        free(conn);
    }
}

static struct listener
listens(const char *text, SSL_CTX *tls)
{
    struct listener listener = { .tls = tls };
    struct sockaddr_in address;
    int on = 1;

    wire_address(text, &address);
    listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener.fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener.fd, BACKLOG) != 0)
        die(text);
    return listener;
}

static void
accepts(const struct listener *listener)
{
    struct conn *conn;
    int on = 1;

    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK);

        if (fd < 0)
            /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): epoll keeps it */
            return;
        if ((conn = calloc(1, sizeof(*conn))) == NULL)
            die("calloc");
        conn->wire.fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (listener->tls != NULL) {
            conn->wire.ssl = SSL_new(listener->tls);
            SSL_set_fd(conn->wire.ssl, fd);
            SSL_set_accept_state(conn->wire.ssl);
        }
        watch(conn, EPOLLIN);
    }
}

static void
serve(struct listener *listeners, int how_many)
{
    struct epoll_event events[EVENTS];

    for (int i = 0; i < how_many; i++) {
        struct epoll_event event = { .events = EPOLLIN };

        event.data.ptr = &listeners[i];
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, listeners[i].fd, &event);
    }
    for (;;) {
        int n = epoll_wait(poll_fd, events, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            struct listener *listener = events[i].data.ptr;

            if (listener >= listeners && listener < listeners + how_many)
                accepts(listener);
            else
                drive(events[i].data.ptr);
        }
    }
}

int
main(int argc, char **argv)
{
    struct tls_options tls = { 0 };
    const char *tcp_at = NULL, *tls_at = NULL;
    struct listener listeners[2];
    int n = 0;

    for (int i = 1; i + 1 < argc; i += 2) {
        const char **to = strcmp(argv[i], "--tcp") == 0    ? &tcp_at
                          : strcmp(argv[i], "--tls") == 0  ? &tls_at
                          : strcmp(argv[i], "--cert") == 0 ? &tls.cert
                          : strcmp(argv[i], "--key") == 0  ? &tls.key
                          : strcmp(argv[i], "--ca") == 0   ? &tls.ca
                                                           : NULL;

        if (to == NULL) {
            fprintf(stderr, "upstream: what is %s?\n", argv[i]);
            return 100;
        }
        *to = argv[i + 1];
    }
    signal(SIGPIPE, SIG_IGN);
    poll_fd = epoll_create1(0);
    if (tcp_at != NULL)
        listeners[n++] = listens(tcp_at, NULL);
    if (tls_at != NULL)
        listeners[n++] = listens(tls_at, wire_server(&tls));
    puts("ready");
    fflush(stdout);
    serve(listeners, n);
}
