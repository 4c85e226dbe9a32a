/*
 * conf_take.c - from what was scanned to fields
 *
 * Owns which kinds of sections there are, and what is said of unknown ones and
 * of unknown keys. Reads no file but the lists that a value names.
 */
#include "common/conf_build.h"
#include "common/conf_value.h"
#include "common/mem.h"
#include "common/text.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
conf_set_defaults(enum conf_section rows, const char *dir, void *base)
{
    const struct conf_key *key;
    struct why why;

    for (key = conf_keys; key->name != NULL; key++)
        if (key->section == rows && key->preset != NULL &&
            conf_value_set(key, key->preset, false, dir, NULL, base, &why) !=
                ERR_OK)
            abort(); /* the table is wrong, and test_conf says so */
}

/* elsewhere - the section where key would be known, NULL: nowhere */
static const char *
elsewhere(const char *key)
{
    if (conf_key_find(CONF_IN_MTLSD, key) != NULL)
        return "[mtlsd]";
    if (conf_key_find(CONF_IN_SERVICE, key) != NULL)
        return "[service NAME]";
    return conf_key_find(CONF_IN_ROUTE, key) != NULL ? "[route NAME]" : NULL;
}

static void
unknown_key(struct conf_build *build, const struct conf_place *place,
            enum conf_section section, const struct scan_entry *entry)
{
    const char *near = conf_key_nearest(section, entry->key);
    const char *before = "", *behind = "", *other = elsewhere(entry->key);

    if (other != NULL) {
        before = "; it belongs into ";
        near = other;
    } else if (near != NULL) {
        before = "; did you mean \"";
        behind = "\"?";
    }
    conf_tell(build, place->file, entry->line,
              "unknown key \"%s\" in [%s%s%s]%s%s%s", entry->key,
              place->section->kind, place->section->name[0] != '\0' ? " " : "",
              place->section->name, before, near != NULL ? near : "", behind);
}

static void
mark_bad(struct conf_build *build, const struct scan_entry *entry)
{
    build->bad =
        mem_array(build->bad, build->bad_count + 1, sizeof(*build->bad));
    build->bad[build->bad_count++] = entry;
}

/* convert - a value into its field */
static enum err
convert(struct conf_build *build, const struct conf_key *key,
        const struct scan_entry *entry, void *base, void *route,
        struct why *why)
{
    bool in_route =
        key->section == CONF_IN_BOTH || key->section == CONF_IN_ROUTE;

    if (key->type == CONF_T_HEADER)
        return conf_header_set(entry->key + strlen(CONF_HEADER_PREFIX),
                               entry->value, route, why);
    return conf_value_set(key, entry->value, entry->quoted, build->conf->dir,
                          &build->conf->files, in_route ? route : base, why);
}

static void
set_key(struct conf_build *build, const struct conf_place *place,
        enum conf_section section, const struct scan_entry *entry, void *base,
        void *route)
{
    const struct conf_key *key = conf_key_find(section, entry->key);
    struct why why;
    char shown[100];

    if (key == NULL) {
        unknown_key(build, place, section, entry);
        return;
    }
    if (key->type == CONF_T_INCLUDE && place->file > 0)
        conf_tell(build, place->file, entry->line,
                  "include: an included file cannot include another");
    if (entry->value != NULL &&
        convert(build, key, entry, base, route, &why) == ERR_OK)
        return;
    mark_bad(build, entry);
    if (entry->value == NULL)
        return; /* the scanner has said why */
    (void)text_escape(entry->value, strlen(entry->value), shown, sizeof(shown));
    conf_tell(build, place->file, entry->line, "%s \"%s\": %s", entry->key,
              shown, why.text);
}

void
conf_set_keys(struct conf_build *build, const struct conf_place *place,
              enum conf_section section, void *base, void *route)
{
    size_t i;

    for (i = 0; i < place->section->count; i++)
        set_key(build, place, section, &place->section->entry[i], base, route);
}

void
conf_twice(struct conf_build *build, const struct conf_place *place,
           const struct conf_place *first)
{
    conf_tell(build, place->file, place->section->line,
              "[%s%s%s]: stands twice, first in %s:%u", place->section->kind,
              place->section->name[0] != '\0' ? " " : "", place->section->name,
              build->file[first->file].shown, first->section->line);
}

