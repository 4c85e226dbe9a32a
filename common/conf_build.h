/* conf_build.h - a configuration while it is being read; common/conf*.c only */
#ifndef COMMON_CONF_BUILD_H
#define COMMON_CONF_BUILD_H
#include "common/conf.h"
#include "common/conf_keys.h"
#include "common/scan.h"

struct conf_file {
    char *shown; /* as errors name it */
    struct scan scan;
};

/* where a section stands; borrowed from a conf_file */
struct conf_place {
    size_t file;
    const struct scan_section *section; /* NULL: it does not stand anywhere */
};

/* where the routes of a service stand, beside conf_service.route; [0] is the
 * service's own place */
struct conf_places {
    size_t count;
    struct conf_place *item;
};

struct conf_problem {
    size_t file;
    unsigned line; /* 0: the file as a whole */
    size_t order;  /* of telling */
    char *text;
};

struct conf_build {
    struct conf *conf;
    size_t file_count; /* the configuration first, then what it includes */
    struct conf_file *file;
    struct conf_place mtlsd;
    size_t service_count;       /* of the two below, once all are read */
    struct conf_place *service; /* beside conf->service */
    struct conf_places *route;  /* beside conf->service, each a list */
    struct conf_places pending; /* [route NAME]s, until all services are read */
    size_t bad_count;           /* keys that have no good value: */
    const struct scan_entry **bad; /* nothing else is told of them */
    size_t problem_count;
    struct conf_problem *problem;
    bool handed;   /* clients come from elsewhere: nobody needs a listen */
    bool nameless; /* a section's header is bad: one may be missing for it */
};

/* conf_tell - something is wrong at file and line */
void conf_tell(struct conf_build *build, size_t file, unsigned line,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* conf_line - the line of a key of place, its section's when it has none */
unsigned conf_line(const struct conf_place *place, const char *key);

/* conf_given - does the key stand in that section? */
bool conf_given(const struct conf_place *place, const char *key);

/* conf_unsound - it does, but its value was refused */
bool conf_unsound(const struct conf_build *build,
                  const struct conf_place *place, const char *key);

/* conf_place_add - place at the end of the list */
void conf_place_add(struct conf_places *places, const struct conf_place *place);

/* conf_only - all services but the named one are given up, and its listen:
 * conf_only.c. false: there is none of that name. conf_service_free is conf.c's */
bool conf_only(struct conf *conf, const char *name);

/* conf_program - the upstream of the named service, if there is one, is this
 * program whatever its section says: conf_only.c. Before the checks. */
void conf_program(struct conf_build *build, const char *name,
                  char *const *program);
void conf_service_free(struct conf_service *service);

/* conf_twice - the same section in two files: told when first is another */
void conf_twice(struct conf_build *build, const struct conf_place *place,
                const struct conf_place *first);

/* conf_set_defaults, conf_set_keys - of the rows whose field is in base, which
 * is a struct conf_route for all of CONF_IN_ROUTE and CONF_IN_BOTH: conf_take.c
 * conf_set_keys  what a section says; rows of another base are left alone */
void conf_set_defaults(enum conf_section rows, const char *dir, void *base);
void conf_set_keys(struct conf_build *build, const struct conf_place *place,
                   enum conf_section section, void *base, void *route);

/* conf_routes_take - the [route NAME]s find their services and take over what
 * they leave out; conf_routes_finish - longest paths first, and nothing of TLS
 * where there is none: conf_route.c */
void conf_routes_take(struct conf_build *build);
void conf_routes_finish(struct conf *conf);
void conf_route_free(struct conf_route *route);

/* conf_take - sections and keys of all files become fields: conf_take.c */
void conf_take(struct conf_build *build);

/* conf_check - what no single value can tell: conf_check.c
 * conf_check_listen, conf_check_routes - of one service */
void conf_check(struct conf_build *build);
void conf_check_listen(struct conf_build *build, size_t service);
void conf_check_routes(struct conf_build *build, size_t service);

/* conf_check_side - one side's keys against each other; prefix is "" or
 * "upstream_" */
void conf_check_side(struct conf_build *build, const struct conf_place *place,
                     const struct conf_tls *side, const char *prefix);

/* conf_plaintext_refused - unsafe_plaintext is missing in the service's section
 * or says no; a value that is neither was complained about already */
bool conf_plaintext_refused(const struct conf_place *service);
#endif
