/*
 * session_up.c - the handshake with an upstream, from connected to payload
 *
 * Owns the client's role: whom we ask for (SNI, ALPN), whose name the upstream's
 * certificate must bear, and the word for whatever ended the handshake. Signatures
 * are the keeper's (sign.c), the chain is judged by verify.c.
 * Must never keep what one upstream's chain taught the context, speak to an
 * upstream whose certificate nobody judged (unless verify = none), or send a
 * name that is an address as SNI.
 */
#include <wolfssl/options.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "common/conf.h"
#include "common/mem.h"
#include "common/tlsside.h"
#include "common/x509_text.h"
#include "worker/peername.h"
#include "worker/session.h"
#include "worker/session_io.h"
#include "worker/shake.h"
#include "worker/sign.h"
#include "worker/verify.h"

#include <string.h>

#define ALERT_HANDSHAKE_FAILURE 40
#define ALPN_LIST_MAX           512

/* --- once per context ----------------------------------------------------- */

/* whose handshake runs: the library's callback gets the context's
 * pointer alone, and the session's I/O pointer is a stream's afterwards */
static MEM_TOUCHED struct session *shaking;

/* on_cert_request - the library asks for a certificate because the upstream
 * does; ours is in the context already, we only remember */
static int
on_cert_request(WOLFSSL *ssl, void *arg)
{
    (void)ssl;
    (void)arg;
    if (shaking == NULL)
        return 0; /* nobody may ask later */
    shaking->asked = true;
    return 1;
}

enum err
session_target_init(struct session_target *target, struct why *why)
{
    (void)why;
    target->ready = false;
    if (target->sign != NULL)
        sign_ready(target->sign);
    return ERR_OK;
}

void
session_target_install(const struct session_target *target)
{
    struct WOLFSSL_CTX *ctx = target->side->ctx;

    if (target->conf->verify != CONF_VERIFY_NONE)
        verify_install(ctx, true);
    else
        wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
    session_io_install(ctx);
    shake_install(ctx);
    wolfSSL_CTX_set_cert_cb(ctx, on_cert_request, NULL);
    if (target->side->cert_count > 0)
        sign_install(ctx);
}

/* prepare - the context, at its first use in this process */
static enum err
prepare(struct session_target *target, struct why *why)
{
    if (target->ready)
        return ERR_OK;
    if (wolfSSL_CTX_new_rng(target->side->ctx) != WOLFSSL_SUCCESS)
        return why_set(why, ERR_TLS, "no random numbers");
    target->ready = true;
    return ERR_OK;
}

/* --- once per connection -------------------------------------------------- */

/* set_names - SNI and ALPN of our ClientHello */
static bool
set_names(WOLFSSL *ssl, const struct session_target *target)
{
    const struct conf_list *alpn = &target->conf->alpn;
    char host[PEERNAME_MAX], list[ALPN_LIST_MAX] = "";
    size_t len = 0, more;

    if (target->name != NULL && peername_host(target->name, host) &&
        wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, host,
                       (unsigned short)strlen(host)) != WOLFSSL_SUCCESS)
        return false;
    for (size_t i = 0; i < alpn->count; i++) {
        more = strlen(alpn->item[i]);
        if (len + more + 1 >= sizeof(list))
            return false;
        if (len > 0)
            list[len++] = ',';
        memcpy(list + len, alpn->item[i], more + 1);
        len += more;
    }
    /* an upstream that knows no ALPN at all is no mismatch */
    return len == 0 ||
           wolfSSL_UseALPN(ssl, list, (unsigned)len,
                           WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS;
}

/* begin - a fresh library object on this descriptor */
static enum err
begin(const struct session_target *target, int fd, struct verify *verify,
      struct why *why)
{
    struct session *session = verify->session;

    session->alert_sent = session->alert_received = -1;
    session->io.fd = fd;
    session->io.upstream = true;
    if ((session->ssl = wolfSSL_new(target->side->ctx)) == NULL)
        return why_set(why, ERR_TLS, "no TLS session object");
    session_io_attach(session->ssl, &session->io);
    verify_attach(session->ssl, verify);
    if (target->sign != NULL)
        sign_attach(session->ssl, target->sign);
    if (!set_names(session->ssl, target))
        return why_set(why, ERR_TLS, "the library takes no SNI or ALPN");
    return ERR_OK;
}

