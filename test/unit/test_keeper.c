/*
 * test_keeper.c - whole keepers: what they answer, refuse and survive, how they
 * end, and that no byte of a key is in memory that others can read
 */
/* wrap: syscall */
#include "common/err.h"
#include "common/fdio.h"
#include "common/keywire.h"
#include "common/log.h"
#include "master/keeper.h"
#include "test/unit/keygen.h"
#include "test/unit/old_kernel.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* --- the keys: one service each --- */

enum { P256, P384, P521, RSA2, ED, SERVICES };

static const struct {
    const char *name, *kind;
    enum keywire_alg alg;
    uint16_t len;
    const char *verify;
} kinds[SERVICES] = {
    { "p256", "ec:P-256", KEYWIRE_ECDSA, 32, "" },
    { "p384", "ec:P-384", KEYWIRE_ECDSA, 48, "" },
    { "p521", "ec:P-521", KEYWIRE_ECDSA, 64, "" },
    { "rsa2", "rsa:2048", KEYWIRE_RSA_PKCS1_SHA256, 32,
      "-pkeyopt digest:sha256" },
    { "ed", "ed25519", KEYWIRE_ED25519, 100, "-rawin" },
};

static const struct jail no_jail = { .fd = -1 };
static struct keepers *keepers;
static int log_pair[2] = { -1, -1 };

static int
make_keys(void **state)
{
    (void)state;
    for (int i = 0; i < SERVICES; i++)
        keygen_key(kinds[i].name, kinds[i].kind);
    return 0;
}

static int
open_key(const char *name)
{
    char file[64];
    int fd;

    snprintf(file, sizeof(file), "%s.key", name);
    fd = open(keygen_path(file), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static int charges[2] = { -1, -1 };

static void
start_with(size_t count, const struct jail *jail, uint32_t budget)
{
    struct keeper_key keys[SERVICES];
    struct why why = { "" };
    enum err err;

    for (int i = 0; i < SERVICES; i++)
        keys[i] = (struct keeper_key){ .service = (uint16_t)i,
                                       .side = KEYWIRE_CLIENT_SIDE,
                                       .fd = open_key(kinds[i].name),
                                       .path = kinds[i].name,
                                       .name = kinds[i].name,
                                       .budget = budget };
    err =
        keepers_start(count, keys, SERVICES, jail, charges[1], &keepers, &why);
    for (int i = 0; i < SERVICES; i++)
        close(keys[i].fd);
    if (err != ERR_OK)
        fail_msg("%s", why.text);
}

static int
start(void **state)
{
    (void)state;
    assert_int_equal(fdio_pair(log_pair, NULL), ERR_OK);
    log_open(log_pair[1], LOG_L_WARN);
    start_with(1, &no_jail, 0);
    return 0;
}

/* none_left - every child ends by itself, orderly */
static void
none_left(void)
{
    for (int i = 0; i < 6000; i++) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid < 0 && errno == ECHILD)
            return;
        if (pid > 0)
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        else
            poll(NULL, 0, 10);
    }
    fail_msg("a keeper is left behind");
}

static int
stop(void **state)
{
    (void)state;
    keepers_free(keepers);
    keepers = NULL;
    none_left();
    fdio_close(&log_pair[0]);
    fdio_close(&log_pair[1]);
    log_open(-1, LOG_L_ERROR);
    return 0;
}

/* children - the pids of this process's children; how many */
static size_t
children(pid_t *pids, size_t room)
{
    char path[64], text[1024] = "";
    char *at = text;
    size_t count = 0;
    int fd;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
    close(fd);
    while (count < room) {
        char *end;
        long pid = strtol(at, &end, 10);

        if (end == at)
            break;
        pids[count++] = (pid_t)pid;
        at = end;
    }
    return count;
}

static pid_t
only_child(void)
{
    pid_t pids[4] = { 0 };

    if (children(pids, 4) != 1)
        skip();
    return pids[0];
}

/* --- a worker's end --- */

static int
worker(uint16_t service)
{
    struct timeval limit = { .tv_sec = 5 };
    int pair[2], one = 1;

    assert_int_equal(fdio_pair(pair, NULL), ERR_OK);
    assert_int_equal(
        setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), 0);
    assert_int_equal(keepers_register(keepers, service, &pair[1], 1, NULL),
                     ERR_OK);
    close(pair[1]);
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return pair[0];
}

