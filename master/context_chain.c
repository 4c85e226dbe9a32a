/*
 * context_chain.c - our own certificates
 *
 * Owns the rules for what we show to peers: a chain that parses, holds together
 * and is valid now. Never sees a private key.
 */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "common/mem.h"
#include "common/text.h"
#include "common/x509_text.h"
#include "master/context_build.h"

#include <stdlib.h>
#include <string.h>

#define RSA_BITS_MAX      4096
#define HOST_NAME_MAX_LEN 253

/* one file of ours */
struct chain {
    const struct build *build;
    const char *path;
    struct certfile file;
    struct tls_cert *cert;
};

/* flaw - "cert = PATH: sentence" */
static enum err
flaw(const struct chain *chain, const char *sentence)
{
    return why_set(chain->build->why, ERR_FILE, "%scert = %s: %s",
                   chain->build->prefix, chain->path, sentence);
}

/* check_dates - ours must be valid now: a peer would refuse it */
static enum err
check_dates(const struct chain *chain, size_t i)
{
    const struct build *build = chain->build;
    const struct x509 *cert = &chain->file.cert[i];
    char name[CONTEXT_NAME_MAX], date[CERTFILE_DATE_MAX];

    (void)build_name(&chain->file, i, name);
    if (build->now > cert->not_after)
        return why_set(build->why, ERR_FILE, "%scert = %s: %s expired %s",
                       build->prefix, chain->path, name,
                       certfile_date(cert->not_after, date));
    if (build->now < cert->not_before)
        return why_set(build->why, ERR_FILE,
                       "%scert = %s: %s is not valid before %s", build->prefix,
                       chain->path, name,
                       certfile_date(cert->not_before, date));
    if (build_late(build, cert->not_before, cert->not_after))
        build_warn(build, "%scert = %s: %s expires %s", build->prefix,
                   chain->path, name, certfile_date(cert->not_after, date));
    return ERR_OK;
}

/* leaf_key - kind and size, as the PK callbacks and the keeper need them */
static enum err
leaf_key(const struct chain *chain, const struct x509 *leaf)
{
    chain->cert->key_size = (int)(leaf->key_bits + 7) / 8;
    switch (leaf->key) {
    case X509_KEY_EC:
        chain->cert->kind = KEY_EC;
        if (leaf->key_bits != 0)
            return ERR_OK;
        break;
    case X509_KEY_RSA:
        chain->cert->kind = KEY_RSA;
        if (leaf->key_bits >= CONTEXT_RSA_BITS_MIN &&
            leaf->key_bits <= RSA_BITS_MAX)
            return ERR_OK;
        return why_set(
            chain->build->why, ERR_FILE,
            "%scert = %s: an RSA key of %u bits; %d to %d are served",
            chain->build->prefix, chain->path, leaf->key_bits,
            CONTEXT_RSA_BITS_MIN, RSA_BITS_MAX);
    case X509_KEY_ED25519:
        chain->cert->kind = KEY_ED25519;
        return ERR_OK;
    case X509_KEY_OTHER:
        break;
    }
    return flaw(chain, "a key of an unknown kind; EC P-256, P-384, P-521, RSA "
                       "and Ed25519 are served");
}

