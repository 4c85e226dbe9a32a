/*
 * context.c - a service's TLS context, built once per generation
 *
 * Owns every wolfSSL call of the master that concerns certificates and
 * settings; what is not set here explicitly is the library's default, and
 * several of those are not safe. Runs before any fork of workers: it must never
 * use random numbers, hold a private key, or make a session object. Never logs;
 * says what is wrong in one sentence.
 */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>
#include <wolfssl/version.h>

#include "common/mem.h"
#include "common/suite.h"
#include "common/x509_text.h"
#include "master/certfile.h"
#include "master/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RSA_BITS_MIN  2048
#define RSA_BITS_MAX  4096
#define EC_BITS_MIN   256
#define NAME_MAX_TEXT 256

/* who is building, and whom to tell */
struct build {
    const struct conf_service *service;
    const char *path; /* of the file at hand */
    void (*warn)(void *ctx, const char *text);
    void *warn_ctx;
    time_t now;
    struct context *context;
    struct why *why;
};

enum err
context_library(struct why *why)
{
    if (wolfSSL_Init() != WOLFSSL_SUCCESS)
        return why_set(why, ERR_TLS, "wolfSSL could not be initialised");
    if (strcmp(wolfSSL_lib_version(), LIBWOLFSSL_VERSION_STRING) != 0)
        return why_set(why, ERR_TLS, "wolfSSL is %s, built against %s",
                       wolfSSL_lib_version(), LIBWOLFSSL_VERSION_STRING);
    return ERR_OK;
}

const char *
context_version(void)
{
    return wolfSSL_lib_version();
}

/* library_error - "SENTENCE: what the library says" */
static enum err
library_error(struct why *why, enum err err, int code, const char *sentence)
{
    char text[WOLFSSL_MAX_ERROR_SZ];

    if (code >= 0)
        return why_set(why, err, "%s", sentence);
    wolfSSL_ERR_error_string_n((unsigned long)code, text, sizeof(text));
    return why_set(why, err, "%s: %s (%d)", sentence, text, code);
}

/* name_of - a certificate for sentences: "certificate 2 (CN=x)" */
static const char *
name_of(const struct certfile *file, size_t i, char *out, size_t room)
{
    char subject[NAME_MAX_TEXT];
    int len;

    (void)x509_dn_text(file->cert[i].subject, subject, sizeof(subject));
    if (subject[0] == '\0')
        (void)x509_san_text(file->cert[i].san, subject, sizeof(subject));
    len = snprintf(out, room, "certificate %zu (%s)", i + 1, subject);
    return len < 0 ? "a certificate" : out;
}

/* ---- our own chain ------------------------------------------------------ */

/* check_dates - ours must be valid now: a client would refuse it */
static enum err
check_dates(const struct build *build, const struct certfile *file, size_t i)
{
    const struct x509 *cert = &file->cert[i];
    char name[NAME_MAX_TEXT + 32], date[CERTFILE_DATE_MAX];

    if (build->now > cert->not_after)
        return why_set(build->why, ERR_FILE, "cert = %s: %s expired %s",
                       build->path, name_of(file, i, name, sizeof(name)),
                       certfile_date(cert->not_after, date));
    if (build->now < cert->not_before)
        return why_set(build->why, ERR_FILE,
                       "cert = %s: %s is not valid before %s", build->path,
                       name_of(file, i, name, sizeof(name)),
                       certfile_date(cert->not_before, date));
    return ERR_OK;
}

/* leaf_key - kind and size, as the PK callbacks and the keeper need them */
static enum err
leaf_key(const struct build *build, const struct x509 *leaf)
{
    struct context *context = build->context;

    context->key_size = (int)(leaf->key_bits + 7) / 8;
    switch (leaf->key) {
    case X509_KEY_EC:
        context->key_kind = KEY_EC;
        if (leaf->key_bits != 0)
            return ERR_OK;
        break;
    case X509_KEY_RSA:
        context->key_kind = KEY_RSA;
        if (leaf->key_bits >= RSA_BITS_MIN && leaf->key_bits <= RSA_BITS_MAX)
            return ERR_OK;
        return why_set(build->why, ERR_FILE,
                       "cert = %s: an RSA key of %u bits; %d to %d are served",
                       build->path, leaf->key_bits, RSA_BITS_MIN, RSA_BITS_MAX);
    case X509_KEY_ED25519:
        context->key_kind = KEY_ED25519;
        return ERR_OK;
    case X509_KEY_OTHER:
        break;
    }
    return why_set(build->why, ERR_FILE,
                   "cert = %s: a key of an unknown kind; EC P-256, P-384, "
                   "P-521, RSA and Ed25519 are served",
                   build->path);
}

