/*
 * resolve.c - one name, one short-lived process
 *
 * Owns every call of getaddrinfo(3) in the program; each runs in a child of the
 * connector that is killed when it takes too long.
 * Must never run the resolver in a process that lives on.
 */
#include "master/resolve.h"
#include "common/fdio.h"
#include "common/proctitle.h"
#include "master/filters.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* add - one result into the answer, what is no IP address left out */
static void
add(struct resolve_answer *answer, const struct addrinfo *info)
{
    struct resolve_addr *to = &answer->addr[answer->count];

    if (answer->count == RESOLVE_MAX)
        return;
    if (info->ai_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)info->ai_addr;

        memcpy(to->addr, &in->sin_addr, sizeof(in->sin_addr));
    } else if (info->ai_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)info->ai_addr;

        memcpy(to->addr, &in6->sin6_addr, sizeof(in6->sin6_addr));
        to->scope = in6->sin6_scope_id;
    } else {
        return;
    }
    to->family = (uint16_t)info->ai_family;
    answer->count++;
}

_Noreturn static void
child(const char *host, int fd, pid_t parent)
{
    static struct resolve_answer answer;
    struct addrinfo hints = { .ai_flags = AI_ADDRCONFIG,
                              .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_SYS); /* it died before that took effect */
    proctitle_set("resolver");
    fdio_close_except(&fd, 1);
    if (filters_enter(FILTERS_RESOLVER, NULL) != ERR_OK)
        _exit(EXIT_CONFINE);
    answer.gai = getaddrinfo(host, NULL, &hints, &list);
    answer.error = answer.gai == EAI_SYSTEM ? errno : 0;
    if (answer.gai == 0)
        for (const struct addrinfo *at = list; at != NULL; at = at->ai_next)
            add(&answer, at);
    _exit(fdio_send(fd, &answer, sizeof(answer), -1, 0, NULL) == ERR_OK
              ? EXIT_OK
              : EXIT_SYS);
}

enum err
resolve_start(const char *host, struct resolve *out, struct why *why)
{
    pid_t parent = getpid();
    int pair[2];
    enum err err;

    if ((err = fdio_pair(pair, why)) != ERR_OK)
        return err;
    out->pid = fork();
    if (out->pid == 0)
        child(host, pair[1], parent);
    fdio_close(&pair[1]);
    out->fd = pair[0];
    if (out->pid > 0)
        return ERR_OK;
    err = why_errno(why, ERR_SYS, "fork");
    fdio_close(&out->fd);
    return err;
}

void
resolve_kill(struct resolve *resolve)
{
    (void)kill(resolve->pid, SIGKILL); /* not reaped yet: the pid is its own */
    fdio_close(&resolve->fd);
}

/* check - believe the child's packet only as far as it can be true */
static enum err
check(const struct resolve_answer *answer, size_t len, struct why *why)
{
    if (len != sizeof(*answer) || answer->count > RESOLVE_MAX)
        return why_set(why, ERR_IO, "the resolver's answer makes no sense");
    for (uint32_t i = 0; i < answer->count; i++)
        if (answer->addr[i].family != AF_INET &&
            answer->addr[i].family != AF_INET6)
            return why_set(why, ERR_IO, "the resolver's answer makes no sense");
    if (answer->gai == EAI_SYSTEM) {
        errno = answer->error;
        return why_errno(why, ERR_CONF, "resolver");
    }
    if (answer->gai != 0)
        return why_set(why, ERR_CONF, "%s", gai_strerror(answer->gai));
    if (answer->count == 0)
        return why_set(why, ERR_CONF, "the name has no address");
    return ERR_OK;
}

enum err
resolve_finish(struct resolve *resolve, struct resolve_answer *out,
               struct why *why)
{
    size_t len = sizeof(*out);
    enum err err =
        fdio_recv(resolve->fd, out, &len, NULL, NULL, MSG_DONTWAIT, why);

    resolve_kill(resolve);
    if (err != ERR_OK)
        return why_set(why, ERR_IO, "the resolver process died");
    return check(out, len, why);
}
