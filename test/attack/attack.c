/*
 * attack.c - a worker that does what its client says, and no longer its work
 *
 * Linked from the objects of the program, with four functions wrapped, so that
 * the program has no place where a test gets in. The first line after the
 * handshake says what the worker becomes:
 *
 *   serve                   what it always was
 *   list                    the names of all attacks, and how each must end
 *   attack NAME NUMBER...   taken over; the numbers are pids of master, keeper,
 *                           connector, logger, a sibling, then the address
 *                           of the page of refused sources
 *
 * Then it says its pid, attacks, and says what came of it, if it still can.
 */
#include "test/attack/attack.h"
#include "common/board.h"
#include "common/clock.h"
#include "common/log.h"
#include "worker/http.h"
#include "worker/relay.h"
#include "worker/stream.h"
#include "worker/wait.h"
#include "worker/worker.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATIENCE_MS 60000

enum err __real_board_keep_only(struct board *board, int index,
                                struct slot **slot, struct why *why);
enum err __wrap_board_keep_only(struct board *board, int index,
                                struct slot **slot, struct why *why);
_Noreturn void __real_worker_main(const struct worker_brief *brief);
_Noreturn void __wrap_worker_main(const struct worker_brief *brief);
void __real_relay_run(struct stream *client, struct stream *upstream,
                      const struct relay_times *times,
                      void (*progress)(void *, uint64_t, uint64_t), void *ctx,
                      struct relay_result *result);
void __wrap_relay_run(struct stream *client, struct stream *upstream,
                      const struct relay_times *times,
                      void (*progress)(void *, uint64_t, uint64_t), void *ctx,
                      struct relay_result *result);
void __real_http_run(const struct conf_service *service, struct stream *client,
                     const struct http_peer *peer,
                     const struct http_links *links,
                     struct http_result *result);
void __wrap_http_run(const struct conf_service *service, struct stream *client,
                     const struct http_peer *peer,
                     const struct http_links *links,
                     struct http_result *result);

static const struct attack_theme *const themes[] = {
    &attack_files,   &attack_processes, &attack_memory, &attack_network,
    &attack_helpers, &attack_runner,    &attack_limits, &attack_jail,
};

static struct worker_brief brief;
static long held[ATTACK_HELD_END - MASTER];

const struct worker_brief *
attack_brief(void)
{
    return &brief;
}

long
attack_held(long which)
{
    return which >= MASTER && which < ATTACK_HELD_END ? held[which - MASTER]
                                                      : which;
}

long
attack_call(const long call[7])
{
    long result = syscall(call[0], attack_held(call[1]), attack_held(call[2]),
                          attack_held(call[3]), attack_held(call[4]),
                          attack_held(call[5]), attack_held(call[6]));

    return result == -1 ? -errno : result;
}

enum err
__wrap_board_keep_only(struct board *board, int index, struct slot **slot,
                       struct why *why)
{
    held[NEIGHBOUR - MASTER] = (long)(uintptr_t)board_slot(board, index ^ 1);
    return __real_board_keep_only(board, index, slot, why);
}

_Noreturn void
__wrap_worker_main(const struct worker_brief *given)
{
    brief = *given;
    __real_worker_main(given);
}

/* --- words with the client ------------------------------------------------ */

static void
say(struct stream *client, const char *text)
{
    struct pollfd item = { .fd = client->fd };
    size_t len = strlen(text);
    ssize_t n;

    while (len > 0) {
        n = stream_write(client, text, len);
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        } else if (n != -ERR_AGAIN)
            return;
        item.events = client->write_events;
        if (n < 0 && wait_for(&item, 1, clock_deadline(PATIENCE_MS)) != ERR_OK)
            return;
    }
}

