/*
 * recheck.c - a chain that was verified once, verified again
 *
 * Owns the way through the library that a handshake takes by itself: top down,
 * each certificate by those above it. The verdict is verify.c's, as in a
 * handshake. Must never leave an authority of one chain to another one.
 */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "common/conf.h"
#include "common/slotchain.h"
#include "common/tlsside.h"
#include "worker/pages.h"
#include "worker/recheck.h"
#include "worker/verify.h"

#include <stdalign.h>
#include <string.h>

/* Stands in no installed header of wolfSSL, like two others (verify.c): what its
 * handshakes call for an authority of the peer's chain. Takes over the bytes. */
int AddCA(WOLFSSL_CERT_MANAGER *manager, DerBuffer **der, int type, int verify);

/* what stood above the last leaf, when it was good: clients of one authority come
 * one after the other, and it is verified and loaded once. Aligned like the
 * buffers, so that a worker's own variables stay close together. */
static alignas(PAGES_SIZE) struct {
    const struct tls_side *side; /* NULL: none */
    size_t count, len[SLOTCHAIN_CERTS];
    uint8_t der[SLOTCHAIN_ROOM];
} above;

static bool
above_is(const struct tls_side *side, const struct span *chain, size_t count)
{
    size_t used = 0, i;

    if (above.side != side || above.count != count)
        return false;
    for (i = 0; i < count; i++) {
        if (above.len[i] != chain[i].len ||
            memcmp(above.der + used, chain[i].at, chain[i].len) != 0)
            return false;
        used += chain[i].len;
    }
    return true;
}

static void
above_keep(const struct tls_side *side, const struct span *chain, size_t count)
{
    size_t used = 0, i;

    above.side = side;
    above.count = count;
    for (i = 0; i < count; i++) {
        above.len[i] = chain[i].len;
        memcpy(above.der + used, chain[i].at, chain[i].len);
        used += chain[i].len;
    }
}

static int
above_forget(void)
{
    const struct tls_side *side = above.side;

    above.side = NULL;
    if (side == NULL || above.count == 0)
        return WOLFSSL_SUCCESS;
    return wolfSSL_CertManagerUnloadIntermediateCerts(
        wolfSSL_CTX_GetCertManager(side->ctx));
}

static int
verify_one(WOLFSSL_CERT_MANAGER *manager, struct span cert)
{
    int code = wolfSSL_CertManagerVerifyBuffer(manager, cert.at, (long)cert.len,
                                               WOLFSSL_FILETYPE_ASN1);

    return code == WOLFSSL_SUCCESS ? 0 : code;
}

/* learn - a verified authority, for what stands below it. One that may not issue
 * is not learnt, and the next one finds no signer: chain.c has the word. */
static int
learn(WOLFSSL_CERT_MANAGER *manager, struct span cert)
{
    DerBuffer *der = NULL;
    struct x509 parsed;
    int code;

    if (!x509_parse(cert.at, cert.len, &parsed) || !parsed.ca)
        return 0;
    if ((code = wc_AllocDer(&der, (word32)cert.len, CA_TYPE, NULL)) != 0)
        return code;
    memcpy(der->buffer, cert.at, cert.len);
    /* its signature was verified: here it is about the length of the path */
    code = AddCA(manager, &der, WOLFSSL_CHAIN_CA, VERIFY);
    return code == WOLFSSL_SUCCESS ? 0 : code;
}

/* climb - all but the leaf; *at: the one that the code is about */
static int
climb(const struct tls_side *side, const struct span *chain, size_t count,
      int *at)
{
    WOLFSSL_CERT_MANAGER *manager = wolfSSL_CTX_GetCertManager(side->ctx);
    int code = above_forget() == WOLFSSL_SUCCESS ? 0 : BAD_FUNC_ARG;

    above.side = side; /* whatever is learnt from here on is unloaded */
    above.count = count;
    for (*at = (int)count - 1; code == 0 && *at > 0; --*at) {
        code = verify_one(manager, chain[*at]);
        if (code == 0)
            code = learn(manager, chain[*at]);
        if (code != 0) {
            (void)above_forget();
            return code;
        }
    }
    above_keep(side, chain + 1, count - 1);
    return code;
}

/* objection - the library's, about the certificate *at */
static int
objection(const struct tls_side *side, const struct span *chain, size_t count,
          int *at)
{
    int code;

    if (!above_is(side, chain + 1, count - 1) &&
        (code = climb(side, chain, count, at)) != 0)
        return code;
    *at = 0;
    return verify_one(wolfSSL_CTX_GetCertManager(side->ctx), chain[0]);
}

enum reason
recheck_chain(const struct tls_side *side, const struct conf_tls *conf,
              const struct span *chain, size_t count)
{
    struct chain_case what = { .chain = chain,
                               .count = count,
                               .verify_depth = (int)conf->verify_depth,
                               .side = CHAIN_CLIENT,
                               .allow_v1 = conf->unsafe_x509v1 };
    int code, depth;

    if (conf->verify == CONF_VERIFY_NONE)
        return REASON_NONE;
    if (count == 0)
        return conf->verify == CONF_VERIFY_REQUIRE ? REASON_NO_CERTIFICATE
                                                   : REASON_NONE;
    if (count > CHAIN_MAX)
        return REASON_TOO_DEEP;
    code = objection(side, chain, count, &what.objection_depth);
    if (code == MEMORY_E) /* ours, not the client's fault */
        return REASON_INTERNAL;
    what.objection = verify_code(code);
    return verify_chain(side, conf, &what, &depth);
}
