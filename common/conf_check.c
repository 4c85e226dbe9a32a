/*
 * conf_check.c - what no single value can tell
 *
 * Owns the checks across the keys of a service; conf_check_listen.c has those
 * of its addresses, conf_check_route.c those of where it leads. All read fields
 * that are converted already; a field whose line was refused has its default or
 * nothing and must not be complained about a second time.
 */
#include "common/conf_build.h"
#include "common/text.h"
#include <stdio.h>
#include <string.h>

/* one service under check */
struct check {
    struct conf_build *build;
    const struct conf_service *service;
    const struct conf_place *place;
};

#define TELL(c, key, ...)                                               \
    conf_tell((c)->build, (c)->place->file, conf_line((c)->place, key), \
              __VA_ARGS__)

static bool
unsound(const struct check *c, const char *key)
{
    return conf_unsound(c->build, c->place, key);
}

static void
need(const struct check *c, const char *key, const char *why)
{
    if (!conf_given(c->place, key))
        TELL(c, key, "[service %s] needs %s%s", c->service->name, key, why);
}

static void
check_required(const struct check *c)
{
    const struct conf_service *s = c->service;

    if (!c->build->handed)
        need(c, "listen", "");
    if (s->listen_tls && !unsound(c, "listen_tls")) {
        need(c, "cert", "");
        need(c, "key", "");
        if (s->client.verify != CONF_VERIFY_NONE)
            need(c, "ca",
                 ", the authorities that client certificates must come from");
    }
    if (s->protocol == CONF_PROTOCOL_TCP && !unsound(c, "protocol") &&
        s->route[0].upstream.count == 0)
        need(c, "upstream", "");
    else if (s->protocol == CONF_PROTOCOL_HTTP && s->route_count == 1 &&
             !c->build->nameless)
        need(c, "upstream", ", or a [route NAME]");
}

/* ---- keys that mean nothing here ---- */

/* client_key - a key of the client side's TLS, where there is none */
static void
client_key(const struct check *c, const struct conf_key *key)
{
    char other[80];

    (void)snprintf(other, sizeof(other), "upstream_%s", key->name);
    TELL(c, key->name, "listen_tls = no: %s has no meaning here%s%s", key->name,
         conf_key_find(CONF_IN_SERVICE, other) != NULL
             ? "; for the upstream's side write "
             : "",
         conf_key_find(CONF_IN_SERVICE, other) != NULL ? other : "");
}

static void
check_needs(const struct check *c)
{
    bool plain = !c->service->listen_tls && !unsound(c, "listen_tls");
    bool tcp =
        c->service->protocol == CONF_PROTOCOL_TCP && !unsound(c, "protocol");
    bool program = conf_command(c->service) != NULL || unsound(c, "upstream");
    const struct scan_section *section = c->place->section;
    const struct conf_key *key;
    size_t i;

    for (i = 0; i < section->count; i++) {
        key = conf_key_find(CONF_IN_SERVICE, section->entry[i].key);
        if (key == NULL)
            continue;
        if (key->need == CONF_NEED_EXEC && !program)
            TELL(c, key->name,
                 "%s has no meaning without an upstream that begins with exec:",
                 key->name);
        else if (key->need == CONF_NEED_TLS && plain)
            client_key(c, key);
        else if (key->need == CONF_NEED_HTTP && tcp)
            TELL(c, section->entry[i].key, "%s needs protocol = http",
                 section->entry[i].key);
    }
}

/* ---- one side ---- */

/* one side under check, with its prefix */
struct side {
    struct check c;
    const struct conf_tls *tls;
    const char *prefix;
};

/* named - the key of this side; four at a time */
static const char *
named(const struct side *s, const char *key)
{
    static char name[4][64];
    static unsigned turn;

    turn = (turn + 1) % 4;
    (void)snprintf(name[turn], sizeof(name[turn]), "%s%s", s->prefix, key);
    return name[turn];
}

static bool
holds(const struct conf_list *list, const char *item)
{
    size_t i;

    for (i = 0; i < list->count; i++)
        if (strcmp(list->item[i], item) == 0)
            return true;
    return false;
}

static void
check_pairs(const struct side *s)
{
    const struct conf_list *cert = &s->tls->cert, *key = &s->tls->key;
    size_t i;

    for (i = 0; i < key->count; i++)
        if (holds(cert, key->item[i]))
            TELL(&s->c, named(s, "key"),
                 "%s: the same file as %s; split it: openssl pkey -in %s -out "
                 "NAME.key; openssl crl2pkcs7 -nocrl -certfile %s | openssl "
                 "pkcs7 -print_certs -out NAME.crt",
                 named(s, "key"), named(s, "cert"), key->item[i], key->item[i]);
    if (cert->count > 0 && key->count > 0 && cert->count != key->count)
        TELL(&s->c, named(s, "key"),
             "%s: each certificate has its key, but there are %zu of %s and "
             "%zu of %s",
             named(s, "key"), cert->count, "cert", key->count, "key");
}

static void
check_versions(const struct side *s)
{
    const struct conf_tls *tls = s->tls;
    bool max_given = conf_given(s->c.place, named(s, "tls_max"));

    if (tls->min > tls->max)
        TELL(&s->c, named(s, max_given ? "tls_max" : "tls_min"),
             "%s = 1.%ld is above %s = 1.%ld", named(s, "tls_min"), tls->min,
             named(s, "tls_max"), tls->max);
    else if (tls->max == CONF_TLS_12 &&
             strcmp(tls->groups, "X25519MLKEM768") == 0)
        TELL(&s->c, named(s, "groups"),
             "%s: X25519MLKEM768 is for TLS 1.3 alone, and %s is 1.2: no group "
             "is left",
             named(s, "groups"), named(s, "tls_max"));
}

void
conf_check_side(struct conf_build *build, const struct conf_place *place,
                const struct conf_tls *tls, const char *prefix)
{
    struct side s = { .c = { .build = build, .place = place },
                      .tls = tls,
                      .prefix = prefix };

    check_pairs(&s);
    check_versions(&s);
}

/* check_spare - no more can be kept free than there may be; the default fits
 * itself in */
static void
check_spare(const struct check *c, struct conf_service *service)
{
    if (service->workers_spare <= service->workers_max ||
        unsound(c, "workers") || unsound(c, "workers_spare"))
        return;
    if (conf_given(c->place, "workers_spare"))
        TELL(c, "workers_spare",
             "workers_spare = %ld: more than the %ld workers that there may be",
             service->workers_spare, service->workers_max);
    service->workers_spare = service->workers_max;
}

/* check_alpn - with protocol = http nothing but HTTP/1 is understood */
static void
check_alpn(const struct check *c)
{
    if (c->service->protocol == CONF_PROTOCOL_HTTP &&
        holds(&c->service->client.alpn, "h2"))
        TELL(c, "alpn",
             "alpn: protocol = http speaks HTTP/1.1 and 1.0 only: h2 cannot be "
             "offered");
}

bool
conf_plaintext_refused(const struct conf_place *service)
{
    const struct scan_entry *entry =
        scan_find(service->section, "unsafe_plaintext");

    return entry == NULL ||
           (entry->value != NULL && strcmp(entry->value, "no") == 0);
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
        check_needs(&c);
        check_spare(&c, &build->conf->service[i]);
        if (c.service->listen_tls) {
            conf_check_side(build, c.place, &c.service->client, "");
            check_alpn(&c);
        }
        conf_check_routes(build, i);
        conf_check_listen(build, i);
    }
    if (build->conf->service_count == 0 && !build->nameless)
        conf_tell(build, 0, 0, "there is no [service NAME] section");
}