/* hear - one line, and no byte more: the rest is for who serves */
static void
hear(struct stream *client, char *line, size_t room)
{
    struct pollfd item = { .fd = client->fd };
    size_t len = 0;
    ssize_t n;

    while (len < room - 1) {
        n = stream_read(client, line + len, 1);
        if (n == 1 && line[len] == '\n')
            break;
        if (n == 1) {
            len++;
            continue;
        }
        item.events = client->read_events;
        if (n != -ERR_AGAIN ||
            wait_for(&item, 1, clock_deadline(PATIENCE_MS)) != ERR_OK)
            break;
    }
    line[len] = '\0';
}

/* --- what the line says ---------------------------------------------------- */

static const struct attack *
find(const char *name)
{
    for (size_t t = 0; t < sizeof(themes) / sizeof(themes[0]); t++)
        for (size_t i = 0; i < themes[t]->count; i++)
            if (strcmp(themes[t]->attack[i].name, name) == 0)
                return &themes[t]->attack[i];
    return NULL;
}

static void
list(struct stream *client)
{
    const struct attack *attack;
    char line[160];

    for (size_t t = 0; t < sizeof(themes) / sizeof(themes[0]); t++)
        for (size_t i = 0; i < themes[t]->count; i++) {
            attack = &themes[t]->attack[i];
            snprintf(line, sizeof(line), "%s %s %s\n", attack->name,
                     attack->end, attack->seen == NULL ? "-" : attack->seen);
            say(client, line);
        }
}

/* hold - everything that an attack may name */
static void
hold(int client_fd, char *numbers)
{
    char *end = numbers;

    for (long i = MASTER; i <= SIBLING; i++)
        held[i - MASTER] = strtol(end, &end, 10);
    held[BANS - MASTER] = strtol(end, &end, 10);
    held[SLOT - MASTER] = (long)(uintptr_t)brief.slot;
    held[CLIENT - MASTER] = client_fd;
    held[LISTENER - MASTER] = brief.listen_fd[0];
    held[LEASH - MASTER] = brief.leash_fd;
    held[REPORT - MASTER] = brief.report_fd;
    held[LOG - MASTER] = log_fd();
    held[KEYS - MASTER] = brief.keeper_fd;
    held[ROUTES - MASTER] = brief.connector_fd;
    held[PROGRAMS - MASTER] = brief.runner_fd;
}

static void
attack(struct stream *client, char *line)
{
    char *numbers = line + strcspn(line, " "), text[160];
    const struct attack *what;
    long result;

    *numbers++ = '\0';
    hold(client->fd, numbers);
    what = find(line);
    snprintf(text, sizeof(text), "%d\n", (int)getpid());
    say(client, text);
    if (what == NULL)
        return;
    result = what->run != NULL ? what->run() : attack_call(what->call);
    if (result == ATTACK_CLOSED)
        snprintf(text, sizeof(text), "CLOSED 0\n");
    else if (result < 0)
        snprintf(text, sizeof(text), "%s 0\n", strerrorname_np((int)-result));
    else
        snprintf(text, sizeof(text), "OK %ld\n", result);
    say(client, text);
}

/* obey - false: it serves */
static bool
obey(struct stream *client)
{
    static char line[200];

    hear(client, line, sizeof(line));
    if (strcmp(line, "serve") == 0)
        return false;
    if (strcmp(line, "list") == 0)
        list(client);
    else if (strncmp(line, "attack ", 7) == 0)
        attack(client, line + 7);
    return true;
}

void
__wrap_relay_run(struct stream *client, struct stream *upstream,
                 const struct relay_times *times,
                 void (*progress)(void *, uint64_t, uint64_t), void *ctx,
                 struct relay_result *result)
{
    if (obey(client))
        result->end = REASON_CLIENT_EOF;
    else
        __real_relay_run(client, upstream, times, progress, ctx, result);
}

void
__wrap_http_run(const struct conf_service *service, struct stream *client,
                const struct http_peer *peer, const struct http_links *links,
                struct http_result *result)
{
    if (obey(client))
        result->end = REASON_CLIENT_EOF;
    else
        __real_http_run(service, client, peer, links, result);
}
