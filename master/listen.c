/*
 * listen.c - the listening sockets
 *
 * Owns every bind(2) and listen(2) in the program. Runs at boot with the
 * privileges that low ports and foreign directories ask for; never accepts.
 */
#include "master/listen.h"
#include "common/fdio.h"
#include "common/ids.h"
#include "common/mem.h"
#include "common/tcp.h"
#include "master/passed.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* owner_ids - listen_owner = USER[:GROUP]; a user alone brings its group */
static enum err
owner_ids(const char *owner, uid_t *uid, gid_t *gid, struct why *why)
{
    char name[256];
    const char *group = strchr(owner, ':');
    size_t len = group != NULL ? (size_t)(group - owner) : strlen(owner);

    if (len == 0 || len >= sizeof(name))
        return why_set(why, ERR_CONF, "listen_owner: not USER[:GROUP]");
    memcpy(name, owner, len);
    name[len] = '\0';
    if (!ids_number(name, uid) && !ids_user(name, uid, gid))
        return why_set(why, ERR_CONF, "listen_owner: no user \"%s\"", name);
    if (group != NULL && !ids_number(group + 1, gid) &&
        !ids_group(group + 1, gid))
        return why_set(why, ERR_CONF, "listen_owner: no group \"%s\"",
                       group + 1);
    return ERR_OK;
}

/* unix_clear - remove a socket to which nobody listens; leave the rest */
static enum err
unix_clear(const struct sockaddr_un *un, const char *text, struct why *why)
{
    struct stat st;
    int fd, refused;

    if (lstat(un->sun_path, &st) != 0)
        return errno == ENOENT ? ERR_OK
                               : why_errno(why, ERR_SYS, "listen %s", text);
    if (!S_ISSOCK(st.st_mode))
        return why_set(why, ERR_SYS,
                       "listen %s: the path is there and is not a socket",
                       text);
    if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) <
        0)
        return why_errno(why, ERR_SYS, "socket");
    refused = connect(fd, (const struct sockaddr *)un, sizeof(*un)) != 0 &&
              errno == ECONNREFUSED;
    close(fd);
    if (!refused)
        return why_set(why, ERR_SYS, "listen %s: another process listens there",
                       text);
    if (unlink(un->sun_path) != 0)
        return why_errno(why, ERR_SYS, "unlink %s", un->sun_path);
    return ERR_OK;
}

/* unix_bind - bind with the mode from the first moment on, then the owner */
static enum err
unix_bind(int fd, const struct conf_service *service, const struct addr *addr,
          uid_t uid, gid_t gid, const char *text, struct why *why)
{
    const struct sockaddr_un *un = (const void *)&addr->sa;
    mode_t mask;
    int failed;
    enum err err;

    if (service->listen_owner != NULL &&
        (err = owner_ids(service->listen_owner, &uid, &gid, why)) != ERR_OK)
        return err;
    if ((err = unix_clear(un, text, why)) != ERR_OK)
        return err;
    mask = umask(0777);
    failed = bind(fd, (const struct sockaddr *)un, addr->sa_len);
    umask(mask);
    if (failed)
        return why_errno(why, ERR_SYS, "bind %s", text);
    if ((geteuid() == 0 || service->listen_owner != NULL) &&
        lchown(un->sun_path, uid, gid) != 0)
        return why_errno(why, ERR_SYS, "chown %s", un->sun_path);
    if (chmod(un->sun_path, (mode_t)service->listen_mode) != 0)
        return why_errno(why, ERR_SYS, "chmod %s", un->sun_path);
    return ERR_OK;
}

static enum err
inet_bind(int fd, const struct addr *addr, const char *text, struct why *why)
{
    int one = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0)
        return why_errno(why, ERR_SYS, "SO_REUSEADDR");
    if (addr->sa.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0)
        return why_errno(why, ERR_SYS, "IPV6_V6ONLY");
    if (bind(fd, (const struct sockaddr *)&addr->sa, addr->sa_len) == 0)
        return ERR_OK;
    if (errno == EADDRINUSE)
        return why_set(why, ERR_SYS,
                       "bind %s: another program listens there "
                       "(ss -ltnp shows which)",
                       text);
    if (errno == EACCES)
        return why_set(why, ERR_SYS,
                       "bind %s: ports below 1024 need root or "
                       "CAP_NET_BIND_SERVICE",
                       text);
    return why_errno(why, ERR_SYS, "bind %s", text);
}

enum err
listen_open(const struct conf_service *service, const struct addr *addr,
            uid_t owner, gid_t group, int *fd, struct why *why)
{
    char text[ADDR_TEXT_MAX];
    enum err err;
    int s;

    addr_text((const struct sockaddr *)&addr->sa, addr->sa_len, text);
    s = socket(addr->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
               0);
    if (s < 0)
        return why_errno(why, ERR_SYS, "socket for %s", text);
    if (addr->kind == ADDR_UNIX)
        err = unix_bind(s, service, addr, owner, group, text, why);
    else
        err = inet_bind(s, addr, text, why);
    if (err == ERR_OK && listen(s, (int)service->backlog) != 0)
        err = why_errno(why, ERR_SYS, "listen %s", text);
    if (err != ERR_OK)
        close(s);
    else
        *fd = s;
    return err;
}

enum err
listen_passed(const struct addr *addr, int **fd, size_t *count, struct why *why)
{
    size_t at = 0, before = *count;
    enum err err = ERR_OK;
    int s;

    while (err == ERR_OK && (s = passed_next(addr->host, &at)) >= 0) {
        *fd = mem_array(*fd, *count + 1, sizeof(**fd));
        (*fd)[(*count)++] = s;
        err = passed_check(s, addr->host, why);
    }
    if (err == ERR_OK && *count == before)
        return why_set(why, ERR_CONF,
                       "listen %s: no socket of that name was passed "
                       "(LISTEN_FDS), but %s",
                       addr->text, passed_names());
    return err;
}

enum err
listen_plain(const struct conf_service *service, const int *fd, size_t count,
             struct why *why)
{
    struct sockaddr_storage sa;
    char text[ADDR_TEXT_MAX];
    struct addr addr;
    socklen_t len;
    size_t i;

    if (service->listen_tls || service->unsafe_plaintext)
        return ERR_OK;
    for (i = 0; i < count; i++) {
        len = sizeof(sa);
        if (getsockname(fd[i], (struct sockaddr *)&sa, &len) != 0)
            return why_errno(why, ERR_SYS, "getsockname");
        addr = addr_of(&sa, len);
        if (addr_is_local(&addr))
            continue;
        return why_set(
            why, ERR_CONF,
            "[service %s]: other machines can connect to %s, and "
            "with listen_tls = no what comes there is neither "
            "encrypted nor verified (unsafe_plaintext = yes, if that "
            "is meant)",
            service->name, addr_text((const struct sockaddr *)&sa, len, text));
    }
    return ERR_OK;
}

void
listen_tune(const struct conf_service *service, const int *fd, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        tcp_nodelay(fd[i]);
        tcp_dead_peer(fd[i], service->dead_peer_timeout);
        tcp_defer(fd[i], service->listen_tls ? service->handshake_timeout : 0);
    }
}

unsigned
listen_waiting(int fd)
{
    struct pollfd item = { .fd = fd, .events = POLLIN };
    struct tcp_info info;
    socklen_t len = sizeof(info);

    if (poll(&item, 1, 0) != 1)
        return 0;
    /* of a listening socket tcpi_unacked is the accept queue, tcp(7) */
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
        info.tcpi_unacked > 0)
        return info.tcpi_unacked;
    return 1;
}
