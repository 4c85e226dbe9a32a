/* x509_signed.h - did this key make that signature? */
#ifndef COMMON_X509_SIGNED_H
#define COMMON_X509_SIGNED_H
#include "common/x509_crl.h"
#include <stdbool.h>

/* x509_crl_signed - by the key of a SubjectPublicKeyInfo (with its header) */
bool x509_crl_signed(const struct x509_crl *crl, struct span spki);
#endif
