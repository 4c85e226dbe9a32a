/*
 * crl.c - look a chain up in the revocation lists
 *
 * Owns the question which list speaks for which certificate: that of the same
 * issuer's name and key, the newest one. Can only take away. Pure but for a
 * small memory of which lists an intermediate's key was found to have signed.
 */
#include "worker/crl.h"
#include "common/mem.h"

#include "worker/chain.h"
#include "worker/pages.h"

#include <stdalign.h>
#include <string.h>

#define ISSUERS_MAX (CHAIN_MAX + 8)

/*
 * Lists of authorities that come with the peer's chain are checked when they
 * come; the last answers are kept, so that a busy intermediate costs one
 * signature per worker and not one per connection. Good answers alone: what a
 * peer makes us try must not push them out.
 */
#define MEMORY_COUNT 8
#define MEMORY_SPKI  600 /* RSA of 4096 bits: 550 */
#define MEMORY_MARK  32  /* of the signature: no two lists share it */

static alignas(PAGES_SIZE) struct memory {
    uint8_t mark[MEMORY_MARK];
    size_t len; /* 0: free */
    uint8_t spki[MEMORY_SPKI];
} memory[MEMORY_COUNT];
static MEM_TOUCHED unsigned memory_next;

static bool
remembered(const struct x509_crl *crl, struct span spki)
{
    size_t i;

    for (i = 0; i < MEMORY_COUNT && crl->signature.len >= MEMORY_MARK; i++)
        if (memory[i].len == spki.len && spki.len > 0 &&
            memcmp(memory[i].mark, crl->signature.at, MEMORY_MARK) == 0 &&
            memcmp(memory[i].spki, spki.at, spki.len) == 0)
            return true;
    return false;
}

static void
remember(const struct x509_crl *crl, struct span spki)
{
    struct memory *to = &memory[memory_next++ % MEMORY_COUNT];

    if (spki.len > sizeof(to->spki) || crl->signature.len < MEMORY_MARK)
        return;
    memcpy(to->mark, crl->signature.at, MEMORY_MARK);
    to->len = spki.len;
    memcpy(to->spki, spki.at, spki.len);
}

struct issuer { /* who can have issued a certificate */
    struct span spki;
    bool crl_sign; /* and may issue lists */
};

/* made_by - is this list the work of that key? */
static bool
made_by(const struct crl_case *what, const struct tls_crl *list,
        const struct issuer *issuer)
{
    if (list->signer != NULL)
        return span_equal(list->signer->spki, issuer->spki);
    if (!issuer->crl_sign)
        return false;
    if (remembered(&list->crl, issuer->spki))
        return true;
    if (!what->signed_by(&list->crl, issuer->spki))
        return false;
    remember(&list->crl, issuer->spki);
    return true;
}

/* worse - the reason that decides when several could */
static enum reason
worse(enum reason a, enum reason b)
{
    static const enum reason order[] = { REASON_REVOKED, REASON_CRL_BAD,
                                         REASON_CRL_EXPIRED,
                                         REASON_CRL_MISSING };
    size_t i;

    for (i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return REASON_NONE;
}

/* ask_key - what the lists of this issuer, by name and key, say of cert. They
 * stand the newest first: the first one counts. */
static enum reason
ask_key(const struct crl_case *what, const struct x509 *cert,
        const struct issuer *issuer)
{
    const struct tls_crl *list;
    bool foreign = false;
    size_t count;

    list = tls_side_crls(what->side, cert->issuer, &count);
    for (; count > 0; list++, count--) {
        if (!made_by(what, list, issuer)) {
            foreign |= list->signer == NULL;
            continue;
        }
        if (x509_crl_lists(&list->crl, cert->serial))
            return REASON_REVOKED;
        return list->crl.next_update < what->now ? REASON_CRL_EXPIRED
                                                 : REASON_NONE;
    }
    return foreign ? REASON_CRL_BAD : REASON_CRL_MISSING;
}

/* may_have_issued - by name, and by key identifier where both have one */
static bool
may_have_issued(const struct x509 *cert, struct span subject, struct span ski)
{
    return span_equal(subject, cert->issuer) &&
           (ski.len == 0 || cert->aki.len == 0 || span_equal(ski, cert->aki));
}

/* add_issuer - each key once */
static size_t
add_issuer(struct issuer *issuers, size_t count, struct span spki,
           bool crl_sign)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (span_equal(issuers[i].spki, spki)) {
            issuers[i].crl_sign |= crl_sign;
            return count;
        }
    if (count < ISSUERS_MAX)
        issuers[count++] = (struct issuer){ spki, crl_sign };
    return count;
}

/* issuers_of - the keys that can have signed certificate i: the library has
 * found one of them good and does not say which */
static size_t
issuers_of(const struct crl_case *what, const struct x509 *certs, size_t i,
           struct issuer issuers[ISSUERS_MAX])
{
    const struct tls_anchor *anchor;
    size_t count = 0, named, k;

    anchor = tls_side_anchors(what->side, certs[i].issuer, &named);
    for (k = 0; k < named; k++)
        if (may_have_issued(&certs[i], anchor[k].subject, anchor[k].ski))
            count =
                add_issuer(issuers, count, anchor[k].spki, anchor[k].crl_sign);
    for (k = i + 1; k < what->count; k++)
        if (may_have_issued(&certs[i], certs[k].subject, certs[k].ski))
            count = add_issuer(issuers, count, certs[k].spki,
                               !certs[k].has_key_usage ||
                                   (certs[k].key_usage & X509_USE_CRL) != 0);
    return count;
}

static enum reason
ask(const struct crl_case *what, const struct x509 *certs, size_t i)
{
    struct issuer issuers[ISSUERS_MAX];
    size_t count = issuers_of(what, certs, i, issuers), k;
    enum reason reason = count > 0 ? REASON_NONE : REASON_CRL_MISSING;

    for (k = 0; k < count; k++)
        reason = worse(reason, ask_key(what, &certs[i], &issuers[k]));
    if (what->admit_missing &&
        (reason == REASON_CRL_MISSING || reason == REASON_CRL_EXPIRED))
        return REASON_NONE;
    return reason;
}

/* is_anchor - trusted as it is: nobody above it is asked */
static bool
is_anchor(const struct tls_side *side, const struct x509 *cert)
{
    const struct tls_anchor *anchor;
    size_t count;

    anchor = tls_side_anchors(side, cert->subject, &count);
    for (; count > 0; anchor++, count--)
        if (span_equal(cert->spki, anchor->spki))
            return true;
    return false;
}

enum reason
crl_judge(const struct crl_case *what, int *depth)
{
    struct x509 certs[CHAIN_MAX];
    enum reason reason;
    size_t i, top;

    *depth = 0;
    if (what->count == 0 || what->count > CHAIN_MAX)
        return REASON_INTERNAL;
    for (i = 0; i < what->count; i++)
        if (!x509_parse(what->chain[i].at, what->chain[i].len, &certs[i]))
            return REASON_BAD_CERTIFICATE;
    for (top = 1; what->scope_chain && top < what->count; top++)
        if (is_anchor(what->side, &certs[top]))
            break;
    for (i = top; i-- > 0;) {
        *depth = (int)i;
        if ((reason = ask(what, certs, i)) != REASON_NONE)
            return reason;
    }
    return REASON_NONE;
}
