/*
 * fuzz_keyfile.c - any bytes at all as a private key file
 *
 * The file is the operator's, not a peer's; it is fuzzed because what reads it
 * holds every other key.
 */
#include "master/keyfile.h"
#include "master/keypem.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static int started;
    struct keyfile *key = NULL;
    struct why why = { "" };
    const uint8_t *der;
    size_t der_len;

    if (!started && keyfile_start(&why) != ERR_OK)
        abort();
    started = 1;
    if (keyfile_parse(data, len, "key", &key, &why) != ERR_OK) {
        if (strncmp(why.text, "key ", 4) != 0)
            abort();
        return 0;
    }
    keyfile_public(key, &der, &der_len);
    if (der_len == 0 || der_len > KEYFILE_PUBLIC_MAX)
        abort();
    keyfile_free(key);
    return 0;
}
