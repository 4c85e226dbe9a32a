/*
 * fuzz_peername.c - whatever a certificate says, a match has a reason
 *
 * The first byte chooses: a certificate as it came, or (odd) the bytes as
 * GeneralNames, which reaches the comparison without a signature around it.
 */
#include "worker/peername.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const wanted[] = { "a.example.org", "localhost", "192.0.2.1",
                                      "::1", "*.example.org" };

/* has - do these bytes stand in there, whatever their case? */
static int
has(struct span in, const char *text)
{
    size_t len = strlen(text), j;

    for (size_t i = 0; i + len <= in.len; i++) {
        for (j = 0; j < len && (in.at[i + j] | 0x20) == (text[j] | 0x20); j++)
            ;
        if (j == len)
            return 1;
    }
    return 0;
}

/* check - no match without the name, its parent behind a star, or address */
static void
check(const struct x509 *cert, struct span all)
{
    if (peername_is(cert, "a.example.org") && !has(all, "a.example.org") &&
        !has(all, "*.example.org"))
        abort();
    if (peername_is(cert, "localhost") && !has(all, "localhost"))
        abort();
    if (peername_is(cert, "192.0.2.1") &&
        memmem(all.at, all.len, "\x87\x04\xc0\x00\x02\x01", 6) == NULL)
        abort();
    if (peername_is(cert, "*.example.org"))
        abort();
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        (void)peername_is(cert, wanted[i]);
}

/* as_name - the bytes as the name that is looked for, too */
static void
as_name(const struct x509 *cert, struct span bytes)
{
    char name[600], host[PEERNAME_MAX];
    size_t len = bytes.len < sizeof(name) ? bytes.len : sizeof(name) - 1;
    uint8_t address[16];

    memcpy(name, bytes.at, len);
    name[len] = '\0';
    (void)peername_is(cert, name);
    if (peername_host(name, host) && peername_address(name, address) != 0)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct x509 cert;
    struct span bytes = { data, size };

    if (size == 0)
        return 0;
    bytes.at++;
    bytes.len--;
    memset(&cert, 0, sizeof(cert));
    if (data[0] % 2 == 1)
        cert.san = bytes;
    else if (!x509_parse(bytes.at, bytes.len, &cert))
        cert.subject = bytes;
    check(&cert, bytes);
    as_name(&cert, bytes);
    return 0;
}
