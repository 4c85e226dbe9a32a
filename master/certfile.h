/* certfile.h - a file of certificates, taken apart and understood; pure */
#ifndef MASTER_CERTFILE_H
#define MASTER_CERTFILE_H
#include "common/err.h"
#include "common/x509.h"
#include "master/context.h"
#include <stddef.h>
#include <stdint.h>

#define CERTFILE_CERTS_MAX 4096

struct certfile {
    size_t count;
    struct x509 *cert; /* in the file's order; each der points into bytes */
    uint8_t *bytes;    /* all DER, one behind the other, no gaps */
    size_t len;
};

/*
 * certfile_read - PEM (any number of CERTIFICATE blocks, printable text lines
 * between them) or one DER certificate
 * what   "cert" or "ca": the key of the configuration, for the sentence.
 * A private key in it is an error that says how to split the file; so are other
 * blocks, a BEGIN without END, bytes that are no text, bad base64, a block that
 * is no certificate, no certificate at all.
 * ERR_FILE: why names path, line and reason. The caller frees with
 * certfile_free.
 */
enum err certfile_read(const struct blob *blob, const char *what,
                       struct certfile *out, struct why *why);
void certfile_free(struct certfile *file);

/* certfile_date - 2026-11-21 18:00:00 UTC; out holds CERTFILE_DATE_MAX */
#define CERTFILE_DATE_MAX 48
char *certfile_date(time_t at, char *out);

#endif
