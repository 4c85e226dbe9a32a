/*
 * conf.c - read the configuration's files into a struct conf
 *
 * Owns the order: read, scan, compare with iniparser, include, convert, check,
 * sort the errors. Each file is read once. Never logs, never exits, opens no
 * key and no certificate.
 */
#include "common/conf.h"
#include "common/conf_build.h"
#include "common/conf_ini.h"
#include "common/conf_value.h"
#include "common/mem.h"
#include <glob.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
conf_tell(struct conf_build *build, size_t file, unsigned line,
          const char *format, ...)
{
    struct conf_problem *problem;
    struct why why;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why.text, sizeof(why.text), format, args);
    va_end(args);
    build->problem = mem_array(build->problem, build->problem_count + 1,
                               sizeof(*build->problem));
    problem = &build->problem[build->problem_count];
    problem->file = file;
    problem->line = line;
    problem->order = build->problem_count++;
    problem->text = mem_copy(why.text);
}

unsigned
conf_line(const struct conf_place *place, const char *key)
{
    const struct scan_entry *entry = scan_find(place->section, key);

    return entry != NULL ? entry->line : place->section->line;
}

bool
conf_given(const struct conf_place *place, const char *key)
{
    return scan_find(place->section, key) != NULL;
}

bool
conf_unsound(const struct conf_build *build, const struct conf_place *place,
             const char *key)
{
    const struct scan_entry *entry = scan_find(place->section, key);
    size_t i;

    for (i = 0; entry != NULL && i < build->bad_count; i++)
        if (build->bad[i] == entry)
            return true;
    return false;
}

void
conf_place_add(struct conf_places *places, const struct conf_place *place)
{
    places->item =
        mem_array(places->item, places->count + 1, sizeof(*places->item));
    places->item[places->count++] = *place;
}

/* ---- files ---- */

/* check_file - scan what was read, and let iniparser read it too */
static void
check_file(struct conf_build *build, size_t at, const char *text, size_t len)
{
    struct scan *scan = &build->file[at].scan;
    struct why why;
    unsigned line;
    size_t i;

    scan_run(text, len, scan);
    for (i = 0; i < scan->error_count; i++)
        conf_tell(build, at, scan->error[i].line, "%s", scan->error[i].text);
    if (scan->error_count == 0 && conf_ini_check(scan, &line, &why) != ERR_OK)
        conf_tell(build, at, line, "%s", why.text);
}

/* read_file - one more file; path is absolute. ERR_FILE: why. */
static enum err
read_file(struct conf_build *build, const char *path, const char *shown,
          struct why *why)
{
    enum err code;
    char *text;
    size_t len;

    if ((code = conf_read_file(path, &text, &len, why)) != ERR_OK)
        return code;
    build->file =
        mem_array(build->file, build->file_count + 1, sizeof(*build->file));
    build->file[build->file_count].shown = mem_copy(shown);
    conf_list_add(&build->conf->files, path);
    check_file(build, build->file_count++, text, len);
    free(text);
    return ERR_OK;
}

/* include_one - a pattern and all that it matches, sorted. A pattern may match
 * nothing; a plain name must be there. */
static void
include_one(struct conf_build *build, const char *pattern, unsigned line)
{
    char *path = conf_path(pattern, build->conf->dir);
    struct why why;
    glob_t found;
    size_t i;
    int flags = strpbrk(pattern, "*?[") == NULL ? GLOB_NOCHECK : 0;
    int rc = glob(path, flags | GLOB_ERR, NULL, &found);

    if (rc != 0 && rc != GLOB_NOMATCH)
        conf_tell(build, 0, line, "include: cannot read the directory of %s",
                  path);
    for (i = 0; rc == 0 && i < found.gl_pathc; i++)
        if (read_file(build, found.gl_pathv[i], found.gl_pathv[i], &why) !=
            ERR_OK)
            conf_tell(build, 0, line, "include: %s %s", found.gl_pathv[i],
                      why.text);
    if (rc == 0)
        globfree(&found);
    free(path);
}

static const struct scan_entry *
find_include(const struct scan_section *section)
{
    return strcmp(section->kind, "mtlsd") == 0 ? scan_find(section, "include")
                                               : NULL;
}

static void
read_includes(struct conf_build *build)
{
    const struct scan_entry *entry = NULL;
    struct conf_list list = { 0, NULL }, lists = { 0, NULL };
    struct why why;
    size_t i;

    for (i = 0; i < build->file[0].scan.count && entry == NULL; i++)
        entry = find_include(&build->file[0].scan.section[i]);
    if (entry == NULL || entry->value == NULL)
        return;
    if (conf_split(entry->value, entry->quoted, build->conf->dir, &lists, &list,
                   &why) != ERR_OK)
        conf_tell(build, 0, entry->line, "include: %s", why.text);
    for (i = 0; i < list.count; i++)
        include_one(build, list.item[i], entry->line);
    /* behind the includes: a file's number is the same in both tables */
    for (i = 0; i < lists.count; i++)
        conf_list_add(&build->conf->files, lists.item[i]);
    conf_list_free(&lists);
    conf_list_free(&list);
}

/* ---- the whole ---- */

