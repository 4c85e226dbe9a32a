/*
 * names.c - the connector's memory of host names
 *
 * Owns which names are known, how old the answers are, and the resolving
 * children.
 * Must never wait for one of them.
 */
#include "master/names.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#define BURY_MS 20 /* a resolver that was told to end is reaped within this */

static struct {
    int epoll_fd;
    int64_t keep_ms;
    struct name *first;
    unsigned running;  /* resolvers at work */
    unsigned unburied; /* resolvers killed or done, not yet reaped */
} names;

void
names_init(int epoll_fd, int64_t keep_ms)
{
    names.epoll_fd = epoll_fd;
    names.keep_ms = keep_ms;
}

struct name *
names_take(const char *host)
{
    struct name *name;

    for (name = names.first; name != NULL; name = name->next)
        if (strcmp(name->host, host) == 0)
            break;
    if (name == NULL) {
        if ((name = calloc(1, sizeof(*name))) == NULL)
            return NULL;
        name->source = SOURCE_NAME;
        name->child.fd = -1;
        (void)text_copy(name->host, host, sizeof(name->host));
        name->next = names.first;
        names.first = name;
    }
    name->refs++;
    return name;
}

void
names_drop(struct name *name)
{
    name->refs--; /* names_tend forgets it, not while an event may point here */
}

/* failed - remember it, say it once in a while */
static void
failed(struct name *name, const char *reason, int64_t now)
{
    struct log_line line;

    (void)text_copy(name->failure, reason, sizeof(name->failure));
    name->retry_at = now + NAMES_FAILED_MS;
    if (now < name->log_at)
        return;
    name->log_at = now + NAMES_LOG_MS;
    log_begin(&line, LOG_L_WARN, "resolve_failed");
    log_text(&line, "name", name->host);
    log_text(&line, "reason", reason);
    log_text(&line, "using", name->known ? "old_addresses" : NULL);
    log_send(&line);
}

/* ended - its resolver is no more. Out of
 * epoll by name: another child that was just forked still has a copy. */
static void
ended(struct name *name)
{
    (void)epoll_ctl(names.epoll_fd, EPOLL_CTL_DEL, name->child.fd, NULL);
    name->running = false;
    names.running--;
    names.unburied++;
}

/* start - a resolver for it */
static void
start(struct name *name, int64_t now)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = name };
    struct why why;
    int saved;

    if (resolve_start(name->host, &name->child, &why) != ERR_OK) {
        failed(name, why.text, now);
        return;
    }
    name->running = true;
    name->kill_at = now + NAMES_CHILD_MS;
    names.running++;
    if (epoll_ctl(names.epoll_fd, EPOLL_CTL_ADD, name->child.fd, &event) == 0)
        return;
    saved = errno;
    ended(name);
    resolve_kill(&name->child);
    failed(name, strerror(saved), now);
}

enum name_state
names_look(struct name *name, int64_t now)
{
    bool wanted = !name->known || now >= name->fresh_until;

    if (wanted && !name->running && now >= name->retry_at &&
        names.running < NAMES_CHILDREN)
        start(name, now);
    if (name->known)
        return NAME_KNOWN;
    if (!name->running && now < name->retry_at)
        return NAME_FAILED;
    return NAME_WAIT;
}

void
names_event(struct name *name, int64_t now)
{
    struct resolve_answer answer;
    struct why why;
    enum err err;

    if (!name->running)
        return;
    ended(name);
    err = resolve_finish(&name->child, &answer, &why);
    if (err != ERR_OK) {
        failed(name, why.text, now);
        return;
    }
    name->answer = answer;
    name->known = true;
    name->fresh_until = now + names.keep_ms;
    name->retry_at = 0;
    name->failure[0] = '\0';
}

/* bury - reap what has ended */
static void
bury(void)
{
    while (names.unburied > 0) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);

        if (pid < 0 && errno == ECHILD)
            names.unburied = 0;
        if (pid <= 0)
            return;
        names.unburied--;
    }
}

/* forget - names that nobody uses */
static void
forget(void)
{
    struct name **at = &names.first;

    while (*at != NULL) {
        struct name *name = *at;

        if (name->refs > 0 || name->running) {
            at = &name->next;
            continue;
        }
        *at = name->next;
        free(name);
    }
}

bool
names_tend(int64_t now)
{
    bool late = false;

    for (struct name *name = names.first; name != NULL; name = name->next) {
        if (!name->running || now < name->kill_at)
            continue;
        ended(name);
        resolve_kill(&name->child);
        failed(name, "the resolver took too long", now);
        late = true;
    }
    bury();
    forget();
    return late;
}

int64_t
names_next(int64_t now)
{
    int64_t next = names.unburied > 0 ? now + BURY_MS : CLOCK_NEVER;

    for (const struct name *name = names.first; name != NULL; name = name->next)
        if (name->running && name->kill_at < next)
            next = name->kill_at;
    return next;
}
