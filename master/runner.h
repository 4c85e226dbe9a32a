/* runner.h - the processes that run programs for workers */
#ifndef MASTER_RUNNER_H
#define MASTER_RUNNER_H
#include "common/conf.h"
#include "common/err.h"
#include "master/drop.h"
#include <stdint.h>
#include <sys/types.h>

struct runner { /* the master's end of one; one for each exec identity */
    pid_t pid;
    int control; /* SOCK_SEQPACKET, -1 after it died */
    struct drop_ids ids;
};

/*
 * runners_plan - who programs run as; before the drop
 * out, count  one for each identity, not started; the caller frees.
 * of          for each service: the index of its runner, -1: it runs nothing.
 * ERR_CONF: why names the service.
 */
enum err runners_plan(const struct conf *conf, struct runner **out,
                      size_t *count, int *of, struct why *why);

/*
 * runner_start - fork it, before the drop. It becomes its identity for good and
 * holds nothing of ours but its control pair and the log. It has neither filter
 * nor fence nor no_new_privs: programs would inherit them.
 * When the master's and the last worker's pair are gone it has the programs that
 * are left ended within a second or two, and ends.
 */
enum err runner_start(struct runner *runner, struct why *why);

/* runner_service - tell it what workers of (generation, service) may have run,
 * before any of them is registered. The service has a program. */
enum err runner_service(const struct runner *runner, uint32_t generation,
                        uint16_t index, const struct conf_service *service,
                        struct why *why);

/* runner_workers, runner_forget - as connector_workers, connector_forget */
enum err runner_workers(const struct runner *runner, uint32_t generation,
                        uint16_t service, const int *fds, size_t count,
                        struct why *why);
enum err runner_forget(const struct runner *runner, uint32_t generation,
                       struct why *why);
#endif
