/* keypem.h - the outside of a private key file: which block, which kind of
 * key */
#ifndef MASTER_KEYPEM_H
#define MASTER_KEYPEM_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum keypem_kind { KEYPEM_RSA, KEYPEM_EC, KEYPEM_ED25519 };

struct keypem {
    enum keypem_kind kind;
    unsigned bits; /* of the modulus or the curve; 0: Ed25519 */
};

/*
 * Sentences in why go on after a file's name ("is encrypted; ..."), and never
 * carry a byte of the file but its algorithm's number. Pure: no allocation, no
 * copy of what is read.
 */

/* keypem_is - does this look like PEM? */
bool keypem_is(const uint8_t *text, size_t len);

/* keypem_find - the base64 body of the one private key in PEM text; other
 * blocks are skipped. ERR_FORMAT: none, several, encrypted, not closed. */
enum err keypem_find(const uint8_t *text, size_t len, const uint8_t **body,
                     size_t *body_len, struct why *why);

/* keypem_look - PKCS#8, PKCS#1 or SEC1 in DER. ERR_FORMAT: encrypted, another
 * algorithm or curve, or nothing of these; bytes behind the key. */
enum err keypem_look(const uint8_t *der, size_t len, struct keypem *out,
                     struct why *why);
#endif
