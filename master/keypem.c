/*
 * keypem.c - the outside of a private key file, read for good errors
 *
 * Owns no memory and copies nothing: runs inside the keeper, over key bytes.
 * Never decides that a key is sound; the library does that (keyfile.c).
 */
#include "master/keypem.h"
#include <string.h>

#define ALLOWED \
    "RSA of 2048 to 4096 bits, EC on P-256, P-384 or P-521, or Ed25519"

struct span {
    const uint8_t *at;
    size_t len;
};

static bool
is_text(struct span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

static bool
ends_with(struct span s, const char *text)
{
    size_t len = strlen(text);

    return s.len >= len && memcmp(s.at + s.len - len, text, len) == 0;
}

/* --- PEM --- */

bool
keypem_is(const uint8_t *text, size_t len)
{
    return memmem(text, len, "-----BEGIN ", 11) != NULL;
}

/* next_line - cut one line off the rest, without its end and trailing blanks */
static bool
next_line(struct span *rest, struct span *line)
{
    const uint8_t *end;

    if (rest->len == 0)
        return false;
    end = memchr(rest->at, '\n', rest->len);
    line->at = rest->at;
    line->len = end == NULL ? rest->len : (size_t)(end - rest->at);
    rest->at += line->len + (end != NULL);
    rest->len -= line->len + (end != NULL);
    while (line->len > 0 && strchr(" \t\r", line->at[line->len - 1]) != NULL)
        line->len--;
    return true;
}

/* label_of - the words of a BEGIN or END line */
static bool
label_of(struct span line, const char *word, struct span *label)
{
    size_t head = strlen(word);

    if (line.len < head + 5 || memcmp(line.at, word, head) != 0 ||
        !ends_with(line, "-----"))
        return false;
    label->at = line.at + head;
    label->len = line.len - head - 5;
    return true;
}

/* block_end - move rest behind the END line that fits; the body is what was
 * before it */
static bool
block_end(struct span *rest, struct span label, struct span *body)
{
    struct span line, other;

    body->at = rest->at;
    while (next_line(rest, &line)) {
        if (label_of(line, "-----BEGIN ", &other))
            return false;
        if (!label_of(line, "-----END ", &other))
            continue;
        body->len = (size_t)(line.at - body->at);
        return other.len == label.len &&
               memcmp(other.at, label.at, label.len) == 0;
    }
    return false;
}

static enum err
encrypted(struct why *why)
{
    return why_set(why, ERR_FORMAT,
                   "is encrypted, and nobody is there to type a passphrase; "
                   "make an unencrypted copy "
                   "with: openssl pkey -in OLD -out NEW");
}

enum err
keypem_find(const uint8_t *text, size_t len, const uint8_t **body,
            size_t *body_len, struct why *why)
{
    struct span rest = { text, len }, line, label, inside;
    bool found = false;

    while (next_line(&rest, &line)) {
        if (!label_of(line, "-----BEGIN ", &label))
            continue;
        if (!block_end(&rest, label, &inside))
            return why_set(why, ERR_FORMAT,
                           "has a PEM block without its END line");
        if (!ends_with(label, "PRIVATE KEY"))
            continue;
        if (is_text(label, "ENCRYPTED PRIVATE KEY") ||
            memmem(inside.at, inside.len, "ENCRYPTED", 9) != NULL)
            return encrypted(why);
        if (found)
            return why_set(why, ERR_FORMAT,
                           "holds more than one private key; keep one");
        found = true;
        *body = inside.at;
        *body_len = inside.len;
    }
    if (!found)
        return why_set(why, ERR_FORMAT, "holds no private key");
    return ERR_OK;
}

/* --- DER --- */

enum {
    TAG_INTEGER = 0x02,
    TAG_OCTETS = 0x04,
    TAG_OID = 0x06,
    TAG_SEQUENCE = 0x30,
    TAG_0 = 0xa0
};

/* der_length - the length bytes behind a tag */
static bool
der_length(struct span *rest, size_t *len)
{
    size_t bytes;

    if (rest->len == 0)
        return false;
    *len = *rest->at++;
    rest->len--;
    if (*len < 0x80)
        return true;
    bytes = *len - 0x80;
    if (bytes == 0 || bytes > 3 || bytes > rest->len)
        return false;
    for (*len = 0; bytes > 0; bytes--, rest->at++, rest->len--)
        *len = *len << 8 | *rest->at;
    return true;
}

/* der_next - cut one element off the rest */
static bool
der_next(struct span *rest, int *tag, struct span *body)
{
    size_t len;

    if (rest->len == 0)
        return false;
    *tag = *rest->at++;
    rest->len--;
    if (!der_length(rest, &len) || len > rest->len)
        return false;
    *body = (struct span){ rest->at, len };
    rest->at += len;
    rest->len -= len;
    return true;
}

/* der_take - the same, for an element that must have this tag */
static bool
der_take(struct span *rest, int tag, struct span *body)
{
    struct span probe = *rest;
    int got;

    if (!der_next(&probe, &got, body) || got != tag)
        return false;
    *rest = probe;
    return true;
}

static bool
is_bytes(struct span s, const char *bytes, size_t len)
{
    return s.len == len && memcmp(s.at, bytes, len) == 0;
}
#define IS(span, bytes) is_bytes((span), (bytes), sizeof(bytes) - 1)

static enum err
malformed(struct why *why)
{
    return why_set(
        why, ERR_FORMAT,
        "is not a private key in PKCS#8, PKCS#1 or SEC1 form (allowed: %s)",
        ALLOWED);
}

static enum err
other_algorithm(struct span oid, struct why *why)
{
    const char *name = "of an unknown algorithm";

    if (IS(oid, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"))
        name = "restricted to RSA-PSS";
    else if (IS(oid, "\x2b\x65\x71"))
        name = "an Ed448 key";
    else if (IS(oid, "\x2b\x65\x6e") || IS(oid, "\x2b\x65\x6f"))
        name = "a key that cannot sign";
    else if (IS(oid, "\x2a\x86\x48\xce\x38\x04\x01"))
        name = "a DSA key";
    return why_set(why, ERR_FORMAT, "is %s (allowed: %s)", name, ALLOWED);
}

/* look_curve - the parameters of an EC key: a name, and one of three */
static enum err
look_curve(struct span params, struct keypem *out, struct why *why)
{
    struct span oid;

    if (!der_take(&params, TAG_OID, &oid))
        return why_set(why, ERR_FORMAT,
                       "spells its curve out in numbers; name it with: openssl "
                       "ec -param_enc "
                       "named_curve -in OLD -out NEW");
    if (IS(oid, "\x2a\x86\x48\xce\x3d\x03\x01\x07"))
        out->bits = 256;
    else if (IS(oid, "\x2b\x81\x04\x00\x22"))
        out->bits = 384;
    else if (IS(oid, "\x2b\x81\x04\x00\x23"))
        out->bits = 521;
    else
        return why_set(why, ERR_FORMAT,
                       "is an EC key on another curve (allowed: %s)", ALLOWED);
    return ERR_OK;
}

/* look_rsa - behind the version of PKCS#1: the modulus comes first */
static enum err
look_rsa(struct span rest, struct keypem *out, struct why *why)
{
    struct span modulus;
    size_t bits;
    unsigned top;

    if (!der_take(&rest, TAG_INTEGER, &modulus))
        return malformed(why);
    while (modulus.len > 0 && *modulus.at == 0) {
        modulus.at++;
        modulus.len--;
    }
    bits = modulus.len * 8;
    for (top = modulus.len > 0 ? *modulus.at : 0x80; top < 0x80; top <<= 1)
        bits--;
    if (bits < 2048 || bits > 4096)
        return why_set(why, ERR_FORMAT,
                       "is an RSA key of %zu bits (allowed: %s)", bits,
                       ALLOWED);
    out->kind = KEYPEM_RSA;
    out->bits = (unsigned)bits;
    return ERR_OK;
}

/* look_pkcs8 - behind the version: algorithm, then the key in a string */
static enum err
look_pkcs8(struct span algorithm, struct span rest, struct keypem *out,
           struct why *why)
{
    struct span oid, key, inner, version;

    if (!der_take(&algorithm, TAG_OID, &oid) ||
        !der_take(&rest, TAG_OCTETS, &key))
        return malformed(why);
    if (IS(oid, "\x2b\x65\x70")) {
        out->kind = KEYPEM_ED25519;
        return ERR_OK;
    }
    if (IS(oid, "\x2a\x86\x48\xce\x3d\x02\x01")) {
        out->kind = KEYPEM_EC;
        return look_curve(algorithm, out, why);
    }
    if (!IS(oid, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"))
        return other_algorithm(oid, why);
    if (!der_take(&key, TAG_SEQUENCE, &inner) ||
        !der_take(&inner, TAG_INTEGER, &version))
        return malformed(why);
    return look_rsa(inner, out, why);
}

/* look_sec1 - behind the version: the scalar in a string, then perhaps [0]
 * the curve */
static enum err
look_sec1(struct span rest, struct keypem *out, struct why *why)
{
    struct span params;

    out->kind = KEYPEM_EC;
    if (!der_take(&rest, TAG_0, &params))
        return why_set(
            why, ERR_FORMAT,
            "is an EC key that does not name its curve (allowed: %s)", ALLOWED);
    return look_curve(params, out, why);
}

enum err
keypem_look(const uint8_t *der, size_t len, struct keypem *out, struct why *why)
{
    struct span rest = { der, len }, all, version, body;
    int tag;

    *out = (struct keypem){ .kind = KEYPEM_RSA };
    if (!der_take(&rest, TAG_SEQUENCE, &all))
        return malformed(why);
    if (rest.len > 0)
        return why_set(why, ERR_FORMAT, "has %zu bytes behind its key",
                       rest.len);
    if (der_take(&all, TAG_SEQUENCE,
                 &body)) /* EncryptedPrivateKeyInfo has no version */
        return encrypted(why);
    if (!der_take(&all, TAG_INTEGER, &version))
        return malformed(why);
    rest = all;
    if (!der_next(&all, &tag, &body))
        return malformed(why);
    if (tag == TAG_SEQUENCE)
        return look_pkcs8(body, all, out, why);
    if (tag == TAG_INTEGER)
        return look_rsa(rest, out, why);
    if (tag == TAG_OCTETS)
        return look_sec1(all, out, why);
    return malformed(why);
}
