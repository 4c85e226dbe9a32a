/*
 * inetd.c - clients that come from whoever started us
 *
 * Owns descriptors 0 and 1 of mtlsd -i and -c: what they are, and that no other
 * process of ours keeps them. Must never change what others share: the pipes
 * and terminals of -c stay blocking (worker/stream.h), a listening socket is
 * inetd's again when we end.
 */
#include "master/inetd.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/mem.h"
#include "master/complain.h"
#include "master/crew.h"
#include "master/generation.h"
#include "master/master.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
socket_option(int fd, int option)
{
    int value = -1;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

bool
inetd_given(void)
{
    return socket_option(STDIN_FILENO, SO_TYPE) == SOCK_STREAM;
}

bool
inetd_single(const struct inetd *inetd)
{
    return inetd->kind == INETD_NOWAIT || inetd->kind == INETD_CONNECT;
}

/* take_one - a copy above 2; what it was copied from becomes /dev/null */
static enum err
take_one(int from, int *fd, struct why *why)
{
    if ((*fd = fcntl(from, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) < 0)
        return why_errno(why, ERR_SYS, "descriptor %d", from);
    fdio_null(from);
    return ERR_OK;
}

/* is_local - does the socket listen, or stand, on this machine alone? */
static bool
is_local(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct addr addr;

    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        return false;
    addr = addr_of(&sa, len);
    return addr_is_local(&addr);
}

/* check_plain - listen_tls = no is for this machine; conf_check_listen.c asks
 * the same of addresses that are configured */
static enum err
check_plain(const struct conf_service *service, int fd, struct why *why)
{
    if (service->listen_tls || service->unsafe_plaintext || is_local(fd))
        return ERR_OK;
    return why_set(why, ERR_CONF,
                   "other machines can connect to descriptor 0, and with "
                   "listen_tls = no what comes there is neither encrypted nor "
                   "verified; if that is meant, say unsafe_plaintext = yes");
}

/* take_socket - -i. The socket is ours alone (a connection), or nobody else
 * accepts from it now: it may become non-blocking. */
static enum err
take_socket(const struct conf_service *service, struct inetd *out,
            struct why *why)
{
    bool listens = socket_option(STDIN_FILENO, SO_ACCEPTCONN) == 1;
    enum err err = check_plain(service, STDIN_FILENO, why);

    out->kind = listens ? INETD_WAIT : INETD_NOWAIT;
    out->sa_len = sizeof(out->sa);
    if (err == ERR_OK && !listens &&
        getpeername(STDIN_FILENO, (struct sockaddr *)&out->sa, &out->sa_len) !=
            0)
        err = why_errno(why, ERR_SYS, "descriptor 0 has no client");
    if (err == ERR_OK)
        err = fdio_nonblock(STDIN_FILENO, why);
    if (err == ERR_OK)
        err = take_one(STDIN_FILENO, listens ? &out->listen_fd : &out->in, why);
    fdio_null(STDOUT_FILENO);
    out->out = out->in;
    return err;
}

/* take_pair - -c */
static enum err
take_pair(const struct conf_service *service, struct inetd *out,
          struct why *why)
{
    enum err err;

    out->kind = INETD_CONNECT;
    if (service->listen_tls || service->protocol != CONF_PROTOCOL_TCP ||
        service->route[0].upstream.item[0].kind == ADDR_RESPOND)
        return why_set(why, ERR_CONF,
                       "-c relays standard input and output as they are: "
                       "[service %s] needs listen_tls = no, protocol = tcp, "
                       "and an upstream that can be connected to",
                       service->name);
    if ((err = take_one(STDIN_FILENO, &out->in, why)) == ERR_OK)
        err = take_one(STDOUT_FILENO, &out->out, why);
    return err;
}

/* settle - what such a process is: small, and quiet where a client, or the
 * terminal of whoever waits for the connection, would hear it */
static void
settle(struct conf *conf, const struct inetd *inetd)
{
    struct conf_service *service = &conf->service[0];
    struct conf_global *global = &conf->global;
    bool to_stderr = strcmp(global->log, "stderr") == 0;

    free(global->pid_file);
    global->pid_file = NULL;
    global->watch = false;
    if (to_stderr && complain_muted()) {
        free(global->log);
        global->log = mem_copy("syslog");
    }
    if (!inetd_single(inetd))
        return;
    global->keepers = 1;
    service->workers_min = service->workers_max = service->max_use = 1;
    service->workers_spare = 0;
    if (inetd->kind == INETD_CONNECT && to_stderr &&
        global->log_level < LOG_L_DEBUG && global->log_level > LOG_L_WARN)
        global->log_level = LOG_L_WARN;
}

enum err
inetd_take(bool connect, struct conf *conf, struct inetd *out, struct why *why)
{
    enum err err;

    *out = (struct inetd){ .in = -1, .out = -1, .listen_fd = -1 };
    err = connect ? take_pair(&conf->service[0], out, why)
                  : take_socket(&conf->service[0], out, why);
    if (err == ERR_OK)
        settle(conf, out);
    return err;
}

void
inetd_handed(struct inetd *inetd)
{
    if (inetd->out != inetd->in)
        fdio_close(&inetd->out);
    fdio_close(&inetd->in);
    inetd->out = -1;
}

/* busy - for crew_each: is anybody served? */
static void
busy(struct crew_member *member, void *ctx)
{
    bool *any = ctx;

    *any |= member->state == CREW_BUSY || member->state == CREW_VERIFIED;
}

int64_t
inetd_due(struct master *master, int64_t now)
{
    struct inetd *inetd = &master->inetd;
    int64_t timeout = master->gen->conf->global.inetd_timeout;
    bool any = false;

    if (inetd->kind != INETD_WAIT || master->phase != MASTER_RUN ||
        timeout == CLOCK_NEVER)
        return CLOCK_NEVER;
    crew_each(master->crew, busy, &any);
    if (any) {
        inetd->idle_since = 0;
        return CLOCK_NEVER; /* its end is reported, and we look again */
    }
    if (inetd->idle_since == 0 || inetd->taken != master->pool[0].taken)
        inetd->idle_since = now;
    inetd->taken = master->pool[0].taken;
    if (now < inetd->idle_since + timeout)
        return inetd->idle_since + timeout;
    stop_drain(master, "inetd_timeout", now);
    return CLOCK_NEVER;
}
