/*
 * verify.c - the verdict, while the library asks for it
 *
 * Owns the library's callbacks about certificates, its codes for them, and the
 * one alert that tells the client why.
 * Must never answer yes for a certificate that the library objects to: above the
 * leaf that would add an unknown CA to the context, for every later client. The
 * one exception is a leaf of version 1, where unsafe_x509v1 says so and the
 * library, asked again, finds nothing else.
 */
#include <wolfssl/options.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/sha.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "common/conf.h"
#include "common/tlsside.h"
#include "common/x509_signed.h"
#include "worker/certsig.h"
#include "worker/crl.h"
#include "worker/session.h"
#include "worker/verify.h"

#include <stdlib.h>
#include <string.h>

/*
 * Two functions of wolfSSL that stand in none of its installed headers, but can
 * be linked in a static build; etc/build-wolfssl asks for both.
 */
int SendAlert(WOLFSSL *ssl, int severity, int type);
void wolfSSL_CTX_SetProcessPeerCertCb(WOLFSSL_CTX *ctx,
                                      int (*cb)(WOLFSSL *, DecodedCert *));

/* verify_code - the library's code about a certificate, as our word */
enum reason
verify_code(int code)
{
    switch (code) {
    case 0:
        return REASON_NONE;
    case ASN_NO_SIGNER_E:
    case ASN_SELF_SIGNED_E:
        return REASON_UNKNOWN_CA;
    case ASN_AFTER_DATE_E:
        return REASON_EXPIRED;
    case ASN_BEFORE_DATE_E:
        return REASON_NOT_YET_VALID;
    case ASN_SIG_CONFIRM_E:
        return REASON_BAD_SIGNATURE;
    case ASN_NAME_INVALID_E:
        return REASON_NAME_CONSTRAINT;
    case MAX_CHAIN_ERROR:
        return REASON_TOO_DEEP;
    case ASN_PATHLEN_INV_E: /* its issuer may not have a CA below it */
    case ASN_PATHLEN_SIZE_E:
    case EXTKEYUSE_AUTH_E:
    case KEYUSE_SIGNATURE_E:
    case KEYUSE_ENCIPHER_E:
    case KEYUSAGE_E:
    case EXTKEYUSAGE_E:
    case NOT_CA_ERROR:
        return REASON_BAD_PURPOSE;
    case RSA_KEY_SIZE_E:
    case ECC_KEY_SIZE_E:
    case ECC_CURVE_OID_E:
        return REASON_WEAK_KEY;
    case ASN_VERSION_E:
        return REASON_X509_V1;
    default:
        return REASON_BAD_CERTIFICATE;
    }
}

/* leaf_keep - our own copy: the library's is gone after the callback. In the
 * library's heap, which is where a worker writes anyway (ground.h). */
static bool
leaf_keep(struct session *session, struct span leaf)
{
    uint8_t *room;

    if (leaf.len > session->leaf_room) {
        room = XREALLOC(session->leaf, leaf.len, NULL, DYNAMIC_TYPE_CERT);
        if (room == NULL)
            return false;
        session->leaf = room;
        session->leaf_room = leaf.len;
    }
    memcpy(session->leaf, leaf.at, leaf.len);
    return true;
}

/* identify - who the leaf says it is; a leaf that cannot be read stays unnamed */
static void
identify(struct session *session, struct span leaf, bool want_sha1)
{
    uint8_t sha256[WC_SHA256_DIGEST_SIZE], sha1[WC_SHA_DIGEST_SIZE];

    if (leaf.len == 0 || !leaf_keep(session, leaf) ||
        wc_Sha256Hash(session->leaf, (word32)leaf.len, sha256) != 0)
        return;
    if (identity_from_der(session->leaf, leaf.len, sha256, &session->id) &&
        want_sha1 && wc_ShaHash(session->leaf, (word32)leaf.len, sha1) == 0)
        identity_sha1(&session->id, sha1);
}

/* verify_tell - the one alert that says why; what the library sends after it
 * goes nowhere */
void
verify_tell(struct session *session, enum reason reason)
{
    int alert = reason_alert(reason);

    if (alert < 0 || session->io.muted || session->io.reset)
        return;
    session->alert_sent = alert;
    (void)SendAlert(session->ssl, 2 /* fatal */, alert);
    session->io.muted = true;
}

