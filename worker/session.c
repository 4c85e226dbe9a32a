/*
 * session.c - the handshake with a client, from accept(2) to payload
 *
 * Owns the life of the library's session object, the deadline, and the word for
 * whatever ended a handshake. Must never keep what one client's chain taught
 * the context for the next one: intermediates are unloaded before and after each
 * handshake. A handshake counts only when the verdict (verify.c) was asked for.
 */
#include <wolfssl/options.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "common/conf.h"
#include "common/mem.h"
#include "common/text.h"
#include "common/tlsside.h"
#include "worker/choose.h"
#include "worker/session.h"
#include "worker/session_io.h"
#include "worker/shake.h"
#include "worker/sign.h"
#include "worker/verify.h"

#include <string.h>

/* after_leaf_reason - the certificate was good: what failed is the proof that
 * the client holds its key, or the end of the handshake */
static enum reason
after_leaf_reason(int code)
{
    switch (code) {
    case SIG_VERIFY_E:
    case VERIFY_SIGN_ERROR:
    case VERIFY_CERT_ERROR:
    case NO_PEER_VERIFY:
    case RSA_PAD_E:
    case RSA_BUFFER_E:
    case BAD_PADDING_E:
    case ASN_PARSE_E:
    case ASN_ECC_KEY_E:
    case ECC_BAD_ARG_E:
    case MP_VAL:
    case BAD_FUNC_ARG:
    case INVALID_PARAMETER:
        return REASON_BAD_SIGNATURE;
    default:
        return REASON_HANDSHAKE_FAILED;
    }
}

/* code_reason - the library's code for all that the callback did not see */
static enum reason
code_reason(int code)
{
    switch (code) {
    case NO_PEER_CERT:
        return REASON_NO_CERTIFICATE;
    case VERSION_ERROR:
        return REASON_VERSION;
    case MATCH_SUITE_ERROR:
    case UNSUPPORTED_SUITE:
        return REASON_NO_COMMON_CIPHER;
    case UNKNOWN_RECORD_TYPE:
        return REASON_NOT_TLS;
    case MAX_CHAIN_ERROR:
    case NOT_CA_ERROR:
    case ASN_PARSE_E: /* the library asks nobody about these */
    case ASN_VERSION_E:
    case ASN_GETINT_E:
    case ASN_RSA_KEY_E:
    case ASN_OBJECT_ID_E:
    case ASN_EXPECT_0_E:
    case ASN_BITSTR_E:
    case ASN_UNKNOWN_OID_E:
        return verify_code(code);
    default:
        return REASON_HANDSHAKE_FAILED;
    }
}

static enum reason
failure_reason(const struct verify *verify, const struct sign *sign, int code,
               int alert_level)
{
    const struct session *session = verify->session;

    if (verify->reason != REASON_NONE)
        return verify->reason;
    if (sign_reason(sign) != REASON_NONE)
        return sign_reason(sign);
    if (session->io.not_tls)
        return REASON_NOT_TLS;
    if (alert_level == 2 && session->alert_received > 0)
        return REASON_CLIENT_ALERT;
    if (session->io.eof || session->io.reset || session->io.error != 0)
        return REASON_CLIENT_GONE;
    if (verify->accepted)
        return after_leaf_reason(code);
    return code_reason(code);
}

static enum err
failure_err(const struct session *session, enum reason reason)
{
    if (reason == REASON_KEEPER_GONE || reason == REASON_SIGNING_BUDGET)
        return ERR_PEER;
    if (reason == REASON_CLIENT_GONE)
        return session->io.eof ? ERR_EOF : ERR_RESET;
    return ERR_TLS;
}

/* fail - say why, in words and by exactly one alert */
static enum err
fail(struct verify *verify, const struct sign *sign, int code,
     enum reason *reason, struct why *why)
{
    struct session *session = verify->session;
    WOLFSSL_ALERT_HISTORY history;

    memset(&history, 0xff, sizeof(history));
    (void)wolfSSL_get_alert_history(session->ssl, &history);
    session->alert_received = history.last_rx.code;
    if (session->alert_sent < 0 && history.last_tx.code > 0)
        session->alert_sent = history.last_tx.code;
    *reason = failure_reason(verify, sign, code, history.last_rx.level);
    if (session->tls_error == 0)
        session->tls_error = code;
    if (session->alert_sent < 0 && *reason != REASON_CLIENT_ALERT)
        verify_tell(session, *reason);
    if (*reason == REASON_SNI_UNKNOWN)
        return why_set(why, ERR_TLS,
                       "none of our certificates has the name asked for");
    return shake_words(why, failure_err(session, *reason), session->tls_error);
}

static void
read_sni(struct session *session)
{
    void *name = NULL;
    word16 len =
        wolfSSL_SNI_GetRequest(session->ssl, WOLFSSL_SNI_HOST_NAME, &name);

    if (name != NULL && len > 0)
        (void)text_escape(name, len, session->sni, sizeof(session->sni));
}

static void
read_alpn(struct session *session)
{
    char *name = NULL;
    word16 len = 0;

    if (wolfSSL_ALPN_GetProtocol(session->ssl, &name, &len) ==
            WOLFSSL_SUCCESS &&
        name != NULL)
        (void)text_escape(name, len, session->alpn, sizeof(session->alpn));
}

/* name_groups - wolfSSL_CTX_set_groups alone does not bind a TLS 1.2 server: it
 * takes whatever curve the client names */
