/*
 * options.c - the command line
 *
 * Owns getopt(3). Never opens anything.
 */
#include "master/options.h"
#include "master/complain.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef MTLSD_SYSCONFDIR
#define MTLSD_SYSCONFDIR "/etc"
#endif

const char *
options_usage(void)
{
    return "usage: mtlsd [-d] [-f FILE]     run; -d: in the background\n"
           "       mtlsd -i -s SERVICE [-f FILE] [-- PROGRAM [ARGUMENT ...]]\n"
           "                                serve what inetd hands over\n"
           "       mtlsd -c -s SERVICE [-f FILE]\n"
           "                                connect standard input and output\n"
           "       mtlsd -t [-f FILE]       test configuration and files\n"
           "       mtlsd -T [-f FILE]       print the effective configuration\n"
           "       mtlsd -V                 versions and kernel features\n"
           "       mtlsd -h                 this text";
}

bool
options_wrong(const char *what)
{
    complain("mtlsd: %s\n%s", what, options_usage());
    return false;
}

/* set_mode - one of -i -c -t -T -V -h; two different ones do not go together */
static bool
set_mode(struct options *out, enum options_mode mode)
{
    if (out->mode != OPTIONS_RUN && out->mode != mode)
        return false;
    out->mode = mode;
    return true;
}

/* take - one option; false: it is not one, or does not go with the others */
static bool
take(struct options *out, int opt)
{
    switch (opt) {
    case 'd':
        out->background = true;
        return true;
    case 'f':
        out->path = optarg;
        return *optarg != '\0';
    case 's':
        out->service = optarg;
        return *optarg != '\0';
    case 'i':
        return set_mode(out, OPTIONS_INETD);
    case 'c':
        return set_mode(out, OPTIONS_CONNECT);
    case 't':
        return set_mode(out, OPTIONS_TEST);
    case 'T':
        return set_mode(out, OPTIONS_PRINT);
    case 'V':
        return set_mode(out, OPTIONS_VERSION);
    case 'h':
        return set_mode(out, OPTIONS_HELP);
    default:
        return false;
    }
}

/* fits - do the options go together? */
static bool
fits(const struct options *out)
{
    bool one = out->mode == OPTIONS_INETD || out->mode == OPTIONS_CONNECT;

    if (out->background && out->mode != OPTIONS_RUN)
        return options_wrong("-d goes with running alone");
    if (one && out->service == NULL)
        return options_wrong("-i and -c need -s SERVICE");
    if (!one && out->service != NULL)
        return options_wrong("-s goes with -i or -c");
    if (out->program != NULL && out->mode != OPTIONS_INETD)
        return options_wrong("a program goes with -i alone");
    if (out->program != NULL && **out->program != '/')
        return options_wrong("-- is for the absolute path of a program");
    return true;
}

/* rest - what is no option: nothing, or -- and a program */
static bool
rest(struct options *out, char **argv)
{
    bool marked = strcmp(argv[optind - 1], "--") == 0;

    if (argv[optind] == NULL)
        return !marked || options_wrong("-- is for a program");
    if (!marked)
        return options_wrong("there are arguments besides the options");
    out->program = &argv[optind];
    return true;
}

bool
options_parse(int argc, char **argv, struct options *out)
{
    char what[64];
    int opt;

    memset(out, 0, sizeof(*out));
    out->path = MTLSD_SYSCONFDIR "/mtlsd/mtlsd.conf";
    opterr = 0;
    while ((opt = getopt(argc, argv, "+:cdf:is:tTVh")) != -1) {
        if (opt == ':')
            return options_wrong(optopt == 's' ? "-s needs a service's name"
                                               : "-f needs a file name");
        if (take(out, opt))
            continue;
        snprintf(what, sizeof(what),
                 opt == '?' ? "unknown option -%c"
                            : "-%c does not go with that",
                 opt == '?' ? optopt : opt);
        return options_wrong(what);
    }
    return rest(out, argv) && fits(out);
}