static struct keywire_request
request_for(int kind)
{
    struct keywire_request request = { .op = KEYWIRE_SIGN,
                                       .side = KEYWIRE_CLIENT_SIDE,
                                       .alg = (uint8_t)kinds[kind].alg,
                                       .len = kinds[kind].len };

    memset(request.data, 0xc3, kinds[kind].len);
    return request;
}

static size_t
size_of(const struct keywire_request *request)
{
    return KEYWIRE_REQUEST_HEAD + request->len;
}

static enum err
receive(int fd, struct keywire_reply *reply)
{
    size_t len = sizeof(*reply);
    enum err err = fdio_recv(fd, reply, &len, NULL, NULL, 0, NULL);

    if (err == ERR_OK)
        assert_true(keywire_reply_ok(reply, len));
    return err;
}

static enum err
ask(int fd, int kind, struct keywire_reply *reply)
{
    struct keywire_request request = request_for(kind);
    enum err err = fdio_send(fd, &request, size_of(&request), -1, 0, NULL);

    return err != ERR_OK ? err : receive(fd, reply);
}

static void
must_sign(int fd, int kind)
{
    struct keywire_reply reply = { 0 };

    assert_int_equal(ask(fd, kind, &reply), ERR_OK);
    assert_int_equal(reply.status, KEYWIRE_OK);
}

/* --- tests --- */

static void
public_keys_are_those_of_the_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < SERVICES; i++) {
        const uint8_t *der;
        uint8_t *want;
        size_t len, want_len;

        keygen_run("openssl pkey -in %s.key -pubout -outform DER -out pub",
                   kinds[i].name);
        want = keygen_read("pub", &want_len);
        keepers_public(keepers, i, &der, &len);
        assert_int_equal(len, want_len);
        assert_memory_equal(der, want, len);
        free(want);
    }
}

static void
each_service_gets_signatures_of_its_key(void **state)
{
    (void)state;
    for (int i = 0; i < SERVICES; i++) {
        struct keywire_request request = request_for(i);
        struct keywire_reply reply = { 0 };
        int fd = worker((uint16_t)i);

        assert_int_equal(ask(fd, i, &reply), ERR_OK);
        assert_int_equal(reply.status, KEYWIRE_OK);
        keygen_write("data", request.data, request.len);
        keygen_write("sig", reply.data, reply.len);
        keygen_run(
            "openssl pkeyutl -verify -inkey %s.key %s -in data -sigfile sig",
            kinds[i].name, kinds[i].verify);
        close(fd);
    }
}

static void
two_ecdsa_signatures_differ(void **state)
{
    struct keywire_reply one, two;
    int fd = worker(P256);

    (void)state;
    assert_int_equal(ask(fd, P256, &one), ERR_OK);
    assert_int_equal(ask(fd, P256, &two), ERR_OK);
    assert_memory_not_equal(one.data, two.data, 64);
    close(fd);
}