static void
take_mtlsd(struct conf_build *build, const struct conf_place *place)
{
    if (place->section->name[0] != '\0')
        conf_tell(build, place->file, place->section->line,
                  "[mtlsd] takes no name");
    if (build->mtlsd.section != NULL)
        conf_twice(build, place, &build->mtlsd);
    else
        build->mtlsd = *place;
    conf_set_keys(build, place, CONF_IN_MTLSD, &build->conf->global, NULL);
}

static struct conf_service *
add_service(struct conf_build *build, const struct conf_place *place)
{
    struct conf *conf = build->conf;
    struct conf_service *service;

    conf->service = mem_array(conf->service, conf->service_count + 1,
                              sizeof(*conf->service));
    build->service = mem_array(build->service, conf->service_count + 1,
                               sizeof(*build->service));
    build->route =
        mem_array(build->route, conf->service_count + 1, sizeof(*build->route));
    build->service[conf->service_count] = *place;
    build->route[conf->service_count] = (struct conf_places){ 0, NULL };
    conf_place_add(&build->route[conf->service_count], place);
    service = &conf->service[conf->service_count++];
    memset(service, 0, sizeof(*service));
    (void)text_copy(service->name, place->section->name, sizeof(service->name));
    service->file = conf->files.item[place->file];
    service->line = place->section->line;
    conf_set_defaults(CONF_IN_SERVICE, conf->dir, service);
    service->route_count = 1;
    service->route = mem_new(sizeof(*service->route));
    service->route->file = service->file;
    service->route->line = service->line;
    conf_set_defaults(CONF_IN_BOTH, conf->dir, service->route);
    return service;
}

static void
take_service(struct conf_build *build, const struct conf_place *place)
{
    const char *name = place->section->name;
    struct conf_service *service;
    size_t i;

    if (name[0] == '\0') {
        conf_tell(build, place->file, place->section->line,
                  "[service] needs a name: [service NAME]");
        build->nameless = true;
        return;
    }
    for (i = 0; build->service != NULL && i < build->conf->service_count; i++)
        if (strcasecmp(build->conf->service[i].name, name) == 0)
            conf_twice(build, place, &build->service[i]);
    service = add_service(build, place);
    conf_set_keys(build, place, CONF_IN_SERVICE, service, service->route);
}

/* take_route - kept until the last service is known */
static void
take_route(struct conf_build *build, const struct conf_place *place)
{
    const struct conf_places *known = &build->pending;
    const char *name = place->section->name;
    size_t i;

    if (name[0] == '\0') {
        conf_tell(build, place->file, place->section->line,
                  "[route] needs a name: [route NAME]");
        return;
    }
    for (i = 0; i < known->count; i++)
        if (strcasecmp(known->item[i].section->name, name) == 0)
            conf_twice(build, place, &known->item[i]);
    conf_place_add(&build->pending, place);
}

static void
take_section(struct conf_build *build, const struct conf_place *place)
{
    static const char *const kinds[] = { "mtlsd", "service", "route", NULL };
    const char *kind = place->section->kind, *near;

    if (kind[0] == '\0') {
        build->nameless = true;
    } else if (strcmp(kind, "mtlsd") == 0) {
        take_mtlsd(build, place);
    } else if (strcmp(kind, "service") == 0) {
        take_service(build, place);
    } else if (strcmp(kind, "route") == 0) {
        take_route(build, place);
    } else {
        near = text_nearest(kind, kinds);
        conf_tell(build, place->file, place->section->line,
                  "unknown kind of section \"%s\"; allowed are [mtlsd], "
                  "[service NAME] and [route NAME]%s%s%s",
                  kind, near != NULL ? "; did you mean \"" : "",
                  near != NULL ? near : "", near != NULL ? "\"?" : "");
        build->nameless = build->nameless || near != NULL;
    }
}

void
conf_take(struct conf_build *build)
{
    struct conf_place place;
    size_t i;

    conf_set_defaults(CONF_IN_MTLSD, build->conf->dir, &build->conf->global);
    for (place.file = 0; place.file < build->file_count; place.file++)
        for (i = 0; i < build->file[place.file].scan.count; i++) {
            place.section = &build->file[place.file].scan.section[i];
            take_section(build, &place);
        }
    conf_routes_take(build);
}
