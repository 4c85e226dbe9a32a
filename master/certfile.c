/*
 * certfile.c - the certificates of a file
 *
 * Owns nothing but the list: pemfile.c takes the file apart, common/x509.c
 * understands the parts.
 */
#include "master/certfile.h"

#include "common/mem.h"
#include "master/pemfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *
certfile_date(time_t at, char *out)
{
    struct tm tm;

    if (gmtime_r(&at, &tm) == NULL ||
        strftime(out, CERTFILE_DATE_MAX, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        (void)snprintf(out, CERTFILE_DATE_MAX, "%lld", (long long)at);
    return out;
}

/* add - one more certificate */
static const char *
add(void *ctx, struct span der)
{
    struct certfile *out = ctx;

    if (out->count == CERTFILE_CERTS_MAX)
        return "is one certificate too many";
    if (out->count % 16 == 0)
        out->cert = mem_array(out->cert, out->count + 16, sizeof(*out->cert));
    if (!x509_parse(der.at, der.len, &out->cert[out->count]))
        return "is no certificate that can be understood";
    out->count++;
    return NULL;
}

enum err
certfile_read(const struct blob *blob, const char *what, struct certfile *out,
              struct why *why)
{
    struct pemfile file = { .blob = blob,
                            .what = what,
                            .label = "CERTIFICATE",
                            .noun = "certificate",
                            .take = add,
                            .ctx = out };
    enum err err;

    memset(out, 0, sizeof(*out));
    out->bytes = file.bytes = mem_new(blob->len + 1);
    if ((err = pemfile_read(&file, why)) != ERR_OK)
        certfile_free(out);
    else
        out->len = file.len;
    return err;
}

void
certfile_free(struct certfile *file)
{
    free(file->cert);
    free(file->bytes);
    memset(file, 0, sizeof(*file));
}