/* log_holds - does the next log record hold these bytes? */
static void
log_holds(const char *event, const char *service, const char *reason)
{
    char record[LOG_RECORD_MAX], text[LOG_RECORD_MAX];
    struct timeval limit = { .tv_sec = 2 };
    ssize_t n;

    setsockopt(log_pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    n = recv(log_pair[0], record, sizeof(record), 0);
    assert_true(n > 0);
    assert_int_equal(
        log_render(record, (size_t)n, LOG_F_LOGFMT, 0, 1, text, sizeof(text)),
        ERR_OK);
    if (strstr(text, event) == NULL || strstr(text, service) == NULL ||
        strstr(text, reason) == NULL)
        fail_msg("logged: %s", text);
}

static void
a_broken_packet_closes_its_pair_alone(void **state)
{
    static const struct {
        struct keywire_request request;
        size_t len; /* 0: as long as it says */
        const char *reason;
    } rows[] = {
        { { .op = 0, .alg = KEYWIRE_ECDSA, .len = 32 },
          0,
          "reason=bad_request" },
        { { .op = 2, .alg = KEYWIRE_ECDSA, .len = 32 },
          0,
          "reason=bad_request" },
        { { .op = 1, .alg = 0, .len = 32 }, 0, "reason=bad_request" },
        { { .op = 1, .alg = 9, .len = 32 }, 0, "reason=bad_request" },
        { { .op = 1, .alg = KEYWIRE_ECDSA, .len = 31 },
          0,
          "reason=bad_request" },
        { { .op = 1, .alg = KEYWIRE_ECDSA, .len = 0 },
          0,
          "reason=bad_request" },
        { { .op = 1, .alg = KEYWIRE_ECDSA, .len = 0xffff },
          512,
          "reason=bad_request" },
        { { .op = 1, .alg = KEYWIRE_ECDSA, .len = 32 },
          1,
          "reason=bad_request" },
        { { .op = 1, .alg = KEYWIRE_ECDSA, .len = 32 },
          37,
          "reason=bad_request" },
        { { .op = 1, .alg = KEYWIRE_ECDSA, .len = 32 },
          39,
          "reason=bad_request" },
        { { .op = 1, .alg = KEYWIRE_ED25519, .len = 512 },
          600,
          "reason=bad_request" },
        { { .op = 1, .side = 2, .alg = KEYWIRE_ECDSA, .len = 32 },
          0,
          "reason=bad_request" },
        { { .op = 1, .key = 1, .alg = KEYWIRE_ECDSA, .len = 32 },
          0,
          "reason=no_such_key" },
        { { .op = 1, .key = 255, .alg = KEYWIRE_ECDSA, .len = 32 },
          0,
          "reason=no_such_key" },
        { { .op = 1, .alg = KEYWIRE_ED25519, .len = 513 },
          0,
          "reason=bad_request" },
        { { .op = 1,
            .side = KEYWIRE_UPSTREAM_SIDE,
            .alg = KEYWIRE_ECDSA,
            .len = 32 },
          0,
          "reason=no_such_key" },
        { { .op = 1, .alg = KEYWIRE_ED25519, .len = 32 },
          0,
          "reason=wrong_algorithm" },
        { { .op = 1, .alg = KEYWIRE_RSA_PSS_SHA256, .len = 32 },
          0,
          "reason=wrong_algorithm" },
    };
    int good = worker(P256);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t packet[sizeof(struct keywire_request)] = { 0 };
        struct keywire_reply reply;
        int bad = worker(P256);
        size_t len = rows[i].len != 0 ? rows[i].len : size_of(&rows[i].request);

        memcpy(packet, &rows[i].request, sizeof(rows[i].request));
        assert_int_equal(fdio_send(bad, packet, len, -1, 0, NULL), ERR_OK);
        assert_int_equal(receive(bad, &reply), ERR_EOF);
        log_holds("keeper_refused", "service=p256", rows[i].reason);
        close(bad);
        must_sign(good, P256);
    }
    close(good);
}

/* a service with several keys on both sides: the index chooses within the side,
 * and the neighbour's indexes are not ours */
static void
indexes_choose_among_the_keys_of_a_side(void **state)
{
    static const struct {
        uint16_t service;
        uint8_t side, index;
        int kind;
    } owns[] = {
        { 0, KEYWIRE_CLIENT_SIDE, 0, P256 },
        { 0, KEYWIRE_CLIENT_SIDE, 255, P384 },
        { 0, KEYWIRE_UPSTREAM_SIDE, 0, P384 },
        { 0, KEYWIRE_UPSTREAM_SIDE, 7, P256 },
        { 1, KEYWIRE_UPSTREAM_SIDE, 3, P256 },
    };
    enum { OWNS = sizeof(owns) / sizeof(owns[0]) };
    struct keeper_key keys[OWNS];
    struct keywire_reply reply;
    struct why why = { "" };

    (void)stop(state);
    assert_int_equal(fdio_pair(log_pair, NULL), ERR_OK);
    log_open(log_pair[1], LOG_L_WARN);
    for (int i = 0; i < OWNS; i++)
        keys[i] = (struct keeper_key){ .service = owns[i].service,
                                       .side = owns[i].side,
                                       .index = owns[i].index,
                                       .fd = open_key(kinds[owns[i].kind].name),
                                       .path = "key",
                                       .name = "many" };
    assert_int_equal(keepers_start(1, keys, OWNS, &no_jail, -1, &keepers, &why),
                     ERR_OK);
    for (int i = 0; i < OWNS; i++)
        close(keys[i].fd);
    for (uint16_t service = 0; service < 2; service++)
        for (int i = 0; i < OWNS; i++) {
            struct keywire_request request = request_for(owns[i].kind);
            int fd = worker(service);
            bool mine = owns[i].service == service;

            request.side = owns[i].side;
            request.key = owns[i].index;
            assert_int_equal(
                fdio_send(fd, &request, size_of(&request), -1, 0, NULL),
                ERR_OK);
            assert_int_equal(receive(fd, &reply), mine ? ERR_OK : ERR_EOF);
            if (mine)
                assert_int_equal(reply.status, KEYWIRE_OK);
            close(fd);
        }
}