/* leaf_name - verify.h asks: does a good leaf bear the name? */
static enum reason
leaf_name(void *ctx, const struct x509 *leaf)
{
    const struct session_target *target = ctx;

    return target->name != NULL && peername_is(leaf, target->name)
               ? REASON_NONE
               : REASON_BAD_NAME;
}

/* --- how it ended --------------------------------------------------------- */

/* our_issuer - who has issued our certificate; "" when we have none */
static void
our_issuer(const struct tls_side *side, char *out, size_t room)
{
    struct span rest, leaf;
    struct x509 cert;
    unsigned tag;

    out[0] = '\0';
    if (side->cert_count == 0)
        return;
    rest = (struct span){ side->cert[0].chain, side->cert[0].chain_len };
    if (der_next(&rest, &tag, NULL, &leaf) &&
        x509_parse(leaf.at, leaf.len, &cert))
        (void)x509_dn_text(cert.issuer, out, room);
}

enum err
session_refusal(const struct session_target *target, int alert, struct why *why)
{
    char issuer[256];

    if (target->side->cert_count == 0)
        return why_set(why, ERR_TLS,
                       "the upstream demands a certificate, and there is no "
                       "upstream_cert (alert %s)",
                       alert_name(alert));
    our_issuer(target->side, issuer, sizeof(issuer));
    return why_set(why, ERR_TLS,
                   "the upstream answered our certificate with %s; it is "
                   "issued by %s",
                   alert_name(alert), issuer);
}

bool
session_refused_us(const struct session *session)
{
    WOLFSSL_ALERT_HISTORY history = { { -1, -1 }, { -1, -1 } };
    int alert = session->alert_received;

    if (session->ssl != NULL &&
        wolfSSL_get_alert_history(session->ssl, &history) == WOLFSSL_SUCCESS)
        alert = history.last_rx.code;
    return session->asked && alert_refuses_us(alert);
}

/* refused_us - during the handshake there is one more: TLS 1.2 knows no alert
 * for a missing certificate */
static bool
refused_us(const struct session_target *target, const struct session *session)
{
    return session_refused_us(session) ||
           (session->asked && target->side->cert_count == 0 &&
            session->alert_received == ALERT_HANDSHAKE_FAILURE);
}

/* code_reason - the library's code where verify.c was not asked */
static enum reason
code_reason(int code, bool accepted)
{
    switch (code) {
    case MAX_CHAIN_ERROR:
    case NOT_CA_ERROR:
    case ASN_PARSE_E:
    case ASN_VERSION_E:
    case ASN_GETINT_E:
    case ASN_RSA_KEY_E:
    case ASN_OBJECT_ID_E:
    case ASN_EXPECT_0_E:
    case ASN_BITSTR_E:
    case ASN_UNKNOWN_OID_E:
        return accepted ? REASON_BAD_SIGNATURE : verify_code(code);
    case SIG_VERIFY_E:
    case VERIFY_SIGN_ERROR:
    case VERIFY_CERT_ERROR:
        return accepted ? REASON_BAD_SIGNATURE : REASON_UPSTREAM_TLS;
    default:
        return REASON_UPSTREAM_TLS;
    }
}

static enum reason
failure_reason(const struct session_target *target, const struct verify *verify,
               int code)
{
    const struct session *session = verify->session;

    if (verify->reason != REASON_NONE)
        return verify->reason;
    if (sign_reason(target->sign) != REASON_NONE)
        return sign_reason(target->sign);
    if (refused_us(target, session))
        return REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE;
    if (session->alert_received > 0 || session->io.not_tls || session->io.eof ||
        session->io.reset || session->io.error != 0)
        return REASON_UPSTREAM_TLS;
    return code_reason(code, verify->accepted);
}

/* failure_words - what a person needs to know about it */
static enum err
failure_words(const struct session_target *target, const struct verify *verify,
              enum reason reason, int code, struct why *why)
{
    const struct session *session = verify->session;

