/* pemfile.h - a file of one kind of PEM blocks, or one DER, taken apart; pure */
#ifndef MASTER_PEMFILE_H
#define MASTER_PEMFILE_H
#include "common/err.h"
#include "common/x509_der.h"
#include "master/context.h"
#include <stddef.h>
#include <stdint.h>

struct pemfile {
    const struct blob *blob;
    const char *what;  /* the key of the configuration, for sentences: "ca" */
    const char *label; /* of the blocks: CERTIFICATE */
    const char *noun;  /* "certificate" */
    uint8_t *bytes;    /* room for blob->len bytes: all DER, one behind the
                        * other, no gaps */
    size_t len;        /* of it, filled so far */
    /* one more; NULL: good, else half a sentence about it ("is broken") */
    const char *(*take)(void *ctx, struct span der);
    void *ctx;
};

/*
 * pemfile_read - any number of blocks, printable text lines between them, or one
 * DER
 * A private key is an error that says how to split the file; so are other
 * blocks, a BEGIN without END, bytes that are no text, bad base64, what take
 * objects to, no block at all. ERR_FILE: why names path, line and reason.
 */
enum err pemfile_read(struct pemfile *file, struct why *why);
#endif
