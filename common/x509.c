/*
 * x509.c - read a certificate's DER without believing it
 *
 * Owns the only reader of certificates besides the TLS library: master and
 * workers see the same parts of the same bytes. Allocates nothing, copies
 * nothing, follows no pointer of a peer's making; every length is checked where
 * it is read. Never decides: whether a certificate is good is said elsewhere.
 */
#include "common/x509.h"

#include <string.h>

/* sig_hash - how good is this digest? */
static enum x509_sig
sig_hash(struct span oid)
{
    /* 2.16.840.1.101.3.4.2.x: SHA-2 (1 to 6) and SHA-3 (7 to 10) */
    if (oid.len == 9 &&
        memcmp(oid.at, "\x60\x86\x48\x01\x65\x03\x04\x02", 8) == 0)
        return oid.at[8] >= 1 && oid.at[8] <= 10 ? X509_SIG_GOOD
                                                 : X509_SIG_OTHER;
    if (DER_IS(oid, "\x2b\x0e\x03\x02\x1a") ||
        DER_IS(oid, "\x2a\x86\x48\x86\xf7\x0d\x02\x05"))
        return X509_SIG_WEAK;
    return X509_SIG_OTHER;
}

/* sig_pss - RSASSA-PSS names its digest in [0]; left out it is SHA-1 */
static enum x509_sig
sig_pss(struct span parameters)
{
    struct span sequence, tagged, algorithm, oid;
    bool there;

    if (parameters.len == 0)
        return X509_SIG_WEAK;
    if (!der_take(&parameters, TAG_SEQUENCE, &sequence, NULL) ||
        !der_maybe(&sequence, TAG_CONTEXT_0, &tagged, &there))
        return X509_SIG_OTHER;
    if (!there)
        return X509_SIG_WEAK;
    if (!der_take(&tagged, TAG_SEQUENCE, &algorithm, NULL) ||
        !der_take(&algorithm, TAG_OID, &oid, NULL))
        return X509_SIG_OTHER;
    return sig_hash(oid);
}

enum x509_sig
x509_sig_read(struct span algorithm)
{
    struct span oid;

    if (!der_take(&algorithm, TAG_OID, &oid, NULL))
        return X509_SIG_OTHER;
    if (oid.len == 9 &&
        memcmp(oid.at, "\x2a\x86\x48\x86\xf7\x0d\x01\x01", 8) == 0)
        switch (oid.at[8]) { /* PKCS #1 */
        case 2:              /* MD2 */
        case 4:              /* MD5 */
        case 5:              /* SHA-1 */
            return X509_SIG_WEAK;
        case 10:
            return sig_pss(algorithm);
        case 11: /* SHA-256, 384, 512, 224 */
        case 12:
        case 13:
        case 14:
            return X509_SIG_GOOD;
        default:
            return X509_SIG_OTHER;
        }
    if (DER_IS(oid, "\x2a\x86\x48\xce\x3d\x04\x01"))
        return X509_SIG_WEAK; /* ECDSA with SHA-1 */
    if (oid.len == 8 &&
        memcmp(oid.at, "\x2a\x86\x48\xce\x3d\x04\x03", 7) == 0 &&
        oid.at[7] >= 1 && oid.at[7] <= 4)
        return X509_SIG_GOOD; /* ECDSA with SHA-2 */
    if (oid.len == 9 &&
        memcmp(oid.at, "\x60\x86\x48\x01\x65\x03\x04\x03", 8) == 0 &&
        oid.at[8] >= 9 && oid.at[8] <= 16)
        return X509_SIG_GOOD; /* ECDSA and PKCS #1 with SHA-3 */
    if (DER_IS(oid, "\x2b\x65\x70") || DER_IS(oid, "\x2b\x65\x71"))
        return X509_SIG_GOOD; /* Ed25519, Ed448 */
    return X509_SIG_OTHER;
}

/* integer_bits - length of a positive INTEGER's content */
static unsigned
integer_bits(struct span value)
{
    unsigned bits = 0;
    uint8_t top;

    while (value.len > 0 && value.at[0] == 0) {
        value.at++;
        value.len--;
    }
    if (value.len == 0 || value.len > 4096)
        return 0;
    for (top = value.at[0]; top != 0; top >>= 1)
        bits++;
    return bits + (unsigned)(value.len - 1) * 8;
}

static unsigned
rsa_bits(struct span bits)
{
    struct span sequence, modulus;

    if (bits.len < 1 || bits.at[0] != 0)
        return 0;
    bits.at++;
    bits.len--;
    if (!der_take(&bits, TAG_SEQUENCE, &sequence, NULL) ||
        !der_take(&sequence, TAG_INTEGER, &modulus, NULL))
        return 0;
    return integer_bits(modulus);
}

static unsigned
curve_bits(struct span algorithm)
{
    struct span oid;

    if (!der_take(&algorithm, TAG_OID, &oid, NULL))
        return 0;
    if (DER_IS(oid, "\x2a\x86\x48\xce\x3d\x03\x01\x07"))
        return 256;
    if (DER_IS(oid, "\x2b\x81\x04\x00\x22"))
        return 384;
    if (DER_IS(oid, "\x2b\x81\x04\x00\x23"))
        return 521;
    return 0;
}

