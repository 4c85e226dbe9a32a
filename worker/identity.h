/* identity.h - what a certificate says about its holder */
#ifndef WORKER_IDENTITY_H
#define WORKER_IDENTITY_H
#include "common/x509.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define IDENTITY_NAME_MAX 512

/*
 * Texts are printable ASCII, escaped as common/x509_text.h says, cut at their
 * room between two escapes; `cut` then says that one of them is not whole.
 */
struct identity {
    bool present;
    bool cut;
    char subject[IDENTITY_NAME_MAX];
    char issuer[IDENTITY_NAME_MAX];
    char cn[128];                /* the most specific CN, "" when none */
    char serial[2 * 20 + 1];     /* hex, upper case, no leading zeros */
    char san[IDENTITY_NAME_MAX]; /* dns:a,uri:b,ip:c,email:d in certificate
                                  * order; "" when none */
    uint8_t sha256[32];          /* of the DER */
    char sha256_hex[65];
    char sha1_hex[41]; /* of the DER: a fingerprint that others still ask for;
                        * "" until identity_sha1 */
    time_t not_before, not_after;
    const uint8_t *der; /* borrowed from the session; NULL after it */
    size_t der_len;
};

/*
 * identity_from_x509 - fill everything from a parsed certificate
 * sha256  of the DER: this file computes none, it knows no TLS library.
 * der     is borrowed: out->der points to cert's bytes.
 */
void identity_from_x509(const struct x509 *cert, const uint8_t sha256[32],
                        struct identity *out);

/* identity_from_der - the same from bytes; false: out->present is false */
bool identity_from_der(const uint8_t *der, size_t len, const uint8_t sha256[32],
                       struct identity *out);

/* identity_sha1 - add the SHA-1 of the DER, which the caller computed */
void identity_sha1(struct identity *out, const uint8_t sha1[20]);
#endif
