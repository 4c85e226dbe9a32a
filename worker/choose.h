/* choose.h - what the ClientHello decides: our certificate, the protocol */
#ifndef WORKER_CHOOSE_H
#define WORKER_CHOOSE_H
#include <stdbool.h>

struct session_rules;
struct tls_cert;
struct verify;

struct choose { /* lives as long as one handshake */
    const struct session_rules *rules;
    struct verify *verify;       /* where a refusal goes */
    const struct tls_cert *cert; /* chosen, NULL: none yet */
};

/* choose_install - the callbacks that these rules need, once, in the master:
 * none for one certificate, no alpn and no sni_strict */
void choose_install(const struct session_rules *rules);

/* choose_attach - choices of the next handshake are made for this; NULL: none,
 * every one fails. A worker has one handshake at a time. */
void choose_attach(struct choose *choose);
#endif
