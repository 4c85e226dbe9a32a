/*
 * rootsig.c - do not verify a root's own signature for each client again
 *
 * Owns a small memory of anchors' signatures over themselves that were found
 * good. Peers can add nothing to it but what the configuration names as an
 * anchor, and push nothing out. Pure but for that memory.
 */
#include "worker/rootsig.h"

#include "common/tlsside.h"

#include <string.h>

#define MEMORY_COUNT 16
#define DIGEST_MAX   64 /* SHA-512 */

static struct memory {
    const struct tls_anchor *anchor; /* NULL: this one and the rest are free */
    uint8_t digest[DIGEST_MAX];
    size_t len;
} memory[MEMORY_COUNT];

/* anchor_of - whose signature over itself this can be, or NULL */
static const struct tls_anchor *
anchor_of(const struct tls_side *side, const struct rootsig *what)
{
    size_t i;

    for (i = 0; what->signature.len > 0 && i < side->anchor_count; i++)
        if (span_equal(side->anchor[i].signature, what->signature) &&
            span_equal(side->anchor[i].spki, what->spki))
            return &side->anchor[i];
    return NULL;
}

/* place_of - where it stands, else the first free place; NULL: none is free */
static struct memory *
place_of(const struct tls_anchor *anchor, struct span digest)
{
    struct memory *at;

    for (at = memory; at < memory + MEMORY_COUNT; at++)
        if (at->anchor == NULL ||
            (at->anchor == anchor && at->len == digest.len &&
             memcmp(at->digest, digest.at, digest.len) == 0))
            return at;
    return NULL;
}

bool
rootsig_known(const struct tls_side *side, const struct rootsig *what)
{
    const struct tls_anchor *anchor = anchor_of(side, what);
    const struct memory *at;

    if (anchor == NULL)
        return false;
    at = place_of(anchor, what->digest);
    return at != NULL && at->anchor != NULL;
}

void
rootsig_keep(const struct tls_side *side, const struct rootsig *what)
{
    const struct tls_anchor *anchor = anchor_of(side, what);
    struct memory *at;

    if (anchor == NULL || what->digest.len > DIGEST_MAX ||
        (at = place_of(anchor, what->digest)) == NULL)
        return;
    at->anchor = anchor;
    memcpy(at->digest, what->digest.at, what->digest.len);
    at->len = what->digest.len;
}
