/* x509_text.h - names of a certificate as text; pure */
#ifndef COMMON_X509_TEXT_H
#define COMMON_X509_TEXT_H
#include "common/x509.h"
#include <stdbool.h>
#include <stddef.h>

/*
 * All write a terminated text of printable ASCII without quotes, at most
 * room - 1 bytes, and return false when it is not whole: cut between two
 * escapes, or the bytes are broken.
 */

/* x509_dn_text - a Name as RFC 4514 has it (CN=x,O=y: the most specific first);
 * every byte outside printable ASCII and every quote as \XX, a type without a
 * name as its OID with the value as #hex */
bool x509_dn_text(struct span name, char *out, size_t room);

/* x509_cn_text - the most specific CN, "" when none; bytes outside printable
 * ASCII, backslash, quote and comma as \xNN */
bool x509_cn_text(struct span name, char *out, size_t room);

/* x509_san_text - dns:a,uri:b,ip:c,email:d in the certificate's order, escaped as
 * a CN; other kinds are left out; what does not fit whole is left out */
bool x509_san_text(struct span names, char *out, size_t room);

/* x509_serial_text - hex, upper case, no leading zeros */
bool x509_serial_text(struct span serial, char *out, size_t room);

#endif
