/* suite.h - the cipher suites, groups and versions that we know; pure */
#ifndef COMMON_SUITE_H
#define COMMON_SUITE_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* one row: only AEAD suites with forward secrecy stand here; nothing else can
 * be configured */
struct suite {
    const char *name;    /* OpenSSL's name, as in the configuration */
    const char *iana;    /* TLS_ECDHE_..., as in logs */
    const char *wolfssl; /* wolfSSL's name for its cipher list */
    uint16_t id;
    bool tls13;
};

/* NULL-terminated by a row without name, strongest preference first */
extern const struct suite suites[];

#define SUITE_DEFAULT_12                                         \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define SUITE_DEFAULT_13                             \
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:" \
    "TLS_CHACHA20_POLY1305_SHA256"
#define SUITE_DEFAULT_GROUPS "X25519MLKEM768:X25519:P-256:P-384:P-521"
#define SUITE_LIST_MAX       1024

/* suite_check - a colon-separated list of names of one kind; canonical form
 * goes to out. ERR_CONF: why names the word and the nearest known one. */
enum err suite_check(const char *list, bool tls13, char *out, size_t size,
                     struct why *why);

/*
 * suite_expand - a string in OpenSSL's cipher language (ciphers(1)), such as
 * HIGH:!aNULL:!MD5, becomes the TLS 1.2 suites of the table that it means, in
 * the order that OpenSSL gives them. What is unsafe is left out.
 * ERR_CONF: a word is unknown, or no suite is left: why says what was left out.
 */
enum err suite_expand(const char *text, char *out, size_t size,
                      struct why *why);

/* suite_wolfssl - both lists joined in wolfSSL's names for
 * wolfSSL_CTX_set_cipher_list; tls12/tls13 say which may be used */
enum err suite_wolfssl(const char *ciphers, const char *ciphersuites,
                       bool tls12, bool tls13, char *out, size_t size);

/* suite_by_id - the row of an IANA number, NULL when unknown */
const struct suite *suite_by_id(uint16_t id);

/* group_check - a colon-separated list of groups; aliases (secp256r1,
 * prime256v1, x25519 ...) become X25519MLKEM768 X25519 P-256 P-384 P-521 */
enum err group_check(const char *list, char *out, size_t size, struct why *why);

/* group_ids - the IANA numbers (RFC 8446 4.2.7) of a checked list; out holds
 * 8, returns the count */
size_t group_ids(const char *list, uint16_t *out);

/* group_name - the name of an IANA number, NULL when unknown */
const char *group_name(uint16_t id);
#endif
