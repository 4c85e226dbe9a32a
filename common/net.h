/* net.h - networks: addresses that begin alike */
#ifndef COMMON_NET_H
#define COMMON_NET_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An address is 16 bytes here, IPv4 as ::ffff:a.b.c.d; all zero is that of a
 * unix socket, which is in no network. */
struct net {
    uint8_t addr[16]; /* zero behind the prefix */
    unsigned bits;    /* of the 128: of IPv4 96 more than are written */
};

struct net_mask { /* how much of an address names a source */
    unsigned v4, v6;
};

#define NET_TEXT_MAX 64 /* longest result of net_text, with its NUL */

/*
 * net_parse - 192.0.2.0/24 | 2001:db8::/32 | an address alone
 * ERR_FORMAT: why says what is wrong; a bit behind the prefix is an error.
 */
enum err net_parse(const char *text, struct net *out, struct why *why);

/* net_text - as net_parse reads it; an address alone has no prefix; returns
 * out */
char *net_text(const struct net *net, char out[NET_TEXT_MAX]);

/* net_has - is the address in one of the networks? */
bool net_has(const struct net *nets, size_t count, const uint8_t addr[16]);

/* net_of - the network of that size in which the address is */
struct net net_of(const uint8_t addr[16], const struct net_mask *mask);

/* net_is_none - the address of a unix socket? */
bool net_is_none(const uint8_t addr[16]);
#endif
