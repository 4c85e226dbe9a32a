/* scan.h - the strict reading of a configuration file's bytes; pure */
#ifndef COMMON_SCAN_H
#define COMMON_SCAN_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>

#define SCAN_LINE_MAX   1000 /* bytes of a line, without its newline */
#define SCAN_NAME_MAX   32   /* of a section's kind, and of its name */
#define SCAN_KEY_MAX    64   /* of a key */
#define SCAN_ERRORS_MAX 100  /* then the scanner gives up on the file */

struct scan_entry {
    char *key;
    char *value; /* without comment and outer quotes; NULL: the line is bad */
    bool quoted; /* one pair of double quotes stood around all of it */
    unsigned line;
};

struct scan_section {
    char kind[SCAN_NAME_MAX + 1]; /* "": the header is bad */
    char name[SCAN_NAME_MAX + 1]; /* "": the kind stands alone */
    unsigned line;
    size_t count;
    struct scan_entry *entry;
};

struct scan_error {
    unsigned line;
    char *text; /* a sentence without file and line */
};

struct scan {
    size_t count;
    struct scan_section *section;
    size_t error_count; /* at most one for each line, in file order */
    struct scan_error *error;
    char *copy; /* the file again, cleaned: the same lines, for iniparser, with
                 * [kind/name] for [kind name]; only worth reading when there
                 * is no error */
    size_t copy_len;
};

/*
 * scan_run - read a file's bytes
 * Never fails and does no I/O: what is wrong stands in out->error. The caller
 * frees with scan_free. Keys are unique in a section and sections in the file,
 * whatever their case; kinds and keys are not judged here.
 */
void scan_run(const void *bytes, size_t len, struct scan *out);
void scan_free(struct scan *scan);

/* scan_find - a key of a section, NULL when it does not stand there */
const struct scan_entry *scan_find(const struct scan_section *section,
                                   const char *key);

/*
 * scan_quote - value as it must be written so that scan_run and iniparser 4.1
 * and 4.2 read it back the same; quoted asks for double quotes around it.
 * out holds size bytes, strlen(value) + 3 are enough. ERR_FORMAT: no way to
 * write it; ERR_RANGE: no room.
 */
enum err scan_quote(const char *value, bool quoted, char *out, size_t size);
#endif