/* a client with an Ed25519 key in TLS 1.2 signs all that was said before */
static void
long_messages_are_for_the_upstream_side(void **state)
{
    static struct keywire_request request;
    struct keeper_key key = { .service = 0,
                              .side = KEYWIRE_UPSTREAM_SIDE,
                              .index = 1,
                              .path = "ed",
                              .name = "ed" };
    struct keywire_reply reply;
    int fd;

    (void)stop(state);
    assert_int_equal(fdio_pair(log_pair, NULL), ERR_OK);
    log_open(log_pair[1], LOG_L_WARN);
    key.fd = open_key(kinds[ED].name);
    assert_int_equal(keepers_start(1, &key, 1, &no_jail, -1, &keepers, NULL),
                     ERR_OK);
    close(key.fd);
    request.op = KEYWIRE_SIGN;
    request.side = KEYWIRE_UPSTREAM_SIDE;
    request.key = 1;
    request.alg = KEYWIRE_ED25519;
    request.len = KEYWIRE_DATA_MAX;
    fd = worker(0);
    assert_int_equal(fdio_send(fd, &request, sizeof(request), -1, 0, NULL),
                     ERR_OK);
    assert_int_equal(receive(fd, &reply), ERR_OK);
    assert_int_equal(reply.len, 64);
    close(fd);
}

static void
an_unknown_service_gets_nothing(void **state)
{
    struct keywire_reply reply;
    int fd = worker(SERVICES + 7);

    (void)state;
    assert_int_equal(ask(fd, P256, &reply), ERR_EOF);
    log_holds("keeper_refused", "service=12", "reason=no_such_key");
    close(fd);
}

static void
descriptors_sent_to_it_vanish(void **state)
{
    struct keywire_request request = request_for(P256);
    struct keywire_reply reply;
    int fd = worker(P256), ends[2];
    char byte;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(
        fdio_send(fd, &request, size_of(&request), ends[1], 0, NULL), ERR_OK);
    close(ends[1]);
    assert_int_equal(receive(fd, &reply), ERR_OK);
    assert_int_equal(reply.status, KEYWIRE_OK);
    assert_int_equal(read(ends[0], &byte, 1),
                     0); /* nobody holds the other end */
    close(ends[0]);
    close(fd);
}

static void
who_asks_without_reading_is_cut_off(void **state)
{
    struct keywire_request request = request_for(P256);
    struct timeval limit = { .tv_sec = 2 };
    int fd = worker(P256), good = worker(P256);
    enum err err = ERR_OK;

    (void)state;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    for (int i = 0; i < 100000 && err == ERR_OK; i++)
        err = fdio_send(fd, &request, size_of(&request), -1, 0, NULL);
    assert_int_equal(err, ERR_EOF);
    log_holds("keeper_refused", "service=p256", "reason=");
    must_sign(good, P256);
    close(fd);
    close(good);
}

static void
signals_do_not_end_it(void **state)
{
    static const int signals[] = { SIGHUP,  SIGINT,  SIGTERM,
                                   SIGUSR1, SIGUSR2, SIGPIPE };
    pid_t pid = only_child();
    int fd = worker(ED);

    (void)state;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        assert_int_equal(kill(pid, signals[i]), 0);
    must_sign(fd, ED);
    close(fd);
}

static void
it_ends_after_its_last_worker(void **state)
{
    int one = worker(P256), two = worker(RSA2);

    (void)state;
    keepers_free(keepers);
    keepers = NULL;
    must_sign(one, P256);
    close(one);
    must_sign(two, RSA2);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), 0);
    close(two);
}

static void
it_holds_no_other_descriptor(void **state)
{
    char command[256];
    pid_t pid = only_child();
    int fd = worker(P256);

    (void)state;
    must_sign(fd, P256); /* now it is past its start */
    /* 0, 1, 2, log, control, epoll, this worker */
    snprintf(command, sizeof(command),
             "test \"$(ls /proc/%d/fd | wc -l)\" -eq 7", (int)pid);
    if (getuid() == 0 && !keygen_valgrind())
        assert_int_equal(keygen_try("%s", command), 0);
    close(fd);
}

