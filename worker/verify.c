/*
 * verify.c - the verdict, while the library asks for it
 *
 * Owns the library's callbacks about certificates, its codes for them, and the
 * one alert that tells the client why.
 * Must never answer yes for a certificate that the library objects to: above the
 * leaf that would add an unknown CA to the context, for every later client.
 */
#include <wolfssl/options.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "worker/chain.h"
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

/* leaf_keep - our own copy: the library's is gone after the callback */
static bool
leaf_keep(struct session *session, struct span leaf)
{
    uint8_t *room;

    if (leaf.len > session->leaf_room) {
        if ((room = realloc(session->leaf, leaf.len)) == NULL)
            return false;
        session->leaf = room;
        session->leaf_room = leaf.len;
    }
    memcpy(session->leaf, leaf.at, leaf.len);
    return true;
}

/* identify - who the leaf says it is; a leaf that cannot be read stays unnamed */
static void
identify(struct session *session, struct span leaf)
{
    uint8_t sha256[WC_SHA256_DIGEST_SIZE];

    if (leaf.len == 0 || !leaf_keep(session, leaf) ||
        wc_Sha256Hash(session->leaf, (word32)leaf.len, sha256) != 0)
        return;
    (void)identity_from_der(session->leaf, leaf.len, sha256, &session->id);
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

/*
 * verify_callback - the library calls it once for the certificate that it
 * objects to, or once for a leaf that it accepts
 */
static int
verify_callback(int preverify, WOLFSSL_X509_STORE_CTX *store)
{
    struct verify *verify = store->userCtx;
    struct span chain[CHAIN_MAX];
    struct chain_case what = { .chain = chain };
    enum reason reason;
    int i, depth;

    if (verify == NULL)
        return 0;
    for (i = 0; i < store->totalCerts && i < CHAIN_MAX; i++)
        chain[i] =
            (struct span){ store->certs[i].buffer, store->certs[i].length };
    what.count = (size_t)i;
    what.library = verify_code(store->error);
    if (preverify != 1 && what.library == REASON_NONE)
        what.library = REASON_BAD_CERTIFICATE;
    what.library_depth = store->error_depth;
    what.verify_depth = verify->rules->verify_depth;
    verify->session->tls_error = store->error;
    if (what.count > 0 && !verify->session->id.present)
        identify(verify->session, chain[0]);
    if (what.count == 0 && what.library == REASON_NONE &&
        !verify->rules->require)
        return 1; /* optional, and there is none */
    reason = chain_judge(&what, &depth);
    if (reason == REASON_NONE && !verify->session->id.present)
        reason = REASON_INTERNAL;
    if (reason != REASON_NONE)
        return refuse(verify, reason, depth);
    verify->accepted = store->error_depth == 0;
    return preverify == 1;
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

void
verify_install(struct WOLFSSL_CTX *ctx, bool require)
{
    int mode = WOLFSSL_VERIFY_PEER;

    if (require)
        mode |= WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    wolfSSL_CTX_set_verify(ctx, mode, verify_callback);
    wolfSSL_CTX_SetProcessPeerCertCb(ctx, peer_callback);
}

void
verify_attach(struct WOLFSSL *ssl, struct verify *verify)
{
    wolfSSL_SetCertCbCtx(ssl, verify);
}
