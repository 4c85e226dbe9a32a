/* peername.h - is this certificate for that name? RFC 9525; pure */
#ifndef WORKER_PEERNAME_H
#define WORKER_PEERNAME_H
#include "common/x509.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEERNAME_MAX 254 /* a host name of 253 bytes and its NUL */

/*
 * peername_is - may the holder of cert be called name?
 * name   as configured: a host name (A-labels; a dot at its end is ignored) or
 *        an address, [V6] too.
 * Host names match dns SANs alone: ASCII without case; a wildcard is the whole
 * leftmost label, stands for exactly one label, and has two or more labels
 * behind it. Addresses match ip SANs alone, byte for byte.
 * The one exception to RFC 9525: a certificate with no SAN of any kind matches
 * by its most specific CN when that is a plain host name.
 * A SAN that is broken or holds a NUL byte refuses the whole certificate.
 */
bool peername_is(const struct x509 *cert, const char *name);

/* peername_address - name as 4 or 16 bytes in out; 0: it is no address */
size_t peername_address(const char *name, uint8_t out[16]);

/* peername_host - a host name without its final dot, in lower case; false: it
 * is none (an address, an empty or overlong label, other bytes): never sent as
 * SNI, never matched */
bool peername_host(const char *name, char out[PEERNAME_MAX]);
#endif
