/* fuzz_sni.c - any server name, suites and schemes: a certificate is always
 * chosen, and the right kind */
#include "common/suite.h"
#include "worker/certpick.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *first[] = { (char[]){ "a.example" }, (char[]){ "b.example" } };
static char *wild[] = { (char[]){ "*.example" } };
static char *deep[] = { (char[]){ "x.a.example" }, (char[]){ "*.*.example" } };

static struct tls_cert certs[] = {
    { .kind = KEY_EC, .key_size = 32, .name_count = 2, .name = first },
    { .kind = KEY_RSA, .key_size = 256, .name_count = 1, .name = first },
    { .kind = KEY_EC, .key_size = 66, .name_count = 1, .name = wild },
    { .kind = KEY_ED25519, .name_count = 2, .name = deep },
};

/* cut - the first piece, as long as its first byte says */
static struct span
cut(struct span *rest)
{
    struct span piece = { NULL, 0 };

    if (rest->len == 0)
        return piece;
    piece.at = rest->at + 1;
    piece.len = rest->at[0];
    if (piece.len > rest->len - 1)
        piece.len = rest->len - 1;
    rest->at += 1 + piece.len;
    rest->len -= 1 + piece.len;
    return piece;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tls_side side = { .cert_count = 4, .cert = certs };
    struct span rest = { data, size };
    struct certpick_hello hello = { .ciphers = SUITE_DEFAULT_12 };
    const struct tls_cert *cert;

    if (size > 0)
        hello.tls13 = data[size - 1] & 1;
    hello.name = cut(&rest);
    hello.suites = cut(&rest);
    hello.schemes = rest;
    cert = certpick(&side, &hello);
    if (cert < certs || cert >= certs + 4)
        abort();
    /* a name that nobody has gets the first or its twin */
    if (!certpick_known(&side, hello.name) && cert > certs + 1)
        abort();
    return 0;
}