    if (reason == REASON_BAD_NAME)
        return why_set(why, ERR_TLS, "the certificate is not for %s",
                       target->name != NULL ? target->name : "anybody we ask");
    if (reason == REASON_KEEPER_GONE || reason == REASON_SIGNING_BUDGET)
        return why_set(why, ERR_PEER, "no signature from the keeper");
    if (reason == REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE)
        return session_refusal(target, session->alert_received, why);
    if (reason != REASON_UPSTREAM_TLS)
        return shake_words(why, ERR_TLS,
                           verify->accepted ? code : session->tls_error);
    if (session->alert_received > 0)
        return why_set(why, ERR_TLS, "the upstream sent the alert %s",
                       alert_name(session->alert_received));
    if (session->io.not_tls)
        return why_set(why, ERR_TLS, "the upstream does not speak TLS");
    if (session->io.eof)
        return why_set(why, ERR_EOF, "the upstream hung up in the handshake");
    if (session->io.reset)
        return why_set(why, ERR_RESET, "the upstream reset the connection");
    return shake_words(why, ERR_TLS, code);
}

/* tell - one alert where none is out yet, and somebody is there to read it. The
 * words that begin with upstream_ have an alert for our client, not for it. */
static void
tell(struct session *session, enum reason reason)
{
    if (session->alert_sent >= 0 || session->alert_received > 0 ||
        session->io.not_tls || session->io.eof || session->io.reset)
        return;
    verify_tell(session, reason == REASON_UPSTREAM_TLS ? REASON_HANDSHAKE_FAILED
                                                       : reason);
}

static enum err
fail(const struct session_target *target, struct verify *verify, int code,
     enum reason *reason, struct why *why)
{
    struct session *session = verify->session;
    WOLFSSL_ALERT_HISTORY history = { { -1, -1 }, { -1, -1 } };

    (void)wolfSSL_get_alert_history(session->ssl, &history);
    if (history.last_rx.level == 2 || code == FATAL_ERROR)
        session->alert_received = history.last_rx.code;
    if (session->alert_sent < 0 && history.last_tx.code > 0)
        session->alert_sent = history.last_tx.code;
    if (session->tls_error == 0)
        session->tls_error = code;
    *reason = failure_reason(target, verify, code);
    tell(session, *reason);
    return failure_words(target, verify, *reason, code, why);
}

/* finish - the handshake is over: believe it only if the callback said yes */
static enum err
finish(const struct session_target *target, struct verify *verify,
       enum reason *reason, struct why *why)
{
    struct session *session = verify->session;

    if (target->conf->verify != CONF_VERIFY_NONE &&
        (!verify->accepted || verify->reason != REASON_NONE)) {
        *reason =
            verify->reason != REASON_NONE ? verify->reason : REASON_INTERNAL;
        verify_tell(session, *reason);
        return why_set(why, ERR_TLS, "handshake done without a verdict");
    }
    shake_describe(session);
    session->io.established = true;
    session->verified = true;
    *reason = REASON_NONE;
    return ERR_OK;
}

static enum err
run(const struct session_target *target, struct verify *verify,
    int64_t deadline, enum reason *reason, struct why *why)
{
    int code = 0;
    enum err err;

    shaking = verify->session;
    err = shake_run(verify->session, wolfSSL_connect, deadline, &code);
    shaking = NULL;
    if (err == ERR_OK)
        return finish(target, verify, reason, why);
    if (err == ERR_TLS)
        return fail(target, verify, code, reason, why);
    if (err == ERR_TIMEOUT) {
        *reason = REASON_UPSTREAM_TIMEOUT;
        return why_set(why, err, "the TLS handshake took too long");
    }
    if (err == ERR_STOP) {
        *reason = REASON_STOPPED;
        return why_set(why, err, "told to stop during the handshake");
    }
    *reason = REASON_INTERNAL;
    return why_set(why, ERR_TLS, "waiting failed");
}

enum err
session_connect(struct session_target *target, int fd, int64_t deadline,
                struct session *out, enum reason *reason, struct why *why)
{
    struct verify verify = { .side = CHAIN_UPSTREAM,
                             .tls = target->side,
                             .conf = target->conf,
                             .session = out,
                             .leaf = leaf_name,
                             .leaf_ctx = target };
    enum err err, forgotten;

    *reason = REASON_INTERNAL;
    if ((err = prepare(target, why)) != ERR_OK ||
        (err = shake_forget(target->side->ctx, why)) != ERR_OK ||
        (err = begin(target, fd, &verify, why)) != ERR_OK)
        return err;
    err = run(target, &verify, deadline, reason, why);
    verify_attach(out->ssl, NULL);
    forgotten = shake_forget(target->side->ctx, err == ERR_OK ? why : NULL);
    if (err == ERR_OK && forgotten != ERR_OK) {
        out->verified = false;
        *reason = REASON_INTERNAL;
        return forgotten;
    }
    return err;
}
