/* context.h - a service's TLS context, without its private key */
#ifndef MASTER_CONTEXT_H
#define MASTER_CONTEXT_H
#include "common/conf.h"
#include "common/err.h"
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct WOLFSSL_CTX;

enum key_kind { KEY_EC, KEY_RSA, KEY_ED25519 };

/* bytes of one file, read once (keyring.h) */
struct blob {
    const char *path;
    uint8_t *data;
    size_t len;
};

struct context {
    struct WOLFSSL_CTX *ctx;
    enum key_kind key_kind; /* of our certificate */
    int key_size;  /* bytes of the field or modulus: what PK callbacks need */
    uint8_t *spki; /* of our leaf, DER; compared with the keeper's */
    size_t spki_len;
    time_t not_before, not_after; /* of our leaf */
    time_t ca_not_after;          /* earliest anchor that is still valid */
    char subject[256];            /* of our leaf, escaped, for logs */
};

/*
 * context_library - once per process that uses TLS: wolfSSL_Init.
 * context_version - "5.9.2", and whether it is the one we were built against.
 */
enum err context_library(struct why *why);
const char *context_version(void);

/*
 * context_server - the client side of a terminate service
 * cert   PEM chain (leaf first) or one DER; intermediates follow the leaf.
 * ca     PEM bundle or DER; NULL only with verify = none.
 * Sets everything explicitly (DESIGN.md 6): versions, suites, groups, verify
 * mode, no session cache, no tickets, no renegotiation; unloads trusted peers;
 * never loads a key. Checks: the chain parses, the leaf is valid now, each
 * link is signed by the next; our own leaf is not a CA; an expired anchor is
 * skipped with a warning, an error if none is left; a file that also holds a
 * private key is an error that says how to split it; no trailing rubbish.
 * warn   called for each warning (one sentence), may be NULL.
 * ERR_FILE: why names the path and what is wrong.  ERR_TLS, ERR_NOMEM.
 * Uses no RNG. The caller frees with context_free.
 */
enum err context_server(const struct conf_service *service,
                        const struct blob *cert, const struct blob *ca,
                        void (*warn)(void *ctx, const char *text), void *ctx,
                        struct context **out, struct why *why);
void context_free(struct context *context);

/* context_spki_is - is this SubjectPublicKeyInfo (from the keeper) ours? */
int context_spki_is(const struct context *context, const uint8_t *der,
                    size_t len);
#endif
