/*
 * runner.c - the master's end of the runners
 *
 * Owns who there must be, starting them, and what they are told: which program
 * belongs to which service, which pair to whom. Must never run anything.
 */
#include "master/runner.h"
#include "common/mem.h"
#include "common/text.h"
#include "master/helper.h"
#include "master/runner_main.h"
#include <stdbool.h>
#include <string.h>

static bool
same(const struct drop_ids *a, const struct drop_ids *b)
{
    return a->uid == b->uid && a->gid == b->gid &&
           a->group_count == b->group_count &&
           memcmp(a->groups, b->groups, a->group_count * sizeof(gid_t)) == 0;
}

/* find - the runner of an identity, or the count of all */
static size_t
find(const struct runner *runner, size_t count, const struct drop_ids *ids)
{
    size_t i = 0;

    while (i < count && !same(&runner[i].ids, ids))
        i++;
    return i;
}

/* plan_one - the runner of a service that has a program */
static enum err
plan_one(const struct conf_service *service, struct runner **out, size_t *count,
         int *of, struct why *why)
{
    struct drop_ids ids;
    struct why said;
    enum err err =
        drop_resolve_exec(service->exec.user, service->exec.group, &ids, &said);
    size_t at;

    if (err != ERR_OK)
        return why_set(why, err, "[service %s] %s", service->name, said.text);
    at = find(*out, *count, &ids);
    if (at == *count) {
        *out = mem_array(*out, ++*count, sizeof(**out));
        (*out)[at] = (struct runner){ .control = -1, .ids = ids };
    }
    *of = (int)at;
    return ERR_OK;
}

enum err
runners_plan(const struct conf *conf, struct runner **out, size_t *count,
             int *of, struct why *why)
{
    enum err err = ERR_OK;

    *out = NULL;
    *count = 0;
    for (size_t i = 0; err == ERR_OK && i < conf->service_count; i++) {
        of[i] = -1;
        if (conf_command(&conf->service[i]) != NULL)
            err = plan_one(&conf->service[i], out, count, &of[i], why);
    }
    return err;
}

enum err
runner_start(struct runner *runner, struct why *why)
{
    return helper_start("runner", runner_main, &runner->ids, &runner->pid,
                        &runner->control, why);
}

static enum err
order(const struct runner *runner, const struct runner_order *packet,
      const int *fds, size_t count, struct why *why)
{
    return helper_order("runner", runner->control, packet, sizeof(*packet), fds,
                        count, why);
}

enum err
runner_service(const struct runner *runner, uint32_t generation, uint16_t index,
               const struct conf_service *service, struct why *why)
{
    const struct conf_exec *exec = &service->exec;
    struct runner_order packet;

    memset(&packet, 0, sizeof(packet));
    packet.kind = RUNNER_SERVICE;
    packet.generation = generation;
    packet.service = index;
    /* each worker has one, and one may be on its way out */
    packet.most = 2 * (uint32_t)service->workers_max;
    packet.kill_ms = exec->kill_timeout;
    packet.limits.files = (unsigned long)exec->files;
    packet.limits.memory = (unsigned long)exec->memory;
    packet.limits.processes = (unsigned long)exec->processes;
    packet.limits.cpu = (unsigned long)((exec->cpu + 999) / 1000);
    (void)text_copy(packet.name, service->name, sizeof(packet.name));
    (void)text_copy(packet.command, conf_command(service),
                    sizeof(packet.command));
    if (text_copy(packet.dir, exec->dir, sizeof(packet.dir)) >=
        sizeof(packet.dir))
        return why_set(why, ERR_CONF, "[service %s] exec_dir is too long",
                       service->name);
    return order(runner, &packet, NULL, 0, why);
}

enum err
runner_workers(const struct runner *runner, uint32_t generation,
               uint16_t service, const int *fds, size_t count, struct why *why)
{
    struct runner_order packet;

    memset(&packet, 0, sizeof(packet));
    packet.kind = RUNNER_WORKERS;
    packet.generation = generation;
    packet.service = service;
    return order(runner, &packet, fds, count, why);
}

enum err
runner_forget(const struct runner *runner, uint32_t generation, struct why *why)
{
    struct runner_order packet;

    memset(&packet, 0, sizeof(packet));
    packet.kind = RUNNER_FORGET;
    packet.generation = generation;
    return order(runner, &packet, NULL, 0, why);
}
