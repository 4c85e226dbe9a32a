/* keywire.h - what a worker may ask of a keeper, byte by byte */
#ifndef COMMON_KEYWIRE_H
#define COMMON_KEYWIRE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One packet asks, one packet answers, over the worker's own SOCK_SEQPACKET
 * pair; the keeper knows from the pair which service asks and never believes
 * a request about it. A packet that breaks a rule of this page closes the
 * pair, and the worker ends.
 */

/*
 * Ed25519 signs the message itself. That is short (RFC 8446 4.4.3: 64 + 34 + 64
 * bytes; TLS 1.2 ServerKeyExchange: 32 + 32 + 4 + 133), but for a client in TLS
 * 1.2, which signs the handshake so far: both chains, and the upstream's list of
 * CAs. Of a packet only what is used is sent or touched.
 */
#define KEYWIRE_MESSAGE_MAX 512         /* on the client side */
#define KEYWIRE_DATA_MAX    (16u << 10) /* on the upstream side */
#define KEYWIRE_SIG_MAX     512         /* RSA-4096 */

enum keywire_op { KEYWIRE_SIGN = 1 };
enum keywire_side { KEYWIRE_CLIENT_SIDE = 0, KEYWIRE_UPSTREAM_SIDE = 1 };

enum keywire_alg {                    /* data must have exactly this length */
                   KEYWIRE_ECDSA = 1, /* a digest of 32, 48 or 64 bytes */
                   KEYWIRE_ED25519,   /* the message, 1 to the side's maximum */
                   KEYWIRE_RSA_PKCS1_SHA256, /* 32: the digest, not the DigestInfo */
                   KEYWIRE_RSA_PKCS1_SHA384, /* 48 */
                   KEYWIRE_RSA_PKCS1_SHA512, /* 64 */
                   KEYWIRE_RSA_PSS_SHA256,   /* 32 */
                   KEYWIRE_RSA_PSS_SHA384,
                   KEYWIRE_RSA_PSS_SHA512,
};

struct keywire_request { /* host byte order: both ends are one program */
    uint8_t op;          /* enum keywire_op */
    uint8_t side;        /* enum keywire_side */
    uint8_t key;  /* index within that side: the certificate on the client
                   * side, the route on the upstream side */
    uint8_t alg;  /* enum keywire_alg */
    uint16_t len; /* of data; the packet is exactly this long */
    uint8_t data[KEYWIRE_DATA_MAX];
};

/* SPENT: the worker's signatures are used up; the pair is closed behind it, and
 * the master ends the worker */
enum keywire_status { KEYWIRE_OK, KEYWIRE_FAILED, KEYWIRE_SPENT };

struct keywire_reply {
    uint8_t status; /* enum keywire_status */
    uint8_t pad;
    uint16_t len; /* of data; 0 unless KEYWIRE_OK */
    uint8_t data[KEYWIRE_SIG_MAX];
};

#define KEYWIRE_REQUEST_HEAD offsetof(struct keywire_request, data)
#define KEYWIRE_REPLY_HEAD   offsetof(struct keywire_reply, data)

/* keywire_request_ok - is a packet of len bytes a request by this page? */
bool keywire_request_ok(const struct keywire_request *request, size_t len);
/* keywire_reply_ok - the same for a reply */
bool keywire_reply_ok(const struct keywire_reply *reply, size_t len);
/* keywire_digest_len - the length that alg demands, 0: see the table */
size_t keywire_digest_len(enum keywire_alg alg);
#endif
