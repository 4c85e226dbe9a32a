/*
 * net.c - networks: addresses that begin alike
 *
 * Owns prefixes, read, written and compared. Pure.
 */
#include "common/net.h"
#include "common/text.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define V4_BITS 96 /* of ::ffff:0:0/96 */

static bool
is_v4(const uint8_t addr[16])
{
    static const uint8_t head[12] = { [10] = 0xff, [11] = 0xff };

    return memcmp(addr, head, sizeof(head)) == 0;
}

/* cut - nothing behind the prefix; true: nothing was */
static bool
cut(uint8_t addr[16], unsigned bits)
{
    bool clean = true;

    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = bits >= 8 * (i + 1) ? 8
                        : bits <= 8 * i     ? 0
                                            : bits - 8 * i;
        uint8_t kept = (uint8_t)(addr[i] & (0xff00u >> keep));

        clean = clean && kept == addr[i];
        addr[i] = kept;
    }
    return clean;
}

/* parse_addr - false: it is none */
static bool
parse_addr(const char *text, uint8_t out[16])
{
    memset(out, 0, 16);
    if (strchr(text, ':') != NULL)
        return inet_pton(AF_INET6, text, out) == 1;
    out[10] = out[11] = 0xff;
    return inet_pton(AF_INET, text, out + 12) == 1;
}

enum err
net_parse(const char *text, struct net *out, struct why *why)
{
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    char host[INET6_ADDRSTRLEN], shown[NET_TEXT_MAX];
    unsigned before;
    long bits;

    if (len >= sizeof(host))
        len = 0;
    memcpy(host, text, len);
    host[len] = '\0';
    if (!parse_addr(host, out->addr))
        return why_set(why, ERR_FORMAT,
                       "allowed are networks such as 192.0.2.0/24 and "
                       "2001:db8::/32, and addresses");
    before = strchr(host, ':') == NULL ? V4_BITS : 0;
    out->bits = 128;
    if (slash == NULL)
        return ERR_OK;
    if (text_long(slash + 1, 0, 128 - (long)before, &bits) != ERR_OK)
        return why_set(why, ERR_FORMAT,
                       "the prefix behind the / is a number from 0 to %u",
                       128 - before);
    out->bits = before + (unsigned)bits;
    if (!cut(out->addr, out->bits))
        return why_set(why, ERR_FORMAT,
                       "the address has bits behind its prefix; did you mean "
                       "\"%s\"?",
                       net_text(out, shown));
    return ERR_OK;
}

char *
net_text(const struct net *net, char out[NET_TEXT_MAX])
{
    bool v4 = is_v4(net->addr) && net->bits >= V4_BITS;
    char host[INET6_ADDRSTRLEN];

    (void)inet_ntop(v4 ? AF_INET : AF_INET6, net->addr + (v4 ? 12 : 0), host,
                    sizeof(host));
    if (net->bits == 128)
        (void)text_copy(out, host, NET_TEXT_MAX);
    else
        (void)snprintf(out, NET_TEXT_MAX, "%s/%u", host,
                       net->bits - (v4 ? V4_BITS : 0));
    return out;
}

bool
net_is_none(const uint8_t addr[16])
{
    static const uint8_t none[16];

    return memcmp(addr, none, sizeof(none)) == 0;
}

bool
net_has(const struct net *nets, size_t count, const uint8_t addr[16])
{
    uint8_t start[16];

    for (size_t i = 0; i < count; i++) {
        memcpy(start, addr, sizeof(start));
        (void)cut(start, nets[i].bits);
        /* ::/0 and the like mean IPv6 alone */
        if (memcmp(start, nets[i].addr, sizeof(start)) == 0 &&
            (nets[i].bits >= V4_BITS || !is_v4(addr)) && !net_is_none(addr))
            return true;
    }
    return false;
}

struct net
net_of(const uint8_t addr[16], const struct net_mask *mask)
{
    struct net net;

    memcpy(net.addr, addr, sizeof(net.addr));
    net.bits = is_v4(addr) ? V4_BITS + mask->v4 : mask->v6;
    (void)cut(net.addr, net.bits);
    return net;
}
