/*
 * main.c - the modes of the program and its exit codes
 *
 * Owns the end of the process: nothing else in the master calls exit. The boot
 * order is boot.c's, the running loop loop.c's.
 */
#include "common/conf.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "master/check.h"
#include "master/complain.h"
#include "master/context.h"
#include "master/daemon.h"
#include "master/inetd.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/options.h"
#include "master/passed.h"
#include "master/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* say - an error that ends the start, to whoever started us */
static int
say(enum err err, const struct why *why)
{
    complain("mtlsd: %s", why->text);
    return err_exit(err);
}

/* say_boot - the same, and into a log that is somewhere else */
static int
say_boot(const struct conf *conf, enum err err, const struct why *why)
{
    if (log_fd() >= 0 && strcmp(conf->global.log, "stderr") != 0) {
        log_simple(LOG_L_ERROR, "start_failed", why->text);
        if (complain_muted())
            return err_exit(err); /* nobody else may be told any more */
    }
    return say(err, why);
}

/* load - every error of the configuration, one a line */
static struct conf *
load(const struct options *options)
{
    struct conf_errors errors = { 0 };
    struct conf *conf = NULL;
    enum err err;
    size_t i;

    err = options->service != NULL
              ? conf_load_only(options->path, options->service,
                               options->program, &conf, &errors)
              : conf_load(options->path, &conf, &errors);
    for (i = 0; err != ERR_OK && i < errors.count; i++)
        complain("%s", errors.text[i]);
    conf_errors_free(&errors);
    return conf;
}

static int
test(struct conf *conf)
{
    int code = check_files(conf);

    if (code == EXIT_OK)
        fprintf(stderr, "mtlsd: %s is valid\n", conf->path);
    return code;
}

/* run - boot, then the loop; answers a parent that waits (-d) */
static int
run(struct conf *conf, const struct inetd *inetd, int *answer_fd)
{
    struct master master;
    struct why why;
    enum err err = boot_up(&master, conf, inetd, &why);
    int code = err == ERR_OK ? EXIT_OK : say_boot(conf, err, &why);

    daemon_answer(answer_fd, code);
    return code == EXIT_OK ? loop_run(&master) : code;
}

static int
start(struct conf *conf, bool background)
{
    const struct inetd none = { .in = -1, .out = -1, .listen_fd = -1 };
    int answer_fd = -1;
    struct why why;
    enum err err = ERR_OK;

    if (background && strcmp(conf->global.log, "stderr") == 0)
        err = why_set(&why, ERR_CONF,
                      "-d has no standard error to log to: set log = syslog "
                      "or log = FILE");
    if (err == ERR_OK)
        err = passed_take(&why);
    if (err == ERR_OK)
        err = notify_open(&why);
    if (err == ERR_OK && background)
        err = daemon_fork(&answer_fd, &why);
    if (err == ERR_OK && chdir("/") != 0)
        err = why_errno(&why, ERR_SYS, "chdir /");
    return err == ERR_OK ? run(conf, &none, &answer_fd) : say(err, &why);
}

/* start_handed - the client, or the socket, comes from whoever started us */
static int
start_handed(struct conf *conf, bool connect)
{
    int answer_fd = -1;
    struct inetd inetd;
    struct why why;
    enum err err = inetd_take(connect, conf, &inetd, &why);

    if (err == ERR_OK && chdir("/") != 0)
        err = why_errno(&why, ERR_SYS, "chdir /");
    return err == ERR_OK ? run(conf, &inetd, &answer_fd) : say(err, &why);
}

/* configured - the modes that need a configuration */
static int
configured(const struct options *options)
{
    struct conf *conf = load(options);
    int code = EXIT_OK;

    if (conf == NULL)
        return EXIT_CONF;
    if (options->mode == OPTIONS_PRINT)
        conf_print(conf, stdout);
    else if (options->mode == OPTIONS_TEST)
        code = test(conf);
    else if (options->mode == OPTIONS_RUN)
        code = start(conf, options->background);
    else
        code = start_handed(conf, options->mode == OPTIONS_CONNECT);
    conf_free(conf);
    return code;
}

int
main(int argc, char **argv)
{
    struct options options;
    struct why why;

    argv = proctitle_init(argc, argv);
    umask(077);
    if (fdio_std(&why) != ERR_OK)
        return EXIT_SYS;
    complain_init();
    if (!options_parse(argc, argv, &options))
        return EXIT_USAGE;
    complain_client(options.mode == OPTIONS_INETD ||
                    options.mode == OPTIONS_CONNECT);
    if (options.mode == OPTIONS_INETD && !inetd_given()) {
        options_wrong("-i: descriptor 0 is no socket; inetd(8) starts this");
        return EXIT_USAGE;
    }
    if (options.mode == OPTIONS_HELP) {
        puts(options_usage());
        return EXIT_OK;
    }
    if (context_library(&why) != ERR_OK)
        return say(ERR_SYS, &why);
    if (options.mode == OPTIONS_VERSION) {
        version_print(stdout);
        return EXIT_OK;
    }
    return configured(&options);
}
