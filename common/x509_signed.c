/*
 * x509_signed.c - verify the signature of a revocation list
 *
 * Owns the one call into wolfSSL's cryptography in common/: the master asks it
 * about the lists of its CAs when it loads them, workers about lists of
 * intermediates that came with a client. Knows public keys alone; TLS, sockets
 * and certificates of peers are others' business.
 */
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/asn.h>

#include "common/x509_signed.h"

struct algorithm {
    size_t oid_len;
    const char *oid; /* content, RFC 5912, RFC 8410 */
    word32 sum;      /* the library's number for it */
    word32 key;      /* and for the keys that make it */
};

#define ROW(oid, sum, key)             \
    {                                  \
        sizeof(oid) - 1, oid, sum, key \
    }
static const struct algorithm algorithms[] = {
    ROW("\x2a\x86\x48\xce\x3d\x04\x03\x02", CTC_SHA256wECDSA, ECDSAk),
    ROW("\x2a\x86\x48\xce\x3d\x04\x03\x03", CTC_SHA384wECDSA, ECDSAk),
    ROW("\x2a\x86\x48\xce\x3d\x04\x03\x04", CTC_SHA512wECDSA, ECDSAk),
    ROW("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", CTC_SHA256wRSA, RSAk),
    ROW("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", CTC_SHA384wRSA, RSAk),
    ROW("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", CTC_SHA512wRSA, RSAk),
    ROW("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", CTC_RSASSAPSS, RSAk),
    ROW("\x2b\x65\x70", CTC_ED25519, ED25519k),
};
#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

/* algorithm_of - the row of an AlgorithmIdentifier, and its parameters */
static const struct algorithm *
algorithm_of(struct span identifier, struct span *parameters)
{
    struct span oid;
    size_t i;

    if (!der_take(&identifier, TAG_OID, &oid, NULL))
        return NULL;
    *parameters = identifier;
    for (i = 0; i < ALGORITHMS; i++)
        if (der_is(oid, algorithms[i].oid, algorithms[i].oid_len))
            return &algorithms[i];
    return NULL;
}

/* key_of - what the library wants of a key: the whole SubjectPublicKeyInfo,
 * for Ed25519 its 32 bytes alone; false: a key of another kind */
static bool
key_of(const struct algorithm *algorithm, struct span spki, struct span *key)
{
    struct span whole = spki, content, identifier, oid, bits;
    bool kind;

    if (!der_take(&spki, TAG_SEQUENCE, &content, NULL) ||
        !der_take(&content, TAG_SEQUENCE, &identifier, NULL) ||
        !der_take(&content, TAG_BIT_STRING, &bits, NULL) ||
        !der_take(&identifier, TAG_OID, &oid, NULL) || bits.len < 2)
        return false;
    *key = whole;
    if (algorithm->key == ED25519k) {
        *key = (struct span){ bits.at + 1, bits.len - 1 };
        return DER_IS(oid, "\x2b\x65\x70");
    }
    kind = algorithm->key == ECDSAk;
    return kind ? DER_IS(oid, "\x2a\x86\x48\xce\x3d\x02\x01")
                : DER_IS(oid, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
}

bool
x509_crl_signed(const struct x509_crl *crl, struct span spki)
{
    struct span parameters = { 0 }, key;
    const struct algorithm *algorithm =
        algorithm_of(crl->algorithm, &parameters);
    SignatureCtx state;

    if (algorithm == NULL || crl->sig != X509_SIG_GOOD ||
        !key_of(algorithm, spki, &key))
        return false;
    InitSignatureCtx(&state, NULL, INVALID_DEVID);
    return ConfirmSignature(&state, crl->tbs.at, (word32)crl->tbs.len, key.at,
                            (word32)key.len, algorithm->key, crl->signature.at,
                            (word32)crl->signature.len, algorithm->sum,
                            parameters.at, (word32)parameters.len, NULL) == 0;
}
