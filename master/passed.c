/*
 * passed.c - sockets that a service manager opened and passed: LISTEN_FDS
 *
 * Owns the three variables and the table of what came. The same sockets are open
 * in the process that passed them, which may give them to our successor: must
 * never shut one down, nor take a connection from it.
 */
#include "master/passed.h"
#include "common/fdio.h"
#include "common/mem.h"
#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST    3         /* SD_LISTEN_FDS_START */
#define MOST     1024      /* more than any manager passes */
#define NAMELESS "unknown" /* as sd_listen_fds_with_names(3) calls it */

static struct {
    size_t count;
    struct {
        char *name;
        bool given;
    } item[MOST];
} passed;

/* ours - does LISTEN_PID name us? */
static bool
ours(const char *pid)
{
    long number;

    return pid != NULL && text_long(pid, 1, INT32_MAX, &number) == ERR_OK &&
           number == (long)getpid();
}

/* name_all - LISTEN_FDNAMES, colons between; NULL: they have none */
static enum err
name_all(const char *names, struct why *why)
{
    size_t i, len;

    for (i = 0; i < passed.count; i++) {
        free(passed.item[i].name);
        len = names != NULL ? strcspn(names, ":") : 0;
        passed.item[i].name =
            names != NULL ? mem_new(len + 1) : mem_copy(NAMELESS);
        if (names == NULL)
            continue;
        memcpy(passed.item[i].name, names, len);
        names += len;
        if ((*names == ':') != (i + 1 < passed.count))
            return why_set(why, ERR_SYS,
                           "LISTEN_FDNAMES has not as many names as LISTEN_FDS "
                           "says: %zu",
                           passed.count);
        names += *names == ':';
    }
    return ERR_OK;
}

static enum err
close_on_exec(struct why *why)
{
    for (size_t i = 0; i < passed.count; i++)
        if (fcntl(FIRST + (int)i, F_SETFD, FD_CLOEXEC) != 0)
            return why_errno(why, ERR_SYS, "LISTEN_FDS: descriptor %d",
                             FIRST + (int)i);
    return ERR_OK;
}

static enum err
take(const char *fds, const char *names, struct why *why)
{
    enum err err;
    long count;

    if (fds == NULL || text_long(fds, 0, MOST, &count) != ERR_OK)
        return why_set(why, ERR_SYS, "LISTEN_FDS is no number up to %d", MOST);
    passed.count = (size_t)count;
    if ((err = close_on_exec(why)) == ERR_OK)
        err = name_all(names, why);
    return err;
}

enum err
passed_take(struct why *why)
{
    enum err err = ERR_OK;

    if (ours(getenv("LISTEN_PID")))
        err = take(getenv("LISTEN_FDS"), getenv("LISTEN_FDNAMES"), why);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return err;
}

int
passed_next(const char *name, size_t *at)
{
    while (*at < passed.count) {
        size_t i = (*at)++;

        if (strcmp(passed.item[i].name, name) != 0)
            continue;
        passed.item[i].given = true;
        return FIRST + (int)i;
    }
    return -1;
}

/* option - one of SOL_SOCKET; -1: it is no socket */
static int
option(int fd, int name)
{
    int value;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

enum err
passed_check(int fd, const char *name, struct why *why)
{
    int domain = option(fd, SO_DOMAIN);
    const char *is = NULL;

    if (domain < 0)
        is = "no socket";
    else if (option(fd, SO_TYPE) != SOCK_STREAM)
        is = "no stream socket";
    else if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX)
        is = "neither of IPv4 or IPv6 nor a unix socket";
    else if (option(fd, SO_ACCEPTCONN) != 1)
        is = "not a listening socket (with Accept=yes, mtlsd -i serves it)";
    if (is != NULL)
        return why_set(why, ERR_SYS,
                       "listen systemd:%s: descriptor %d, passed under that "
                       "name, is %s",
                       name, fd, is);
    return fdio_nonblock(fd, why);
}

bool
passed_has(int fd)
{
    return fd >= FIRST && (size_t)(fd - FIRST) < passed.count;
}

const char *
passed_names(void)
{
    static char text[256];
    size_t len = 0, i;

    text[0] = '\0';
    for (i = 0; i < passed.count && len + 4 < sizeof(text); i++) {
        if (i > 0)
            len += text_copy(text + len, ", ", sizeof(text) - len);
        len += text_escape(passed.item[i].name, strlen(passed.item[i].name),
                           text + len, sizeof(text) - len);
    }
    return passed.count > 0 ? text : "nothing";
}

const char *
passed_unused(void)
{
    for (size_t i = 0; i < passed.count; i++)
        if (!passed.item[i].given)
            return passed.item[i].name;
    return NULL;
}
