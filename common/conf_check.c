/*
 * conf_check.c - what no single value can tell
 *
 * Owns the checks across keys, sections and files. Reads fields that are
 * converted already; a field whose line was refused has its default or nothing
 * and must not be complained about a second time.
 */
#include "common/addr.h"
#include "common/conf_build.h"
#include "common/suite.h"
#include "common/text.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* one service under check */
struct check {
    struct conf_build *build;
    const struct conf_service *service;
    const struct conf_place *place;
};

static bool
given(const struct check *c, const char *key)
{
    return scan_find(c->place->section, key) != NULL;
}

#define TELL(c, key, ...)                                               \
    conf_tell((c)->build, (c)->place->file, conf_line((c)->place, key), \
              __VA_ARGS__)

static void
check_required(const struct check *c)
{
    static const char *const keys[] = { "listen", "cert", "key", "ca",
                                        "upstream" };
    size_t i;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (given(c, keys[i]))
            continue;
        if (strcmp(keys[i], "ca") != 0)
            TELL(c, keys[i], "[service %s] needs %s", c->service->name,
                 keys[i]);
        else if (c->service->verify != CONF_VERIFY_NONE)
            TELL(c, "ca",
                 "[service %s] needs ca, the authorities that client "
                 "certificates must come from",
                 c->service->name);
    }
}

static void
check_pair(const struct check *c)
{
    const struct conf_service *s = c->service;

    if (s->cert == NULL || s->key == NULL || strcmp(s->cert, s->key) != 0)
        return;
    TELL(c, "key",
         "key: the same file as cert; split it: openssl pkey -in %s -out "
         "NAME.key; openssl crl2pkcs7 -nocrl -certfile %s | openssl pkcs7 "
         "-print_certs -out NAME.crt",
         s->key, s->key);
}

static void
check_tls(const struct check *c)
{
    const struct conf_service *s = c->service;
    const char *key = given(c, "tls_max") ? "tls_max" : "tls_min";

    if (s->tls_min > s->tls_max)
        TELL(c, key, "tls_min = 1.%ld is above tls_max = 1.%ld", s->tls_min,
             s->tls_max);
    else if (s->tls_max == CONF_TLS_12 &&
             strcmp(s->groups, "X25519MLKEM768") == 0)
        TELL(c, "groups",
             "groups: X25519MLKEM768 is for TLS 1.3 alone, and "
             "tls_max is 1.2: no group is left");
}

/* plaintext_refused - unsafe_plaintext is missing or says no; a value that is
 * neither was complained about already */
static bool
plaintext_refused(const struct check *c)
{
    const struct scan_entry *entry =
        scan_find(c->place->section, "unsafe_plaintext");

    return entry == NULL ||
           (entry->value != NULL && strcmp(entry->value, "no") == 0);
}

static void
check_plaintext(const struct check *c, const struct addr *addr)
{
    if (!addr_is_local(addr) && plaintext_refused(c))
        TELL(c, "upstream",
             "upstream: %s is beyond this machine, and what goes there is not "
             "encrypted; if that is meant, say unsafe_plaintext = yes",
             addr->text);
}

static void
check_upstream(const struct check *c)
{
    const struct conf_addrs *up = &c->service->upstream;
    size_t i;

    for (i = 0; i < up->count; i++) {
        if (up->item[i].kind == ADDR_RESPOND && up->count > 1)
            TELL(c, "upstream", "upstream: respond: stands alone");
        if (up->item[i].tls)
            TELL(c, "upstream",
                 "upstream \"%s\": the scheme tls: is not known here; allowed "
                 "are HOST:PORT, [IPV6]:PORT, unix:/path and respond:CODE "
                 "\"text\"",
                 up->item[i].text);
        else
            check_plaintext(c, &up->item[i]);
    }
}

/* ---- listen addresses ---- */

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

static void
check_listen(const struct check *c)
{
    const struct conf_service *first = c->build->conf->service, *s;
    const struct conf_addrs *mine = &c->service->listen;
    const struct conf_place *place;
    size_t i, told = 0;

    for (i = 0; i < mine->count && told == 0; i++)
        for (s = first; s <= c->service && told == 0; s++) {
            if (!clash_in(&mine->item[i], &s->listen,
                          s == c->service ? i : s->listen.count))
                continue;
            place = &c->build->service[s - first];
            TELL(c, "listen",
                 "listen: %s is taken already by [service %s], %s:%u",
                 mine->item[i].text, s->name, c->build->file[place->file].shown,
                 conf_line(place, "listen"));
            told = 1;
        }
}

void
conf_check(struct conf_build *build)
{
    struct check c = { .build = build };
    size_t i;

    for (i = 0; i < build->conf->service_count; i++) {
        c.service = &build->conf->service[i];
        c.place = &build->service[i];
        check_required(&c);
        check_pair(&c);
        check_tls(&c);
        check_upstream(&c);
        check_listen(&c);
    }
    if (build->conf->service_count == 0 && !build->nameless)
        conf_tell(build, 0, 0, "there is no [service NAME] section");
}
