/* keyfile.h - one private key: read from a file, checked, and its signatures */
#ifndef MASTER_KEYFILE_H
#define MASTER_KEYFILE_H
#include "common/err.h"
#include "common/keywire.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keyfile;

#define KEYFILE_MAX \
    (32u << 10) /* a key file is 5 KiB at most; some carry their chain */
#define KEYFILE_PUBLIC_MAX 640 /* SubjectPublicKeyInfo of RSA-4096: 550 bytes */

/*
 * Runs in the keeper, on keymem's stack with keymem's allocator, so that no
 * byte of a key is ever elsewhere.
 *
 * keyfile_start - this process's random generator: after the last fork, for a
 * library that has one with a state. keyfile_stop frees it. ERR_TLS.
 */
enum err keyfile_start(struct why *why);
void keyfile_stop(void);

/*
 * keyfile_read - the private key in that open file (PEM or DER; PKCS#8, PKCS#1,
 * SEC1). Reads with pread from 0: descriptors are shared with other keepers.
 * path    for sentences.
 * Checks the kind and its size, that the public part belongs to the private,
 * and that a signature verifies. What was read is wiped in every case.
 * ERR_FILE: "PATH is ..." with what is allowed. ERR_NOMEM, ERR_TLS.
 */
enum err keyfile_read(int fd, const char *path, struct keyfile **out,
                      struct why *why);

/* keyfile_parse - the same from memory, which the caller wipes */
enum err keyfile_parse(const uint8_t *data, size_t len, const char *path,
                       struct keyfile **out, struct why *why);
void keyfile_free(struct keyfile *key);

/* keyfile_public - SubjectPublicKeyInfo, DER; lives as long as the key */
void keyfile_public(const struct keyfile *key, const uint8_t **der,
                    size_t *len);

/* keyfile_can - does this kind of key sign so? */
bool keyfile_can(const struct keyfile *key, enum keywire_alg alg);

/* keyfile_sign - length of the signature in sig, 0 when it failed. RSA results
 * are verified before they leave: a miscalculated one gives the key away. */
size_t keyfile_sign(struct keyfile *key, enum keywire_alg alg,
                    const uint8_t *data, size_t len,
                    uint8_t sig[KEYWIRE_SIG_MAX]);
#endif
