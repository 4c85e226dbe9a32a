/*
 * conf_check_route.c - where a service leads: its own upstream and its routes
 *
 * Owns the checks of upstreams and paths. A route is judged as it came out,
 * with what it took over; it is told of what stands in its own section, and of
 * the rest only when its service's own words were good in themselves.
 */
#include "common/addr.h"
#include "common/conf_build.h"
#include <stdio.h>
#include <string.h>

/* one route under check */
struct check {
    struct conf_build *build;
    const struct conf_service *service;
    const struct conf_place *home; /* the service's section */
    const struct conf_route *route;
    const struct conf_place
        *place;     /* the route's; home for the service's own */
    char title[64]; /* [service web], [route up] */
};

#define TELL(c, key, ...)                                               \
    conf_tell((c)->build, (c)->place->file, conf_line((c)->place, key), \
              __VA_ARGS__)

static bool
given(const struct check *c, const char *key)
{
    return conf_given(c->place, key);
}

static bool
is_own(const struct check *c)
{
    return c->place == c->home;
}

/* unsound - the key's value was refused, here or where it was taken from */
static bool
unsound(const struct check *c, const char *key)
{
    return conf_unsound(c->build, c->place, key) ||
           (!given(c, key) && conf_unsound(c->build, c->home, key));
}

/* touches - does this section say something about one of these keys? If not,
 * a route is what its service's own words are, and those were judged */
static bool
touches(const struct check *c, const char *const *keys)
{
    bool own = is_own(c);

    for (; !own && *keys != NULL; keys++)
        own = given(c, *keys);
    return own;
}

/* ---- upstreams ---- */

static void
check_plain(const struct check *c, const struct addr *addr)
{
    if (!addr->tls && !addr_is_local(addr) && conf_plaintext_refused(c->home))
        TELL(c, "upstream",
             "upstream: %s is beyond this machine, and what goes there is not "
             "encrypted; write tls://%s or, if that is meant, say "
             "unsafe_plaintext = yes%s",
             addr->text, addr->text, is_own(c) ? "" : " in its service");
}

static void
check_upstream(const struct check *c)
{
    static const char *const keys[] = { "upstream", NULL };
    const struct conf_addrs *up = &c->route->upstream;
    bool mixed = false, respond = false, exec = false;
    size_t i;

    if (!touches(c, keys))
        return;
    for (i = 0; i < up->count; i++) {
        respond |= up->item[i].kind == ADDR_RESPOND;
        exec |= up->item[i].kind == ADDR_EXEC;
        mixed |= up->item[i].tls != up->item[0].tls;
        check_plain(c, &up->item[i]);
    }
    if (exec && c->service->protocol == CONF_PROTOCOL_HTTP &&
        !conf_unsound(c->build, c->home, "protocol"))
        TELL(c, "upstream",
             "upstream: a program is for a connection and not for a request: "
             "exec: needs protocol = tcp, where the client's HTTP goes through "
             "as it is");
    else if ((respond || exec) && up->count > 1)
        TELL(c, "upstream", "upstream: %s: stands alone",
             respond ? "respond" : "exec");
    else if (mixed)
        TELL(c, "upstream",
             "upstream: some begin with tls:// and some do not; a list is all "
             "TLS or all plain");
}

/* ---- TLS towards them ---- */

static void
check_ca(const struct check *c)
{
    static const char *const keys[] = { "upstream", "upstream_ca",
                                        "upstream_verify", NULL };

    if (touches(c, keys) && c->route->side.ca == NULL &&
        c->route->side.verify != CONF_VERIFY_NONE &&
        !unsound(c, "upstream_ca") && !unsound(c, "upstream_verify"))
        TELL(c, "upstream",
             "%s needs upstream_ca, the authorities that the certificate of a "
             "tls:// upstream must come from",
             c->title);
}

static void
check_cert(const struct check *c)
{
    static const char *const keys[] = { "upstream", "upstream_cert",
                                        "upstream_key", NULL };
    size_t certs = c->route->side.cert.count, count = c->route->side.key.count;

    if (!touches(c, keys) || (certs == 0) == (count == 0) ||
        unsound(c, "upstream_cert") || unsound(c, "upstream_key"))
        return;
    TELL(c, certs > 0 ? "upstream_cert" : "upstream_key",
         "%s: the other is missing, %s",
         certs > 0 ? "upstream_cert" : "upstream_key",
         certs > 0 ? "upstream_key" : "upstream_cert");
}