/* charged - has the master been told to end us? */
static void
charged(void)
{
    struct pollfd item = { .fd = charges[0], .events = POLLIN };
    pid_t worker = 0;
    size_t len = sizeof(worker);

    assert_int_equal(poll(&item, 1, 60000), 1);
    assert_int_equal(
        fdio_recv(charges[0], &worker, &len, NULL, NULL, MSG_DONTWAIT, NULL),
        ERR_OK);
    assert_int_equal(len, sizeof(worker));
    assert_int_equal(worker, getpid());
}

static void
a_budget_is_a_lifetime(void **state)
{
    int fd, other;
    struct keywire_reply reply = { 0 };

    (void)state;
    keepers_free(keepers);
    keepers = NULL;
    none_left();
    assert_int_equal(fdio_pair(charges, NULL), ERR_OK);
    start_with(1, &no_jail, 3);
    fd = worker(P256);
    other = worker(P256);
    for (int i = 0; i < 3; i++)
        must_sign(fd, P256);
    assert_int_equal(ask(fd, P256, &reply), ERR_OK);
    assert_int_equal(reply.status, KEYWIRE_SPENT);
    assert_int_not_equal(ask(fd, P256, &reply), ERR_OK);
    log_holds("keeper_refused", "service=p256", "reason=signing_budget");
    charged();
    must_sign(other, P256);
    close(fd);
    close(other);
    fdio_close(&charges[0]);
    fdio_close(&charges[1]);
}

static void
nobody_signs_faster_than_the_rate(void **state)
{
    struct keywire_reply reply;
    enum err err = ERR_OK;
    int count = 0, fd;

    (void)state;
    if (keygen_valgrind())
        skip();
    fd = worker(P256);
    while (err == ERR_OK && count < 3 * KEEPER_RATE) {
        err = ask(fd, P256, &reply);
        count++;
    }
    if (count < 3 * KEEPER_RATE) { /* a slow machine never gets there */
        assert_true(count > KEEPER_RATE);
        log_holds("keeper_refused", "service=p256", "reason=signing_budget");
    }
    close(fd);
}

static void
workers_go_to_each_keeper_in_turn_that_lives(void **state)
{
    pid_t pids[8];
    int fd[6];

    (void)state;
    keepers_free(keepers);
    keepers = NULL;
    none_left();
    start_with(3, &no_jail, 0);
    if (children(pids, 8) != 3)
        skip();
    kill(pids[1], SIGKILL);
    assert_int_equal(waitpid(pids[1], NULL, 0), pids[1]);
    assert_true(keepers_lost(keepers, pids[1]));
    assert_false(keepers_lost(keepers, pids[1]));
    assert_false(keepers_lost(keepers, 0));
    assert_false(keepers_lost(keepers, getpid()));
    for (int i = 0; i < 6; i++) {
        fd[i] = worker(P384);
        must_sign(fd[i], P384);
        close(fd[i]);
    }
    /* one that died unnoticed is passed over as well */
    kill(pids[0], SIGKILL);
    assert_int_equal(waitpid(pids[0], NULL, 0), pids[0]);
    for (int i = 0; i < 3; i++) {
        fd[i] = worker(P384);
        must_sign(fd[i], P384);
        close(fd[i]);
    }
    kill(pids[2], SIGKILL);
    assert_int_equal(waitpid(pids[2], NULL, 0), pids[2]);
    assert_int_equal(keepers_register(keepers, P384, &log_pair[0], 1, NULL),
                     ERR_EOF);
}