static bool
name_groups(const struct session_rules *rules, WOLFSSL *ssl)
{
    const struct tls_side *side = rules->side;

    if (rules->conf->min != CONF_TLS_12)
        return true;
    for (size_t i = 0; i < side->group_count; i++)
        if (wolfSSL_UseSupportedCurve(ssl, side->group[i]) != WOLFSSL_SUCCESS)
            return false;
    return true;
}

/* begin - a fresh library object on this descriptor */
static enum err
begin(const struct session_rules *rules, int fd, struct session *out,
      struct verify *verify, struct why *why)
{
    out->alert_sent = out->alert_received = -1;
    out->io.fd = fd;
    out->io.heard = rules->heard;
    if ((out->ssl = wolfSSL_new(rules->side->ctx)) == NULL)
        return why_set(why, ERR_TLS, "no TLS session object");
    if (!name_groups(rules, out->ssl))
        return why_set(why, ERR_TLS, "no room for the groups");
    session_io_attach(out->ssl, &out->io);
    verify_attach(out->ssl, verify);
    if (rules->sign != NULL) {
        rules->sign->key = rules->side->cert[0].key;
        sign_attach(out->ssl, rules->sign);
    }
    return ERR_OK;
}

/* finish - the handshake is over: believe it only if the callback said yes */
static enum err
finish(struct verify *verify, enum reason *reason, struct why *why)
{
    struct session *session = verify->session;

    if ((verify->conf->verify == CONF_VERIFY_REQUIRE && !verify->accepted) ||
        (session->id.present && !verify->accepted) ||
        verify->reason != REASON_NONE) {
        *reason =
            verify->reason != REASON_NONE ? verify->reason : REASON_INTERNAL;
        verify_tell(session, *reason);
        return why_set(why, ERR_TLS, "handshake done without a verdict");
    }
    shake_describe(session);
    read_alpn(session);
    session->io.established = true;
    session->verified = true;
    *reason = REASON_NONE;
    return ERR_OK;
}

static enum err
run(struct verify *verify, const struct sign *sign, int64_t deadline,
    enum reason *reason, struct why *why)
{
    int code = 0;
    enum err err = shake_run(verify->session, wolfSSL_accept, deadline, &code);

    read_sni(verify->session);
    switch (err) {
    case ERR_OK:
        return finish(verify, reason, why);
    case ERR_TLS:
        return fail(verify, sign, code, reason, why);
    case ERR_TIMEOUT:
        *reason = REASON_HANDSHAKE_TIMEOUT;
        return why_set(why, err, "the handshake took too long");
    case ERR_STOP:
        *reason = REASON_STOPPED;
        return why_set(why, err, "told to stop during the handshake");
    case ERR_AGAIN:
    case ERR_EOF:
    case ERR_IO:
    case ERR_RESET:
    case ERR_TRUNCATED:
    case ERR_RANGE:
    case ERR_FORMAT:
    case ERR_CONF:
    case ERR_FILE:
    case ERR_PRIV:
    case ERR_SYS:
    case ERR_NOMEM:
    case ERR_PEER:
        break;
    }
    *reason = REASON_INTERNAL;
    return why_set(why, ERR_TLS, "waiting failed");
}

enum err
session_accept(const struct session_rules *rules, int fd, int64_t deadline,
               struct session *out, enum reason *reason, struct why *why)
{
    struct verify verify = { .side = CHAIN_CLIENT,
                             .tls = rules->side,
                             .conf = rules->conf,
                             .sha1 = rules->sha1,
                             .keep = rules->keep,
                             .session = out };
    struct choose choose = { .rules = rules, .verify = &verify };
    enum err err, forgotten;

    *reason = REASON_INTERNAL;
    if ((err = shake_forget(rules->side->ctx, why)) != ERR_OK ||
        (err = begin(rules, fd, out, &verify, why)) != ERR_OK)
        return err;
    choose_attach(&choose);
    err = run(&verify, rules->sign, deadline, reason, why);
    choose_attach(NULL);
    verify_attach(out->ssl, NULL);
    forgotten = shake_forget(rules->side->ctx, err == ERR_OK ? why : NULL);
    if (err == ERR_OK && forgotten != ERR_OK) {
        out->verified = false;
        *reason = REASON_INTERNAL;
        verify_tell(out, *reason);
        return forgotten;
    }
    return err;
}

void
session_alert(struct session *session, enum reason reason)
{
    if (session->ssl != NULL)
        verify_tell(session, reason);
}

void
session_end(struct session *session)
{
    uint8_t *leaf = session->leaf;
    size_t leaf_room = session->leaf_room;

    if (session->ssl != NULL)
        wolfSSL_free(session->ssl);
    ahead_end(&session->io.ahead);
    mem_wipe(leaf, leaf_room);
    mem_wipe(session, sizeof(*session));
    session->leaf = leaf;
    session->leaf_room = leaf_room;
    session->alert_sent = session->alert_received = -1;
}

void
session_install(const struct session_rules *rules)
{
    struct WOLFSSL_CTX *ctx = rules->side->ctx;

    if (rules->conf->verify == CONF_VERIFY_NONE)
        wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
    else
        verify_install(ctx, rules->conf->verify == CONF_VERIFY_REQUIRE);
    session_io_install(ctx);
    shake_install(ctx);
    choose_install(rules);
    sign_install(ctx);
}

enum err
session_init(const struct session_rules *rules, struct why *why)
{
    if (wolfSSL_CTX_new_rng(rules->side->ctx) != WOLFSSL_SUCCESS)
        return why_set(why, ERR_TLS, "no random numbers");
    if (rules->sign != NULL)
        sign_ready(rules->sign);
    return ERR_OK;
}
