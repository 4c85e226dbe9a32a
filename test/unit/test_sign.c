/*
 * test_sign.c - real handshakes without a key in sight: a keeper signs for a
 * server and for a client, with every kind of key, in TLS 1.2 and 1.3
 */
#include <wolfssl/options.h>

#include "common/err.h"
#include "common/fdio.h"
#include "master/keeper.h"
#include "test/unit/keygen.h"
#include "worker/sign.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wolfssl/ssl.h>

#include <cmocka.h>

enum { P256, P384, P521, RSA2, RSA4, ED, KEYS };

static const struct {
    const char *name, *kind;
} kinds[KEYS] = {
    { "p256", "ec:P-256" }, { "p384", "ec:P-384" }, { "p521", "ec:P-521" },
    { "rsa2", "rsa:2048" }, { "rsa4", "rsa:4096" }, { "ed", "ed25519" },
};

static struct keepers *keepers;

/* every key serves both sides of a service of its own */
static int
setup(void **state)
{
    static const struct jail no_jail = { .fd = -1 };
    struct keeper_key keys[2 * KEYS];
    struct why why = { "" };

    (void)state;
    for (int i = 0; i < 2 * KEYS; i++) {
        const char *name = kinds[i / 2].name;
        char file[64];

        snprintf(file, sizeof(file), "%s.key", name);
        if (i % 2 == 0) {
            keygen_key(name, kinds[i / 2].kind);
            keygen_cert(name);
        }
        keys[i] = (struct keeper_key){ .service = (uint16_t)(i / 2),
                                       .side = (uint8_t)(i % 2),
                                       .path = kinds[i / 2].name };
        keys[i].fd = open(keygen_path(file), O_RDONLY | O_CLOEXEC);
    }
    if (keepers_start(1, keys, 2 * KEYS, &no_jail, -1, &keepers, &why) !=
        ERR_OK) {
        fprintf(stderr, "%s\n", why.text);
        return -1;
    }
    return wolfSSL_Init() == WOLFSSL_SUCCESS ? 0 : -1;
}

static int
teardown(void **state)
{
    int status;

    (void)state;
    keepers_free(keepers);
    wolfSSL_Cleanup();
    for (int i = 0; i < 2000;
         i++) { /* not for ever: a failed test may hold a pair open */
        if (waitpid(-1, &status, WNOHANG) != 0)
            return status == 0 ? 0 : -1;
        poll(NULL, 0, 10);
    }
    return -1;
}

static struct sign
sign_of(int kind, uint8_t side)
{
    struct sign sign = { .side = side };
    int pair[2];

    assert_int_equal(fdio_pair(pair, NULL), ERR_OK);
    assert_int_equal(
        keepers_register(keepers, (uint16_t)kind, &pair[1], 1, NULL), ERR_OK);
    close(pair[1]);
    sign.keeper_fd = pair[0];
    return sign;
}

/* --- two ends in one process, over a socket pair that never blocks --- */

struct end {
    WOLFSSL_CTX *ctx;
    WOLFSSL *ssl;
    int fd;
    bool done;
    int error;
};

static const char *
cert_of(int kind)
{
    char file[64];

    snprintf(file, sizeof(file), "%s.crt", kinds[kind].name);
    return keygen_path(file);
}

/* end_make - mutual TLS; the certificate of `own`, trust in that of `peer`,
 * no key */
static void
end_make(struct end *end, WOLFSSL_METHOD *method, int own, int peer, int fd,
         struct sign *sign)
{
    *end = (struct end){ .ctx = wolfSSL_CTX_new(method), .fd = fd };
    assert_non_null(end->ctx);
    assert_int_equal(wolfSSL_CTX_use_certificate_file(end->ctx, cert_of(own),
                                                      WOLFSSL_FILETYPE_PEM),
                     WOLFSSL_SUCCESS);
    assert_int_equal(
        wolfSSL_CTX_load_verify_locations(end->ctx, cert_of(peer), NULL),
        WOLFSSL_SUCCESS);
    wolfSSL_CTX_set_verify(
        end->ctx, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT,
        NULL);
    sign_install(end->ctx);
    end->ssl = wolfSSL_new(end->ctx);
    assert_non_null(end->ssl);
    sign_attach(end->ssl, sign);
    wolfSSL_set_fd(end->ssl, fd);
    wolfSSL_set_using_nonblock(end->ssl, 1);
}

