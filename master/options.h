/* options.h - the command line */
#ifndef MASTER_OPTIONS_H
#define MASTER_OPTIONS_H
#include <stdbool.h>

enum options_mode {
    OPTIONS_RUN,
    OPTIONS_INETD,   /* -i */
    OPTIONS_CONNECT, /* -c */
    OPTIONS_TEST,    /* -t */
    OPTIONS_PRINT,   /* -T */
    OPTIONS_VERSION, /* -V */
    OPTIONS_HELP,    /* -h */
};

struct options {
    enum options_mode mode;
    bool background;      /* -d */
    const char *path;     /* -f, else the built-in default */
    const char *service;  /* -s; NULL but with -i and -c */
    char *const *program; /* what stands behind --, -i only; else NULL */
};

/* options_parse - false: wrong usage; one sentence went to standard error */
bool options_parse(int argc, char **argv, struct options *out);
/* options_wrong - say what is wrong, and the synopsis; returns false */
bool options_wrong(const char *what);
/* options_usage - the synopsis, for -h and for errors */
const char *options_usage(void);
#endif
