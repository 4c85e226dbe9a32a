/* keygen.h - private keys and certificates for tests, made with openssl(1) */
#ifndef TEST_UNIT_KEYGEN_H
#define TEST_UNIT_KEYGEN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* keygen_valgrind - is valgrind looking? It has descriptors of its own, takes
 * memory below a stack for lost, and is slow */
bool keygen_valgrind(void);

/* keygen_dir - a temporary directory of this process; removed at exit */
const char *keygen_dir(void);

/* keygen_path - its file of that name; good until eight further calls */
const char *keygen_path(const char *name);

/* keygen_run - sh -c of the formatted command inside the directory; fails the
 * test when the command does, output is dropped. keygen_try: its status. */
void keygen_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
int keygen_try(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* keygen_key - NAME.key: PKCS#8 of "rsa:2048", "ec:P-256", "ed25519", ... */
void keygen_key(const char *name, const char *kind);

/* keygen_cert - NAME.crt for NAME.key, self-signed, with SAN DNS:localhost */
void keygen_cert(const char *name);

/* keygen_read - the whole file, NUL behind it; the caller frees */
uint8_t *keygen_read(const char *name, size_t *len);

/* keygen_write - make the file of that name */
void keygen_write(const char *name, const void *data, size_t len);
#endif
