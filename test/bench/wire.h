/* wire.h - one connection's bytes, plain or TLS, for the generator and the
 * upstream of the benchmark */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <openssl/ssl.h>
#include <stdint.h>
#include <sys/types.h>

/* What wire_* return besides a number of bytes; 0 is the end. */
enum { WIRE_AGAIN = -1, WIRE_FAILED = -2 };

struct wire {
    int fd;   /* -1: closed */
    SSL *ssl; /* NULL: plain */
};

/* What one side of TLS is given; a NULL leaves the library's default. */
struct tls_options {
    const char *cert, *key; /* PEM; the two together or neither */
    const char *ca;         /* verify the other side by this file */
    const char *version;    /* "1.2" or "1.3": no other */
    const char *cipher;     /* the one suite that is offered */
    const char *groups;     /* as in SSL_CTX_set1_groups_list(3) */
    int bulk;               /* take as much from the socket as there is */
};

/*
 * wire_client, wire_server - a context; ends the program when it cannot be had.
 * A client without ca verifies nobody: that is cheaper, and the servers are
 * what is measured. A server demands a certificate. No tickets, no cache.
 */
SSL_CTX *wire_client(const struct tls_options *options);
SSL_CTX *wire_server(const struct tls_options *options);

/* wire_certs - the certificates of a file, which ends the program when it has
 * none; the caller's, *count of them */
X509 **wire_certs(const char *path, unsigned *count);

/* wire_shake - go on with the handshake: 1 done, WIRE_AGAIN, WIRE_FAILED.
 * *events: what to wait for, of epoll(7). */
int wire_shake(struct wire *wire, uint32_t *events);

/* wire_read, wire_write - as read(2) and write(2), or WIRE_AGAIN, WIRE_FAILED */
ssize_t wire_read(struct wire *wire, void *to, size_t size);
ssize_t wire_write(struct wire *wire, const void *from, size_t size);

/* wire_pending - bytes were taken from the socket that nobody has read yet */
int wire_pending(const struct wire *wire);

/* wire_close - say so to the other side, then close */
void wire_close(struct wire *wire);

/* wire_why - the library's or errno's reason for the last WIRE_FAILED */
const char *wire_why(void);

/* wire_address - "a.b.c.d:port" as an address; ends the program when it is none */
struct sockaddr_in;
void wire_address(const char *text, struct sockaddr_in *address);

/* seconds - of a clock that only goes forward */
double seconds(void);

#endif
