/*
 * notify.c - tell the service manager how we are: sd_notify(3), without it
 *
 * Owns the messages. They go from the master alone, since the manager believes
 * nobody else (NotifyAccess=main); children lose the descriptor with all the
 * others. Must never wait for long: the loop stands still meanwhile.
 */
#include "master/notify.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/text.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SEND_WAIT_MS 500 /* for room in the manager's queue */
#define TEXT_MAX     640

static struct {
    int fd;        /* connected, -1: nobody wants to know */
    int64_t every; /* ms between two signs of life, 0: none is wanted */
    int64_t due;   /* the next one */
} notify = { .fd = -1 };

/* address - of the socket; an abstract name begins with @ for its NUL */
static enum err
address(const char *text, struct sockaddr_un *un, socklen_t *len,
        struct why *why)
{
    size_t n = strlen(text);

    *un = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if ((text[0] != '/' && text[0] != '@') || n < 2 ||
        n >= sizeof(un->sun_path))
        return why_set(why, ERR_SYS,
                       "NOTIFY_SOCKET is neither a path nor @NAME");
    memcpy(un->sun_path, text, n);
    if (text[0] == '@')
        un->sun_path[0] = '\0';
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n +
                       (text[0] == '/'));
    return ERR_OK;
}

static enum err
reach(const char *text, int *fd, struct why *why)
{
    const struct timeval wait = { .tv_usec = SEND_WAIT_MS * 1000 };
    struct sockaddr_un un;
    socklen_t len = 0;
    enum err err = address(text, &un, &len, why);

    if (err != ERR_OK)
        return err;
    if ((*fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) >= 0 &&
        setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0 &&
        connect(*fd, (const struct sockaddr *)&un, len) == 0)
        return ERR_OK;
    err = why_errno(why, ERR_SYS, "NOTIFY_SOCKET=%s", text);
    fdio_close(fd);
    return err;
}

/* interval - of WATCHDOG_USEC, in ms; 0: none, or meant for another */
static int64_t
interval(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    long number;

    if (pid != NULL && (text_long(pid, 1, INT32_MAX, &number) != ERR_OK ||
                        number != (long)getpid()))
        return 0;
    if (usec == NULL || text_long(usec, 1, INT64_MAX, &number) != ERR_OK)
        return 0;
    return number < 2000 ? 1 : number / 1000;
}

enum err
notify_open(struct why *why)
{
    const char *where = getenv("NOTIFY_SOCKET");
    enum err err = ERR_OK;
    int64_t ms = interval();

    if (where != NULL && where[0] != '\0')
        err = reach(where, &notify.fd, why);
    if (notify.fd >= 0)
        notify.every = ms > 0 && ms / 2 == 0 ? 1 : ms / 2;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return err;
}

/* tell - one message; status may hold what a line of it must not */
static void
tell(const char *head, const char *status)
{
    char text[TEXT_MAX];
    size_t len = strlen(head);

    if (notify.fd < 0)
        return;
    (void)snprintf(text, sizeof(text), "%s%s%s", head,
                   status != NULL ? "\nSTATUS=" : "",
                   status != NULL ? status : "");
    if (status != NULL)
        for (len += strlen("\nSTATUS="); text[len] != '\0'; len++)
            if (text[len] < ' ' || text[len] > '~')
                text[len] = '?';
    (void)send(notify.fd, text, len, MSG_NOSIGNAL);
}

void
notify_ready(const char *status)
{
    char head[64];

    (void)snprintf(head, sizeof(head), "READY=1\nMAINPID=%ld", (long)getpid());
    tell(head, status);
}

void
notify_reloading(void)
{
    struct timespec now;
    char head[64];

    /* later than the manager's own reading of the clock: not in whole ms */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)snprintf(head, sizeof(head), "RELOADING=1\nMONOTONIC_USEC=%lld",
                   (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    tell(head, NULL);
}

void
notify_stopping(const char *status)
{
    tell("STOPPING=1", status);
}

int64_t
notify_watchdog(int64_t now)
{
    if (notify.every == 0)
        return CLOCK_NEVER;
    if (now >= notify.due) {
        tell("WATCHDOG=1", NULL);
        notify.due = now + notify.every;
    }
    return notify.due;
}
