/* tlsside.h - one side's TLS material as the master built it, without keys */
#ifndef COMMON_TLSSIDE_H
#define COMMON_TLSSIDE_H
#include "common/x509_crl.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * Made by master/context.c, read by workers after the fork; plain data and
 * wolfSSL's context behind a forward declaration, so that common/ knows no TLS.
 */
struct WOLFSSL_CTX;

enum key_kind { KEY_EC, KEY_RSA, KEY_ED25519 };

struct tls_cert { /* one of our certificates; its key is with the keepers */
    enum key_kind kind;
    int key_size;  /* bytes of the field or modulus */
    uint8_t *spki; /* SubjectPublicKeyInfo of the leaf, DER */
    size_t spki_len;
    uint8_t *chain; /* DER certificates one behind the other, leaf first */
    size_t chain_len;
    size_t
        name_count; /* names for SNI: dns SANs, the CN when there are none; */
    char **name;    /* lower case, may start with "*." */
    time_t not_before, not_after;
    char subject[256]; /* escaped, for logs */
    uint8_t key;       /* index that the keepers know its key by */
    bool paired;       /* a key was found for it */
};

/* a CA that we trust: who may have issued what the peer sent */
struct tls_anchor {
    struct span subject, spki, ski; /* x509.h; point into tls_side.ca_der */
    bool crl_sign;                  /* its key usage allows lists */
};

/* a CRL, whose signature one of our anchors made; or, when signer is NULL, one
 * of an authority that is not among them: its certificate must come with the
 * peer's chain */
struct tls_crl {
    struct x509_crl crl; /* x509_crl.h; points into der */
    uint8_t *der;
    size_t der_len;
    const struct tls_anchor *signer;
};

#define TLS_SIDE_GROUPS 8 /* there are fewer */

struct tls_side {
    struct WOLFSSL_CTX *ctx;
    size_t group_count;
    uint16_t group[TLS_SIDE_GROUPS]; /* what groups names; IANA numbers */
    size_t cert_count;     /* 0: an upstream side without certificate */
    struct tls_cert *cert; /* several: ctx holds none of them */
    size_t anchor_count;
    struct tls_anchor *anchor; /* in the order of their subjects */
    uint8_t *ca_der;
    bool crl_checked; /* crl = is given: no CRL for an issuer is crl_missing */
    size_t crl_count;
    struct tls_crl *crl;    /* by issuer, and of each the newest first */
    time_t ca_not_after;    /* earliest anchor still valid; 0: no ca */
    time_t crl_next_update; /* earliest of all CRLs; 0: none */
};

/* tls_side_sort_anchors, tls_side_sort_crls - once, when all are there; pointers
 * into the array are wrong afterwards */
void tls_side_sort_anchors(struct tls_side *side);
void tls_side_sort_crls(struct tls_side *side);

/* tls_side_anchors - the anchors with that subject; NULL: none. *count: how many
 * stand one behind the other */
const struct tls_anchor *tls_side_anchors(const struct tls_side *side,
                                          struct span subject, size_t *count);

/* tls_side_crls - the lists of that issuer, the newest first, likewise */
const struct tls_crl *tls_side_crls(const struct tls_side *side,
                                    struct span issuer, size_t *count);
#endif
