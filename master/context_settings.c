/*
 * context_settings.c - versions, suites, groups, verify mode of a context
 *
 * Owns every setting of the TLS library: what is not set here explicitly is its
 * default, and several of those are not safe. Never loads a file, never uses
 * random numbers.
 */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "common/suite.h"
#include "master/context_build.h"

#define EC_BITS_MIN 256

/* method - the highest version is the method's: there is no other way */
static WOLFSSL_METHOD *
method(const struct build *build)
{
    const struct conf_tls *conf = build->conf;

    if (conf->max == CONF_TLS_12)
        return build->upstream ? wolfTLSv1_2_client_method()
                               : wolfTLSv1_2_server_method();
    if (conf->min == CONF_TLS_13)
        return build->upstream ? wolfTLSv1_3_client_method()
                               : wolfTLSv1_3_server_method();
    return build->upstream ? wolfSSLv23_client_method()
                           : wolfSSLv23_server_method();
}

static int
set_groups(WOLFSSL_CTX *ctx, const char *list, struct tls_side *side)
{
    int groups[TLS_SIDE_GROUPS];
    size_t i;

    side->group_count = group_ids(list, side->group);
    for (i = 0; i < side->group_count; i++)
        groups[i] = side->group[i];
    return wolfSSL_CTX_set_groups(ctx, groups, (int)side->group_count);
}

/* set_suites - explicit names in one list: the library drops a name that it
 * does not know without a word, so common/suite.c knows them all */
static int
set_suites(WOLFSSL_CTX *ctx, const struct conf_tls *conf)
{
    char list[SUITE_LIST_MAX];

    if (suite_wolfssl(conf->ciphers, conf->ciphersuites,
                      conf->min == CONF_TLS_12, conf->max == CONF_TLS_13, list,
                      sizeof(list)) != ERR_OK)
        return WOLFSSL_FAILURE;
    return wolfSSL_CTX_set_cipher_list(ctx, list);
}

/* set_limits - no tickets, no session cache, no weak keys */
static const char *
set_limits(WOLFSSL_CTX *ctx, const struct build *build)
{
    const struct conf_tls *conf = build->conf;

    if (wolfSSL_CTX_SetMinRsaKey_Sz(ctx, CONTEXT_RSA_BITS_MIN) !=
            WOLFSSL_SUCCESS ||
        wolfSSL_CTX_SetMinEccKey_Sz(ctx, EC_BITS_MIN) != WOLFSSL_SUCCESS)
        return "smallest keys";
    if (conf->min == CONF_TLS_12 &&
        wolfSSL_CTX_NoTicketTLSv12(ctx) != WOLFSSL_SUCCESS)
        return "no tickets";
    /* a client can not stop a server from sending some; none is used */
    if (!build->upstream && conf->max == CONF_TLS_13 &&
        wolfSSL_CTX_no_ticket_TLSv13(ctx) != 0)
        return "no tickets";
    if (wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF) !=
        WOLFSSL_SUCCESS)
        return "no session cache";
    if (wolfSSL_CTX_set_group_messages(ctx) != WOLFSSL_SUCCESS)
        return "one write per flight";
    return NULL;
}

static int
verify_mode(const struct build *build)
{
    switch ((enum conf_verify)build->conf->verify) {
    case CONF_VERIFY_REQUIRE:
        break;
    case CONF_VERIFY_OPTIONAL:
        return WOLFSSL_VERIFY_PEER;
    case CONF_VERIFY_NONE:
        return WOLFSSL_VERIFY_NONE;
    }
    return WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

/* everything - DESIGN's list, one line each; the name of what is refused */
static const char *
everything(const struct build *build, WOLFSSL_CTX *ctx)
{
    const struct conf_tls *conf = build->conf;
    int lowest = conf->min == CONF_TLS_13 ? WOLFSSL_TLSV1_3 : WOLFSSL_TLSV1_2;

    if (wolfSSL_CTX_SetMinVersion(ctx, lowest) != WOLFSSL_SUCCESS)
        return "tls_min";
    if (set_suites(ctx, conf) != WOLFSSL_SUCCESS)
        return "ciphers, ciphersuites";
    if (set_groups(ctx, conf->groups, build->side) != WOLFSSL_SUCCESS)
        return "groups";
    return set_limits(ctx, build);
}

enum err
build_settings(const struct build *build)
{
    const char *what;

    build->side->ctx = wolfSSL_CTX_new(method(build));
    if (build->side->ctx == NULL)
        return why_set(build->why, ERR_NOMEM, "no TLS context");
    if ((what = everything(build, build->side->ctx)) != NULL)
        return why_set(build->why, ERR_TLS,
                       "%s: the TLS library refuses its settings: %s",
                       build->where, what);
    wolfSSL_CTX_set_verify(build->side->ctx, verify_mode(build), NULL);
    return ERR_OK;
}
