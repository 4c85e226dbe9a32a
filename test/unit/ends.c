/*
 * ends.c - connected descriptors and TLS sessions for the tests of streams
 *
 * Owns one self-signed certificate and the contexts that use it. Both ends live
 * in one process, so that a test is read from top to bottom.
 */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "common/fdio.h"
#include "test/unit/ends.h"
#include "test/unit/keygen.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define must(condition)         \
    do {                        \
        if (!(condition)) {     \
            perror(#condition); \
            abort();            \
        }                       \
    } while (0)

static void
tcp_pair(int pair[2])
{
    struct sockaddr_in sa = { .sin_family = AF_INET };
    socklen_t len = sizeof(sa);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(listener >= 0 && bind(listener, (void *)&sa, sizeof(sa)) == 0);
    must(listen(listener, 1) == 0 &&
         getsockname(listener, (void *)&sa, &len) == 0);
    must((pair[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0);
    must(connect(pair[1], (void *)&sa, sizeof(sa)) == 0);
    must((pair[0] = accept(listener, NULL, NULL)) >= 0);
    for (int i = 0; i < 2; i++)
        must(setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ==
             0);
    close(listener);
}

short
ends_wait(int fd, short events)
{
    struct pollfd item = { .fd = fd, .events = events };

    must(poll(&item, 1, 60000) == 1);
    return item.revents;
}

/* session - one side of a handshake to come */
static WOLFSSL *
session(WOLFSSL_METHOD *method, bool server, int fd)
{
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(method);
    WOLFSSL *ssl;

    must(ctx != NULL);
    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
    if (server) {
        must(wolfSSL_CTX_use_certificate_file(ctx, keygen_path("end.crt"),
                                              WOLFSSL_FILETYPE_PEM) ==
             WOLFSSL_SUCCESS);
        must(wolfSSL_CTX_use_PrivateKey_file(ctx, keygen_path("end.key"),
                                             WOLFSSL_FILETYPE_PEM) ==
             WOLFSSL_SUCCESS);
    }
    must((ssl = wolfSSL_new(ctx)) != NULL);
    must(wolfSSL_set_fd(ssl, fd) == WOLFSSL_SUCCESS);
    wolfSSL_set_using_nonblock(ssl, 1);
    wolfSSL_CTX_free(ctx); /* the session holds it */
    return ssl;
}

/* shake - both sides of the handshake in turn */
static void
shake(WOLFSSL *server, WOLFSSL *client)
{
    bool done[2] = { false, false };

    while (!done[0] || !done[1]) {
        done[0] = done[0] || wolfSSL_accept(server) == WOLFSSL_SUCCESS;
        done[1] = done[1] || wolfSSL_connect(client) == WOLFSSL_SUCCESS;
        must(done[0] ||
             wolfSSL_get_error(server, -1) == WOLFSSL_ERROR_WANT_READ);
        must(done[1] ||
             wolfSSL_get_error(client, -1) == WOLFSSL_ERROR_WANT_READ);
    }
}

static void
make_certificate(void)
{
    static bool made;

    if (made)
        return;
    must(wolfSSL_Init() == WOLFSSL_SUCCESS);
    keygen_key("end", "ec:P-256");
    keygen_cert("end");
    made = true;
}

void
ends_open(struct ends *ends, enum ends_kind kind)
{
    bool up = kind >= ENDS_UP12;
    WOLFSSL *server = NULL, *client = NULL;
    int pair[2];

    if (kind == ENDS_UNIX)
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    else
        tcp_pair(pair);
    for (int i = 0; i < 2; i++)
        must(fdio_nonblock(pair[i], NULL) == ERR_OK);
    if (kind >= ENDS_TLS12) {
        make_certificate();
        bool tls12 = kind == ENDS_TLS12 || kind == ENDS_UP12;

        server = session(tls12 ? wolfTLSv1_2_server_method()
                               : wolfTLSv1_3_server_method(),
                         true, pair[up]);
        client = session(tls12 ? wolfTLSv1_2_client_method()
                               : wolfTLSv1_3_client_method(),
                         false, pair[!up]);
        shake(server, client);
    }
    for (int i = 0; i < 2; i++)
        ahead_begin(&ends->ahead[i]);
    stream_init(&ends->here, pair[0], up ? client : server, &ends->ahead[0]);
    stream_init(&ends->there, pair[1], up ? server : client, &ends->ahead[1]);
}

void
ends_end(struct stream *end)
{
    if (end->ssl != NULL)
        wolfSSL_free(end->ssl);
    end->ssl = NULL;
    fdio_close(&end->fd);
}

void
ends_close(struct ends *ends)
{
    ends_end(&ends->here);
    ends_end(&ends->there);
}

ssize_t
ends_read(struct stream *stream, void *buf, size_t size)
{
    ssize_t n;

    while ((n = stream_read(stream, buf, size)) == -ERR_AGAIN)
        (void)ends_wait(stream->fd, stream->read_events);
    return n;
}

void
ends_write(struct stream *stream, const void *buf, size_t len)
{
    const uint8_t *at = buf;
    ssize_t n;

    while (len > 0) {
        while ((n = stream_write(stream, at, len)) == -ERR_AGAIN)
            (void)ends_wait(stream->fd, stream->write_events);
        must(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

void
ends_shut(struct stream *stream)
{
    int result;

    while ((result = stream_shut(stream)) == -ERR_AGAIN)
        (void)ends_wait(stream->fd, stream->write_events);
    must(result == 0);
}

void
ends_fill(uint8_t *buf, size_t len, uint64_t at)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = ends_byte(at + i);
}

bool
ends_same(const uint8_t *buf, size_t len, uint64_t at)
{
    for (size_t i = 0; i < len; i++)
        if (buf[i] != ends_byte(at + i))
            return false;
    return true;
}