static void
end_free(struct end *end)
{
    wolfSSL_free(end->ssl);
    wolfSSL_CTX_free(end->ctx);
    close(end->fd);
}

static void
step(struct end *end, int (*handshake)(WOLFSSL *ssl))
{
    if (end->done || end->error != 0)
        return;
    if (handshake(end->ssl) == WOLFSSL_SUCCESS) {
        end->done = true;
        return;
    }
    end->error = wolfSSL_get_error(end->ssl, 0);
    if (end->error == WOLFSSL_ERROR_WANT_READ ||
        end->error == WOLFSSL_ERROR_WANT_WRITE)
        end->error = 0;
}

struct meeting {
    struct end server, client;
    struct sign server_sign, client_sign;
};

static void
meet(struct meeting *m, int server_kind, int client_kind, bool tls13)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
                     0);
    m->server_sign = sign_of(server_kind, KEYWIRE_CLIENT_SIDE);
    m->client_sign = sign_of(client_kind, KEYWIRE_UPSTREAM_SIDE);
    end_make(&m->server,
             tls13 ? wolfTLSv1_3_server_method() : wolfTLSv1_2_server_method(),
             server_kind, client_kind, pair[0], &m->server_sign);
    end_make(&m->client,
             tls13 ? wolfTLSv1_3_client_method() : wolfTLSv1_2_client_method(),
             client_kind, server_kind, pair[1], &m->client_sign);
}

static void
shake(struct meeting *m)
{
    for (int i = 0; i < 40; i++) {
        step(&m->client, wolfSSL_connect);
        step(&m->server, wolfSSL_accept);
    }
}

static void
part(struct meeting *m)
{
    end_free(&m->server);
    end_free(&m->client);
    close(m->server_sign.keeper_fd);
    close(m->client_sign.keeper_fd);
}

