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
    struct conf_place *service; /* beside conf->service */
    size_t problem_count;
    struct conf_problem *problem;
    bool nameless; /* a section's header is bad: one may be missing for it */
};

/* conf_tell - something is wrong at file and line */
void conf_tell(struct conf_build *build, size_t file, unsigned line,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* conf_line - the line of a key of place, its section's when it has none */
unsigned conf_line(const struct conf_place *place, const char *key);

/* conf_take - sections and keys of all files become fields: conf_take.c */
void conf_take(struct conf_build *build);

/* conf_check - what no single value can tell: conf_check.c */
void conf_check(struct conf_build *build);
#endif
