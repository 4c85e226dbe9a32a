/*
 * wire.c - one connection's bytes, plain or TLS, by OpenSSL
 *
 * Owns every call of the TLS library in the benchmark.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WRITE_MOST = 1 << 20, READ_AHEAD = 128 * 1024 };

static void
must(long worked, const char *what)
{
    if (worked)
        return;
    fprintf(stderr, "bench: %s: %s\n", what, wire_why());
    exit(1);
}

static void
set_version(SSL_CTX *context, const char *version)
{
    int number;

    if (version == NULL) {
        must(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION), "version");
        return;
    }
    number = strcmp(version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
    must(SSL_CTX_set_min_proto_version(context, number), version);
    must(SSL_CTX_set_max_proto_version(context, number), version);
}

static void
set_suites(SSL_CTX *context, const struct tls_options *o)
{
    int old = o->version != NULL && strcmp(o->version, "1.2") == 0;

    if (o->cipher != NULL && old)
        must(SSL_CTX_set_cipher_list(context, o->cipher), o->cipher);
    if (o->cipher != NULL && !old)
        must(SSL_CTX_set_ciphersuites(context, o->cipher), o->cipher);
    if (o->groups != NULL)
        must(SSL_CTX_set1_groups_list(context, o->groups) == 1, o->groups);
}

/* both_sides - what a client's and a server's context have in common */
static SSL_CTX *
both_sides(const SSL_METHOD *method, const struct tls_options *o)
{
    SSL_CTX *context = SSL_CTX_new(method);

    must(context != NULL, "context");
    set_version(context, o->version);
    set_suites(context, o);
    if (o->cert != NULL) {
        must(SSL_CTX_use_certificate_chain_file(context, o->cert) == 1,
             o->cert);
        must(SSL_CTX_use_PrivateKey_file(context, o->key, SSL_FILETYPE_PEM) ==
                 1,
             o->key);
    }
    if (o->ca != NULL)
        must(SSL_CTX_load_verify_locations(context, o->ca, NULL), o->ca);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    if (o->bulk) {
        SSL_CTX_set_read_ahead(context, 1);
        SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
    }
    return context;
}

SSL_CTX *
wire_client(const struct tls_options *options)
{
    SSL_CTX *context = both_sides(TLS_client_method(), options);

    if (options->ca != NULL)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return context;
}

SSL_CTX *
wire_server(const struct tls_options *options)
{
    SSL_CTX *context = both_sides(TLS_server_method(), options);

    SSL_CTX_set_verify(context,
                       SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_num_tickets(context, 0);
    return context;
}

X509 **
wire_certs(const char *path, unsigned *count)
{
    BIO *file = BIO_new_file(path, "r");
    X509 **certs = NULL, *cert;

    must(file != NULL, path);
    *count = 0;
    while ((cert = PEM_read_bio_X509(file, NULL, NULL, NULL)) != NULL) {
        certs = realloc(certs, (*count + 1) * sizeof(*certs));
        must(certs != NULL, "memory");
        certs[(*count)++] = cert;
    }
    BIO_free(file);
    must(*count > 0, path);
    return certs;
}

/* again - is that result of the library only a matter of waiting? */
static int
again(const struct wire *wire, int result, uint32_t *events)
{
    int error = SSL_get_error(wire->ssl, result);

    if (events != NULL)
        *events = error == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN;
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

int
wire_shake(struct wire *wire, uint32_t *events)
{
    int result;

    if (wire->ssl == NULL)
        return 1;
    ERR_clear_error();
    errno = 0;
    result = SSL_do_handshake(wire->ssl);
    if (result == 1)
        return 1;
    return again(wire, result, events) ? WIRE_AGAIN : WIRE_FAILED;
}

static ssize_t
plain_result(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? WIRE_AGAIN : WIRE_FAILED;
}

ssize_t
wire_read(struct wire *wire, void *to, size_t size)
{
    int n;

    errno = 0;
    if (wire->ssl == NULL)
        return plain_result(recv(wire->fd, to, size, 0));
    ERR_clear_error();
    n = SSL_read(wire->ssl, to, size > WRITE_MOST ? WRITE_MOST : (int)size);
    if (n > 0)
        return n;
    if (SSL_get_error(wire->ssl, n) == SSL_ERROR_ZERO_RETURN)
        return 0;
    return again(wire, n, NULL) ? WIRE_AGAIN : WIRE_FAILED;
}

ssize_t
wire_write(struct wire *wire, const void *from, size_t size)
{
    int n;

    errno = 0;
    if (wire->ssl == NULL)
        return plain_result(send(wire->fd, from, size, MSG_NOSIGNAL));
    ERR_clear_error();
    n = SSL_write(wire->ssl, from, size > WRITE_MOST ? WRITE_MOST : (int)size);
    if (n > 0)
        return n;
    return again(wire, n, NULL) ? WIRE_AGAIN : WIRE_FAILED;
}

int
wire_pending(const struct wire *wire)
{
    return wire->ssl != NULL && SSL_has_pending(wire->ssl);
}

void
wire_close(struct wire *wire)
{
    if (wire->ssl != NULL) {
        if (SSL_is_init_finished(wire->ssl))
            SSL_shutdown(wire->ssl);
        SSL_free(wire->ssl);
    }
    wire->ssl = NULL;
    if (wire->fd >= 0)
        close(wire->fd);
    wire->fd = -1;
}

const char *
wire_why(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;

    if (text != NULL)
        return text;
    return errno != 0 ? strerror(errno) : "closed";
}

void
wire_address(const char *text, struct sockaddr_in *address)
{
    char host[64];
    unsigned port;

    *address = (struct sockaddr_in){ .sin_family = AF_INET };
    if (sscanf(text, "%63[^:]:%u", host, &port) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &address->sin_addr) != 1) {
        fprintf(stderr, "bench: not an address: %s\n", text);
        exit(100);
    }
    address->sin_port = htons((uint16_t)port);
}

double
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
