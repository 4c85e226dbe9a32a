/*
 * tlsside.c - find anchors and revocation lists by name
 *
 * Owns the order that makes it cheap: a handshake looks for one issuer among
 * hundreds of authorities, and must not look at each. Pure.
 */
#include "common/tlsside.h"

#include <stdlib.h>
#include <string.h>

/* name_order - any order does, as long as it is one */
static int
name_order(struct span a, struct span b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len == 0 ? 0 : memcmp(a.at, b.at, a.len);
}

static int
anchor_order(const void *a, const void *b)
{
    return name_order(((const struct tls_anchor *)a)->subject,
                      ((const struct tls_anchor *)b)->subject);
}

/* crl_order - of one issuer the newest first */
static int
crl_order(const void *a, const void *b)
{
    const struct x509_crl *x = &((const struct tls_crl *)a)->crl;
    const struct x509_crl *y = &((const struct tls_crl *)b)->crl;
    int order = name_order(x->issuer, y->issuer);

    return order != 0 ? order
                      : (x->this_update < y->this_update) -
                            (x->this_update > y->this_update);
}

void
tls_side_sort_anchors(struct tls_side *side)
{
    if (side->anchor_count > 1)
        qsort(side->anchor, side->anchor_count, sizeof(*side->anchor),
              anchor_order);
}

void
tls_side_sort_crls(struct tls_side *side)
{
    if (side->crl_count > 1)
        qsort(side->crl, side->crl_count, sizeof(*side->crl), crl_order);
}

/* named - the first of the sorted items whose name is not before this one */
static size_t
named(struct span (*name_of)(const struct tls_side *, size_t),
      const struct tls_side *side, size_t count, struct span name)
{
    size_t low = 0, high = count, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (name_order(name_of(side, middle), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct span
subject_at(const struct tls_side *side, size_t i)
{
    return side->anchor[i].subject;
}

static struct span
issuer_at(const struct tls_side *side, size_t i)
{
    return side->crl[i].crl.issuer;
}

const struct tls_anchor *
tls_side_anchors(const struct tls_side *side, struct span subject,
                 size_t *count)
{
    size_t first = named(subject_at, side, side->anchor_count, subject), end;

    for (end = first; end < side->anchor_count &&
                      span_equal(side->anchor[end].subject, subject);)
        end++;
    *count = end - first;
    return *count > 0 ? &side->anchor[first] : NULL;
}

const struct tls_crl *
tls_side_crls(const struct tls_side *side, struct span issuer, size_t *count)
{
    size_t first = named(issuer_at, side, side->crl_count, issuer), end;

    for (end = first; end < side->crl_count &&
                      span_equal(side->crl[end].crl.issuer, issuer);)
        end++;
    *count = end - first;
    return *count > 0 ? &side->crl[first] : NULL;
}
