/*
 * program.c - get a program for a client from the runner
 *
 * Owns the worker's end of the runner pair: what is said of the client, and the
 * replies. Must never name a program, nor keep a descriptor that belongs to a
 * session before.
 */
#include "worker/program.h"
#include "common/addr.h"
#include "common/clock.h"
#include "common/conf.h"
#include "common/fdio.h"
#include "common/mem.h"
#include "common/runwire.h"
#include "common/words.h"
#include "worker/session.h"
#include "worker/wait.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* --- what is said of the client ------------------------------------------- */

/* add_port - 0: there is none */
static size_t
add_port(struct runwire_request *run, enum runwire_field field, uint16_t port)
{
    char text[8] = "";

    if (port != 0)
        (void)snprintf(text, sizeof(text), "%u", (unsigned)port);
    return runwire_add(run, field, text);
}

/* add_local - where the client connected to */
static size_t
add_local(struct runwire_request *run, int fd)
{
    struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof(sa);
    char text[ADDR_TEXT_MAX];
    in_port_t port = 0;

    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        return 0;
    if (sa.ss_family == AF_INET)
        port = ((const struct sockaddr_in *)(const void *)&sa)->sin_port;
    else if (sa.ss_family == AF_INET6)
        port = ((const struct sockaddr_in6 *)(const void *)&sa)->sin6_port;
    else
        return 0;
    (void)runwire_add(run, RUNWIRE_LOCAL_IP,
                      addr_host_text((const struct sockaddr *)&sa, len, text));
    return add_port(run, RUNWIRE_LOCAL_PORT, ntohs(port));
}

/* add_identity - whose certificate it is */
static void
add_identity(struct runwire_request *run, const struct identity *id)
{
    (void)runwire_add(run, RUNWIRE_SUBJECT, id->subject);
    (void)runwire_add(run, RUNWIRE_ISSUER, id->issuer);
    (void)runwire_add(run, RUNWIRE_CN, id->cn);
    (void)runwire_add(run, RUNWIRE_SERIAL, id->serial);
    (void)runwire_add(run, RUNWIRE_SANS, id->san);
    (void)runwire_add(run, RUNWIRE_SHA256, id->sha256_hex);
}

static void
add_session(struct runwire_request *run, const struct session *session)
{
    (void)runwire_add(run, RUNWIRE_TLS, session->version);
    (void)runwire_add(run, RUNWIRE_CIPHER, session->cipher);
    (void)runwire_add(run, RUNWIRE_GROUP, session->group);
    (void)runwire_add(run, RUNWIRE_ALPN, session->alpn);
    (void)runwire_add(run, RUNWIRE_SNI, session->sni);
    if (session->id.present)
        add_identity(run, &session->id);
}

/* describe - the whole request; its length */
static size_t
describe(const struct program_client *client, uint32_t seq,
         struct runwire_request *run)
{
    const struct session *session = client->session;
    char until[24] = ""; /* a number: to make a date needs files */

    (void)runwire_begin(run, seq);
    if (client->port != 0) {
        (void)runwire_add(run, RUNWIRE_REMOTE_IP, client->host);
        (void)add_port(run, RUNWIRE_REMOTE_PORT, client->port);
        (void)add_local(run, client->fd);
    }
    if (session != NULL)
        add_session(run, session);
    if (session != NULL && session->id.present)
        (void)snprintf(until, sizeof(until), "%lld",
                       (long long)session->id.not_after);
    return runwire_add(run, RUNWIRE_NOT_AFTER, until);
}

/* --- the pair ------------------------------------------------------------- */

static enum err
ask(int runner_fd, int client_fd, const void *packet, size_t len,
    int64_t deadline, struct why *why)
{
    enum err err;

    for (;;) {
        err = fdio_send(runner_fd, packet, len, -1, MSG_DONTWAIT, why);
        if (err != ERR_AGAIN)
            return err == ERR_IO ? ERR_PEER : err;
        err = wait_beside(runner_fd, POLLOUT, client_fd, deadline);
        if (err != ERR_OK)
            return err;
    }
}

/* hear - the next reply about this session; older ones are dropped, with what
 * came along */
static enum err
hear(int runner_fd, int client_fd, uint32_t seq, struct runwire_reply *reply,
     int *fd, int64_t deadline, struct why *why)
{
    size_t len;
    enum err err;

    for (;;) {
        len = sizeof(*reply);
        err = fdio_recv(runner_fd, reply, &len, fd, NULL, MSG_DONTWAIT, why);
        if (err == ERR_AGAIN && (err = wait_beside(runner_fd, POLLIN, client_fd,
                                                   deadline)) == ERR_OK)
            continue;
        if (err != ERR_OK)
            return err == ERR_IO ? ERR_PEER : err;
        if (len == sizeof(*reply) && reply->seq == seq)
            return ERR_OK;
        fdio_close(fd);
        if (len != sizeof(*reply))
            return why_set(why, ERR_PEER,
                           "the runner's reply has a wrong length");
    }
}

