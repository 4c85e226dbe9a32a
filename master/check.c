/*
 * check.c - mtlsd -t: would this configuration start?
 *
 * Owns a dry run of the part of boot that reads files. Opens no socket, writes
 * no file, and touches no running daemon.
 */
#include "master/check.h"
#include "common/conf.h"
#include "common/mem.h"
#include "master/drop.h"
#include "master/fence.h"
#include "master/generation.h"
#include "master/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* plan_runners - can it be said who programs run as? */
static enum err
plan_runners(const struct conf *conf, struct why *why)
{
    struct runner *runner;
    size_t count;
    int *of = mem_new((conf->service_count + 1) * sizeof(*of));
    enum err err = runners_plan(conf, &runner, &count, of, why);

    free(runner);
    free(of);
    return err;
}

/* dry_run - in the child: drop as boot does, read as boot does */
static enum err
dry_run(struct conf *conf, struct why *why)
{
    const struct conf_global *global = &conf->global;
    const struct jail none = { .fd = -1 };
    struct generation *gen;
    struct drop_ids ids;
    struct fence *fence;
    enum err err;

    err = drop_resolve(global->user, global->group, global->groups.item,
                       global->groups.count, &ids, why);
    if (err == ERR_OK)
        err = plan_runners(conf, why);
    if (err == ERR_OK && ids.root)
        err = fence_plan(conf, &fence, why);
    if (err == ERR_OK)
        err = drop_now(&ids, ids.root ? DROP_CAP_READ : 0, true, why);
    if (err == ERR_OK &&
        (err = generation_build(1, conf, &none, -1, &gen, why)) == ERR_OK) {
        gen->keep_conf = true;
        generation_free(gen);
    }
    while (wait(NULL) > 0)
        ; /* the keepers, which have lost their control pair */
    return err;
}

int
check_files(struct conf *conf)
{
    struct why why;
    enum err err;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if ((err = dry_run(conf, &why)) != ERR_OK)
            fprintf(stderr, "mtlsd: %s\n", why.text);
        fflush(stderr);
        _exit(err_exit(err));
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        fprintf(stderr, "mtlsd: the test could not run\n");
        return EXIT_SYS;
    }
    return WEXITSTATUS(status);
}
