/*
 * conf_check_listen.c - may these addresses listen, beside each other?
 *
 * Owns what the kernel would refuse only at start, and that a plain listener is
 * for this machine alone.
 */
#include "common/addr.h"
#include "common/conf_build.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static bool
v4_clash(const struct addr *a, const struct addr *b)
{
    const struct sockaddr_in *one = (const void *)&a->sa;
    const struct sockaddr_in *two = (const void *)&b->sa;

    return one->sin_addr.s_addr == two->sin_addr.s_addr ||
           one->sin_addr.s_addr == htonl(INADDR_ANY) ||
           two->sin_addr.s_addr == htonl(INADDR_ANY);
}

static bool
v6_clash(const struct addr *a, const struct addr *b)
{
    const struct sockaddr_in6 *one = (const void *)&a->sa;
    const struct sockaddr_in6 *two = (const void *)&b->sa;

    return IN6_ARE_ADDR_EQUAL(&one->sin6_addr, &two->sin6_addr) ||
           IN6_IS_ADDR_UNSPECIFIED(&one->sin6_addr) ||
           IN6_IS_ADDR_UNSPECIFIED(&two->sin6_addr);
}

/* clash - the kernel will not let both listen */
static bool
clash(const struct addr *a, const struct addr *b)
{
    if (a->kind != b->kind || a->sa.ss_family != b->sa.ss_family)
        return false;
    if (a->kind == ADDR_SYSTEMD)
        return strcmp(a->host, b->host) == 0;
    if (a->kind == ADDR_UNIX)
        return memcmp(&a->sa, &b->sa, a->sa_len) == 0;
    if (a->port != b->port || a->port == 0)
        return false;
    return a->sa.ss_family == AF_INET ? v4_clash(a, b) : v6_clash(a, b);
}

/* clash_in - does one of the first count addresses of other clash? */
static bool
clash_in(const struct addr *addr, const struct conf_addrs *other, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (clash(addr, &other->item[i]))
            return true;
    return false;
}

/* taken - the first service that has the address already, or NULL */
static const struct conf_service *
taken(const struct conf *conf, const struct conf_service *by, size_t at)
{
    const struct conf_service *s;

    for (s = conf->service; s <= by; s++)
        if (clash_in(&by->listen.item[at], &s->listen,
                     s == by ? at : s->listen.count))
            return s;
    return NULL;
}

static void
check_clash(struct conf_build *build, size_t number)
{
    const struct conf *conf = build->conf;
    const struct conf_service *s = &conf->service[number], *other = NULL;
    const struct conf_place *mine = &build->service[number], *place;
    size_t i;

    for (i = 0; i < s->listen.count && other == NULL; i++) {
        if ((other = taken(conf, s, i)) == NULL)
            continue;
        place = &build->service[other - conf->service];
        conf_tell(build, mine->file, conf_line(mine, "listen"),
                  "listen: %s is taken already by [service %s], %s:%u",
                  s->listen.item[i].text, other->name,
                  build->file[place->file].shown, conf_line(place, "listen"));
    }
}

static void
check_plain(struct conf_build *build, size_t number)
{
    const struct conf_service *s = &build->conf->service[number];
    const struct conf_place *place = &build->service[number];
    const struct addr *item = s->listen.item;
    size_t i;

    for (i = 0; i < s->listen.count && conf_plaintext_refused(place); i++) {
        if (addr_is_local(&item[i]) ||
            item[i].kind == ADDR_SYSTEMD || /* listen.c, once it is there */
            (i > 0 && strcmp(item[i].text, item[i - 1].text) == 0))
            continue;
        conf_tell(build, place->file, conf_line(place, "listen"),
                  "listen: other machines can connect to %s, and with "
                  "listen_tls = no what comes there is neither encrypted nor "
                  "verified; write 127.0.0.1:%u or unix:/path or, if that is "
                  "meant, say unsafe_plaintext = yes",
                  item[i].text, (unsigned)item[i].port);
    }
}

void
conf_check_listen(struct conf_build *build, size_t service)
{
    check_clash(build, service);
    if (!build->conf->service[service].listen_tls &&
        !conf_unsound(build, &build->service[service], "listen_tls"))
        check_plain(build, service);
}