/* --- opening -------------------------------------------------------------- */

/* refused - why there is no program, in a sentence */
static enum err
refused(const struct runwire_reply *reply, const struct conf_service *service,
        struct why *why)
{
    struct words words;

    errno = reply->value;
    switch ((enum runwire_step)reply->step) {
    case RUNWIRE_TOO_MANY:
        return why_set(why, ERR_IO,
                       "%ld programs of this service have not ended",
                       2 * service->workers_max);
    case RUNWIRE_DIR:
        return why_errno(why, ERR_IO, "exec_dir %s", service->exec.dir);
    case RUNWIRE_LIMIT:
        return why_errno(why, ERR_IO, "the limits of the program");
    case RUNWIRE_EXEC:
        if (words_split(conf_command(service), &words, why) != ERR_OK)
            return ERR_IO;
        return why_errno(why, ERR_IO, "%s", words.word[0]);
    case RUNWIRE_PROCESS:
        break;
    }
    return why_errno(why, ERR_IO, "no process for the program");
}

/* judge - the first reply about a session */
static enum err
judge(const struct runwire_reply *reply, int *fd,
      const struct conf_service *service, struct why *why)
{
    if (reply->kind == RUNWIRE_STARTED && *fd >= 0)
        return ERR_OK;
    fdio_close(fd);
    if (reply->kind == RUNWIRE_FAILED)
        return refused(reply, service, why);
    return why_set(why, ERR_PEER, "the runner's reply makes no sense");
}

/* conclude - the word for the end of a failed call */
static enum err
conclude(enum err err, enum reason *reason, struct why *why)
{
    *reason = REASON_INTERNAL;
    if (err == ERR_IO) {
        *reason = REASON_EXEC_FAILED;
    } else if (err == ERR_STOP) {
        *reason = REASON_STOPPED;
        return why_set(why, err, "stopped while the program was started");
    } else if (err == ERR_RESET) {
        *reason = REASON_CLIENT_RESET;
        return why_set(why, err, "the client went away before the program ran");
    } else if (err == ERR_TIMEOUT) {
        *reason = REASON_UPSTREAM_TIMEOUT;
        return why_set(why, err, "the program was not started in time");
    } else if (err == ERR_EOF) {
        return why_set(why, err, "the runner is gone");
    }
    return err;
}

enum err
program_open(int runner_fd, const struct conf_service *service,
             const struct program_client *client, int64_t timeout_ms,
             struct program *out, int *fd, enum reason *reason, struct why *why)
{
    static struct runwire_request run; /* large */
    static MEM_TOUCHED uint32_t seq; /* of this process: its pair is its own */
    int64_t deadline = clock_deadline(timeout_ms);
    struct runwire_reply reply;
    enum err err;
    size_t len;

    *fd = -1;
    memset(out, 0, sizeof(*out));
    out->seq = ++seq;
    out->open = true;
    len = describe(client, out->seq, &run);
    err = ask(runner_fd, client->fd, &run, len, deadline, why);
    memset(&run, 0, sizeof(run)); /* nothing of this client is left */
    if (err == ERR_OK)
        err = hear(runner_fd, client->fd, out->seq, &reply, fd, deadline, why);
    if (err == ERR_OK)
        err = judge(&reply, fd, service, why);
    if (err != ERR_OK)
        return conclude(err, reason, why);
    *reason = REASON_NONE;
    return ERR_OK;
}

/* --- the end -------------------------------------------------------------- */

void
program_wait(int runner_fd, struct program *program, int64_t ms)
{
    struct runwire_reply reply;
    int fd = -1;

    if (!program->open || program->ended ||
        hear(runner_fd, -1, program->seq, &reply, &fd, clock_deadline(ms),
             NULL) != ERR_OK)
        return;
    fdio_close(&fd);
    program->ended = reply.kind == RUNWIRE_ENDED;
    program->status = reply.value;
}

void
program_close(int runner_fd, struct program *program)
{
    struct runwire_request close = { .kind = RUNWIRE_CLOSE,
                                     .seq = program->seq };

    /* one that does not take it, or is gone, sees our pair's end with us */
    if (program->open && !program->ended)
        (void)fdio_send(runner_fd, &close, RUNWIRE_HEAD, -1, MSG_DONTWAIT,
                        NULL);
    program->open = false;
}
