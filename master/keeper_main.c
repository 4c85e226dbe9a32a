/*
 * keeper_main.c - the keeper's process: one wait, one packet, one signature
 *
 * Owns the worker pairs and their budgets. Everything from the first byte of a
 * key on runs on the secret stack, and the process ends there too: it never
 * returns to ordinary memory.
 * Must never believe a packet about its service, take a descriptor from a
 * worker, or write anything but signatures, public keys and words of its own.
 */
#include "master/keeper_main.h"
#include "common/bans.h"
#include "common/bucket.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/proctitle.h"
#include "master/filters.h"
#include "master/keybook.h"
#include "master/keymem.h"
#include "master/limits.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 64

struct pair { /* one worker */
    int fd;
    uint16_t service;
    bool capped;
    uint32_t left;      /* signatures, when capped */
    struct bucket rate; /* KEEPER_RATE */
};

struct keeper {
    const struct keeper_brief *brief;
    struct keybook *book;
    int control; /* -1: the master has closed it */
    int epoll;
    size_t pairs;
};

/* --- boot --- */

static _Noreturn void
fail(int control, enum err err, const struct why *why)
{
    struct keeper_packet packet = { .word = KEEPER_FAILED,
                                    .value = (uint8_t)err };

    packet.len = (uint16_t)strnlen(why->text, sizeof(packet.data));
    memcpy(packet.data, why->text, packet.len);
    fdio_send(control, &packet, KEEPER_PACKET_HEAD + packet.len, -1, 0, NULL);
    _exit(err_exit(err));
}

/* signals - a terminal sends them to everyone, and a keeper outlives its
 * master's wishes */
static void
signals(void)
{
    static const int ignored[] = { SIGHUP,  SIGINT,  SIGTERM, SIGUSR1,
                                   SIGUSR2, SIGPIPE, SIGXFSZ };
    static const int plain[] = { SIGCHLD, SIGALRM, SIGSEGV, SIGBUS, SIGABRT };

    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        signal(plain[i], SIG_DFL);
}

/* keep_only - standard descriptors, log, jail, control, charges, keys */
static void
keep_only(const struct keeper_brief *brief)
{
    size_t count = 0;
    int *keep = mem_new((brief->key_count + 4) * sizeof(*keep));

    keep[count++] = brief->control;
    keep[count++] = brief->charges;
    keep[count++] = log_fd();
    keep[count++] = brief->jail.fd;
    for (size_t i = 0; i < brief->key_count; i++)
        keep[count++] = brief->keys[i].fd;
    fdio_close_except(keep, count);
    free(keep);
}

/* confine - before a byte of a key is read */
static enum err
confine(const struct keeper_brief *brief, struct why *why)
{
    const struct limits_bound bound = {
        .memory = keymem_need(keybook_files(brief->keys, brief->key_count)),
    };
    struct jail jail = brief->jail;
    enum err err;

    signals();
    keep_only(brief);
    proctitle_set("keeper");
    if (prctl(PR_SET_DUMPABLE, 0) != 0)
        return why_errno(why, ERR_PRIV, "dumpable");
    if ((err = bans_leave(why)) == ERR_OK) /* whom workers refuse */
        err = jail_enter(&jail, why);
    if (err ==
        ERR_OK) /* before the limits: secret memory counts as growing a file */
        err = keymem_open(keybook_files(brief->keys, brief->key_count), why);
    if (err == ERR_OK)
        err = limits_bound(&bound, why);
    return err == ERR_OK ? filters_enter(FILTERS_KEEPER, why) : err;
}

/* publish - tell the master every public key, then that we are ready */
static enum err
publish(const struct keeper *keeper, struct why *why)
{
    struct keeper_packet packet = { .word = KEEPER_KEY };
    enum err err = ERR_OK;
    const uint8_t *der;
    size_t len;

    for (size_t i = 0; err == ERR_OK && i < keeper->brief->key_count; i++) {
        keybook_public(keeper->book, i, &der, &len);
        packet.len = (uint16_t)len;
        memcpy(packet.data, der, len);
        err = fdio_send(keeper->control, &packet, KEEPER_PACKET_HEAD + len, -1,
                        0, why);
    }
    if (err != ERR_OK)
        return err;
    packet = (struct keeper_packet){ .word = KEEPER_READY };
    packet.value = strcmp(keymem_kind(), "memfd_secret") == 0;
    return fdio_send(keeper->control, &packet, KEEPER_PACKET_HEAD, -1, 0, why);
}

static enum err
load(struct keeper *keeper, struct why *why)
{
    const struct keeper_brief *brief = keeper->brief;
    enum err err = keyfile_start(why);

    if (err == ERR_OK)
        err = keybook_load(brief->keys, brief->key_count, &keeper->book, why);
    for (size_t i = 0; i < brief->key_count; i++)
        close(brief->keys[i].fd);
    return err == ERR_OK ? publish(keeper, why) : err;
}

