/*
 * shake.c - what the handshakes of both sides have in common
 *
 * Owns the loop of a handshake under its deadline, the words for what was
 * negotiated, and that nothing of one peer's chain stays for the next.
 * Must never judge: that is the sides' own business.
 */
#include <wolfssl/options.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/suite.h"
#include "common/text.h"
#include "worker/session.h"
#include "worker/shake.h"
#include "worker/wait.h"

#include <string.h>

enum err
shake_run(struct session *session, int (*step)(struct WOLFSSL *ssl),
          int64_t deadline, int *code)
{
    struct pollfd item = { .fd = session->io.fd };
    enum err err;
    int ret;

    while ((ret = step(session->ssl)) != WOLFSSL_SUCCESS) {
        *code = wolfSSL_get_error(session->ssl, ret);
        if (*code == WOLFSSL_ERROR_WANT_READ)
            item.events = POLLIN;
        else if (*code == WOLFSSL_ERROR_WANT_WRITE)
            item.events = POLLOUT;
        else
            return ERR_TLS;
        if (clock_left(deadline) == 0)
            return ERR_TIMEOUT;
        if ((err = wait_for(&item, 1, deadline)) != ERR_OK)
            return err;
    }
    return ERR_OK;
}

/* group_of - the library's name for a curve, as ours */
static const char *
group_of(const char *name)
{
    static const char *const known[][2] = {
        { "X25519MLKEM768", "X25519MLKEM768" },
        { "X25519", "X25519" },
        { "SECP256R1", "P-256" },
        { "SECP384R1", "P-384" },
        { "SECP521R1", "P-521" },
    };

    for (size_t i = 0; name != NULL && i < sizeof(known) / sizeof(known[0]);
         i++)
        if (strcmp(name, known[i][0]) == 0)
            return known[i][1];
    return "other";
}

/* read_alpn - what both sides agreed on, if they did */
static void
read_alpn(struct session *session)
{
    char *name = NULL;
    unsigned short len = 0;

    if (wolfSSL_ALPN_GetProtocol(session->ssl, &name, &len) ==
            WOLFSSL_SUCCESS &&
        name != NULL)
        (void)text_escape(name, len, session->alpn, sizeof(session->alpn));
}

void
shake_describe(struct session *session)
{
    WOLFSSL *ssl = session->ssl;
    const struct suite *suite =
        suite_by_id((uint16_t)wolfSSL_get_current_cipher_suite(ssl));

    session->cipher = suite != NULL ? suite->iana : "other";
    session->version = wolfSSL_version(ssl) == TLS1_3_VERSION ? "1.3" : "1.2";
    session->group = group_of(wolfSSL_get_curve_name(ssl));
    session->resumed = wolfSSL_session_reused(ssl) == 1;
    read_alpn(session);
}

/*
 * The library looks for intermediates at every authority that it knows, which
 * with a thousand of them cost as much as half a handshake; most peers send
 * none. So it tells when it has learnt one, and is asked to forget only then.
 */
static MEM_TOUCHED struct WOLFSSL_CTX *shaking, *learnt;

static void
/* NOLINTNEXTLINE(readability-non-const-parameter): wolfSSL's type */
on_authority(unsigned char *der, int len, int type)
{
    (void)der;
    (void)len;
    (void)type;
    learnt = shaking;
}

void
shake_install(struct WOLFSSL_CTX *ctx)
{
    wolfSSL_CTX_SetCACb(ctx, on_authority);
}

enum err
shake_forget(struct WOLFSSL_CTX *ctx, struct why *why)
{
    WOLFSSL_CERT_MANAGER *manager;

    shaking = ctx;
    if (learnt == NULL)
        return ERR_OK;
    manager = wolfSSL_CTX_GetCertManager(learnt);
    if (manager == NULL ||
        wolfSSL_CertManagerUnloadIntermediateCerts(manager) != WOLFSSL_SUCCESS)
        return why_set(why, ERR_TLS,
                       "intermediate certificates could not be unloaded");
    learnt = NULL;
    return ERR_OK;
}

enum err
shake_words(struct why *why, enum err err, int code)
{
    char text[WOLFSSL_MAX_ERROR_SZ];

    if (code == VERIFY_CERT_ERROR)
        return why_set(why, err, "refused by our own rules, not the library's");
    wolfSSL_ERR_error_string_n((unsigned long)code, text, sizeof(text));
    return why_set(why, err, "%s (%d)", text, code);
}
