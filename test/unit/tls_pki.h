/* tls_pki.h - certificates, keepers and services for the TLS unit tests */
#ifndef TEST_UNIT_TLS_PKI_H
#define TEST_UNIT_TLS_PKI_H
#include "common/conf.h"
#include "master/context.h"
#include "worker/sign.h"
#include <stddef.h>
#include <sys/types.h>

/* tls_pki - a directory with everything that test/unit/tls_pki makes; made at
 * the first call, removed when the process that made it ends */
const char *tls_pki(void);

/* tls_path - DIR/NAME, in one of eight static buffers */
const char *tls_path(const char *name);

/* tls_blob - a file of the directory; exits when it is not there */
struct blob tls_blob(const char *name);

/* tls_service - a [service] at its defaults */
struct conf_service tls_service(void);

/* tls_side_conf - one side's words at their defaults */
struct conf_tls tls_side_conf(void);

/* tls_context - context_server or the end of the test */
struct tls_side *tls_context(const struct conf_service *service,
                             const char *cert, const char *ca);

/* tls_server - the same for several certificates and CRLs; the lists end in
 * NULL, crls may be NULL */
struct tls_side *tls_server(const struct conf_service *service,
                            const char *const *certs, const char *ca,
                            const char *const *crls);

/* tls_keeper - a process that signs with that key for sign; tls_keeper_end ends it */
pid_t tls_keeper(const char *key, struct sign *sign);

/* tls_keepers - the same with several keys, numbered in their order; the list
 * ends in NULL */
pid_t tls_keepers(const char *const *keys, struct sign *sign);
void tls_keeper_end(pid_t pid, struct sign *sign);

/* tls_der - the first certificate of a PEM file; the caller frees */
uint8_t *tls_der(const char *name, size_t *len);

#endif
