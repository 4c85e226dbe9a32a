/*
 * conf_route.c - [route NAME]: whose it is, and what it takes over
 *
 * Owns the way from a route's section to its place in its service. A route is
 * a copy of its service's own words, with what it says itself laid over them.
 */
#include "common/conf_build.h"
#include "common/conf_value.h"
#include "common/mem.h"
#include "common/text.h"
#include <stdlib.h>
#include <string.h>

/* its own words included: keepers know a route's key by 8 bits (keywire.h) */
#define ROUTES_MAX 256

/* in_route - is the field of key in a struct conf_route? */
static bool
in_route(const struct conf_key *key)
{
    return key->section == CONF_IN_BOTH || key->section == CONF_IN_ROUTE;
}

void
conf_route_free(struct conf_route *route)
{
    const struct conf_key *key;

    for (key = conf_keys; key->name != NULL; key++)
        if (in_route(key))
            conf_value_free(key, route);
}

static bool
is_tls(const struct conf_route *route)
{
    size_t i;

    for (i = 0; i < route->upstream.count; i++)
        if (route->upstream.item[i].tls)
            return true;
    return false;
}

/* no_service - say so, with the nearest there is */
static void
no_service(struct conf_build *build, const struct conf_place *place,
           const struct scan_entry *entry)
{
    const struct conf *conf = build->conf;
    const char **names =
        mem_array(NULL, conf->service_count + 1, sizeof(*names));
    const char *near;
    char shown[100];
    size_t i;

    for (i = 0; i < conf->service_count; i++)
        names[i] = conf->service[i].name;
    names[i] = NULL;
    near = text_nearest(entry->value, names);
    (void)text_escape(entry->value, strlen(entry->value), shown, sizeof(shown));
    conf_tell(build, place->file, entry->line,
              "service \"%s\": there is no [service %s]%s%s%s", shown, shown,
              near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
              near != NULL ? "\"?" : "");
    free(names);
}

/* find_service - whose route stands at place? Its number, or the count of all
 * services: it is told. */
static size_t
find_service(struct conf_build *build, const struct conf_place *place)
{
    const struct scan_entry *entry = scan_find(place->section, "service");
    const struct conf *conf = build->conf;
    size_t i;

    if (entry == NULL)
        conf_tell(build, place->file, place->section->line,
                  "[route %s] needs service", place->section->name);
    if (entry == NULL || entry->value == NULL)
        return conf->service_count;
    for (i = 0; i < conf->service_count; i++)
        if (strcmp(conf->service[i].name, entry->value) == 0)
            return i;
    if (!build->nameless)
        no_service(build, place, entry);
    return conf->service_count;
}

/* inherit - a route that says what its service's own words say */
static void
inherit(const struct conf_route *from, struct conf_route *to)
{
    const struct conf_key *key;

    for (key = conf_keys; key->name != NULL; key++)
        if (key->section == CONF_IN_BOTH)
            conf_value_copy(key, from, to);
}

/* take_orphan - a route of no service: what it says is judged all the same */
static void
take_orphan(struct conf_build *build, const struct conf_place *place)
{
    struct conf_route route = { .file = NULL };

    conf_set_keys(build, place, CONF_IN_ROUTE, NULL, &route);
    conf_route_free(&route);
}

static void
take_route(struct conf_build *build, const struct conf_place *place)
{
    size_t at = find_service(build, place);
    struct conf_service *service;
    struct conf_route *route;

    if (at == build->conf->service_count) {
        take_orphan(build, place);
        return;
    }
    service = &build->conf->service[at];
    if (service->route_count == ROUTES_MAX) {
        conf_tell(build, place->file, place->section->line,
                  "[service %s] has more than %d routes", service->name,
                  ROUTES_MAX - 1);
        take_orphan(build, place);
        return;
    }
    service->route = mem_array(service->route, service->route_count + 1,
                               sizeof(*service->route));
    route = &service->route[service->route_count++];
    memset(route, 0, sizeof(*route));
    (void)text_copy(route->name, place->section->name, sizeof(route->name));
    route->file = build->conf->files.item[place->file];
    route->line = place->section->line;
    inherit(&service->route[0], route);
    conf_set_keys(build, place, CONF_IN_ROUTE, NULL, route);
    conf_headers_inherit(&service->route[0], route);
    conf_place_add(&build->route[at], place);
}

void
conf_routes_take(struct conf_build *build)
{
    struct conf_service *service = build->conf->service;
    size_t i, k;

    for (i = 0; i < build->pending.count; i++)
        take_route(build, &build->pending.item[i]);
    for (i = 0; i < build->conf->service_count; i++)
        for (k = 0; k < service[i].route_count; k++)
            service[i].route[k].tls = is_tls(&service[i].route[k]);
}

/* sort - longest path first, of two alike the first in the files first */
static void
sort(struct conf_service *service)
{
    struct conf_route moved, *route = service->route;
    size_t i, k;

    for (i = 2; i < service->route_count; i++) {
        moved = route[i];
        for (k = i; k > 1 && route[k - 1].path != NULL && moved.path != NULL &&
                    strlen(route[k - 1].path) < strlen(moved.path);
             k--)
            route[k] = route[k - 1];
        route[k] = moved;
    }
}

/* prune - a route without TLS to its upstream names no file for it, although
 * its service may have, for other routes */
static void
prune(struct conf_route *route)
{
    const struct conf_key *key;

    for (key = conf_keys; key->name != NULL && !route->tls; key++)
        if (key->need == CONF_NEED_UPSTREAM_TLS && key->preset == NULL)
            conf_value_free(key, route);
}

void
conf_routes_finish(struct conf *conf)
{
    size_t i, k;

    for (i = 0; i < conf->service_count; i++) {
        sort(&conf->service[i]);
        for (k = 0; k < conf->service[i].route_count; k++)
            prune(&conf->service[i].route[k]);
    }
}
