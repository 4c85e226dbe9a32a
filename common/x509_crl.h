/* x509_crl.h - a certificate revocation list's bytes, seen as parts; pure */
#ifndef COMMON_X509_CRL_H
#define COMMON_X509_CRL_H
#include "common/x509.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * What x509_crl_parse found. Spans point into the list that was parsed. Nothing
 * here is verified: x509_signed says whether a key made the signature.
 */
struct x509_crl {
    struct span der;       /* all of it */
    struct span tbs;       /* what is signed, with its header */
    struct span algorithm; /* AlgorithmIdentifier, content */
    struct span signature; /* of the BIT STRING, without the unused bits */
    struct span issuer;    /* Name, with its header */
    struct span aki;       /* key identifier of the issuer; len 0: none */
    time_t this_update, next_update;
    enum x509_sig sig;
    struct span revoked;    /* content of the list; len 0: none */
    size_t count;           /* its entries */
    const uint32_t *serial; /* x509_crl_sort: offsets into revoked.at, in
                                * the order of the serials; NULL before */
};

/*
 * x509_crl_parse - strict DER (RFC 5280 5.1), a full and direct list only
 * NULL: good. Else half a sentence that says why this list can not be believed:
 * broken bytes, no nextUpdate, a delta or an indirect list, one that speaks for
 * some certificates only, a critical extension that we do not know.
 */
const char *x509_crl_parse(const uint8_t *der, size_t len,
                           struct x509_crl *out);

/* x509_crl_sort - fill offset (crl->count of them) and use it from now on; it
 * must live as long as crl */
void x509_crl_sort(struct x509_crl *crl, uint32_t *offset);

/* x509_crl_lists - is this serial (content of the INTEGER) in a sorted list? */
bool x509_crl_lists(const struct x509_crl *crl, struct span serial);
#endif
