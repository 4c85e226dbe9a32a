/*
 * context.c - the TLS material of one side, built once per generation
 *
 * Owns the order in which it is built; context_settings.c, context_chain.c,
 * context_anchor.c and context_crl.c do the parts. Runs before any fork of
 * workers: it must never use random numbers, hold a private key, or make a
 * session object. Never logs; says what is wrong in one sentence.
 */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>
#include <wolfssl/version.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/sha256.h>
#include <wolfssl/wolfcrypt/sha512.h>

#include "common/mem.h"
#include "common/x509_text.h"
#include "master/context_build.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* look_at_cpu - the library finds out what the processor can when it is first
 * used, and remembers it in variables: do it here, once, or each child has
 * copies of these pages for it */
static void
look_at_cpu(void)
{
    static uint8_t key[CURVE25519_KEYSIZE] = { [CURVE25519_KEYSIZE - 1] = 64 };
    uint8_t out[WC_SHA512_DIGEST_SIZE];
    Aes aes;

    (void)wc_Sha256Hash(key, sizeof(key), out);
    (void)wc_Sha512Hash(key, sizeof(key), out);
    (void)wc_curve25519_make_pub(CURVE25519_KEYSIZE, out, sizeof(key), key);
    if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0)
        return;
    (void)wc_AesGcmSetKey(&aes, key, AES_128_KEY_SIZE);
    wc_AesFree(&aes);
}

enum err
context_library(struct why *why)
{
    if (wolfSSL_Init() != WOLFSSL_SUCCESS)
        return why_set(why, ERR_TLS, "wolfSSL could not be initialised");
    if (strcmp(wolfSSL_lib_version(), LIBWOLFSSL_VERSION_STRING) != 0)
        return why_set(why, ERR_TLS, "wolfSSL is %s, built against %s",
                       wolfSSL_lib_version(), LIBWOLFSSL_VERSION_STRING);
    look_at_cpu();
    return ERR_OK;
}

const char *
context_version(void)
{
    return wolfSSL_lib_version();
}

enum err
build_library(struct why *why, enum err err, int code, const char *sentence)
{
    char text[WOLFSSL_MAX_ERROR_SZ];

    if (code >= 0)
        return why_set(why, err, "%s", sentence);
    wolfSSL_ERR_error_string_n((unsigned long)code, text, sizeof(text));
    return why_set(why, err, "%s: %s (%d)", sentence, text, code);
}

void
build_warn(const struct build *build, const char *format, ...)
{
    struct why text;
    va_list args;

    if (build->warn == NULL)
        return;
    va_start(args, format);
    (void)vsnprintf(text.text, sizeof(text.text), format, args);
    va_end(args);
    build->warn(build->warn_ctx, text.text);
}

const char *
build_name(const struct certfile *file, size_t i, char *out)
{
    char subject[CONTEXT_NAME_MAX - 40];

    (void)x509_dn_text(file->cert[i].subject, subject, sizeof(subject));
    if (subject[0] == '\0')
        (void)x509_san_text(file->cert[i].san, subject, sizeof(subject));
    (void)snprintf(out, CONTEXT_NAME_MAX, "certificate %zu (%s)", i + 1,
                   subject);
    return out;
}

bool
build_late(const struct build *build, time_t from, time_t to)
{
    return build->now - from > (to - from) / 3 * 2;
}

static enum err
fill(const struct build *build, const struct context_files *files)
{
    enum err err;

    if ((err = build_settings(build)) != ERR_OK ||
        (err = build_certs(build, files->cert, files->cert_count)) != ERR_OK)
        return err;
    if (files->ca != NULL) {
        if ((err = build_anchors(build, files->ca)) != ERR_OK)
            return err;
    } else if (build->conf->verify != CONF_VERIFY_NONE) {
        return why_set(build->why, ERR_FILE, "%s: %sverify needs %sca = FILE",
                       build->where, build->prefix, build->prefix);
    }
    return build_crls(build, files->crl, files->crl_count);
}

static enum err
make(struct build *build, const struct context_files *files,
     struct tls_side **out)
{
    enum err err;

    *out = NULL;
    build->now = time(NULL);
    build->side = mem_new(sizeof(*build->side));
    if ((err = fill(build, files)) != ERR_OK)
        context_free(build->side);
    else
        *out = build->side;
    return err;
}

enum err
context_server(const struct conf_service *service,
               const struct context_files *files, context_warn *warn, void *ctx,
               struct tls_side **out, struct why *why)
{
    char where[CONF_NAME_MAX + 16];
    struct build build = { .conf = &service->client,
                           .where = where,
                           .prefix = "",
                           .warn = warn,
                           .warn_ctx = ctx,
                           .why = why };

    (void)snprintf(where, sizeof(where), "[service %s]", service->name);
    *out = NULL;
    if (files->cert_count == 0)
        return why_set(why, ERR_FILE, "%s: listen_tls needs cert = FILE",
                       where);
    return make(&build, files, out);
}

enum err
context_client(const struct conf_route *route,
               const struct context_files *files, context_warn *warn, void *ctx,
               struct tls_side **out, struct why *why)
{
    char where[256];
    struct build build = { .conf = &route->side,
                           .where = where,
                           .prefix = "upstream_",
                           .upstream = true,
                           .warn = warn,
                           .warn_ctx = ctx,
                           .why = why };

    if (route->name[0] != '\0')
        (void)snprintf(where, sizeof(where), "[route %s]", route->name);
    else
        (void)snprintf(where, sizeof(where), "%.200s:%u",
                       route->file != NULL ? route->file : "upstream",
                       route->line);
    *out = NULL;
    if (files->cert_count > 1)
        return why_set(why, ERR_FILE, "%s: one upstream_cert at most", where);
    return make(&build, files, out);
}

static void
cert_free(struct tls_cert *cert)
{
    size_t i;

    for (i = 0; i < cert->name_count; i++)
        free(cert->name[i]);
    free(cert->name);
    free(cert->spki);
    free(cert->chain);
}

void
context_free(struct tls_side *side)
{
    size_t i;

    if (side == NULL)
        return;
    if (side->ctx != NULL)
        wolfSSL_CTX_free(side->ctx);
    for (i = 0; i < side->cert_count; i++)
        cert_free(&side->cert[i]);
    for (i = 0; i < side->crl_count; i++) {
        free((void *)(uintptr_t)side->crl[i].crl.serial);
        free(side->crl[i].der);
    }
    free(side->cert);
    free(side->crl);
    free(side->anchor);
    free(side->ca_der);
    free(side);
}

int
context_cert_of(const struct tls_side *side, const uint8_t *spki, size_t len)
{
    size_t i;
    int found = -1;

    for (i = 0; i < side->cert_count; i++)
        if (len == side->cert[i].spki_len &&
            memcmp(spki, side->cert[i].spki, len) == 0 &&
            (found < 0 || !side->cert[i].paired)) {
            found = (int)i;
            if (!side->cert[i].paired)
                break; /* certificates that share a key get one each */
        }
    return found;
}