static void
a_bad_key_leaves_no_keeper_behind(void **state)
{
    struct keeper_key keys[2];
    struct keepers *none = NULL;
    struct why why = { "" };

    (void)state;
    keygen_run(
        "openssl pkcs8 -topk8 -in p256.key -passout pass:x -out locked.key");
    for (int i = 0; i < 2; i++)
        keys[i] = (struct keeper_key){ .service = (uint16_t)i,
                                       .fd = open_key(i == 0 ? "ed" : "locked"),
                                       .path = i == 0 ? "ed.key"
                                                      : "/etc/x/locked.key" };
    assert_int_equal(keepers_start(3, keys, 2, &no_jail, -1, &none, &why),
                     ERR_FILE);
    assert_null(none);
    assert_non_null(strstr(why.text, "/etc/x/locked.key is encrypted"));
    assert_true(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    close(keys[0].fd);
    close(keys[1].fd);
}

static void
a_file_that_many_services_share_is_held_once(void **state)
{
    enum {
        MANY = 3000
    }; /* held each, they would need 47 MiB of locked memory */
    struct keeper_key *keys = calloc(MANY, sizeof(*keys));
    struct why why = { "" };
    const uint8_t *der;
    size_t len;
    int fd;

    (void)state;
    for (int i = 0; i < MANY; i++)
        keys[i] =
            (struct keeper_key){ .service = (uint16_t)(MANY - i),
                                 .fd = i == 0 ? open_key("p256") : keys[0].fd,
                                 .path = "k" };
    if (keepers_start(1, keys, MANY, &no_jail, -1, &keepers, &why) != ERR_OK)
        fail_msg("%s", why.text);
    close(keys[0].fd);
    free(keys);
    keepers_public(keepers, MANY - 1, &der, &len);
    assert_true(len > 0);
    fd = worker(1);
    must_sign(fd, P256);
    close(fd);
    fd = worker(MANY);
    must_sign(fd, P256);
    close(fd);
}

static void
many_different_files_fit(void **state)
{
    enum { MANY = 300 };
    /* valgrind checks a key in a tenth of a second, and the start has ten */
    int many = keygen_valgrind() ? MANY / 10 : MANY;
    struct keeper_key keys[MANY];
    struct why why = { "" };
    char name[64];
    int fd;

    (void)state;
    keygen_run("for i in $(seq 0 %d); do cp rsa2.key copy$i.key; done",
               many - 1);
    for (int i = 0; i < many; i++) {
        snprintf(name, sizeof(name), "copy%d", i);
        keys[i] = (struct keeper_key){ .service = (uint16_t)i,
                                       .fd = open_key(name),
                                       .path = "k" };
    }
    if (keepers_start(1, keys, (size_t)many, &no_jail, -1, &keepers, &why) !=
        ERR_OK)
        fail_msg("%s", why.text);
    for (int i = 0; i < many; i++)
        close(keys[i].fd);
    fd = worker((uint16_t)(many - 1));
    must_sign(fd, RSA2);
    close(fd);
}

static void
no_keys_are_no_error(void **state)
{
    struct why why = { "" };

    (void)state;
    assert_int_equal(keepers_start(1, NULL, 0, &no_jail, -1, &keepers, &why),
                     ERR_OK);
}

/* status_has - a line of /proc/PID/status */
static bool
status_has(pid_t pid, const char *line)
{
    return keygen_try("grep -q '^%s$' /proc/%d/status", line, (int)pid) == 0;
}

static void
it_is_confined(void **state)
{
    struct jail jail = { .fd = -1 };
    struct why why = { "" };
    pid_t pid;
    int fd;

    (void)state;
    if (getuid() != 0)
        skip();
    if (jail_open("auto", &jail, &why) != ERR_OK)
        fail_msg("%s", why.text);
    start_with(1, &jail, 0);
    close(jail.fd);
    pid = only_child();
    assert_true(status_has(pid, "CapEff:\t0*"));
    assert_true(status_has(pid, "CapPrm:\t0*"));
    assert_int_equal(
        keygen_try("test -z \"$(ls -A /proc/%d/root/)\"", (int)pid), 0);
    assert_int_equal(
        keygen_try("grep -q '^Max file size *0 ' /proc/%d/limits", (int)pid),
        0);
    assert_int_equal(
        keygen_try("grep -q '^Max core file size *0 ' /proc/%d/limits",
                   (int)pid),
        0);
    fd = worker(RSA2);
    must_sign(fd, RSA2);
    close(fd);
}

#ifndef MTLSD_SANITIZE
/* --- where are the keys? --- */

struct pattern {
    uint8_t bytes[16];
    const char *what;
};

static struct pattern patterns[4096];
static size_t pattern_count;

/* in data, not code, so that the child has it: the scan must be able to find
 * something */
static volatile uint8_t planted[16] = { 0x91, 0x3c, 0x77, 0x05, 0xe2, 0x4d,
                                        0xb8, 0x16, 0x6a, 0xf3, 0x28, 0x9f,
                                        0xc4, 0x50, 0x0b, 0xde };

static void
add_pattern(const uint8_t *at, bool backwards, const char *what)
{
    struct pattern *pattern = &patterns[pattern_count++];

    assert_true(pattern_count < sizeof(patterns) / sizeof(patterns[0]));
    for (size_t i = 0; i < 16; i++)
        pattern->bytes[i] = backwards ? at[15 - i] : at[i];
    pattern->what = what;
}

/* add_secret - every 16 bytes of it, in both byte orders (numbers are kept
 * low byte first) */
static void
add_secret(const uint8_t *at, size_t len, const char *what)
{
    for (size_t i = 0; i + 16 <= len; i += 8) {
        add_pattern(at + i, false, what);
        add_pattern(at + i, true, what);
    }
}

/* add_der - the part of a key's DER that is secret; skip: the public head */
static void
add_der(const char *name, const char *form, size_t skip_len, size_t len)
{
    uint8_t *der;
    size_t der_len;

    keygen_run("openssl pkey -in %s.key %s -outform DER -out der", name, form);
    der = keygen_read("der", &der_len);
    add_secret(der + skip_len, len != 0 ? len : der_len - skip_len, name);
    free(der);
}

/* add_pem - every full line of base64 */
static void
add_pem(const char *name)
{
    char file[64];
    uint8_t *text, *line;
    size_t len;

    snprintf(file, sizeof(file), "%s.key", name);
    text = keygen_read(file, &len);
    for (line = text; line != NULL && *line != '\0';
         line = (uint8_t *)strchr((char *)line, '\n')) {
        line += *line == '\n';
        if (*line != '-' && strcspn((char *)line, "\n") >= 48)
            add_secret(line + 32, 16,
                       "a line of PEM"); /* past the public head of the DER */
    }
    free(text);
}

/* add_ed25519 - the scalar and the prefix, which are the seed's SHA-512 */
static void
add_ed25519(void)
{
    uint8_t *hash;
    size_t len;

    keygen_run("openssl pkey -in ed.key -outform DER | tail -c 32 | openssl "
               "sha512 -binary >hash");
    hash = keygen_read("hash", &len);
    assert_int_equal(len, 64);
    add_secret(hash + 8, 16, "Ed25519 scalar"); /* its ends are clamped */
    add_secret(hash + 32, 32, "Ed25519 prefix");
    free(hash);
}

static void
collect_secrets(void)
{
    pattern_count = 0;
    for (int i = 0; i < SERVICES; i++)
        add_pem(kinds[i].name);
    add_der("p256", "-traditional", 7, 32);
    add_der("p384", "-traditional", 8, 48);
    add_der("p521", "-traditional", 8, 66);
    add_der("rsa2", "-traditional", 4 + 3 + 4 + 257 + 5 + 4, 0); /* from d on */
    add_der("ed", "", 16, 32);
    add_ed25519();
}

struct scan {
    size_t bytes;     /* read */
    size_t planted;   /* finds of what must be found */
    size_t outside;   /* finds in ordinary memory */
    size_t inside;    /* finds in locked memory */
    const char *what; /* the first find outside */
    char where[128];
};

static size_t
count_finds(const uint8_t *data, size_t len, const uint8_t bytes[16])
{
    const uint8_t *at = data;
    size_t count = 0;

    while ((at = memmem(at, len - (size_t)(at - data), bytes, 16)) != NULL) {
        count++;
        at++;
    }
    return count;
}

static void
scan_span(const uint8_t *data, size_t len, bool locked, const char *where,
          struct scan *scan)
{
    scan->bytes += len;
    scan->planted +=
        count_finds(data, len, (const uint8_t *)(uintptr_t)planted);
    for (size_t i = 0; i < pattern_count; i++) {
        size_t finds = count_finds(data, len, patterns[i].bytes);

        *(locked ? &scan->inside : &scan->outside) += finds;
        if (finds > 0 && !locked && scan->what == NULL) {
            scan->what = patterns[i].what;
            snprintf(scan->where, sizeof(scan->where), "%s", where);
        }
    }
}

/* scan_map - one mapping; what cannot be read, cannot be read by an attacker
 * either */
static void
scan_map(int mem, unsigned long start, unsigned long end, bool locked,
         const char *where, struct scan *scan)
{
    size_t len = end > start ? end - start : 1;
    uint8_t *data = malloc(len);
    ssize_t n;

    assert_non_null(data);
    n = pread(mem, data, len, (off_t)start);
    if (n > 0)
        scan_span(data, (size_t)n, locked, where, scan);
    free(data);
}

static void
scan_process(pid_t pid, struct scan *scan)
{
    char path[64], line[512], header[512] = "";
    unsigned long start = 0, end = 0;
    FILE *smaps;
    int mem;

    memset(scan, 0, sizeof(*scan));
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    mem = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(mem >= 0);
    snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
    smaps = fopen(path, "re");
    assert_non_null(smaps);
    while (fgets(line, sizeof(line), smaps) != NULL) {
        unsigned long a, b;

        if (sscanf(line, "%lx-%lx ", &a, &b) == 2) {
            start = a;
            end = b;
            memcpy(header, line, sizeof(header));
        } else if (strncmp(line, "VmFlags:", 8) == 0 &&
                   strstr(line, " rd") != NULL) {
            scan_map(mem, start, end, strstr(line, " lo") != NULL, header,
                     scan);
        }
    }
    fclose(smaps);
    close(mem);
}

/* work - keepers that have used every key; the newest child is one */
static pid_t
work(struct keepers **out)
{
    pid_t pids[4];
    size_t count;

    start_with(1, &no_jail, 0);
    for (int i = 0; i < SERVICES; i++) {
        int fd = worker((uint16_t)i);

        for (int n = 0; n < 50; n++)
            must_sign(fd, i);
        close(fd);
    }
    count = children(pids, 4);
    if (count == 0)
        skip();
    *out = keepers;
    return pids[count - 1];
}

static void
must_be_clean(pid_t pid, struct scan *scan)
{
    scan_process(pid, scan);
    assert_true(scan->bytes > 500000);
    assert_int_equal(scan->planted, 1);
    if (scan->outside > 0)
        fail_msg("%zu finds in ordinary memory, first %s in %s", scan->outside,
                 scan->what, scan->where);
}

/* both kinds at once: a keeper forked after we read the secrets would
 * inherit them from us */
static void
no_key_is_in_memory_that_others_can_read(void **state)
{
    struct keepers *newest, *locked;
    struct scan scan;
    pid_t new_pid, locked_pid;

    (void)state;
    if (getuid() != 0)
        skip();
    new_pid = work(&newest);
    old_kernel = true;
    locked_pid = work(&locked);
    old_kernel = false;
    collect_secrets();
    must_be_clean(new_pid, &scan);
    if (strcmp(keepers_memory(newest), "memfd_secret") == 0)
        assert_int_equal(scan.inside, 0);
    must_be_clean(locked_pid, &scan);
    assert_string_equal(keepers_memory(locked), "locked");
    assert_true(scan.inside > 100); /* the scan knows a key when it sees one */
    keepers_free(newest);
}
#endif

static int
stop_clean(void **state)
{
    old_kernel = false;
    return stop(state);
}

#define WITH_KEEPER(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define ALONE(test)       cmocka_unit_test_teardown(test, stop_clean)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
#ifndef MTLSD_SANITIZE
        ALONE(no_key_is_in_memory_that_others_can_read), /* first */
#endif
        WITH_KEEPER(public_keys_are_those_of_the_files),
        WITH_KEEPER(each_service_gets_signatures_of_its_key),
        WITH_KEEPER(two_ecdsa_signatures_differ),
        WITH_KEEPER(a_broken_packet_closes_its_pair_alone),
        WITH_KEEPER(an_unknown_service_gets_nothing),
        WITH_KEEPER(indexes_choose_among_the_keys_of_a_side),
        WITH_KEEPER(long_messages_are_for_the_upstream_side),
        WITH_KEEPER(descriptors_sent_to_it_vanish),
        WITH_KEEPER(who_asks_without_reading_is_cut_off),
        WITH_KEEPER(signals_do_not_end_it),
        WITH_KEEPER(it_ends_after_its_last_worker),
        WITH_KEEPER(it_holds_no_other_descriptor),
        WITH_KEEPER(a_budget_is_a_lifetime),
        WITH_KEEPER(nobody_signs_faster_than_the_rate),
        cmocka_unit_test_setup(workers_go_to_each_keeper_in_turn_that_lives,
                               start),
        ALONE(a_bad_key_leaves_no_keeper_behind),
        ALONE(a_file_that_many_services_share_is_held_once),
        ALONE(many_different_files_fit),
        ALONE(no_keys_are_no_error),
        ALONE(it_is_confined),
    };

    /* as the master that forks keepers: Landlock asks for it */
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