/* find_home - path made absolute, and its directory */
static enum err
find_home(struct conf *conf, const char *path, struct why *why)
{
    char *cwd = path[0] == '/' ? mem_copy("/") : getcwd(NULL, 0);
    const char *at;

    if (cwd == NULL)
        return why_errno(why, ERR_FILE, "the working directory");
    conf->path = conf_path(path, cwd);
    free(cwd);
    conf->dir = mem_copy(conf->path);
    *(strrchr(conf->dir, '/') + (strrchr(conf->dir, '/') == conf->dir)) = '\0';
    for (at = conf->dir; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || strchr("\"\\\x7f", *at) != NULL)
            return why_set(why, ERR_FILE,
                           "the name of the configuration's directory holds a "
                           "control byte, a double quote or a backslash");
    return ERR_OK;
}

static int
by_place(const void *a, const void *b)
{
    const struct conf_problem *one = a, *two = b;

    if (one->file != two->file)
        return one->file < two->file ? -1 : 1;
    if (one->line != two->line)
        return one->line < two->line ? -1 : 1;
    return one->order < two->order ? -1 : 1;
}

/* hand_over - problems become the caller's errors, in file order */
static void
hand_over(struct conf_build *build, const char *path,
          struct conf_errors *errors)
{
    const struct conf_problem *problem;
    const char *shown;
    char place[16];
    size_t i, room;

    errors->count = build->problem_count;
    errors->text = NULL;
    if (errors->count == 0)
        return;
    qsort(build->problem, build->problem_count, sizeof(*build->problem),
          by_place);
    errors->text = mem_array(NULL, errors->count, sizeof(*errors->text));
    for (i = 0; i < build->problem_count; i++) {
        problem = &build->problem[i];
        shown = build->file_count > 0 ? build->file[problem->file].shown : path;
        place[0] = '\0';
        if (problem->line > 0)
            (void)snprintf(place, sizeof(place), ":%u", problem->line);
        room = strlen(shown) + strlen(place) + strlen(problem->text) + 3;
        errors->text[i] = mem_new(room);
        (void)snprintf(errors->text[i], room, "%s%s: %s", shown, place,
                       problem->text);
    }
}

static void
build_free(struct conf_build *build)
{
    size_t i;

    for (i = 0; i < build->file_count; i++) {
        scan_free(&build->file[i].scan);
        free(build->file[i].shown);
    }
    for (i = 0; i < build->problem_count; i++)
        free(build->problem[i].text);
    free(build->file);
    free(build->problem);
    for (i = 0; i < build->service_count; i++)
        free(build->route[i].item);
    free(build->pending.item);
    free(build->bad);
    free(build->route);
    free(build->service);
}

/* load - all services, or with `only` that one, and a program for it or none */
static enum err
load(const char *path, const char *only, char *const *program,
     struct conf **out, struct conf_errors *errors)
{
    struct conf_build build = { .conf = mem_new(sizeof(struct conf)),
                                .handed = only != NULL };
    struct why why;

    *out = NULL;
    if (find_home(build.conf, path, &why) != ERR_OK ||
        read_file(&build, build.conf->path, path, &why) != ERR_OK) {
        conf_tell(&build, 0, 0, "%s", why.text);
    } else {
        read_includes(&build);
        conf_take(&build);
        if (program != NULL)
            conf_program(&build, only, program);
        conf_check(&build);
        conf_routes_finish(build.conf);
    }
    build.service_count = build.conf->service_count;
    if (build.problem_count == 0 && only != NULL &&
        !conf_only(build.conf, only))
        conf_tell(&build, 0, 0, "there is no [service %s]", only);
    hand_over(&build, path, errors);
    build_free(&build);
    if (errors->count > 0) {
        conf_free(build.conf);
        return ERR_CONF;
    }
    *out = build.conf;
    return ERR_OK;
}

enum err
conf_load(const char *path, struct conf **out, struct conf_errors *errors)
{
    return load(path, NULL, NULL, out, errors);
}

enum err
conf_load_only(const char *path, const char *service, char *const *program,
               struct conf **out, struct conf_errors *errors)
{
    return load(path, service, program, out, errors);
}

/* free_keys - the fields of all rows of a section */
static void
free_keys(enum conf_section section, void *base)
{
    const struct conf_key *key;

    for (key = conf_keys; key->name != NULL; key++)
        if (key->section == section)
            conf_value_free(key, base);
}

void
conf_service_free(struct conf_service *service)
{
    size_t i;

    free_keys(CONF_IN_SERVICE, service);
    for (i = 0; i < service->route_count; i++)
        conf_route_free(&service->route[i]);
    free(service->route);
}

void
conf_free(struct conf *conf)
{
    size_t i;

    if (conf == NULL)
        return;
    free_keys(CONF_IN_MTLSD, &conf->global);
    for (i = 0; i < conf->service_count; i++)
        conf_service_free(&conf->service[i]);
    conf_list_free(&conf->files);
    free(conf->service);
    free(conf->path);
    free(conf->dir);
    free(conf);
}

void
conf_errors_free(struct conf_errors *errors)
{
    size_t i;

    for (i = 0; i < errors->count; i++)
        free(errors->text[i]);
    free(errors->text);
    errors->text = NULL;
    errors->count = 0;
}

const char *
conf_command(const struct conf_service *service)
{
    const struct conf_addrs *own = &service->route[0].upstream;

    return own->count > 0 ? addr_command(&own->item[0]) : NULL;
}

const struct conf_service *
conf_service_find(const struct conf *conf, const char *name)
{
    size_t i;

    for (i = 0; i < conf->service_count; i++)
        if (strcmp(conf->service[i].name, name) == 0)
            return &conf->service[i];
    return NULL;
}