/* spki_read - the key's kind and size */
static bool
spki_read(struct span spki, struct x509 *out)
{
    struct span algorithm, oid, bits;

    if (!der_take(&spki, TAG_SEQUENCE, &algorithm, NULL) ||
        !der_take(&spki, TAG_BIT_STRING, &bits, NULL) || spki.len != 0 ||
        !der_take(&algorithm, TAG_OID, &oid, NULL))
        return false;
    if (DER_IS(oid, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01") ||
        DER_IS(oid, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")) {
        out->key = X509_KEY_RSA;
        out->key_bits = rsa_bits(bits);
    } else if (DER_IS(oid, "\x2a\x86\x48\xce\x3d\x02\x01")) {
        out->key = X509_KEY_EC;
        out->key_bits = curve_bits(algorithm);
    } else if (DER_IS(oid, "\x2b\x65\x70")) {
        out->key = X509_KEY_ED25519;
        out->key_bits = 256;
    }
    return true;
}

/* basic_read - BasicConstraints */
static bool
basic_read(struct span value, struct x509 *out)
{
    struct span sequence, ca;
    bool there;

    if (!der_take(&value, TAG_SEQUENCE, &sequence, NULL) || value.len != 0 ||
        !der_maybe(&sequence, TAG_BOOLEAN, &ca, &there))
        return false;
    out->ca = there && ca.len == 1 && ca.at[0] != 0;
    return true;
}

static bool
key_usage_read(struct span value, struct x509 *out)
{
    struct span bits;

    if (!der_take(&value, TAG_BIT_STRING, &bits, NULL) || value.len != 0 ||
        bits.len < 1)
        return false;
    out->has_key_usage = true;
    out->key_usage = bits.len > 1 ? bits.at[1] : 0;
    return true;
}

static bool
eku_read(struct span value, struct x509 *out)
{
    struct span sequence, oid;

    if (!der_take(&value, TAG_SEQUENCE, &sequence, NULL) || value.len != 0)
        return false;
    out->has_eku = true;
    while (sequence.len > 0) {
        if (!der_take(&sequence, TAG_OID, &oid, NULL))
            return false;
        if (DER_IS(oid, "\x2b\x06\x01\x05\x05\x07\x03\x01"))
            out->eku_server = true;
        else if (DER_IS(oid, "\x2b\x06\x01\x05\x05\x07\x03\x02"))
            out->eku_client = true;
        else if (DER_IS(oid, "\x55\x1d\x25\x00"))
            out->eku_any = true;
    }
    return true;
}

/* name_constraints_read - a list with nothing permitted and nothing excluded
 * constrains nobody (RFC 5280 4.2.1.10 forbids it) */
static bool
name_constraints_read(struct span value, struct x509 *out)
{
    struct span sequence, list;
    unsigned tag;

    if (!der_take(&value, TAG_SEQUENCE, &sequence, NULL) || value.len != 0)
        return false;
    out->name_constraints_empty = sequence.len == 0;
    while (sequence.len > 0) {
        if (!der_next(&sequence, &tag, &list, NULL) ||
            (tag != TAG_CONTEXT_0 && tag != TAG_CONTEXT_1))
            return false;
        if (list.len == 0)
            out->name_constraints_empty = true;
    }
    return true;
}

static bool
san_read(struct span value, struct x509 *out)
{
    struct span rest, content;
    unsigned tag;

    if (!der_take(&value, TAG_SEQUENCE, &out->san, NULL) || value.len != 0)
        return false;
    for (rest = out->san; rest.len > 0;)
        if (!der_next(&rest, &tag, &content, NULL))
            return false;
    return true;
}

bool
x509_aki_read(struct span value, struct span *out)
{
    struct span sequence;
    bool there;

    return der_take(&value, TAG_SEQUENCE, &sequence, NULL) && value.len == 0 &&
           der_maybe(&sequence, TAG_PRIMITIVE_0, out, &there);
}

/* which of the extensions that we read; each may come once */
enum extension {
    EXT_NONE = 0,
    EXT_SKI = 32,
    EXT_AKI = 64,
    EXT_KEY_USAGE = 1,
    EXT_SAN = 2,
    EXT_BASIC = 4,
    EXT_NAME_CONSTRAINTS = 8,
    EXT_EKU = 16,
};

static enum extension
extension_kind(struct span oid)
{
    if (oid.len != 3 || oid.at[0] != 0x55 || oid.at[1] != 0x1d)
        return EXT_NONE;
    switch (oid.at[2]) { /* 2.5.29.x */
    case 14:
        return EXT_SKI;
    case 15:
        return EXT_KEY_USAGE;
    case 17:
        return EXT_SAN;
    case 19:
        return EXT_BASIC;
    case 30:
        return EXT_NAME_CONSTRAINTS;
    case 35:
        return EXT_AKI;
    case 37:
        return EXT_EKU;
    default:
        return EXT_NONE;
    }
}

static bool
extension_read(enum extension kind, struct span value, struct x509 *out)
{
    switch (kind) {
    case EXT_KEY_USAGE:
        return key_usage_read(value, out);
    case EXT_SAN:
        return san_read(value, out);
    case EXT_BASIC:
        return basic_read(value, out);
    case EXT_NAME_CONSTRAINTS:
        return name_constraints_read(value, out);
    case EXT_EKU:
        return eku_read(value, out);
    case EXT_SKI:
        return der_take(&value, TAG_OCTET_STRING, &out->ski, NULL) &&
               value.len == 0;
    case EXT_AKI:
        return x509_aki_read(value, &out->aki);
    case EXT_NONE:
        break;
    }
    return true;
}

static bool
extensions_read(struct span tagged, struct x509 *out)
{
    struct span list, oid, value;
    unsigned seen = 0;
    enum extension kind;
    bool critical;

    if (!der_take(&tagged, TAG_SEQUENCE, &list, NULL) || tagged.len != 0)
        return false;
    while (list.len > 0) {
        if (!der_extension(&list, &oid, &critical, &value))
            return false;
        kind = extension_kind(oid);
        if (kind == EXT_NONE)
            continue;
        if ((seen & (unsigned)kind) != 0 || !extension_read(kind, value, out))
            return false;
        seen |= (unsigned)kind;
    }
    return true;
}

/* version_read - [0] INTEGER 1 or 2; left out it is version 1 */
static bool
version_read(struct span *tbs, struct x509 *out)
{
    struct span tagged, number;
    bool there;

    out->version = 1;
    if (!der_maybe(tbs, TAG_CONTEXT_0, &tagged, &there))
        return false;
    if (!there)
        return true;
    if (!der_take(&tagged, TAG_INTEGER, &number, NULL) || tagged.len != 0 ||
        number.len != 1 || number.at[0] > 2)
        return false;
    out->version = number.at[0] + 1;
    return true;
}

/* tail_read - what may follow the key: unique ids, extensions */
static bool
tail_read(struct span *tbs, struct x509 *out)
{
    struct span part;
    bool there;

    if (!der_maybe(tbs, TAG_PRIMITIVE_1, &part, &there) ||
        !der_maybe(tbs, TAG_PRIMITIVE_2, &part, &there) ||
        !der_maybe(tbs, TAG_CONTEXT_3, &part, &there) || tbs->len != 0)
        return false;
    return !there || (out->version == 3 && extensions_read(part, out));
}

static bool
tbs_read(struct span tbs, struct x509 *out, struct span *algorithm)
{
    struct span validity, spki;

    if (!version_read(&tbs, out) ||
        !der_take(&tbs, TAG_INTEGER, &out->serial, NULL) ||
        out->serial.len == 0 ||
        !der_take(&tbs, TAG_SEQUENCE, algorithm, NULL) ||
        !der_take(&tbs, TAG_SEQUENCE, NULL, &out->issuer) ||
        !der_take(&tbs, TAG_SEQUENCE, &validity, NULL) ||
        !der_time(&validity, &out->not_before) ||
        !der_time(&validity, &out->not_after) || validity.len != 0 ||
        !der_take(&tbs, TAG_SEQUENCE, NULL, &out->subject) ||
        !der_take(&tbs, TAG_SEQUENCE, &spki, &out->spki) ||
        !spki_read(spki, out) || !tail_read(&tbs, out))
        return false;
    out->self_issued = span_equal(out->issuer, out->subject);
    return true;
}

bool
x509_parse(const uint8_t *der, size_t len, struct x509 *out)
{
    struct span rest = { der, len }, all, tbs, inner, outer, bits;

    memset(out, 0, sizeof(*out));
    if (der == NULL || !der_take(&rest, TAG_SEQUENCE, &all, &out->der) ||
        rest.len != 0 || !der_take(&all, TAG_SEQUENCE, &tbs, NULL) ||
        !der_take(&all, TAG_SEQUENCE, &outer, NULL) ||
        !der_take(&all, TAG_BIT_STRING, &bits, NULL) || all.len != 0 ||
        !tbs_read(tbs, out, &inner) || !span_equal(inner, outer))
        return false;
    out->sig = x509_sig_read(inner);
    return true;
}

int
x509_name_rdns(struct span name, struct span *out, int room)
{
    struct span list;
    int count = 0;

    if (!der_take(&name, TAG_SEQUENCE, &list, NULL) || name.len != 0)
        return -1;
    while (list.len > 0) {
        if (count == room || !der_take(&list, TAG_SET, &out[count], NULL))
            return -1;
        count++;
    }
    return count;
}

bool
x509_attribute_next(struct span *rdn, struct x509_attribute *out)
{
    struct span pair;

    return der_take(rdn, TAG_SEQUENCE, &pair, NULL) &&
           der_take(&pair, TAG_OID, &out->oid, NULL) &&
           (out->whole = pair, der_next(&pair, &out->tag, &out->value, NULL)) &&
           pair.len == 0;
}
