/*
 * chain.c - what a chain must be beyond what the TLS library asks
 *
 * Owns the rules for certificates of peers, clients and upstreams: keys, digests,
 * purposes, versions, names, depth. Can only take away: nothing here turns an objection of the
 * library into a yes. Pure: bytes in, one reason out.
 */
#include "worker/chain.h"

#define RSA_BITS_MIN 2048

/* rdn_has_value - an attribute with something in it */
static bool
rdn_has_value(struct span rdn)
{
    struct x509_attribute attribute;

    while (x509_attribute_next(&rdn, &attribute))
        if (attribute.value.len > 0)
            return true;
    return false;
}

bool
chain_has_name(const struct x509 *cert)
{
    struct span rdns[32], names = cert->san, value;
    int count = x509_name_rdns(cert->subject, rdns, 32), i;
    unsigned tag;

    for (i = 0; i < count; i++)
        if (rdn_has_value(rdns[i]))
            return true;
    while (der_next(&names, &tag, &value, NULL))
        if ((tag == 0x81 || tag == 0x82 || tag == 0x86 || tag == 0x87) &&
            value.len > 0)
            return true;
    return false;
}

/* key_is_weak - RSA from 2048 bits, the three curves, Ed25519: nothing else */
static bool
key_is_weak(const struct x509 *cert)
{
    switch (cert->key) {
    case X509_KEY_RSA:
        return cert->key_bits < RSA_BITS_MIN;
    case X509_KEY_EC:
        return cert->key_bits == 0;
    case X509_KEY_ED25519:
        return false;
    case X509_KEY_OTHER:
        break;
    }
    return true;
}

/* purpose_fits - may it stand on this side? No extended key usage: anywhere */
static bool
purpose_fits(const struct x509 *cert, enum chain_side side)
{
    if (!cert->has_eku || cert->eku_any)
        return true;
    return side == CHAIN_CLIENT ? cert->eku_client : cert->eku_server;
}

/* judge_any - what holds for every certificate of the chain */
static enum reason
judge_any(const struct x509 *cert, enum chain_side side, bool anchor)
{
    if (key_is_weak(cert))
        return REASON_WEAK_KEY;
    /* nobody checks an anchor's signature of itself */
    if (cert->sig != X509_SIG_GOOD && !anchor)
        return REASON_WEAK_SIGNATURE;
    if (cert->name_constraints_empty)
        return REASON_NAME_CONSTRAINT;
    if (!purpose_fits(cert, side))
        return REASON_BAD_PURPOSE;
    return REASON_NONE;
}

static enum reason
judge_issuer(const struct x509 *cert)
{
    if (cert->has_key_usage && (cert->key_usage & X509_USE_CERT) == 0)
        return REASON_BAD_PURPOSE;
    return REASON_NONE;
}

static enum reason
judge_leaf(const struct x509 *cert, bool allow_v1)
{
    if (cert->version != 3 && !allow_v1)
        return REASON_X509_V1;
    if (cert->self_issued)
        return REASON_SUBJECT_IS_ISSUER;
    if (cert->has_key_usage && (cert->key_usage & X509_USE_SIGN) == 0)
        return REASON_BAD_PURPOSE;
    if (!chain_has_name(cert))
        return REASON_NO_IDENTITY;
    return REASON_NONE;
}

/* too_deep - intermediates, without a root that came along */
static bool
too_deep(const struct x509 *certs, const struct chain_case *what)
{
    size_t extra = what->count - 1;

    if (extra > 0 && certs[extra].self_issued)
        extra--;
    return extra > (size_t)what->verify_depth;
}

static enum reason
judge_all(const struct x509 *certs, const struct chain_case *what, int *depth)
{
    enum reason reason;
    size_t i;

    if (too_deep(certs, what)) {
        *depth = what->verify_depth + 1;
        return REASON_TOO_DEEP;
    }
    for (i = what->count; i-- > 0;) {
        *depth = (int)i;
        reason =
            judge_any(&certs[i], what->side,
                      i > 0 && i == what->count - 1 && certs[i].self_issued);
        if (reason == REASON_NONE)
            reason = i > 0 ? judge_issuer(&certs[i])
                           : judge_leaf(&certs[i], what->allow_v1);
        if (reason != REASON_NONE)
            return reason;
    }
    return REASON_NONE;
}

/* refine_unknown - the library has one word for several cases */
static enum reason
refine_unknown(const struct x509 *certs, const struct chain_case *what,
               int *depth)
{
    const struct x509 *cert = &certs[*depth], *above = cert + 1;

    if (*depth == 0 && cert->self_issued)
        return REASON_SELF_SIGNED;
    if ((size_t)*depth + 1 < what->count && !above->ca &&
        span_equal(cert->issuer, above->subject)) {
        ++*depth;
        return REASON_BAD_PURPOSE; /* its issuer may not issue */
    }
    return REASON_UNKNOWN_CA;
}

/* refine - the library's word, made exact */
static enum reason
refine(const struct x509 *certs, const struct chain_case *what, int *depth)
{
    const struct x509 *cert = &certs[*depth];

    if (what->objection == REASON_UNKNOWN_CA)
        return refine_unknown(certs, what, depth);
    if (what->objection != REASON_BAD_SIGNATURE &&
        what->objection != REASON_BAD_CERTIFICATE)
        return what->objection;
    /* what it was built without, it cannot name */
    if (key_is_weak(cert))
        return REASON_WEAK_KEY;
    if (cert->sig != X509_SIG_GOOD)
        return REASON_WEAK_SIGNATURE;
    return what->objection;
}

enum reason
chain_judge(const struct chain_case *what, int *depth)
{
    struct x509 certs[CHAIN_MAX];
    size_t i;

    *depth = what->objection_depth;
    if (what->count == 0 || what->count > CHAIN_MAX ||
        what->objection_depth < 0 ||
        (size_t)what->objection_depth >= what->count)
        return what->objection != REASON_NONE ? what->objection
                                              : REASON_INTERNAL;
    for (i = 0; i < what->count; i++)
        if (!x509_parse(what->chain[i].at, what->chain[i].len, &certs[i])) {
            *depth = (int)i;
            return REASON_BAD_CERTIFICATE;
        }
    if (what->objection != REASON_NONE)
        return refine(certs, what, depth);
    return judge_all(certs, what, depth);
}