static enum err
watch(const struct keeper *keeper, int fd, struct pair *pair, struct why *why)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = pair };

    if (epoll_ctl(keeper->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return why_errno(why, ERR_SYS, "epoll_ctl");
    return ERR_OK;
}

/* --- workers --- */

/* forget - close a descriptor; others may still hold it, so epoll has to be
 * told */
static void
forget(const struct keeper *keeper, int *fd)
{
    epoll_ctl(keeper->epoll, EPOLL_CTL_DEL, *fd, NULL);
    fdio_close(fd);
}

static void
pair_close(struct keeper *keeper, struct pair *pair)
{
    forget(keeper, &pair->fd);
    free(pair);
    keeper->pairs--;
}

/* refuse - no more of this worker: the master ends it */
static void
refuse(struct keeper *keeper, struct pair *pair, pid_t worker,
       const char *reason)
{
    const char *name = keybook_name(keeper->book, pair->service);
    struct log_line line;

    log_begin(&line, LOG_L_WARN, "keeper_refused");
    if (name != NULL)
        log_text(&line, "service", name);
    else
        log_int(&line, "service", pair->service);
    if (worker > 0)
        log_int(&line, "worker", worker);
    log_text(&line, "reason", reason);
    log_send(&line);
    if (worker > 0 && keeper->brief->charges >= 0)
        (void)fdio_send(keeper->brief->charges, &worker, sizeof(worker), -1,
                        MSG_DONTWAIT, NULL);
    pair_close(keeper, pair);
}

/* exhausted - say so to the worker, too: its client's line may still tell why */
static void
exhausted(struct keeper *keeper, struct pair *pair, pid_t worker)
{
    const struct keywire_reply reply = { .status = KEYWIRE_SPENT };

    (void)fdio_send(pair->fd, &reply, KEYWIRE_REPLY_HEAD, -1, MSG_DONTWAIT,
                    NULL);
    refuse(keeper, pair, worker, "signing_budget");
}

/* spend - one signature off both budgets; false: there is none left */
static bool
spend(struct pair *pair)
{
    if (!bucket_take(&pair->rate, KEEPER_RATE, KEEPER_RATE, clock_ms()) ||
        (pair->capped && pair->left == 0))
        return false;
    pair->left -= pair->capped;
    return true;
}

/* serve_worker - one request; no room for descriptors: those sent to us vanish.
 * The kernel names the worker, for log and master. */
static void
serve_worker(struct keeper *keeper, struct pair *pair)
{
    struct keywire_request request;
    struct keywire_reply reply;
    size_t len = sizeof(request), reply_len = 0;
    const char *reason;
    pid_t worker = 0;
    enum err err =
        fdio_recv(pair->fd, &request, &len, NULL, &worker, MSG_DONTWAIT, NULL);

    if (err == ERR_AGAIN)
        return;
    if (err == ERR_PEER) {
        refuse(keeper, pair, worker, "bad_request");
        return;
    }
    if (err != ERR_OK) {
        pair_close(keeper, pair);
        return;
    }
    if (!spend(pair)) {
        exhausted(keeper, pair, worker);
        return;
    }
    reason = keybook_answer(keeper->book, pair->service, &request, len, &reply,
                            &reply_len);
    if (reason != NULL) {
        refuse(keeper, pair, worker, reason);
        return;
    }
    /* a worker asks once and waits: one whose queue is full does not read */
    if (fdio_send(pair->fd, &reply, reply_len, -1, MSG_DONTWAIT, NULL) ==
        ERR_AGAIN)
        refuse(keeper, pair, worker, "does_not_read");
}

static void
worker_add(struct keeper *keeper, uint16_t service, int fd)
{
    uint32_t budget = keybook_budget(keeper->book, service);
    struct pair *pair = mem_new(sizeof(*pair));

    *pair = (struct pair){
        .fd = fd, .service = service, .capped = budget > 0, .left = budget
    };
    bucket_fill(&pair->rate, KEEPER_RATE, clock_ms());
    keeper->pairs++;
    if (watch(keeper, fd, pair, NULL) != ERR_OK)
        refuse(keeper, pair, 0, "epoll");
}

/* serve_master - workers' pairs, or the end of our generation */
static void
serve_master(struct keeper *keeper)
{
    struct keeper_packet packet;
    size_t len = sizeof(packet), count = FDIO_FDS_MAX;
    int fds[FDIO_FDS_MAX];
    enum err err = fdio_recv_all(keeper->control, &packet, &len, fds, &count,
                                 MSG_DONTWAIT, NULL);
    bool good = err == ERR_OK && len == KEEPER_PACKET_HEAD &&
                packet.word == KEEPER_WORKER && count > 0;

    for (size_t i = 0; i < count; i++) {
        if (good)
            worker_add(keeper, packet.service, fds[i]);
        else
            close(fds[i]);
    }
    if (err == ERR_EOF || err == ERR_IO)
        forget(keeper, &keeper->control);
    else if (!good && err != ERR_AGAIN)
        log_simple(LOG_L_WARN, "keeper_full",
                   "a worker's descriptor did not arrive: RLIMIT_NOFILE");
}

static void
serve(struct keeper *keeper)
{
    struct epoll_event events[EVENTS];

    while (keeper->control >= 0 || keeper->pairs > 0) {
        int count = epoll_wait(keeper->epoll, events, EVENTS, -1);

        if (count < 0 && errno != EINTR)
            return;
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                serve_master(keeper);
            else
                serve_worker(keeper, events[i].data.ptr);
        }
    }
}

/* inside - on the secret stack, for good */
static int
inside(void *arg)
{
    struct keeper keeper = { .brief = arg };
    struct why why = { "" };
    enum err err;

    keeper.control = keeper.brief->control;
    err = load(&keeper, &why);
    if (err == ERR_OK) {
        keeper.epoll = epoll_create1(EPOLL_CLOEXEC);
        err = keeper.epoll < 0 ? why_errno(&why, ERR_SYS, "epoll")
                               : watch(&keeper, keeper.control, NULL, &why);
    }
    if (err != ERR_OK)
        fail(keeper.control, err, &why);
    serve(&keeper);
    _exit(EXIT_OK);
}

_Noreturn void
keeper_main(const struct keeper_brief *brief)
{
    struct why why = { "" };
    enum err err = confine(brief, &why);

    if (err != ERR_OK)
        fail(brief->control, err, &why);
    keymem_run(inside, (void *)(uintptr_t)brief);
    abort(); /* inside does not return */
}
