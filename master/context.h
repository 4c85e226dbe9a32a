/* context.h - a service's TLS context, without its private key */
#ifndef MASTER_CONTEXT_H
#define MASTER_CONTEXT_H
#include "common/conf.h"
#include "common/err.h"
#include "common/tlsside.h"
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* bytes of one file, read once (keyring.h) */
struct blob {
    const char *path;
    uint8_t *data;
    size_t len;
};

/*
 * context_library - once per process that uses TLS: wolfSSL_Init.
 * context_version - "5.9.2", and whether it is the one we were built against.
 */
enum err context_library(struct why *why);
const char *context_version(void);

/* what a side is made of */
struct context_files {
    size_t cert_count;
    const struct blob *cert; /* PEM chain (leaf first) or one DER, each */
    const struct blob *ca;   /* PEM bundle or DER; NULL: none */
    size_t crl_count;
    const struct blob *crl; /* PEM (several) or DER */
};

/* a warning: one sentence; may be NULL */
typedef void context_warn(void *ctx, const char *text);

/*
 * context_server - the client side of a service (listen_tls = yes)
 * Sets everything explicitly (DESIGN.md 6): versions, suites, groups, verify
 * mode, no session cache, no tickets, no renegotiation; never loads a key.
 * Checks: each chain parses, each leaf is valid now, each link is signed by the
 * next; our own leaf is not a CA; an expired anchor is skipped with a warning,
 * an error if none is left; a file that also holds a private key is an error
 * that says how to split it; no trailing rubbish.
 * One certificate: it stands in the context itself, nothing is chosen per
 * connection. Several: the worker chooses by SNI and by what the client can
 * verify (session.h); the first one is the default.
 * ERR_FILE: why names the path and what is wrong.  ERR_TLS, ERR_NOMEM.
 * Uses no RNG. The caller frees with context_free.
 */
enum err context_server(const struct conf_service *service,
                        const struct context_files *files, context_warn *warn,
                        void *ctx, struct tls_side **out, struct why *why);

/* context_client - the upstream side of a route (tls://): the same for the
 * other end; at most one certificate, none when the route has none. */
enum err context_client(const struct conf_route *route,
                        const struct context_files *files, context_warn *warn,
                        void *ctx, struct tls_side **out, struct why *why);
void context_free(struct tls_side *side);

/* context_cert_of - the index of the certificate whose public key this is, or
 * -1: that is how keys find their certificates */
int context_cert_of(const struct tls_side *side, const uint8_t *spki,
                    size_t len);
#endif
