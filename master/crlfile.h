/* crlfile.h - a file of certificate revocation lists, taken apart; pure */
#ifndef MASTER_CRLFILE_H
#define MASTER_CRLFILE_H
#include "common/err.h"
#include "common/x509_crl.h"
#include "master/context.h"
#include <stddef.h>

#define CRLFILE_LISTS_MAX 4096

struct crlfile {
    size_t count;
    struct x509_crl *crl; /* in the file's order, not sorted (x509_crl_sort);
                           * each points into bytes */
    uint8_t *bytes;
};

/*
 * crlfile_read - PEM (any number of X509 CRL blocks, by any issuers) or one DER
 * The same rules as for certificates (pemfile.h). ERR_FILE: why names path, line
 * and what x509_crl_parse says. The caller frees with crlfile_free.
 */
enum err crlfile_read(const struct blob *blob, const char *what,
                      struct crlfile *out, struct why *why);
void crlfile_free(struct crlfile *file);
#endif
