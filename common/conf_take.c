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

static void
set_defaults(enum conf_section section, const char *dir, void *base)
{
    const struct conf_key *key;
    struct why why;

    for (key = conf_keys; key->name != NULL; key++)
        if (key->section == section && key->preset != NULL &&
            conf_value_set(key, key->preset, false, dir, NULL, base, &why) !=
                ERR_OK)
            abort(); /* the table is wrong, and test_conf says so */
}

static void
unknown_key(struct conf_build *build, const struct conf_place *place,
            enum conf_section section, const struct scan_entry *entry)
{
    enum conf_section other =
        section == CONF_IN_MTLSD ? CONF_IN_SERVICE : CONF_IN_MTLSD;
    const char *near = conf_key_nearest(section, entry->key);
    const char *before = "", *behind = "";

    if (conf_key_find(other, entry->key) != NULL) {
        before = "; it belongs into ";
        near = other == CONF_IN_MTLSD ? "[mtlsd]" : "[service NAME]";
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
set_key(struct conf_build *build, const struct conf_place *place,
        enum conf_section section, const struct scan_entry *entry, void *base)
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
    if (entry->value == NULL)
        return; /* the scanner has said why */
    if (conf_value_set(key, entry->value, entry->quoted, build->conf->dir,
                       &build->conf->files, base, &why) == ERR_OK)
        return;
    (void)text_escape(entry->value, strlen(entry->value), shown, sizeof(shown));
    conf_tell(build, place->file, entry->line, "%s \"%s\": %s", entry->key,
              shown, why.text);
}

static void
set_keys(struct conf_build *build, const struct conf_place *place,
         enum conf_section section, void *base)
{
    size_t i;

    for (i = 0; i < place->section->count; i++)
        set_key(build, place, section, &place->section->entry[i], base);
}

/* twice - the same section in two files */
static void
twice(struct conf_build *build, const struct conf_place *place,
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
        twice(build, place, &build->mtlsd);
    else
        build->mtlsd = *place;
    set_keys(build, place, CONF_IN_MTLSD, &build->conf->global);
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
    build->service[conf->service_count] = *place;
    service = &conf->service[conf->service_count++];
    memset(service, 0, sizeof(*service));
    (void)text_copy(service->name, place->section->name, sizeof(service->name));
    service->file = conf->files.item[place->file];
    service->line = place->section->line;
    set_defaults(CONF_IN_SERVICE, conf->dir, service);
    return service;
}

static void
take_service(struct conf_build *build, const struct conf_place *place)
{
    const char *name = place->section->name;
    size_t i;

    if (name[0] == '\0') {
        conf_tell(build, place->file, place->section->line,
                  "[service] needs a name: [service NAME]");
        build->nameless = true;
        return;
    }
    for (i = 0; build->service != NULL && i < build->conf->service_count; i++)
        if (strcasecmp(build->conf->service[i].name, name) == 0)
            twice(build, place, &build->service[i]);
    set_keys(build, place, CONF_IN_SERVICE, add_service(build, place));
}

static void
take_section(struct conf_build *build, const struct conf_place *place)
{
    static const char *const kinds[] = { "mtlsd", "service", NULL };
    const char *kind = place->section->kind, *near;

    if (kind[0] == '\0') {
        build->nameless = true;
    } else if (strcmp(kind, "mtlsd") == 0) {
        take_mtlsd(build, place);
    } else if (strcmp(kind, "service") == 0) {
        take_service(build, place);
    } else {
        near = text_nearest(kind, kinds);
        conf_tell(build, place->file, place->section->line,
                  "unknown kind of section \"%s\"; allowed are [mtlsd] and "
                  "[service NAME]%s%s%s",
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

    set_defaults(CONF_IN_MTLSD, build->conf->dir, &build->conf->global);
    for (place.file = 0; place.file < build->file_count; place.file++)
        for (i = 0; i < build->file[place.file].scan.count; i++) {
            place.section = &build->file[place.file].scan.section[i];
            take_section(build, &place);
        }
}