/* leaf_purpose - may it serve TLS at all? */
static enum err
leaf_purpose(const struct build *build, const struct x509 *leaf)
{
    const char *bad = NULL;

    if (leaf->version != 3)
        bad = "the first certificate is X.509 version 1; clients refuse it";
    else if (leaf->ca)
        bad = "the first certificate is a CA; the service's own comes first";
    else if (leaf->has_eku && !leaf->eku_server && !leaf->eku_any)
        bad = "the certificate's extended key usage does not allow serverAuth";
    else if (leaf->has_key_usage && (leaf->key_usage & X509_USE_SIGN) == 0)
        bad = "the certificate's key usage does not allow digitalSignature";
    if (bad != NULL)
        return why_set(build->why, ERR_FILE, "cert = %s: %s", build->path, bad);
    return ERR_OK;
}

/* signed_by - does the library find cert signed by issuer? */
static bool
signed_by(const struct x509 *cert, const struct x509 *issuer)
{
    WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();
    bool good;

    if (manager == NULL)
        return false;
    good = wolfSSL_CertManagerLoadCABuffer(
               manager, issuer->der.at, (long)issuer->der.len,
               WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS &&
           wolfSSL_CertManagerVerifyBuffer(
               manager, cert->der.at, (long)cert->der.len,
               WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS;
    wolfSSL_CertManagerFree(manager);
    return good;
}

/* check_link - certificate i must be issued by certificate i + 1 */
static enum err
check_link(const struct build *build, const struct certfile *file, size_t i)
{
    char lower[NAME_MAX_TEXT + 32], upper[NAME_MAX_TEXT + 32];
    const struct x509 *cert = &file->cert[i], *issuer = &file->cert[i + 1];
    const char *bad = NULL;

    if (!span_equal(cert->issuer, issuer->subject))
        bad = "is not the issuer of";
    else if (!issuer->ca)
        bad = "is no CA, but stands as the issuer of";
    else if (!signed_by(cert, issuer))
        bad = "has not signed";
    if (bad == NULL)
        return ERR_OK;
    return why_set(build->why, ERR_FILE,
                   "cert = %s: %s %s %s; the service's own comes first, then "
                   "each one's issuer",
                   build->path, name_of(file, i + 1, upper, sizeof(upper)), bad,
                   name_of(file, i, lower, sizeof(lower)));
}

static void
describe_leaf(struct context *context, const struct x509 *leaf)
{
    context->spki = mem_new(leaf->spki.len);
    memcpy(context->spki, leaf->spki.at, leaf->spki.len);
    context->spki_len = leaf->spki.len;
    context->not_before = leaf->not_before;
    context->not_after = leaf->not_after;
    (void)x509_dn_text(leaf->subject, context->subject,
                       sizeof(context->subject));
    if (context->subject[0] == '\0')
        (void)x509_san_text(leaf->san, context->subject,
                            sizeof(context->subject));
}

static enum err
check_chain(const struct build *build, const struct certfile *file)
{
    enum err err;
    size_t i;

    if ((err = leaf_purpose(build, &file->cert[0])) != ERR_OK ||
        (err = leaf_key(build, &file->cert[0])) != ERR_OK)
        return err;
    for (i = 0; i < file->count; i++)
        if ((err = check_dates(build, file, i)) != ERR_OK)
            return err;
    for (i = 0; i + 1 < file->count; i++)
        if ((err = check_link(build, file, i)) != ERR_OK)
            return err;
    return ERR_OK;
}

/* load_chain - exactly the certificates that were checked, in DER */
static enum err
load_chain(struct build *build, const struct blob *blob)
{
    struct certfile file;
    enum err err;
    int code;

    build->path = blob->path;
    if ((err = certfile_read(blob, "cert", &file, build->why)) != ERR_OK)
        return err;
    if ((err = check_chain(build, &file)) == ERR_OK) {
        code = wolfSSL_CTX_use_certificate_chain_buffer_format(
            build->context->ctx, file.bytes, (long)file.len,
            WOLFSSL_FILETYPE_ASN1);
        if (code == WOLFSSL_SUCCESS)
            describe_leaf(build->context, &file.cert[0]);
        else
            err = library_error(build->why, ERR_FILE, code, blob->path);
    }
    certfile_free(&file);
    return err;
}

/* ---- anchors ------------------------------------------------------------ */

/* skip - one warning about one anchor */
static void
skip(const struct build *build, const struct certfile *file, size_t i,
     const char *because)
{
    char name[NAME_MAX_TEXT + 32];
    struct why text;

    if (build->warn == NULL)
        return;
    (void)why_set(&text, ERR_FILE, "ca = %s: %s %s: skipped", build->path,
                  name_of(file, i, name, sizeof(name)), because);
    build->warn(build->warn_ctx, text.text);
}

/* anchor_flaw - why this one can be no anchor, or NULL */
static const char *
anchor_flaw(const struct x509 *cert, time_t now)
{
    if (!cert->ca)
        return "is not a CA (no basicConstraints CA:TRUE)";
    if (now > cert->not_after)
        return "has expired";
    if (now < cert->not_before)
        return "is not valid yet";
    if (cert->has_key_usage && (cert->key_usage & X509_USE_CERT) == 0)
        return "may not sign certificates (key usage)";
    if (cert->has_eku && !cert->eku_client && !cert->eku_any)
        return "may not issue clients (extended key usage)";
    if (cert->name_constraints_empty)
        return "has empty name constraints";
    if (cert->key == X509_KEY_RSA && cert->key_bits < RSA_BITS_MIN)
        return "has an RSA key below 2048 bits";
    if (cert->key == X509_KEY_OTHER ||
        (cert->key == X509_KEY_EC && cert->key_bits == 0))
        return "has a key of an unknown kind";
    return NULL;
}

/* anchor_load - true: the context trusts it now */
static bool
anchor_load(const struct build *build, const struct certfile *file, size_t i)
{
    const struct x509 *cert = &file->cert[i];
    const char *flaw = anchor_flaw(cert, build->now);
    struct why text;
    int code;

    if (flaw != NULL) {
        skip(build, file, i, flaw);
        return false;
    }
    code = wolfSSL_CTX_load_verify_buffer(build->context->ctx, cert->der.at,
                                          (long)cert->der.len,
                                          WOLFSSL_FILETYPE_ASN1);
    if (code != WOLFSSL_SUCCESS) {
        (void)library_error(&text, ERR_TLS, code, "is refused by the library");
        skip(build, file, i, text.text);
        return false;
    }
    return true;
}

/* anchors_load - one by one, so that one bad anchor does not cost the rest */
static enum err
anchors_load(const struct build *build, const struct certfile *file)
{
    struct context *context = build->context;
    char name[NAME_MAX_TEXT + 32];
    size_t i, good = 0;

    for (i = 0; i < file->count; i++) {
        if (file->cert[i].version != 3 && file->cert[i].self_issued)
            return why_set(build->why, ERR_FILE,
                           "ca = %s: %s is X.509 version 1, which cannot say "
                           "that it is a CA; make a version 3 root",
                           build->path, name_of(file, i, name, sizeof(name)));
        if (!anchor_load(build, file, i))
            continue;
        if (good++ == 0 || file->cert[i].not_after < context->ca_not_after)
            context->ca_not_after = file->cert[i].not_after;
    }
    if (good == 0)
        return why_set(build->why, ERR_FILE,
                       "ca = %s: no valid CA certificate in it", build->path);
    return ERR_OK;
}

static enum err
load_anchors(struct build *build, const struct blob *blob)
{
    struct certfile file;
    enum err err;

    build->path = blob->path;
    if ((err = certfile_read(blob, "ca", &file, build->why)) != ERR_OK)
        return err;
    err = anchors_load(build, &file);
    certfile_free(&file);
    return err;
}

/* ---- settings ----------------------------------------------------------- */

/* method - the highest version is the method's: there is no other way */
static WOLFSSL_METHOD *
method(const struct conf_service *service)
{
    if (service->tls_max == CONF_TLS_12)
        return wolfTLSv1_2_server_method();
    if (service->tls_min == CONF_TLS_13)
        return wolfTLSv1_3_server_method();
    return wolfSSLv23_server_method();
}

static int
set_groups(WOLFSSL_CTX *ctx, const char *list)
{
    uint16_t ids[8];
    int groups[8];
    size_t count = group_ids(list, ids), i;

    for (i = 0; i < count; i++)
        groups[i] = ids[i];
    return wolfSSL_CTX_set_groups(ctx, groups, (int)count);
}

/* set_suites - explicit names in one list: the library drops a name that it
 * does not know without a word, so common/suite.c knows them all */
static int
set_suites(WOLFSSL_CTX *ctx, const struct conf_service *service)
{
    char list[SUITE_LIST_MAX];

    if (suite_wolfssl(service->ciphers, service->ciphersuites,
                      service->tls_min == CONF_TLS_12,
                      service->tls_max == CONF_TLS_13, list,
                      sizeof(list)) != ERR_OK)
        return WOLFSSL_FAILURE;
    return wolfSSL_CTX_set_cipher_list(ctx, list);
}

static int
verify_mode(const struct conf_service *service)
{
    switch ((enum conf_verify)service->verify) {
    case CONF_VERIFY_REQUIRE:
        break;
    case CONF_VERIFY_OPTIONAL:
        return WOLFSSL_VERIFY_PEER;
    case CONF_VERIFY_NONE:
        return WOLFSSL_VERIFY_NONE;
    }
    return WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

/* settings - everything explicit; DESIGN's list, one line each */
static enum err
settings(const struct build *build)
{
    const struct conf_service *service = build->service;
    WOLFSSL_CTX *ctx = build->context->ctx;
    int lowest =
        service->tls_min == CONF_TLS_13 ? WOLFSSL_TLSV1_3 : WOLFSSL_TLSV1_2;
    const char *what = NULL;

    if (wolfSSL_CTX_SetMinVersion(ctx, lowest) != WOLFSSL_SUCCESS)
        what = "tls_min";
    else if (set_suites(ctx, service) != WOLFSSL_SUCCESS)
        what = "ciphers, ciphersuites";
    else if (set_groups(ctx, service->groups) != WOLFSSL_SUCCESS)
        what = "groups";
    else if (wolfSSL_CTX_SetMinRsaKey_Sz(ctx, RSA_BITS_MIN) !=
                 WOLFSSL_SUCCESS ||
             wolfSSL_CTX_SetMinEccKey_Sz(ctx, EC_BITS_MIN) != WOLFSSL_SUCCESS)
        what = "smallest keys";
    else if (lowest == WOLFSSL_TLSV1_2 &&
             wolfSSL_CTX_NoTicketTLSv12(ctx) != WOLFSSL_SUCCESS)
        what = "no tickets";
    else if (service->tls_max == CONF_TLS_13 &&
             wolfSSL_CTX_no_ticket_TLSv13(ctx) != 0)
        what = "no tickets";
    else if (wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF) !=
             WOLFSSL_SUCCESS)
        what = "no session cache";
    else if (wolfSSL_CTX_set_group_messages(ctx) != WOLFSSL_SUCCESS)
        what = "one write per flight";
    if (what != NULL)
        return why_set(build->why, ERR_TLS,
                       "[service %s]: the TLS library refuses its settings: %s",
                       service->name, what);
    wolfSSL_CTX_set_verify(ctx, verify_mode(service), NULL);
    return ERR_OK;
}

static enum err
fill(struct build *build, const struct blob *cert, const struct blob *ca)
{
    enum err err;

    build->context->ctx = wolfSSL_CTX_new(method(build->service));
    if (build->context->ctx == NULL)
        return why_set(build->why, ERR_NOMEM, "no TLS context");
    if ((err = settings(build)) != ERR_OK ||
        (err = load_chain(build, cert)) != ERR_OK)
        return err;
    if (ca != NULL)
        return load_anchors(build, ca);
    if (build->service->verify != CONF_VERIFY_NONE)
        return why_set(build->why, ERR_FILE,
                       "[service %s]: verify needs ca = FILE",
                       build->service->name);
    return ERR_OK;
}

enum err
context_server(const struct conf_service *service, const struct blob *cert,
               const struct blob *ca, void (*warn)(void *ctx, const char *text),
               void *ctx, struct context **out, struct why *why)
{
    struct build build = { .service = service,
                           .warn = warn,
                           .warn_ctx = ctx,
                           .now = time(NULL),
                           .why = why };
    enum err err;

    *out = NULL;
    build.context = mem_new(sizeof(*build.context));
    if ((err = fill(&build, cert, ca)) != ERR_OK)
        context_free(build.context);
    else
        *out = build.context;
    return err;
}

void
context_free(struct context *context)
{
    if (context == NULL)
        return;
    if (context->ctx != NULL)
        wolfSSL_CTX_free(context->ctx);
    free(context->spki);
    free(context);
}

int
context_spki_is(const struct context *context, const uint8_t *der, size_t len)
{
    return len == context->spki_len && memcmp(der, context->spki, len) == 0;
}