/* refuse - remember the first reason, tell the client */
static int
refuse(struct verify *verify, enum reason reason, int depth)
{
    verify->accepted = false;
    if (verify->reason == REASON_NONE) {
        verify->reason = reason;
        verify->session->depth = depth;
    }
    verify_tell(verify->session, verify->reason);
    return 0;
}

/* case_of - what the library says, in our words */
static struct chain_case
case_of(const struct verify *verify, const WOLFSSL_X509_STORE_CTX *store,
        bool preverify, struct span chain[CHAIN_MAX])
{
    struct chain_case what = { .chain = chain };
    int i;

    for (i = 0; i < store->totalCerts && i < CHAIN_MAX; i++)
        chain[i] =
            (struct span){ store->certs[i].buffer, store->certs[i].length };
    what.count = (size_t)i;
    what.objection = verify_code(store->error);
    if (!preverify && what.objection == REASON_NONE)
        what.objection = REASON_BAD_CERTIFICATE;
    what.objection_depth = store->error_depth;
    what.verify_depth = (int)verify->conf->verify_depth;
    what.side = verify->side;
    what.allow_v1 = verify->conf->unsafe_x509v1;
    return what;
}

/*
 * version_only - is its version all that the library has against this leaf? It
 * says so of clients alone, after everything else was good; but it has the same
 * word for leaves that it could not read, so it is asked again for the rest.
 */
