/* names.h - the connector's memory of host names */
#ifndef MASTER_NAMES_H
#define MASTER_NAMES_H
#include "common/conf.h"
#include "common/err.h"
#include "master/resolve.h"
#include <stdbool.h>
#include <stdint.h>

#define NAMES_FAILED_MS \
    1000 /* a name that does not resolve: asked again after this */
#define NAMES_CHILD_MS 10000 /* the longest that a resolver may take */
#define NAMES_LOG_MS   10000 /* one line for each name in this time */
#define NAMES_CHILDREN 32    /* resolvers at a time */

/* what an epoll event of the connector points to begins with this */
enum source { SOURCE_CONTROL, SOURCE_PAIR, SOURCE_NAME };

struct name_user { /* a service, for the log; of all generations */
    char service[CONF_NAME_MAX + 1];
    unsigned refs; /* its addresses that use the name */
    struct name_user *next;
};

struct name {
    enum source source; /* SOURCE_NAME; first */
    char host[256];
    struct name_user *users;
    bool known;           /* answer holds addresses, perhaps old ones */
    bool running;         /* a resolver works on it */
    struct resolve child; /* while it does */
    struct resolve_answer answer;
    int64_t due;       /* asked again in the background; 0: at once */
    int64_t retry_at;  /* it failed; not before that, for who waits for it */
    int64_t kill_at;   /* the running resolver */
    int64_t log_at;    /* no line before that */
    char failure[160]; /* the last one, "" when none */
    struct name *next;
};

enum name_state { NAME_KNOWN, NAME_WAIT, NAME_FAILED };

/* names_init - resolvers' pairs are added to epoll_fd; keep_ms: how long an
 * answer is good; every name is asked again after that, used or not */
void names_init(int epoll_fd, int64_t keep_ms);

/* names_take, names_drop - one more, one fewer address of a service that uses
 * the name. A new name is asked for by the next names_tend: it is known, or its
 * failure is in the log, before the first client comes. NULL: no memory. */
struct name *names_take(const char *host, const char *service);
void names_drop(struct name *name, const char *service);

/*
 * names_look - may it be used? Starts a resolver when there is no answer.
 * NAME_KNOWN: name->answer; an old one serves while the new one is fetched.
 * NAME_WAIT: names_event will tell; name->failure says whether the time before
 * this one failed. NAME_FAILED: name->failure.
 */
enum name_state names_look(struct name *name, int64_t now);

/* names_event - its resolver has answered or died */
void names_event(struct name *name, int64_t now);

/* names_tend - kill resolvers that are late, ask again for names whose time has
 * come, bury the dead, forget names without users. True: a name has failed by
 * this, who waits for it should look. */
bool names_tend(int64_t now);

/* names_next - when names_tend must be called next, CLOCK_NEVER: no need */
int64_t names_next(int64_t now);
#endif
