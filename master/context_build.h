/* context_build.h - the parts of context.c, among themselves */
#ifndef MASTER_CONTEXT_BUILD_H
#define MASTER_CONTEXT_BUILD_H
#include "common/conf.h"
#include "common/err.h"
#include "common/tlsside.h"
#include "master/certfile.h"
#include "master/context.h"
#include <stdbool.h>
#include <time.h>

#define CONTEXT_RSA_BITS_MIN 2048
#define CONTEXT_NAME_MAX     296

/* who is building, and whom to tell */
struct build {
    const struct conf_tls *conf;
    const char *where;  /* "[service x]", for sentences without a file */
    const char *prefix; /* of the keys: "" or "upstream_" */
    bool upstream;
    context_warn *warn;
    void *warn_ctx;
    time_t now;
    struct tls_side *side;
    struct why *why;
};

/* build_library - "SENTENCE: what the library says" */
enum err build_library(struct why *why, enum err err, int code,
                       const char *sentence);

/* build_warn - one sentence, cut where it is too long */
void build_warn(const struct build *build, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* build_name - a certificate for sentences: "certificate 2 (CN=x)"; out holds
 * CONTEXT_NAME_MAX */
const char *build_name(const struct certfile *file, size_t i, char *out);

/* build_late - is now in the last third of this lifetime? */
bool build_late(const struct build *build, time_t from, time_t to);

/* build_settings - a fresh wolfSSL context in side->ctx with every setting */
enum err build_settings(const struct build *build);

/* build_certs - our certificates, checked: side->cert; a single one goes into
 * the context itself */
enum err build_certs(const struct build *build, const struct blob *blob,
                     size_t count);

/* build_anchors - the CAs, into the context and side->anchor */
enum err build_anchors(const struct build *build, const struct blob *blob);

/* build_crls - revocation lists, after the anchors: side->crl */
enum err build_crls(const struct build *build, const struct blob *blob,
                    size_t count);
#endif