static void
must_meet(int server_kind, int client_kind, bool tls13)
{
    struct meeting m;
    char byte = 0;

    meet(&m, server_kind, client_kind, tls13);
    shake(&m);
    if (!m.server.done || !m.client.done)
        fail_msg("%s serves %s in TLS 1.%d: server %d, client %d",
                 kinds[server_kind].name, kinds[client_kind].name,
                 tls13 ? 3 : 2, m.server.error, m.client.error);
    assert_int_equal(wolfSSL_write(m.client.ssl, "x", 1), 1);
    assert_int_equal(wolfSSL_read(m.server.ssl, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    assert_int_equal(m.server_sign.count, 1);
    assert_int_equal(m.client_sign.count, 1);
    assert_false(m.server_sign.gone || m.client_sign.gone);
    part(&m);
}

static void
every_key_serves_and_connects_in_tls_1_3(void **state)
{
    (void)state;
    for (int i = 0; i < KEYS; i++)
        must_meet(i, (i + 1) % KEYS, true);
}

static void
every_key_serves_in_tls_1_2(void **state)
{
    (void)state;
    for (int i = 0; i < KEYS; i++)
        must_meet(i, P256, false);
}

static void
every_key_connects_in_tls_1_2(void **state)
{
    (void)state;
    for (int i = 0; i < ED; i++)
        must_meet(P256, i, false);
}

/*
 * RFC 8422 5.8: an Ed25519 client signs the whole handshake so far. What does not
 * fit a request (keywire.h) fails that handshake, and nothing else does.
 */
static void
an_ed25519_client_in_tls_1_2_signs_the_handshake(void **state)
{
    struct meeting m;

    (void)state;
    for (int i = 0; i < KEYS; i++)
        must_meet(i, ED, false);
    keygen_run("openssl req -x509 -key p256.key -subj /CN=big -days 2 -addext "
               "\"subjectAltName=DNS:localhost$(seq -f ,DNS:%s.example.org "
               "1 1000 | tr -d '\\n')\" -out big.crt",
               "%g");
    meet(&m, P256, ED, false);
    assert_int_equal(wolfSSL_use_certificate_file(m.server.ssl,
                                                  keygen_path("big.crt"),
                                                  WOLFSSL_FILETYPE_PEM),
                     WOLFSSL_SUCCESS);
    wolfSSL_set_verify(m.client.ssl, WOLFSSL_VERIFY_NONE, NULL);
    shake(&m);
    assert_false(m.client.done);
    assert_int_equal(m.client.error, BAD_FUNC_ARG);
    assert_false(m.client_sign.gone);
    part(&m);
}

/* several sides share one pair: what one of them gave up, all have */
static void
a_pair_that_is_given_up_is_so_for_every_side(void **state)
{
    struct keywire_reply bad = { .status = 9 };
    struct meeting m;
    int pair[2], kept;

    (void)state;
    meet(&m, P256, P256, true);
    close(m.server_sign.keeper_fd);
    assert_int_equal(fdio_pair(pair, NULL), ERR_OK);
    m.server_sign.keeper_fd = pair[0];
    kept = dup(pair[0]);
    assert_int_equal(fdio_send(pair[1], &bad, 4, -1, 0, NULL), ERR_OK);
    shake(&m);
    assert_true(m.server_sign.gone);
    part(&m);

    meet(&m, P256, P256, true); /* now a client asks over it */
    close(m.client_sign.keeper_fd);
    m.client_sign.keeper_fd = kept;
    shake(&m);
    assert_false(m.client.done);
    assert_true(m.client_sign.gone);
    assert_int_equal(m.client.error, WC_HW_E);
    close(pair[1]);
    part(&m);
}

static void
one_pair_serves_many_sessions(void **state)
{
    struct meeting m;

    (void)state;
    meet(&m, P256, RSA2, true);
    for (unsigned long i = 1; i <= 20; i++) {
        int pair[2];

        shake(&m);
        assert_true(m.server.done && m.client.done);
        assert_int_equal(m.server_sign.count, i);
        end_free(&m.server);
        end_free(&m.client);
        assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        end_make(&m.server, wolfTLSv1_3_server_method(), P256, RSA2, pair[0],
                 &m.server_sign);
        end_make(&m.client, wolfTLSv1_3_client_method(), RSA2, P256, pair[1],
                 &m.client_sign);
    }
    part(&m);
}

/* a certificate that belongs to another key: the other end notices */
static void
a_wrong_key_does_not_pass(void **state)
{
    struct meeting m;

    (void)state;
    keygen_key("other", "ec:P-256");
    keygen_cert("other");
    for (int tls13 = 0; tls13 < 2; tls13++) {
        meet(&m, P256, P384, tls13);
        wolfSSL_CTX_load_verify_locations(m.client.ctx,
                                          keygen_path("other.crt"), NULL);
        assert_int_equal(wolfSSL_use_certificate_file(m.server.ssl,
                                                      keygen_path("other.crt"),
                                                      WOLFSSL_FILETYPE_PEM),
                         WOLFSSL_SUCCESS);
        shake(&m);
        assert_false(m.client.done);
        assert_int_not_equal(m.client.error, 0);
        part(&m);
    }
}

/* --- a keeper that misbehaves --- */

static void
a_keeper_that_ended_is_gone(void **state)
{
    for (int tls13 = 0; tls13 < 2; tls13++) {
        struct meeting m;
        int pair[2];

        (void)state;
        meet(&m, RSA2, P256, tls13);
        close(m.server_sign.keeper_fd);
        assert_int_equal(fdio_pair(pair, NULL), ERR_OK);
        m.server_sign.keeper_fd = pair[0];
        close(pair[1]);
        shake(&m);
        assert_false(m.server.done);
        assert_int_equal(m.server.error, WC_HW_E);
        assert_true(m.server_sign.gone);
        assert_int_equal(m.server_sign.count, 0);
        part(&m);
    }
}

static void
a_keeper_that_is_silent_is_given_up(void **state)
{
    struct meeting m;
    struct timespec before, after;
    int pair[2];

    (void)state;
    meet(&m, P256, P256, true);
    close(m.server_sign.keeper_fd);
    assert_int_equal(fdio_pair(pair, NULL), ERR_OK);
    m.server_sign.keeper_fd = pair[0];
    clock_gettime(CLOCK_MONOTONIC, &before);
    shake(&m);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_in_range(after.tv_sec - before.tv_sec, 4, 60);
    assert_true(m.server_sign.gone);
    assert_false(m.server.done);
    close(pair[1]);
    part(&m);
}

/* answered - one handshake against a keeper whose answer is this packet */
static void
answered(const struct keywire_reply *reply, size_t len, bool tls13, bool gone)
{
    struct meeting m;
    int pair[2];

    meet(&m, P256, P256, tls13);
    close(m.server_sign.keeper_fd);
    assert_int_equal(fdio_pair(pair, NULL), ERR_OK);
    m.server_sign.keeper_fd = pair[0];
    assert_int_equal(fdio_send(pair[1], reply, len, -1, 0, NULL), ERR_OK);
    shake(&m);
    assert_false(m.server.done);
    assert_int_equal(m.server_sign.gone, gone);
    assert_int_equal(m.server_sign.count, 0);
    close(pair[1]);
    part(&m);
}

static void
a_broken_answer_ends_the_pair(void **state)
{
    struct keywire_reply reply = { .status = KEYWIRE_OK, .len = 70 };
    uint8_t long_packet[2048] = { 0 };

    (void)state;
    answered(&reply, 1, true, true);
    answered(&reply, KEYWIRE_REPLY_HEAD, true, true);
    answered(&reply, KEYWIRE_REPLY_HEAD + 69, true, true);
    answered((const struct keywire_reply *)(const void *)long_packet,
             sizeof(long_packet), true, true);
    reply.status = 7;
    answered(&reply, KEYWIRE_REPLY_HEAD + 70, true, true);
    reply = (struct keywire_reply){ .status = KEYWIRE_FAILED };
    answered(&reply, KEYWIRE_REPLY_HEAD, true, false); /* an honest no */
    reply.status = KEYWIRE_SPENT;
    answered(&reply, KEYWIRE_REPLY_HEAD, true, true);
    reply =
        (struct keywire_reply){ .status = KEYWIRE_OK, .len = KEYWIRE_SIG_MAX };
    /* TLS 1.2 gives exactly the room of such a signature */
    answered(&reply, sizeof(reply), false, false);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_serves_and_connects_in_tls_1_3),
        cmocka_unit_test(every_key_serves_in_tls_1_2),
        cmocka_unit_test(every_key_connects_in_tls_1_2),
        cmocka_unit_test(an_ed25519_client_in_tls_1_2_signs_the_handshake),
        cmocka_unit_test(a_pair_that_is_given_up_is_so_for_every_side),
        cmocka_unit_test(one_pair_serves_many_sessions),
        cmocka_unit_test(a_wrong_key_does_not_pass),
        cmocka_unit_test(a_keeper_that_ended_is_gone),
        cmocka_unit_test(a_keeper_that_is_silent_is_given_up),
        cmocka_unit_test(a_broken_answer_ends_the_pair),
    };

    /* as the master that forks keepers: Landlock asks for it */
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return cmocka_run_group_tests(tests, setup, teardown);
}