/* leaf_purpose - may it stand for us in TLS at all? */
static enum err
leaf_purpose(const struct chain *chain, const struct x509 *leaf)
{
    bool upstream = chain->build->upstream;

    if (leaf->ca)
        return flaw(chain, "the first certificate is a CA; the service's own "
                           "comes first");
    if (leaf->has_eku && !leaf->eku_any &&
        !(upstream ? leaf->eku_client : leaf->eku_server))
        return flaw(chain, upstream ? "the certificate's extended key usage "
                                      "does not allow clientAuth"
                                    : "the certificate's extended key usage "
                                      "does not allow serverAuth");
    if (leaf->has_key_usage && (leaf->key_usage & X509_USE_SIGN) == 0)
        return flaw(chain, "the certificate's key usage does not allow "
                           "digitalSignature");
    if (leaf->version != 3)
        build_warn(chain->build,
                   "%scert = %s: the certificate is X.509 version %d; many %s "
                   "refuse it: make a version 3 one",
                   chain->build->prefix, chain->path, leaf->version,
                   upstream ? "servers" : "clients");
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
check_link(const struct chain *chain, size_t i)
{
    const struct certfile *file = &chain->file;
    const struct x509 *cert = &file->cert[i], *issuer = &file->cert[i + 1];
    char lower[CONTEXT_NAME_MAX], upper[CONTEXT_NAME_MAX];
    const char *bad = NULL;

    if (!span_equal(cert->issuer, issuer->subject))
        bad = "is not the issuer of";
    else if (!issuer->ca)
        bad = "is no CA, but stands as the issuer of";
    else if (!signed_by(cert, issuer))
        bad = "has not signed";
    if (bad == NULL)
        return ERR_OK;
    return why_set(chain->build->why, ERR_FILE,
                   "%scert = %s: %s %s %s; the service's own comes first, then "
                   "each one's issuer",
                   chain->build->prefix, chain->path,
                   build_name(file, i + 1, upper), bad,
                   build_name(file, i, lower));
}

static enum err
check_chain(const struct chain *chain)
{
    const struct certfile *file = &chain->file;
    enum err err;
    size_t i;

    if ((err = leaf_purpose(chain, &file->cert[0])) != ERR_OK ||
        (err = leaf_key(chain, &file->cert[0])) != ERR_OK)
        return err;
    for (i = 0; i < file->count; i++)
        if ((err = check_dates(chain, i)) != ERR_OK)
            return err;
    for (i = 0; i + 1 < file->count; i++)
        if ((err = check_link(chain, i)) != ERR_OK)
            return err;
    return ERR_OK;
}

/* add_name - a name to be asked for, in lower case; what is none is left out */
static void
add_name(struct tls_cert *cert, const void *bytes, size_t len)
{
    const unsigned char *from = bytes;
    char *name;
    size_t i;

    if (len > 0 && from[len - 1] == '.')
        len--;
    if (len == 0 || len > HOST_NAME_MAX_LEN)
        return;
    for (i = 0; i < len; i++)
        if (from[i] <= ' ' || from[i] >= 0x7f)
            return;
    name = mem_new(len + 1);
    for (i = 0; i < len; i++)
        name[i] = (char)(from[i] >= 'A' && from[i] <= 'Z' ? from[i] - 'A' + 'a'
                                                          : from[i]);
    cert->name =
        mem_array(cert->name, cert->name_count + 1, sizeof(*cert->name));
    cert->name[cert->name_count++] = name;
}

/* read_names - dns SANs; the CN when there is no SAN at all */
static void
read_names(struct tls_cert *cert, const struct x509 *leaf)
{
    struct span rest = leaf->san, name;
    char cn[HOST_NAME_MAX_LEN + 1];
    unsigned tag;

    while (der_next(&rest, &tag, &name, NULL))
        if (tag == TAG_PRIMITIVE_2)
            add_name(cert, name.at, name.len);
    if (leaf->san.len == 0 && x509_cn_text(leaf->subject, cn, sizeof(cn)))
        add_name(cert, cn, strlen(cn));
}

static uint8_t *
copy(const uint8_t *at, size_t len)
{
    uint8_t *to = mem_new(len + 1);

    memcpy(to, at, len);
    return to;
}

static void
describe(const struct chain *chain)
{
    const struct x509 *leaf = &chain->file.cert[0];
    struct tls_cert *cert = chain->cert;

    cert->spki = copy(leaf->spki.at, leaf->spki.len);
    cert->spki_len = leaf->spki.len;
    cert->chain = copy(chain->file.bytes, chain->file.len);
    cert->chain_len = chain->file.len;
    cert->not_before = leaf->not_before;
    cert->not_after = leaf->not_after;
    read_names(cert, leaf);
    (void)x509_dn_text(leaf->subject, cert->subject, sizeof(cert->subject));
    if (cert->subject[0] == '\0')
        (void)x509_san_text(leaf->san, cert->subject, sizeof(cert->subject));
}

static enum err
build_cert(const struct build *build, const struct blob *blob,
           struct tls_cert *cert)
{
    struct chain chain = { .build = build, .path = blob->path, .cert = cert };
    char what[32];
    enum err err;

    (void)text_copy(what, build->prefix, sizeof(what));
    (void)text_copy(what + strlen(what), "cert", sizeof(what) - strlen(what));
    if ((err = certfile_read(blob, what, &chain.file, build->why)) != ERR_OK)
        return err;
    if ((err = check_chain(&chain)) == ERR_OK)
        describe(&chain);
    certfile_free(&chain.file);
    return err;
}

enum err
build_certs(const struct build *build, const struct blob *blob, size_t count)
{
    struct tls_side *side = build->side;
    enum err err;
    int code;

    side->cert = mem_new((count + 1) * sizeof(*side->cert));
    while (side->cert_count < count) {
        size_t i = side->cert_count++;

        if ((err = build_cert(build, &blob[i], &side->cert[i])) != ERR_OK)
            return err;
    }
    if (count != 1)
        return ERR_OK;
    /* exactly the certificates that were checked, in DER */
    code = wolfSSL_CTX_use_certificate_chain_buffer_format(
        side->ctx, side->cert[0].chain, (long)side->cert[0].chain_len,
        WOLFSSL_FILETYPE_ASN1);
    return code == WOLFSSL_SUCCESS
               ? ERR_OK
               : build_library(build->why, ERR_FILE, code, blob->path);
}
