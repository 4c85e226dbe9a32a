/*
 * context_anchor.c - the authorities that we trust
 *
 * Owns what may be an anchor. One by one, so that one bad anchor does not cost
 * the rest; none left is an error.
 */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "common/mem.h"
#include "master/context_build.h"

/* skip - one warning about one anchor */
static void
skip(const struct build *build, const char *path, const struct certfile *file,
     size_t i, const char *because)
{
    char name[CONTEXT_NAME_MAX];

    build_warn(build, "%sca = %s: %s %s: skipped", build->prefix, path,
               build_name(file, i, name), because);
}

/* purpose_flaw - may it issue for the other side? */
static const char *
purpose_flaw(const struct build *build, const struct x509 *cert)
{
    if (cert->has_key_usage && (cert->key_usage & X509_USE_CERT) == 0)
        return "may not sign certificates (key usage)";
    if (!cert->has_eku || cert->eku_any)
        return NULL;
    if (build->upstream && !cert->eku_server)
        return "may not issue servers (extended key usage)";
    if (!build->upstream && !cert->eku_client)
        return "may not issue clients (extended key usage)";
    return NULL;
}

/* anchor_flaw - why this one can be no anchor, or NULL */
static const char *
anchor_flaw(const struct build *build, const struct x509 *cert)
{
    const char *flaw;

    if (!cert->ca)
        return "is not a CA (no basicConstraints CA:TRUE)";
    if (build->now > cert->not_after)
        return "has expired";
    if (build->now < cert->not_before)
        return "is not valid yet";
    if ((flaw = purpose_flaw(build, cert)) != NULL)
        return flaw;
    if (cert->name_constraints_empty)
        return "has empty name constraints";
    if (cert->key == X509_KEY_RSA && cert->key_bits < CONTEXT_RSA_BITS_MIN)
        return "has an RSA key below 2048 bits";
    if (cert->key == X509_KEY_OTHER ||
        (cert->key == X509_KEY_EC && cert->key_bits == 0))
        return "has a key of an unknown kind";
    return NULL;
}

/* describe - what revocation asks about the anchor later */
static void
describe(const struct build *build, const char *path,
         const struct certfile *file, size_t i)
{
    const struct x509 *cert = &file->cert[i];
    struct tls_side *side = build->side;
    struct tls_anchor *anchor = &side->anchor[side->anchor_count++];
    char name[CONTEXT_NAME_MAX], date[CERTFILE_DATE_MAX];

    anchor->subject = cert->subject;
    anchor->spki = cert->spki;
    anchor->ski = cert->ski;
    anchor->crl_sign =
        !cert->has_key_usage || (cert->key_usage & X509_USE_CRL) != 0;
    if (side->anchor_count == 1 || cert->not_after < side->ca_not_after)
        side->ca_not_after = cert->not_after;
    if (build_late(build, cert->not_before, cert->not_after))
        build_warn(build, "%sca = %s: %s expires %s", build->prefix, path,
                   build_name(file, i, name),
                   certfile_date(cert->not_after, date));
}

/* on_authority - the library has added one */
static bool added;

static void
/* NOLINTNEXTLINE(readability-non-const-parameter): wolfSSL's type */
on_authority(unsigned char *der, int len, int type)
{
    (void)der;
    (void)len;
    (void)type;
    added = true;
}

/* known - do we have an anchor of that name already? */
static bool
known(const struct tls_side *side, struct span subject)
{
    size_t i;

    for (i = 0; i < side->anchor_count; i++)
        if (span_equal(side->anchor[i].subject, subject))
            return true;
    return false;
}

/*
 * add - NULL, or why it is no anchor now
 * The library tells authorities apart by the identifier of their key, so that
 * of two names for one key it leaves the second out, and says nothing. A renewed
 * root, with the same name, is one that it has.
 */
static const char *
add(const struct build *build, const struct x509 *cert, struct why *text)
{
    WOLFSSL_CTX *ctx = build->side->ctx;
    int code;

    added = false;
    wolfSSL_CTX_SetCACb(ctx, on_authority);
    code = wolfSSL_CTX_load_verify_buffer(
        ctx, cert->der.at, (long)cert->der.len, WOLFSSL_FILETYPE_ASN1);
    wolfSSL_CTX_SetCACb(ctx, NULL);
    if (code != WOLFSSL_SUCCESS) {
        (void)build_library(text, ERR_TLS, code, "is refused by the library");
        return text->text;
    }
    if (!added && !known(build->side, cert->subject))
        return "has the key of another CA in this file, of another name: "
               "whom it has issued under this name will be unknown_ca";
    return NULL;
}

/* anchor_load - into the context; or a warning */
static void
anchor_load(const struct build *build, const char *path,
            const struct certfile *file, size_t i)
{
    const struct x509 *cert = &file->cert[i];
    const char *flaw = anchor_flaw(build, cert);
    struct why text;

    if (flaw == NULL)
        flaw = add(build, cert, &text);
    if (flaw == NULL)
        describe(build, path, file, i);
    else
        skip(build, path, file, i, flaw);
}

static enum err
anchors_load(const struct build *build, const char *path,
             const struct certfile *file)
{
    char name[CONTEXT_NAME_MAX];
    size_t i;

    build->side->anchor = mem_new(file->count * sizeof(struct tls_anchor));
    for (i = 0; i < file->count; i++) {
        if (file->cert[i].version != 3 && file->cert[i].self_issued)
            return why_set(build->why, ERR_FILE,
                           "%sca = %s: %s is X.509 version 1, which cannot say "
                           "that it is a CA; make a version 3 root",
                           build->prefix, path, build_name(file, i, name));
        anchor_load(build, path, file, i);
    }
    if (build->side->anchor_count == 0)
        return why_set(build->why, ERR_FILE,
                       "%sca = %s: no valid CA certificate in it",
                       build->prefix, path);
    tls_side_sort_anchors(build->side);
    return ERR_OK;
}

enum err
build_anchors(const struct build *build, const struct blob *blob)
{
    struct certfile file;
    enum err err;

    err = certfile_read(blob, build->upstream ? "upstream_ca" : "ca", &file,
                        build->why);
    if (err != ERR_OK)
        return err;
    err = anchors_load(build, blob->path, &file);
    build->side->ca_der = file.bytes; /* anchors point into it */
    file.bytes = NULL;
    certfile_free(&file);
    return err;
}
