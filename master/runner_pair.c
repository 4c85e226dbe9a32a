/*
 * runner_pair.c - the workers' pairs in a runner
 *
 * Owns the rules of runwire.h on the runner's side. Must never take a
 * descriptor from a worker, nor wait for one.
 */
#include "master/runner_pair.h"
#include "common/fdio.h"
#include "common/log.h"
#include "master/runner_program.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct runner_pair *pairs;
static struct runner_pair *closed; /* to be freed, linked by next */

bool
runner_pair_add(struct runner_table *table, int fd)
{
    struct runner_pair *pair = calloc(1, sizeof(*pair));

    if (pair == NULL) {
        fdio_close(&fd);
        return false;
    }
    if (!runner_watch_start(&pair->watch, RUNNER_PAIR, fd, pair)) {
        free(pair);
        return false;
    }
    pair->table = table;
    table->users++;
    pair->next = pairs;
    if (pairs != NULL)
        pairs->prev = pair;
    pairs = pair;
    return true;
}

/* session_over - the program of the open session is its worker's no more */
static void
session_over(struct runner_pair *pair, int64_t now)
{
    if (pair->program != NULL)
        program_leave(pair->program, now);
    pair->program = NULL;
}

/* pair_close - freed after this round of events, because one of them may still
 * point to it */
static void
pair_close(struct runner_pair *pair, int64_t now)
{
    if (pair->watch.fd < 0)
        return;
    runner_watch_end(&pair->watch);
    session_over(pair, now);
    pair->table->users--;
    if (pair->prev != NULL)
        pair->prev->next = pair->next;
    else
        pairs = pair->next;
    if (pair->next != NULL)
        pair->next->prev = pair->prev;
    pair->next = closed;
    closed = pair;
}

/* pair_broken - the worker broke the rules of runwire.h */
static void
pair_broken(struct runner_pair *pair, const char *reason, int64_t now)
{
    struct log_line line;

    log_begin(&line, LOG_L_WARN, "runner_pair");
    log_int(&line, "generation", pair->table->generation);
    log_text(&line, "service", pair->table->name);
    log_text(&line, "reason", reason);
    log_send(&line);
    pair_close(pair, now);
}

void
runner_pair_tell(struct runner_pair *pair, enum runwire_answer kind,
                 enum runwire_step step, int value, int fd, int64_t now)
{
    struct runwire_reply reply;

    memset(&reply, 0, sizeof(reply));
    reply.kind = (uint8_t)kind;
    reply.step = (uint8_t)step;
    reply.seq = pair->seq;
    reply.value = value;
    if (kind != RUNWIRE_STARTED)
        pair->program = NULL;
    if (fdio_send(pair->watch.fd, &reply, sizeof(reply), fd, MSG_DONTWAIT,
                  NULL) != ERR_OK)
        pair_close(pair, now);
}

static void
run(struct runner_pair *pair, const struct runwire_request *request,
    int64_t now)
{
    enum runwire_step step = RUNWIRE_PROCESS;

    pair->seq = request->seq;
    pair->program = program_start(pair, request, &step);
    if (pair->program == NULL)
        runner_pair_tell(pair, RUNWIRE_FAILED, step, errno, -1, now);
}

void
runner_pair_event(struct runner_pair *pair, int64_t now)
{
    static struct runwire_request request;
    size_t len = sizeof(request);
    enum err err;

    if (pair->watch.fd < 0)
        return;
    /* without room for descriptors: what is sent along vanishes */
    err = fdio_recv(pair->watch.fd, &request, &len, NULL, NULL, MSG_DONTWAIT,
                    NULL);
    if (err == ERR_AGAIN)
        return;
    if (err == ERR_EOF)
        pair_close(pair, now);
    else if (err != ERR_OK || !runwire_request_ok(&request, len))
        pair_broken(pair, "not a request", now);
    else if (request.kind == RUNWIRE_RUN && pair->program != NULL)
        pair_broken(pair, "a second program for one session", now);
    else if (request.kind == RUNWIRE_RUN)
        run(pair, &request, now);
    else if (request.seq == pair->seq)
        session_over(pair, now);
}

bool
runner_pairs_any(void)
{
    return pairs != NULL;
}

void
runner_pairs_sweep(void)
{
    struct runner_pair *gone;

    while ((gone = closed) != NULL) {
        closed = gone->next;
        free(gone);
    }
}
