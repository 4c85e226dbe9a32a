/* certpick.h - which of our certificates for this client? pure */
#ifndef WORKER_CERTPICK_H
#define WORKER_CERTPICK_H
#include "common/tlsside.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct certpick_hello {  /* from the ClientHello */
    struct span name;    /* server name as sent; len 0: none */
    bool tls13;          /* the version that was negotiated */
    struct span suites;  /* two bytes each */
    struct span schemes; /* signature_algorithms, two bytes each; len 0: none */
    const char *ciphers; /* ours for TLS 1.2 (conf_tls) */
};

/* certpick_known - does one of our certificates have that name: whole, or below
 * a wildcard that stands for its leftmost label? */
bool certpick_known(const struct tls_side *side, struct span name);

/*
 * certpick - the certificate for this client, never NULL when side has one
 * Those that have its name; if there is none, those whose wildcard fits; if there
 * is none, the first one of all and its twins (they share a name with it). Of
 * these the first one that the client can verify; if there is none, the first.
 */
const struct tls_cert *certpick(const struct tls_side *side,
                                const struct certpick_hello *hello);
#endif
