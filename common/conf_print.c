/*
 * conf_print.c - a configuration as text, and what differs between two
 *
 * Owns which lines stand in it. What it prints, conf_load reads to the same
 * configuration; two fields are equal when their texts are (conf_text.c).
 */
#include "common/conf.h"
#include "common/conf_keys.h"
#include "common/conf_value.h"
#include "common/mem.h"
#include "common/scan.h"
#include <stdlib.h>
#include <string.h>

/* reads_as - does the scanner take this line, and value from it? NULL: any */
static bool
reads_as(const char *line, const char *value)
{
    char *text = conf_printed("[x]\n%s\n", line);
    struct scan scan;
    bool good;

    scan_run(text, strlen(text), &scan);
    good =
        scan.error_count == 0 &&
        (value == NULL || strcmp(scan.section[0].entry[0].value, value) == 0);
    scan_free(&scan);
    free(text);
    return good;
}

/* print_key - a list that came from a file may be too long for a line, or hold
 * more kinds of quotes than one can: then as a comment */
static void
print_key(const struct conf_key *key, const void *base, FILE *out)
{
    char *text = conf_value_text(key, base), *line;

    if (text == NULL)
        return;
    line = conf_printed("%s = %s", key->name, text);
    (void)fprintf(
        out, "%s%s\n",
        reads_as(line, NULL) ? "" : "# needs a list file, see @FILE: ", line);
    free(line);
    free(text);
}

/* print_header - the first way of writing the value that reads back */
static void
print_header(const struct conf_header *header, FILE *out)
{
    static const char *const ways[] = { "", "\"", "'" };
    const char *value = header->value;
    size_t i, empty = value[0] == '\0' ? 1 : 0;
    char *line = NULL;

    for (i = empty; i < sizeof(ways) / sizeof(ways[0]); i++) {
        line = conf_printed(CONF_HEADER_PREFIX "%s = %s%s%s", header->name,
                            ways[i], value, ways[i]);
        if (reads_as(line, value))
            break;
        free(line);
        line = NULL;
    }
    if (line != NULL) /* always: it came from a line */
        (void)fprintf(out, "%s\n", line);
    free(line);
}

/* meant - is what the key needs there, for this service and route? */
static bool
meant(const struct conf_key *key, const struct conf_service *service,
      const struct conf_route *route)
{
    switch (key->need) {
    case CONF_NEED_TLS:
        return service->listen_tls;
    case CONF_NEED_HTTP:
        return service->protocol == CONF_PROTOCOL_HTTP;
    case CONF_NEED_UPSTREAM_TLS:
        return route->tls;
    case CONF_NEED_EXEC:
        return conf_command(service) != NULL;
    case CONF_NEED_NOTHING:
        break;
    }
    return true;
}

/* print_rows - the keys whose field is in base */
static void
print_rows(enum conf_section rows, const struct conf_service *service,
           const struct conf_route *route, FILE *out)
{
    const struct conf_key *key;
    const void *base = rows == CONF_IN_SERVICE ? (const void *)service : route;

    for (key = conf_keys; key->name != NULL; key++)
        if (key->section == rows && meant(key, service, route))
            print_key(key, base, out);
}

static void
print_route(const struct conf_service *service, const struct conf_route *route,
            FILE *out)
{
    size_t i;

    print_rows(CONF_IN_BOTH, service, route, out);
    for (i = 0; i < route->header_count; i++)
        print_header(&route->header[i], out);
}

static void
print_service(const struct conf_service *service, FILE *out)
{
    const struct conf_route *route = service->route;
    size_t i;

    (void)fprintf(out, "\n[service %s]\n", service->name);
    print_rows(CONF_IN_SERVICE, service, route, out);
    print_route(service, route, out);
    for (i = 1; i < service->route_count; i++) {
        route = &service->route[i];
        (void)fprintf(out, "\n[route %s]\nservice = %s\n", route->name,
                      service->name);
        print_rows(CONF_IN_ROUTE, service, route, out);
        print_route(service, route, out);
    }
}

void
conf_print(const struct conf *conf, FILE *out)
{
    const struct conf_key *key;
    size_t i;

    (void)fprintf(out, "[mtlsd]\n");
    for (key = conf_keys; key->name != NULL; key++)
        if (key->section == CONF_IN_MTLSD)
            print_key(key, &conf->global, out);
    for (i = 0; i < conf->service_count; i++)
        print_service(&conf->service[i], out);
}

/* ---- what differs ---- */

/* differ - is the field of key not the same in both? */
static bool
differ(const struct conf_key *key, const void *one, const void *two)
{
    char *a = conf_value_text(key, one), *b = conf_value_text(key, two);
    bool same = a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;

    free(a);
    free(b);
    return !same;
}

static void
tell_service(const struct conf_service *running,
             const struct conf_service *fresh,
             void (*tell)(void *ctx, const char *what), void *ctx)
{
    const struct conf_key *key;
    char what[128];

    for (key = conf_keys; key->name != NULL; key++) {
        if (key->section != CONF_IN_SERVICE || !key->fixed ||
            !differ(key, running, fresh))
            continue;
        (void)snprintf(what, sizeof(what), "%s of [service %s]", key->name,
                       running->name);
        tell(ctx, what);
    }
}

/* tell_missing - services of one that the other does not have */
static void
tell_missing(const struct conf *one, const struct conf *other, const char *how,
             void (*tell)(void *ctx, const char *what), void *ctx)
{
    char what[128];
    size_t i;

    for (i = 0; i < one->service_count; i++) {
        const char *name = one->service[i].name;

        if (conf_service_find(other, name) != NULL)
            continue;
        (void)snprintf(what, sizeof(what),
                       "listen of [service %s], which is %s", name, how);
        tell(ctx, what);
    }
}

void
conf_fixed_changes(const struct conf *running, const struct conf *fresh,
                   void (*tell)(void *ctx, const char *what), void *ctx)
{
    const struct conf_service *service;
    const struct conf_key *key;
    size_t i;

    for (key = conf_keys; key->name != NULL; key++)
        if (key->section == CONF_IN_MTLSD && key->fixed &&
            differ(key, &running->global, &fresh->global))
            tell(ctx, key->name);
    for (i = 0; i < running->service_count; i++) {
        service = conf_service_find(fresh, running->service[i].name);
        if (service != NULL)
            tell_service(&running->service[i], service, tell, ctx);
    }
    tell_missing(fresh, running, "new", tell, ctx);
    tell_missing(running, fresh, "gone", tell, ctx);
}
