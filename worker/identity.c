/*
 * identity.c - gather what a certificate says about its holder
 *
 * Owns struct identity. Pure: no TLS library, no memory of its own, no
 * decision; the words themselves are common/x509_text's.
 */
#include "worker/identity.h"

#include "common/text.h"
#include "common/x509_text.h"

#include <string.h>

void
identity_from_x509(const struct x509 *cert, const uint8_t sha256[32],
                   struct identity *out)
{
    bool whole;

    whole = x509_dn_text(cert->subject, out->subject, sizeof(out->subject));
    whole &= x509_dn_text(cert->issuer, out->issuer, sizeof(out->issuer));
    whole &= x509_cn_text(cert->subject, out->cn, sizeof(out->cn));
    whole &= x509_serial_text(cert->serial, out->serial, sizeof(out->serial));
    whole &= x509_san_text(cert->san, out->san, sizeof(out->san));
    memcpy(out->sha256, sha256, sizeof(out->sha256));
    (void)text_hex(sha256, sizeof(out->sha256), out->sha256_hex);
    out->not_before = cert->not_before;
    out->not_after = cert->not_after;
    out->der = cert->der.at;
    out->der_len = cert->der.len;
    out->cut = !whole;
    out->present = true;
}

bool
identity_from_der(const uint8_t *der, size_t len, const uint8_t sha256[32],
                  struct identity *out)
{
    struct x509 cert;

    memset(out, 0, sizeof(*out));
    if (!x509_parse(der, len, &cert))
        return false;
    identity_from_x509(&cert, sha256, out);
    return true;
}

void
identity_sha1(struct identity *out, const uint8_t sha1[20])
{
    (void)text_hex(sha1, 20, out->sha1_hex);
}
