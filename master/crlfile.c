/*
 * crlfile.c - the revocation lists of a file
 *
 * Owns nothing but the list of them: pemfile.c takes the file apart,
 * common/x509_crl.c understands the parts.
 */
#include "master/crlfile.h"

#include "common/mem.h"
#include "master/pemfile.h"

#include <stdlib.h>
#include <string.h>

static const char *
add(void *ctx, struct span der)
{
    struct crlfile *out = ctx;
    const char *flaw;

    if (out->count == CRLFILE_LISTS_MAX)
        return "is one list too many";
    if (out->count % 16 == 0)
        out->crl = mem_array(out->crl, out->count + 16, sizeof(*out->crl));
    flaw = x509_crl_parse(der.at, der.len, &out->crl[out->count]);
    if (flaw == NULL && out->crl[out->count].sig != X509_SIG_GOOD)
        flaw = "is signed with a weak or unknown algorithm";
    out->count += flaw == NULL;
    return flaw;
}

enum err
crlfile_read(const struct blob *blob, const char *what, struct crlfile *out,
             struct why *why)
{
    struct pemfile file = { .blob = blob,
                            .what = what,
                            .label = "X509 CRL",
                            .noun = "revocation list",
                            .take = add,
                            .ctx = out };
    enum err err;

    memset(out, 0, sizeof(*out));
    out->bytes = file.bytes = mem_new(blob->len + 1);
    if ((err = pemfile_read(&file, why)) != ERR_OK)
        crlfile_free(out);
    return err;
}

void
crlfile_free(struct crlfile *file)
{
    free(file->crl);
    free(file->bytes);
    memset(file, 0, sizeof(*file));
}
