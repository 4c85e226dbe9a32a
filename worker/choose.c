/*
 * choose.c - ask certpick.c while the library reads a ClientHello
 *
 * Owns the library's callbacks about server names, certificates and application
 * protocols on the client side. With one certificate, which stands in the
 * context, nothing here runs. Each may run twice in a handshake
 * (HelloRetryRequest): the first choice stands.
 */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "common/conf.h"
#include "common/mem.h"
#include "worker/certpick.h"
#include "worker/choose.h"
#include "worker/session.h"
#include "worker/sign.h"
#include "worker/verify.h"

#include <string.h>

static MEM_TOUCHED struct choose *current;

static struct span
server_name(WOLFSSL *ssl)
{
    void *name = NULL;
    word16 len = wolfSSL_SNI_GetRequest(ssl, WOLFSSL_SNI_HOST_NAME, &name);

    return (struct span){ name, name != NULL ? len : 0 };
}

static void
refuse(struct choose *choose, enum reason reason)
{
    choose->verify->reason = reason;
    verify_tell(choose->verify->session, reason);
}

/* on_cert - the library is about to look for a suite that fits our certificate */
static int
on_cert(WOLFSSL *ssl, void *ctx)
{
    struct choose *choose = current;
    struct certpick_hello hello = { 0 };
    word16 suites = 0, schemes = 0;

    (void)ctx;
    if (choose == NULL)
        return 0;
    if (choose->cert != NULL)
        return 1;
    (void)wolfSSL_get_client_suites_sigalgs(ssl, &hello.suites.at, &suites,
                                            &hello.schemes.at, &schemes);
    hello.suites.len = suites;
    hello.schemes.len = schemes;
    hello.name = server_name(ssl);
    hello.tls13 = wolfSSL_version(ssl) == TLS1_3_VERSION;
    hello.ciphers = choose->rules->conf->ciphers;
    choose->cert = certpick(choose->rules->side, &hello);
    if (choose->cert == NULL ||
        wolfSSL_use_certificate_chain_buffer_format(
            ssl, choose->cert->chain, (long)choose->cert->chain_len,
            WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS) {
        refuse(choose, REASON_INTERNAL);
        return 0;
    }
    if (choose->rules->sign != NULL)
        choose->rules->sign->key = choose->cert->key;
    return 1;
}

/* offers - does the client's list (its names joined by commas) hold ours? A name
 * with a comma in it can only be one that we do not have. */
static bool
offers(const char *list, size_t len, const char *name)
{
    size_t want = strlen(name), n;
    const char *comma;

    for (; len > 0; list += n, len -= n) {
        comma = memchr(list, ',', len);
        n = comma != NULL ? (size_t)(comma - list) : len;
        if (n == want && memcmp(list, name, n) == 0)
            return true;
        n += comma != NULL;
    }
    return false;
}

/*
 * choose_protocol - the library prefers the client's order; so it is told the
 * one name of ours that is to win, and sends no_application_protocol by itself
 * when the client does not have that one either (RFC 7301 3.2)
 */
static bool
choose_protocol(WOLFSSL *ssl, const struct conf_list *ours)
{
    char *list = NULL, *pick;
    word16 len = 0;
    size_t i;

    if (ours->count == 0 ||
        wolfSSL_ALPN_GetPeerProtocol(ssl, &list, &len) != WOLFSSL_SUCCESS)
        return true; /* the client does not ask */
    for (i = 0; i < ours->count && !offers(list, len, ours->item[i]);)
        i++;
    pick = ours->item[i < ours->count ? i : 0];
    wolfSSL_ALPN_FreePeerProtocol(ssl, &list);
    return wolfSSL_UseALPN(ssl, pick, (word32)strlen(pick),
                           WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS;
}

/* on_hello - the extensions are read, nothing is chosen yet */
static int
on_hello(WOLFSSL *ssl, int *alert, void *ctx)
{
    struct choose *choose = current;
    struct span name = server_name(ssl);
    enum reason reason = REASON_NONE;

    (void)ctx;
    if (choose == NULL)
        reason = REASON_INTERNAL;
    else if (choose->rules->sni_strict && name.len > 0 &&
             !certpick_known(choose->rules->side, name))
        reason = REASON_SNI_UNKNOWN;
    else if (!choose_protocol(ssl, &choose->rules->conf->alpn))
        reason = REASON_INTERNAL;
    if (reason == REASON_NONE)
        return 0;
    *alert = reason_alert(reason);
    if (choose != NULL)
        refuse(choose, reason);
    return fatal_return;
}

void
choose_install(const struct session_rules *rules)
{
    struct WOLFSSL_CTX *ctx = rules->side->ctx;

    if (rules->side->cert_count > 1)
        wolfSSL_CTX_set_cert_cb(ctx, on_cert, NULL);
    if (rules->sni_strict || rules->conf->alpn.count > 0)
        (void)wolfSSL_CTX_set_servername_callback(ctx, on_hello);
}

void
choose_attach(struct choose *choose)
{
    current = choose;
}