static void
check_alpn(const struct check *c)
{
    const struct conf_list *alpn = &c->route->side.alpn;
    size_t i;

    if (!given(c, "upstream_alpn") ||
        c->service->protocol != CONF_PROTOCOL_HTTP)
        return;
    for (i = 0; i < alpn->count; i++)
        if (strcmp(alpn->item[i], "h2") == 0)
            TELL(c, "upstream_alpn",
                 "upstream_alpn: protocol = http speaks HTTP/1.1 only: h2 "
                 "cannot be offered");
}

/* any_tls - is it for this route, or for one that takes it over? */
static bool
any_tls(const struct check *c)
{
    const struct conf_service *s = c->service;
    size_t i;

    if (!is_own(c))
        return c->route->tls;
    for (i = 0; i < s->route_count; i++)
        if (s->route[i].tls)
            return true;
    return false;
}

/* any_unsound - was an upstream refused, so that nobody knows? */
static bool
any_unsound(const struct check *c)
{
    const struct conf_places *places =
        &c->build->route[c->service - c->build->conf->service];
    bool bad = unsound(c, "upstream");
    size_t i;

    for (i = 1; is_own(c) && !bad && i < places->count; i++)
        bad = conf_unsound(c->build, &places->item[i], "upstream");
    return bad;
}

/* check_needs - keys of TLS where nothing goes to a tls:// upstream */
static void
check_needs(const struct check *c)
{
    const struct scan_section *section = c->place->section;
    const struct conf_key *key;
    size_t i;

    if (any_tls(c) || any_unsound(c))
        return;
    for (i = 0; i < section->count; i++) {
        key = conf_key_find(CONF_IN_ROUTE, section->entry[i].key);
        if (key != NULL && key->need == CONF_NEED_UPSTREAM_TLS)
            TELL(c, key->name,
                 "%s has no meaning without an upstream that begins with "
                 "tls://",
                 key->name);
    }
}

/* ---- routes ---- */

static void
check_path(const struct check *c)
{
    const struct conf_route *other;
    const struct conf_place *place;
    size_t i;

    if (!given(c, "path"))
        TELL(c, "path", "%s needs path", c->title);
    for (i = 1; c->route->path != NULL; i++) {
        other = &c->service->route[i];
        if (other == c->route)
            return;
        if (other->path == NULL || strcmp(other->path, c->route->path) != 0)
            continue;
        place = &c->build->route[c->service - c->build->conf->service].item[i];
        TELL(c, "path", "path: %s is the path of [route %s] already, %s:%u",
             c->route->path, other->name, c->build->file[place->file].shown,
             conf_line(place, "path"));
        return;
    }
}

static void
check_route(const struct check *c)
{
    check_path(c);
    if (c->service->protocol != CONF_PROTOCOL_HTTP &&
        !conf_unsound(c->build, c->home, "protocol"))
        TELL(c, "service",
             "%s: there are no routes without protocol = http in [service %s]",
             c->title, c->service->name);
    if (c->route->upstream.count == 0 && !unsound(c, "upstream"))
        TELL(c, "upstream", "%s needs upstream, or its service does", c->title);
}

static void
check_one(const struct check *c)
{
    static const char *const sides[] = {
        "upstream",
        "upstream_cert",
        "upstream_key",
        "upstream_groups",
        "upstream_tls_min",
        "upstream_tls_max",
        NULL,
    };

    check_upstream(c);
    if (c->route->tls) {
        check_ca(c);
        check_cert(c);
        check_alpn(c);
        if (touches(c, sides))
            conf_check_side(c->build, c->place, &c->route->side, "upstream_");
    }
    check_needs(c);
}

void
conf_check_routes(struct conf_build *build, size_t service)
{
    struct check c = { .build = build,
                       .service = &build->conf->service[service],
                       .home = &build->service[service] };
    size_t i;

    for (i = 0; i < c.service->route_count; i++) {
        c.route = &c.service->route[i];
        c.place = i == 0 ? c.home : &build->route[service].item[i];
        (void)snprintf(c.title, sizeof(c.title), "[%s %s]",
                       i == 0 ? "service" : "route",
                       i == 0 ? c.service->name : c.route->name);
        if (i > 0)
            check_route(&c);
        check_one(&c);
    }
}
