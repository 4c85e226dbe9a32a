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
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
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

/* after - now + ms, where ms may be CLOCK_NEVER */
static int64_t
after(int64_t now, int64_t ms)
{
    return ms >= CLOCK_NEVER - now ? CLOCK_NEVER : now + ms;
}

/* user_of - its place in the list; *place is NULL when it is not there */
static struct name_user **
user_of(struct name *name, const char *service)
{
    struct name_user **place = &name->users;

    while (*place != NULL && strcmp((*place)->service, service) != 0)
        place = &(*place)->next;
    return place;
}

/* used_by - one more address of this service; false: no memory */
static bool
used_by(struct name *name, const char *service)
{
    struct name_user **place = user_of(name, service);

    if (*place == NULL) {
        if ((*place = calloc(1, sizeof(**place))) == NULL)
            return false;
        (void)text_copy((*place)->service, service, sizeof((*place)->service));
    }
    (*place)->refs++;
    return true;
}

struct name *
names_take(const char *host, const char *service)
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
    return used_by(name, service) ? name : NULL;
}

void
names_drop(struct name *name, const char *service)
{
    struct name_user **place = user_of(name, service), *gone = *place;

    if (gone == NULL || --gone->refs > 0)
        return;
    *place = gone->next; /* names_tend forgets a name without users, not while
                          * an event may point here */
    free(gone);
}

/* log_users - the field service=, several with commas */
static void
log_users(struct log_line *line, const struct name *name)
{
    char text[256];
    size_t at = 0;

    text[0] = '\0';
    for (const struct name_user *user = name->users; user != NULL;
         user = user->next) {
        if (at + 1 + strlen(user->service) >= sizeof(text))
            break;
        if (at > 0)
            text[at++] = ',';
        at += text_copy(text + at, user->service, sizeof(text) - at);
    }
    log_text(line, "service", at > 0 ? text : NULL);
}

/* failed - remember it, say it once in a while */
static void
failed(struct name *name, const char *reason, int64_t now)
{
    struct log_line line;

    (void)text_copy(name->failure, reason, sizeof(name->failure));
    name->retry_at = now + NAMES_FAILED_MS;
    name->due = after(now, names.keep_ms);
    if (now < name->log_at)
        return;
    name->log_at = now + NAMES_LOG_MS;
    log_begin(&line, LOG_L_WARN, "resolve_failed");
    log_users(&line, name);
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
    if (!name->known && !name->running && now >= name->retry_at &&
        names.running < NAMES_CHILDREN)
        start(name, now);
    if (name->known)
        return NAME_KNOWN;
    if (!name->running && now < name->retry_at)
        return NAME_FAILED;
    return NAME_WAIT;
}

/* holds - is this address in that answer? */
static bool
holds(const struct resolve_answer *answer, const struct resolve_addr *addr)
{
    for (uint32_t i = 0; i < answer->count; i++)
        if (memcmp(&answer->addr[i], addr, sizeof(*addr)) == 0)
            return true;
    return false;
}

/* same - the same set? Resolvers turn the order of an answer as they please. */
static bool
same(const struct resolve_answer *a, const struct resolve_answer *b)
{
    for (uint32_t i = 0; i < a->count; i++)
        if (!holds(b, &a->addr[i]))
            return false;
    for (uint32_t i = 0; i < b->count; i++)
        if (!holds(a, &b->addr[i]))
            return false;
    return true;
}

/* say_resolved - where a name leads to now; a change is worth a notice */
static void
say_resolved(const struct name *name, bool change)
{
    char text[RESOLVE_MAX * (INET6_ADDRSTRLEN + 1)];
    struct log_line line;
    size_t at = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < name->answer.count; i++) {
        const struct resolve_addr *addr = &name->answer.addr[i];

        if (at > 0)
            text[at++] = ',';
        if (inet_ntop(addr->family, addr->addr, text + at,
                      (socklen_t)(sizeof(text) - at)) != NULL)
            at += strlen(text + at);
    }
    log_begin(&line, change ? LOG_L_NOTICE : LOG_L_INFO, "resolved");
    log_users(&line, name);
    log_text(&line, "name", name->host);
    log_text(&line, "addresses", text);
    log_send(&line);
}

void
names_event(struct name *name, int64_t now)
{
    bool change;
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
    change = name->known && !same(&name->answer, &answer);
    name->answer = answer;
    if (change || !name->known)
        say_resolved(name, change);
    name->known = true;
    name->due = after(now, names.keep_ms);
    name->retry_at = 0;
    name->failure[0] = '\0';
}

/* crashed - by itself or by its filter: it reads what the network says, and that
 * is not for the operator to miss. The only signal of ours is SIGKILL. */
static void
crashed(pid_t pid, int number)
{
    const struct name *name = names.first;
    struct log_line line;

    while (name != NULL && name->child.pid != pid)
        name = name->next;
    log_begin(&line, LOG_L_ERROR, "resolver_crashed");
    log_int(&line, "resolver", pid);
    log_text(&line, "signal", sigabbrev_np(number));
    log_text(&line, "name", name != NULL ? name->host : NULL);
    log_send(&line);
}

/* bury - reap what has ended */
static void
bury(void)
{
    int status;

    while (names.unburied > 0) {
        pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid < 0 && errno == ECHILD)
            names.unburied = 0;
        if (pid <= 0)
            return;
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
            crashed(pid, WTERMSIG(status));
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

        if (name->users != NULL || name->running) {
            at = &name->next;
            continue;
        }
        *at = name->next;
        free(name);
    }
}

/* wants - is it to be asked for in the background? */
static bool
wants(const struct name *name)
{
    return name->users != NULL && !name->running &&
           names.running < NAMES_CHILDREN;
}

/* refresh - start what is due; what finds no room is due again when a child
 * ends. True: one could not be started. */
static bool
refresh(int64_t now)
{
    bool stuck = false;

    for (struct name *name = names.first; name != NULL; name = name->next)
        if (wants(name) && now >= name->due) {
            start(name, now);
            stuck = stuck || !name->running;
        }
    return stuck;
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
    if (refresh(now))
        late = true;
    bury();
    forget();
    return late;
}

int64_t
names_next(int64_t now)
{
    int64_t next = names.unburied > 0 ? now + BURY_MS : CLOCK_NEVER;

    for (const struct name *name = names.first; name != NULL;
         name = name->next) {
        if (name->running && name->kill_at < next)
            next = name->kill_at;
        if (wants(name) && name->due < next)
            next = name->due;
    }
    return next;
}