static bool
version_only(const struct verify *verify, const WOLFSSL_X509_STORE_CTX *store)
{
    const WOLFSSL_BUFFER_INFO *leaf = store->certs;
    WOLFSSL_CERT_MANAGER *manager;

    if (!verify->conf->unsafe_x509v1 || store->error != ASN_VERSION_E ||
        store->error_depth != 0 || store->totalCerts < 1)
        return false;
    manager = wolfSSL_CTX_GetCertManager(verify->tls->ctx);
    return manager != NULL && wolfSSL_CertManagerVerifyBuffer(
                                  manager, leaf->buffer, (long)leaf->length,
                                  WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS;
}

enum reason
verify_chain(const struct tls_side *side, const struct conf_tls *conf,
             const struct chain_case *what, int *depth)
{
    struct crl_case revocation = {
        .chain = what->chain,
        .count = what->count,
        .side = side,
        .scope_chain = conf->crl_scope == CONF_CRL_CHAIN,
        .admit_missing = conf->crl_missing == CONF_CRL_ADMIT,
        .now = time(NULL),
        .signed_by = x509_crl_signed,
    };
    enum reason reason = chain_judge(what, depth);

    if (reason != REASON_NONE || !side->crl_checked)
        return reason;
    return crl_judge(&revocation, depth);
}

/* judge - the whole verdict about what the library shows us */
static enum reason
judge(const struct verify *verify, const struct chain_case *what, int *depth)
{
    enum reason reason = verify_chain(verify->tls, verify->conf, what, depth);
    struct x509 leaf;

    if (reason != REASON_NONE)
        return reason;
    if (!verify->session->id.present)
        return REASON_INTERNAL;
    if (verify->leaf == NULL)
        return REASON_NONE;
    *depth = 0;
    if (!x509_parse(what->chain[0].at, what->chain[0].len, &leaf))
        return REASON_BAD_CERTIFICATE;
    return verify->leaf(verify->leaf_ctx, &leaf);
}

/*
 * verify_callback - the library calls it once for the certificate that it
 * objects to, or once for a leaf that it accepts
 */
static int
verify_callback(int preverify, WOLFSSL_X509_STORE_CTX *store)
{
    struct verify *verify = store->userCtx;
    struct span chain[CHAIN_MAX];
    struct chain_case what;
    enum reason reason;
    bool good = preverify == 1;
    int depth;

    if (verify == NULL)
        return 0;
    what = case_of(verify, store, good, chain);
    if (!good && version_only(verify, store)) {
        what.objection = REASON_NONE;
        good = true;
    }
    verify->session->tls_error = store->error;
    if (what.count > 0 && !verify->session->id.present)
        identify(verify->session, chain[0], verify->sha1);
    if (what.count == 0 && what.objection == REASON_NONE &&
        verify->conf->verify == CONF_VERIFY_OPTIONAL)
        return 1; /* optional, and there is none */
    if ((reason = judge(verify, &what, &depth)) != REASON_NONE)
        return refuse(verify, reason, depth);
    if (verify->keep != NULL && !slotchain_put(verify->keep, chain, what.count))
        return refuse(verify, REASON_INTERNAL, 0); /* slotchain.h: cannot be */
    verify->accepted = store->error_depth == 0;
    return good;
}

/*
 * peer_callback - the library looks at an issuer's keyCertSign only after the
 * verdict, when there is no asking us any more; so it is looked at here, before
 */
static int
peer_callback(WOLFSSL *ssl, DecodedCert *cert)
{
    (void)ssl;
    if (cert->isCA && cert->extKeyUsageSet &&
        (cert->extKeyUsage & KEYUSE_KEY_CERT_SIGN) == 0)
        return NOT_CA_ERROR;
    return NOT_COMPILED_IN; /* the library's own result stands */
}

/* a signature: these bytes, over this digest, by this key's */
struct signature {
    struct span bytes, digest, spki;
};

/* ecc_verify - what the library does where no callback does it */
static int
ecc_verify(const struct signature *what, int *result)
{
    word32 at = 0;
    ecc_key key;
    int ret = wc_ecc_init(&key);

    if (ret != 0)
        return ret;
    ret =
        wc_EccPublicKeyDecode(what->spki.at, &at, &key, (word32)what->spki.len);
    if (ret == 0)
        ret = wc_ecc_verify_hash(what->bytes.at, (word32)what->bytes.len,
                                 what->digest.at, (word32)what->digest.len,
                                 result, &key);
    wc_ecc_free(&key);
    return ret;
}

/* mark_of - all that the answer depends on, each part with its length */
static bool
mark_of(const struct signature *what, uint8_t mark[CERTSIG_MARK])
{
    const struct span *const parts[] = { &what->spki, &what->digest,
                                         &what->bytes };
    wc_Sha256 sha;
    bool good = wc_InitSha256(&sha) == 0;

    for (size_t i = 0; good && i < sizeof(parts) / sizeof(parts[0]); i++)
        good = wc_Sha256Update(&sha, (const uint8_t *)&parts[i]->len,
                               sizeof(parts[i]->len)) == 0 &&
               wc_Sha256Update(&sha, parts[i]->at, (word32)parts[i]->len) == 0;
    good = good && wc_Sha256Final(&sha, mark) == 0;
    wc_Sha256Free(&sha);
    return good;
}

/* on_ecc - every ECDSA signature of the peer and of its chain comes by here:
 * *result is 1 for a good one. Behind the verdict about its chain, a peer signs
 * what is new each time: that is never looked up. */
static int
on_ecc(WOLFSSL *ssl, const unsigned char *sig, unsigned int sig_len,
       const unsigned char *hash, unsigned int hash_len,
       const unsigned char *spki, unsigned int spki_len, int *result, void *ctx)
{
    const struct signature what = { { sig, sig_len },
                                    { hash, hash_len },
                                    { spki, spki_len } };
    const struct verify *verify = ctx;
    uint8_t mark[CERTSIG_MARK];
    bool marked;
    int ret;

    (void)ssl;
    *result = 0;
    if (verify == NULL)
        return BAD_FUNC_ARG;
    marked = !verify->accepted && mark_of(&what, mark);
    if (marked && certsig_known(mark)) {
        *result = 1;
        return 0;
    }
    if ((ret = ecc_verify(&what, result)) == 0 && *result == 1 && marked)
        certsig_keep(mark);
    return ret;
}

void
verify_install(struct WOLFSSL_CTX *ctx, bool require)
{
    int mode = WOLFSSL_VERIFY_PEER;

    if (require)
        mode |= WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    wolfSSL_CTX_set_verify(ctx, mode, verify_callback);
    wolfSSL_CTX_SetProcessPeerCertCb(ctx, peer_callback);
    wolfSSL_CTX_SetEccVerifyCb(ctx, on_ecc);
}

void
verify_attach(struct WOLFSSL *ssl, struct verify *verify)
{
    wolfSSL_SetCertCbCtx(ssl, verify);
    wolfSSL_SetEccVerifyCtx(ssl, verify);
}
