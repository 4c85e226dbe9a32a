/* x509.h - a certificate's bytes, seen as parts; pure */
#ifndef COMMON_X509_H
#define COMMON_X509_H
#include "common/x509_der.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum x509_key { X509_KEY_OTHER, X509_KEY_RSA, X509_KEY_EC, X509_KEY_ED25519 };
/* WEAK: MD2, MD5, SHA-1 in any form; OTHER: not known to us */
enum x509_sig { X509_SIG_OTHER, X509_SIG_WEAK, X509_SIG_GOOD };

/* KeyUsage, first octet (RFC 5280 4.2.1.3) */
#define X509_USE_SIGN 0x80u /* digitalSignature */
#define X509_USE_CERT 0x04u /* keyCertSign */
#define X509_USE_CRL  0x02u /* cRLSign */

/*
 * What x509_parse found. Spans point into the certificate that was parsed.
 * Nothing here is verified: signatures are the TLS library's business.
 */
struct x509 {
    struct span der;             /* all of it */
    struct span serial;          /* content of the INTEGER */
    struct span issuer, subject; /* Names, with their headers */
    struct span spki;            /* SubjectPublicKeyInfo, with its header */
    struct span san;             /* content of GeneralNames; len 0: none */
    struct span ski, aki;        /* key identifiers, own and issuer's */
    int version;                 /* 1, 2, 3 */
    time_t not_before, not_after;
    enum x509_key key;
    unsigned key_bits; /* of the modulus or the field; EC: 0 when the curve is
                        * none of P-256, P-384, P-521 */
    enum x509_sig sig;
    bool self_issued; /* subject and issuer are the same bytes */
    bool ca;          /* basicConstraints says CA:TRUE */
    bool has_key_usage;
    unsigned key_usage; /* X509_USE_*: first octet */
    bool has_eku, eku_server, eku_client, eku_any;
    bool name_constraints_empty; /* the extension is there and says nothing */
};

/*
 * x509_parse - strict DER: minimal definite lengths, no trailing bytes, each
 * extension once, extensions in version 3 alone. Unknown extensions are
 * stepped over, critical or not.
 * False: not a certificate, or one that we do not want to understand.
 */
bool x509_parse(const uint8_t *der, size_t len, struct x509 *out);

/* x509_sig_read - how good is the algorithm of an AlgorithmIdentifier (its
 * content)? */
enum x509_sig x509_sig_read(struct span algorithm);

/* x509_aki_read - the key identifier of an AuthorityKeyIdentifier; none: out
 * stays as it is */
bool x509_aki_read(struct span value, struct span *out);

/* x509_name_rdns - the RelativeDistinguishedNames of a Name, in its order; out
 * holds `room` contents of SETs. Returns the count, 0 for an empty name, -1 for
 * more than room or broken bytes. */
int x509_name_rdns(struct span name, struct span *out, int room);

/* one attribute of an RDN: the OID's content, the value's tag and content, and
 * the value with its header */
struct x509_attribute {
    struct span oid, value, whole;
    unsigned tag;
};

/* x509_attribute_next - take one off an RDN */
bool x509_attribute_next(struct span *rdn, struct x509_attribute *out);

#endif
