/*
 * sign.c - the worker's half of a signature: ask the keeper, wait, hand it over
 *
 * Owns the worker's end of the keeper's pair while a question is open. One
 * question, one answer: after a silence or a broken answer the pair is never
 * used again, because a late answer would be taken for the next one.
 * Must never hold, ask for, or be given a private key.
 */
#include <wolfssl/options.h>

#include "common/fdio.h"
#include "worker/sign.h"
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hash.h>

/* seconds; an RSA-4096 signature takes 5 ms: a keeper this slow is stuck */
#define ANSWER_S 5

/*
 * The library asks in two ways (its src/internal.c, src/tls13.c): ECDSA and
 * Ed25519 take 0 for done and the length through *out_len; RSA takes a length
 * above 0, or 0 with *out_len. A negative number is its error code. What we
 * return for a keeper that fails is WC_HW_E: to the library we are hardware.
 */

void
sign_ready(struct sign *sign)
{
    struct timeval limit = { .tv_sec = ANSWER_S };

    if (sign->timed)
        return;
    setsockopt(sign->keeper_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(sign->keeper_fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    sign->timed = true;
}

/* exchange - one packet there, one back; anything but a good answer ends the
 * pair */
static bool
exchange(struct sign *sign, const struct keywire_request *request,
         struct keywire_reply *reply)
{
    size_t len = sizeof(*reply);

    if (sign->gone)
        return false;
    sign_ready(sign);
    if (fdio_send(sign->keeper_fd, request, KEYWIRE_REQUEST_HEAD + request->len,
                  -1, 0, NULL) == ERR_OK &&
        fdio_recv(sign->keeper_fd, reply, &len, NULL, NULL, 0, NULL) ==
            ERR_OK &&
        keywire_reply_ok(reply, len)) {
        sign->spent = reply->status == KEYWIRE_SPENT;
        if (!sign->spent)
            return true;
    }
    /* other sides ask over this pair, too (struct sign): theirs must not get the
     * answer that comes late to us */
    (void)shutdown(sign->keeper_fd, SHUT_RDWR);
    sign->gone = true;
    return false;
}

enum reason
sign_reason(const struct sign *sign)
{
    if (sign == NULL || !sign->gone)
        return REASON_NONE;
    return sign->spent ? REASON_SIGNING_BUDGET : REASON_KEEPER_GONE;
}

/* ask - a signature over data into out; 0 or the library's error code */
static int
ask(struct sign *sign, enum keywire_alg alg, const uint8_t *data, size_t len,
    uint8_t *out, word32 *out_len)
{
    /* never cleared: of its 16 KiB only what is sent is touched */
    struct keywire_request request;
    struct keywire_reply reply;

    if (sign == NULL || len > KEYWIRE_DATA_MAX)
        return BAD_FUNC_ARG;
    request.op = KEYWIRE_SIGN;
    request.alg = (uint8_t)alg;
    request.side = sign->side;
    request.key = sign->key;
    request.len = (uint16_t)len;
    memcpy(request.data, data, len);
    /* the keeper would end the pair for it; a peer must not be able to have
     * that */
    if (!keywire_request_ok(&request, KEYWIRE_REQUEST_HEAD + len))
        return BAD_FUNC_ARG;
    if (!exchange(sign, &request, &reply) || reply.status != KEYWIRE_OK)
        return WC_HW_E;
    if (reply.len > *out_len)
        return BUFFER_E;
    memcpy(out, reply.data, reply.len);
    *out_len = reply.len;
    sign->count++;
    return 0;
}

static int
on_ecc(WOLFSSL *ssl, const unsigned char *in, unsigned int in_len,
       unsigned char *out, word32 *out_len, const unsigned char *key,
       unsigned int key_len, void *ctx)
{
    (void)ssl;
    (void)key;
    (void)key_len;
    return ask(ctx, KEYWIRE_ECDSA, in, in_len, out, out_len);
}

static int
on_ed25519(WOLFSSL *ssl, const unsigned char *in, unsigned int in_len,
           unsigned char *out, unsigned int *out_len, const unsigned char *key,
           unsigned int key_len, void *ctx)
{
    (void)ssl;
    (void)key;
    (void)key_len;
    return ask(ctx, KEYWIRE_ED25519, in, in_len, out, out_len);
}

struct rsa_hash {
    enum wc_HashType hash;
    size_t len;
    enum keywire_alg pkcs1, pss;
};

static const struct rsa_hash rsa_hashes[] = {
    { WC_HASH_TYPE_SHA256, 32, KEYWIRE_RSA_PKCS1_SHA256,
      KEYWIRE_RSA_PSS_SHA256 },
    { WC_HASH_TYPE_SHA384, 48, KEYWIRE_RSA_PKCS1_SHA384,
      KEYWIRE_RSA_PSS_SHA384 },
    { WC_HASH_TYPE_SHA512, 64, KEYWIRE_RSA_PKCS1_SHA512,
      KEYWIRE_RSA_PSS_SHA512 },
};
#define RSA_HASHES (sizeof(rsa_hashes) / sizeof(rsa_hashes[0]))

/* digest_of - the digest inside a DigestInfo, and its hash; NULL: none of
 * ours */
static const uint8_t *
digest_of(const uint8_t *info, size_t len, const struct rsa_hash **hash)
{
    uint8_t want[MAX_DER_DIGEST_SZ];

    for (size_t i = 0; i < RSA_HASHES; i++) {
        size_t digest = rsa_hashes[i].len;

        if (len < digest ||
            wc_EncodeSignature(want, info + len - digest, (word32)digest,
                               wc_HashGetOID(rsa_hashes[i].hash)) != len ||
            memcmp(want, info, len) != 0)
            continue;
        *hash = &rsa_hashes[i];
        return info + len - digest;
    }
    return NULL;
}

/* on_rsa - PKCS#1 v1.5, TLS 1.2: `in` is a DigestInfo, of which we send the
 * digest */
static int
on_rsa(WOLFSSL *ssl, const unsigned char *in, unsigned int in_len,
       unsigned char *out, word32 *out_len, const unsigned char *key,
       unsigned int key_len, void *ctx)
{
    const struct rsa_hash *hash;
    const uint8_t *digest = digest_of(in, in_len, &hash);

    (void)ssl;
    (void)key;
    (void)key_len;
    if (digest == NULL)
        return ALGO_ID_E;
    return ask(ctx, hash->pkcs1, digest, hash->len, out, out_len);
}

/* on_rsa_pss - `in` is the digest, `hash` its OID as a number */
static int
on_rsa_pss(WOLFSSL *ssl, const unsigned char *in, unsigned int in_len,
           unsigned char *out, unsigned int *out_len, int hash, int mgf,
           const unsigned char *key, unsigned int key_len, void *ctx)
{
    enum wc_HashType type = wc_OidGetHash(hash);

    (void)ssl;
    (void)mgf;
    (void)key;
    (void)key_len;
    for (size_t i = 0; i < RSA_HASHES; i++)
        if (rsa_hashes[i].hash == type)
            return ask(ctx, rsa_hashes[i].pss, in, in_len, out, out_len);
    return ALGO_ID_E;
}

/* on_rsa_check, on_rsa_pss_check - the library verifies its own RSA signatures
 * with the private key that we do not have; the keeper did so (keyfile.h) */
static int
/* NOLINTNEXTLINE(readability-non-const-parameter): wolfSSL's type */
on_rsa_check(WOLFSSL *ssl, unsigned char *sig, unsigned int sig_len,
             unsigned char **out, const unsigned char *key,
             unsigned int key_len, void *ctx)
{
    (void)ssl;
    (void)sig;
    (void)sig_len;
    (void)out;
    (void)key;
    (void)key_len;
    (void)ctx;
    return 0;
}

static int
on_rsa_pss_check(WOLFSSL *ssl, unsigned char *sig, unsigned int sig_len,
                 unsigned char **out, int hash, int mgf,
                 const unsigned char *key, unsigned int key_len, void *ctx)
{
    (void)hash;
    (void)mgf;
    return on_rsa_check(ssl, sig, sig_len, out, key, key_len, ctx);
}

void
sign_install(WOLFSSL_CTX *ctx)
{
    wolfSSL_CTX_SetEccSignCb(ctx, on_ecc);
    wolfSSL_CTX_SetEd25519SignCb(ctx, on_ed25519);
    wolfSSL_CTX_SetRsaSignCb(ctx, on_rsa);
    wolfSSL_CTX_SetRsaSignCheckCb(ctx, on_rsa_check);
    wolfSSL_CTX_SetRsaPssSignCb(ctx, on_rsa_pss);
    wolfSSL_CTX_SetRsaPssSignCheckCb(ctx, on_rsa_pss_check);
}

void
sign_attach(WOLFSSL *ssl, struct sign *sign)
{
    wolfSSL_SetEccSignCtx(ssl, sign);
    wolfSSL_SetEd25519SignCtx(ssl, sign);
    wolfSSL_SetRsaSignCtx(ssl, sign);
    wolfSSL_SetRsaPssSignCtx(ssl, sign);
}
