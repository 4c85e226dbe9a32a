/* test_session_up.c - the handshake with upstreams that are openssl s_server, or
 * worse: who is believed, what the others hear, and who refuses us */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/fdio.h"
#include "common/tlsside.h"
#include "master/context.h"
#include "master/keeper.h"
#include "master/keyring.h"
#include "test/unit/tls_pki.h"
#include "worker/session.h"
#include "worker/sign.h"
#include "worker/stream.h"
#include "worker/wait.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 32

/* more certificates beside those of test/unit/tls_pki, all for one key */
static const char make_more[] =
    "cd %s || exit 1\n"
    "openssl ecparam -name prime256v1 -genkey -noout -out up.key\n"
    "openssl req -utf8 -config ca.cnf -new -key up.key -subj /CN=localhost "
    "-out up.csr\n"
    "issue() { printf 'basicConstraints=critical,CA:FALSE\\n"
    "keyUsage=critical,digitalSignature\\n"
    "extendedKeyUsage=serverAuth\\n%%b' \"$3\" >up.ext; "
    "openssl x509 -req -in up.csr -CA $2.crt -CAkey $2.key -set_serial 0x77$4 "
    "-days 30 -extfile up.ext -out $1.crt 2>/dev/null; }\n"
    "issue up-cn ca '' 1\n"
    "issue up-other other 'subjectAltName=DNS:localhost\\n' 2\n"
    "issue up-san ca 'subjectAltName=DNS:elsewhere.example.org\\n' 3\n"
    "issue up-mail ca 'subjectAltName=email:a@example.org\\n' 4\n"
    "issue up-wild ca 'subjectAltName=DNS:*.up.example.org\\n' 5\n"
    "issue up-tld ca 'subjectAltName=DNS:*.org,DNS:*\\n' 6\n"
    "issue up-ip ca 'subjectAltName=IP:127.0.0.1,IP:::1\\n' 7\n"
    "issue up-textip ca 'subjectAltName=DNS:127.0.0.1\\n' 8\n"
    "printf 'subjectAltName=DNS:localhost\\n' >up.ext\n"
    "openssl x509 -req -in up.csr -signkey up.key -days 30 -extfile up.ext "
    "-out up-self.crt 2>/dev/null\n"
    "sed 's/^database.*/database = upindex/' ca.cnf >up.cnf\n"
    "printf '[ext]\nauthorityKeyIdentifier=keyid\n' >>up.cnf\n"
    "printf 'R\\t450101000000Z\\t240101000000Z\\t0771\\tunknown\\t/CN=x\n' "
    ">upindex\n"
    "openssl ca -config up.cnf -gencrl -crldays 20 -cert ca.crt -keyfile "
    "ca.key "
    "-crlexts ext -out up.crl 2>/dev/null\n";

/* --- our keys: every one at the index of a route of its own ---------------- */

static const struct {
    const char *name;
    enum key_kind kind;
} ours[] = {
    { "good-P-256", KEY_EC },    { "good-P-384", KEY_EC },
    { "good-rsa2048", KEY_RSA }, { "good-ed25519", KEY_ED25519 },
    { "otherca", KEY_EC },
};
enum { OURS = sizeof(ours) / sizeof(ours[0]) };
#define FIRST_ROUTE 7 /* any number: a route's index, not 0 */

static struct keepers *keepers;

static int
setup(void **state)
{
    static const struct jail no_jail = { .fd = -1 };
    struct keeper_key keys[OURS];
    struct why why = { "" };
    char command[sizeof(make_more) + 128], file[64];

    (void)state;
    (void)snprintf(command, sizeof(command), make_more, tls_pki());
    if (system(command) != 0)
        return -1;
    for (size_t i = 0; i < OURS; i++) {
        (void)snprintf(file, sizeof(file), "%s.key", ours[i].name);
        keys[i] = (struct keeper_key){ .service = 3,
                                       .side = KEYWIRE_UPSTREAM_SIDE,
                                       .index = (uint8_t)(FIRST_ROUTE + i),
                                       .path = ours[i].name };
        keys[i].fd = open(tls_path(file), O_RDONLY | O_CLOEXEC);
    }
    if (keepers_start(1, keys, OURS, &no_jail, -1, &keepers, &why) != ERR_OK) {
        fprintf(stderr, "%s\n", why.text);
        return -1;
    }
    return wolfSSL_Init() == WOLFSSL_SUCCESS ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    keepers_free(keepers);
    return 0;
}

/* --- a route, without the rest of the master ------------------------------- */

struct route {
    struct conf_route conf;
    struct tls_side *side;
    struct sign sign;
    struct session_target target;
};

/* route_keys - the worker's pair, and the index of this route */
static void
route_keys(struct route *route, int own)
{
    int pair[2];

    assert_int_equal(fdio_pair(pair, NULL), ERR_OK);
    assert_int_equal(keepers_register(keepers, 3, &pair[1], 1, NULL), ERR_OK);
    close(pair[1]);
    route->sign = (struct sign){ .keeper_fd = pair[0],
                                 .side = KEYWIRE_UPSTREAM_SIDE,
                                 .key = (uint8_t)(FIRST_ROUTE + own) };
    route->target.sign = &route->sign;
}

/* route_build - from route->conf; own -1: no certificate; crl may be NULL */
static void
route_build(struct route *route, const char *ca, int own, const char *crl)
{
    struct blob blobs[3] = { tls_blob(ca) };
    struct context_files files = { .ca = &blobs[0] };
    struct why why = { "" };
    char file[64];

    if (own >= 0) {
        (void)snprintf(file, sizeof(file), "%s.chain", ours[own].name);
        blobs[1] = tls_blob(file);
        files.cert = &blobs[1];
        files.cert_count = 1;
    }
    if (crl != NULL) {
        blobs[2] = tls_blob(crl);
        files.crl = &blobs[2];
        files.crl_count = 1;
    }
    if (context_client(&route->conf, &files, NULL, NULL, &route->side, &why) !=
        ERR_OK)
        fail_msg("%s", why.text);
    for (size_t i = 0; i < 3; i++)
        keyring_free(&blobs[i]);
    route->target = (struct session_target){ .side = route->side,
                                             .name = route->conf.upstream_name,
                                             .conf = &route->conf.side };
    if (own >= 0)
        route_keys(route, own);
}

static void
route_conf(struct route *route, const char *name)
{
    memset(route, 0, sizeof(*route));
    route->conf.tls = true;
    route->conf.side = tls_side_conf();
    route->conf.upstream_name = (char *)(uintptr_t)name;
}

static void
route_make(struct route *route, const char *ca, int own, const char *name)
{
    route_conf(route, name);
    route_build(route, ca, own, NULL);
}

static void
route_free(struct route *route)
{
    context_free(route->side);
    if (route->target.sign != NULL)
        close(route->sign.keeper_fd);
}

/* --- the upstream ---------------------------------------------------------- */

struct server {
    pid_t pid;
    int out;
    char output[65536];
    size_t len;
    uint16_t port;
};

static void
server_read(struct server *server, const char *until)
{
    struct pollfd item = { .fd = server->out, .events = POLLIN };
    ssize_t n;

    while (until == NULL || strstr(server->output, until) == NULL) {
        assert_int_equal(poll(&item, 1, 60000), 1);
        n = read(server->out, server->output + server->len,
                 sizeof(server->output) - 1 - server->len);
        if (n <= 0)
            break;
        server->len += (size_t)n;
        server->output[server->len] = '\0';
    }
}

/* server_start - openssl s_server that turns lines round, for one connection */
static void
server_start(struct server *server, const char *const *more)
{
    const char *args[ARGS_MAX] = {
        "openssl",  "s_server", "-rev",    "-accept",           "127.0.0.1:0",
        "-naccept", "1",        "-cipher", "DEFAULT@SECLEVEL=0"
    };
    size_t n = 9;
    int pipes[2];
    char *at;

    memset(server, 0, sizeof(*server));
    for (size_t i = 0; more[i] != NULL; i++)
        args[n++] = more[i];
    assert_true(n < ARGS_MAX);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_true((server->pid = fork()) >= 0);
    if (server->pid == 0) {
        sigset_t none;

        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(pipes[1], 1);
        dup2(pipes[1], 2);
        execvp("openssl", (char *const *)args);
        _exit(127);
    }
    close(pipes[1]);
    server->out = pipes[0];
    server_read(server, "ACCEPT 127.0.0.1:");
    server_read(server, "\n");
    at = strstr(server->output, "ACCEPT 127.0.0.1:");
    if (at == NULL)
        fail_msg("no server: %s", server->output);
    else
        server->port = (uint16_t)atoi(at + strlen("ACCEPT 127.0.0.1:"));
}

/* server_end - what it said; the alert that it saw, or -1 */
static int
server_end(struct server *server)
{
    const char *at;

    server_read(server, NULL);
    close(server->out);
    (void)waitpid(server->pid, NULL, 0);
    at = strstr(server->output, "SSL alert number ");
    return at == NULL ? -1 : atoi(at + strlen("SSL alert number "));
}

static int
connected(uint16_t port)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(fdio_nonblock(fd, NULL), ERR_OK);
    return fd;
}

/* --- one connection --------------------------------------------------------- */

struct result {
    enum err err;
    enum reason reason;
    struct why why;
    bool verified, present, asked, refused; /* refused: by the first read */
    int alert_sent, alert_received, alert;  /* alert: that the stream saw */
    char version[8], alpn[32];
    bool answered; /* payload went there and back */
};

static struct session session; /* one for all, as in a worker */

static ssize_t
patient_read(struct stream *stream, void *buf, size_t size)
{
    struct pollfd item = { .fd = stream->fd };
    ssize_t n;

    while ((n = stream_read(stream, buf, size)) == -ERR_AGAIN) {
        item.events = stream->read_events;
        assert_int_equal(poll(&item, 1, 60000), 1);
    }
    return n;
}

/* talk - a line there, and turned round back; or the refusal */
static void
talk(int fd, struct result *result)
{
    struct stream stream;
    char buf[16] = "";

    stream_init(&stream, fd, session.ssl, &session.io.ahead);
    (void)stream_write(&stream, "abc\n", 4);
    result->answered = patient_read(&stream, buf, sizeof(buf)) == 4 &&
                       memcmp(buf, "cba\n", 4) == 0;
    result->alert = stream.alert;
    result->refused = session_refused_us(&session);
    (void)stream_shut(&stream);
}

static void
meet_fd(struct route *route, int fd, int64_t ms, struct result *result)
{
    memset(result, 0, sizeof(*result));
    result->alert = -1;
    if (!route->target.ready) {
        session_target_install(&route->target);
        assert_int_equal(session_target_init(&route->target, NULL), ERR_OK);
    }
    result->err = session_connect(&route->target, fd, clock_deadline(ms),
                                  &session, &result->reason, &result->why);
    result->verified = session.verified;
    result->present = session.id.present;
    result->asked = session.asked;
    result->alert_sent = session.alert_sent;
    result->alert_received = session.alert_received;
    if (result->err == ERR_OK) {
        (void)snprintf(result->version, sizeof(result->version), "%s",
                       session.version);
        (void)snprintf(result->alpn, sizeof(result->alpn), "%.31s",
                       session.alpn);
        talk(fd, result);
    }
    session_end(&session);
    close(fd);
}

/* meet - a route and a server; the alert that the server saw, -1 */
static int
meet(struct route *route, const char *const *args, struct result *result)
{
    struct server server;
    int seen;

    server_start(&server, args);
    meet_fd(route, connected(server.port), 10000, result);
    seen = server_end(&server);
    if (getenv("SHOW") != NULL)
        printf("%s alert %d seen %d: %s\n", reason_word(result->reason),
               result->alert_sent, seen, result->why.text);
    return seen;
}

/* --- who is believed --------------------------------------------------------- */

static const struct row {
    const char *crt, *key; /* of the upstream; key NULL: up.key */
    const char *ca;
    const char *name;
    enum reason reason;
    bool v1, none, only13; /* only13: the upstream cannot do it in 1.2 */
} rows[] = {
    {
        "server-P-256.crt",
        "server-P-256.key",
        "ca.crt",
        .name = "localhost",
    },
    { "server-P-384.crt", "server-P-384.key", "ca.crt", .name = "LocalHost." },
    { "server-rsa2048.crt", "server-rsa2048.key", "ca.crt",
      .name = "localhost" },
    { "server-ed25519.crt", "server-ed25519.key", "ca.crt",
      .name = "127.0.0.1" },
    { "up-ip.crt", NULL, "ca.crt", .name = "127.0.0.1" },
    { "up-ip.crt", NULL, "ca.crt", .name = "[::1]" },
    { "up-ip.crt", NULL, "ca.crt", .name = "127.0.0.2",
      .reason = REASON_BAD_NAME },
    { "up-ip.crt", NULL, "ca.crt", .name = "localhost",
      .reason = REASON_BAD_NAME },
    { "up-textip.crt", NULL, "ca.crt", .name = "127.0.0.1",
      .reason = REASON_BAD_NAME },
    { "up-cn.crt", NULL, "ca.crt", .name = "localhost" },
    { "up-san.crt", NULL, "ca.crt", .name = "localhost",
      .reason = REASON_BAD_NAME },
    { "up-mail.crt", NULL, "ca.crt", .name = "localhost",
      .reason = REASON_BAD_NAME },
    { "up-wild.crt", NULL, "ca.crt", .name = "a.up.example.org" },
    { "up-wild.crt", NULL, "ca.crt", .name = "up.example.org",
      .reason = REASON_BAD_NAME },
    { "up-wild.crt", NULL, "ca.crt", .name = "a.b.up.example.org",
      .reason = REASON_BAD_NAME },
    { "up-tld.crt", NULL, "ca.crt", .name = "example.org",
      .reason = REASON_BAD_NAME },
    { "server-P-256.crt", "server-P-256.key", "ca.crt", .name = "example.org",
      .reason = REASON_BAD_NAME },
    { "up-other.crt", NULL, "ca.crt", .name = "localhost",
      .reason = REASON_UNKNOWN_CA },
    { "up-other.crt", NULL, "other.crt", .name = "localhost" },
    { "up-self.crt", NULL, "ca.crt", .name = "localhost",
      .reason = REASON_SELF_SIGNED },
    { "server-expired.crt", "server-expired.key", "ca.crt", .name = "localhost",
      .reason = REASON_EXPIRED },
    { "server-early.crt", "server-early.key", "ca.crt", .name = "localhost",
      .reason = REASON_NOT_YET_VALID },
    { "server-none.crt", "server-none.key", "ca.crt", .name = "localhost",
      .reason = REASON_BAD_PURPOSE },
    { "server-nosign.crt", "server-nosign.key", "ca.crt", .name = "localhost",
      .reason = REASON_BAD_PURPOSE, .only13 = true },
    { "server-rsa1024.crt", "server-rsa1024.key", "ca.crt", .name = "localhost",
      .reason = REASON_WEAK_KEY },
    { "server-v1.crt", "server-v1.key", "ca.crt", .name = "localhost",
      .reason = REASON_X509_V1 },
    { "server-v1.crt", "server-v1.key", "ca.crt", .name = "localhost",
      .v1 = true },
    { "server-v1.crt", "server-v1.key", "ca.crt", .name = "example.org",
      .reason = REASON_BAD_NAME, .v1 = true },
    { "up-self.crt", NULL, "ca.crt", .name = "example.org", .none = true },
};

/* check_row - false, with one line about it, when something differs */
static bool
check_row(const struct row *row, bool tls13)
{
    const char *args[] = { tls13 ? "-tls1_3" : "-tls1_2",
                           "-cert",
                           tls_path(row->crt),
                           "-key",
                           tls_path(row->key != NULL ? row->key : "up.key"),
                           NULL };
    bool in = row->reason == REASON_NONE;
    struct result result;
    struct route route;
    int seen, alert = in ? -1 : reason_alert(row->reason);

    route_make(&route, row->ca, -1, row->name);
    route.conf.side.unsafe_x509v1 = row->v1;
    if (row->none)
        route.conf.side.verify = CONF_VERIFY_NONE;
    seen = meet(&route, args, &result);
    route_free(&route);
    if (result.reason == row->reason && result.err == (in ? ERR_OK : ERR_TLS) &&
        result.verified == in && result.answered == in && seen == alert &&
        result.alert_sent == alert && result.present != row->none)
        return true;
    print_error("%s for %s, TLS 1.%d: %s, alert %d sent, %d seen, %s (wanted "
                "%s, %d): %s\n",
                row->crt, row->name, tls13 ? 3 : 2, reason_word(result.reason),
                result.alert_sent, seen, result.answered ? "answered" : "mute",
                reason_word(row->reason), alert, result.why.text);
    return false;
}

static void
every_upstream_gets_its_word_and_its_alert(void **state)
{
    bool good = true;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (int tls13 = rows[i].only13; tls13 < 2; tls13++)
            good &= check_row(&rows[i], tls13 != 0);
    assert_true(good);
}

static void
a_revoked_upstream_is_refused(void **state)
{
    static const struct {
        const char *crt, *crl;
        enum reason reason;
    } cases[] = {
        { "up-cn.crt", "up.crl", REASON_REVOKED },
        { "up-ip.crt", "up.crl", REASON_BAD_NAME }, /* not revoked */
        { "up-wild.crt", NULL, REASON_BAD_NAME },
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        const char *args[] = { i % 2 == 0 ? "-tls1_2" : "-tls1_3",
                               "-cert",
                               tls_path(cases[i / 2].crt),
                               "-key",
                               tls_path("up.key"),
                               NULL };
        struct result result;
        struct route route;

        route_conf(&route, "localhost");
        route_build(&route, "ca.crt", -1, cases[i / 2].crl);
        assert_int_equal(meet(&route, args, &result),
                         reason_alert(cases[i / 2].reason));
        assert_int_equal(result.reason, cases[i / 2].reason);
        route_free(&route);
    }
}

/* an upstream that sends its intermediates does not vouch for the next */
static void
intermediates_are_forgotten(void **state)
{
    const char *with[] = { "-cert",       tls_path("deep.crt"),
                           "-key",        tls_path("deep.key"),
                           "-cert_chain", tls_path("deep.above"),
                           NULL };
    const char *without[] = { "-cert", tls_path("deep.crt"), "-key",
                              tls_path("deep.key"), NULL };
    struct result result;
    struct route route;

    (void)state;
    route_make(&route, "ca.crt", -1, "localhost");
    (void)meet(&route, with, &result);
    assert_int_equal(result.reason, REASON_NONE);
    (void)meet(&route, without, &result);
    assert_int_equal(result.reason, REASON_UNKNOWN_CA);
    route.conf.side.verify_depth = 1;
    (void)meet(&route, with, &result);
    assert_int_equal(result.reason, REASON_TOO_DEEP);
    route_free(&route);
}

static void
sni_is_a_name_and_never_an_address(void **state)
{
    static const struct {
        const char *name, *want;
    } cases[] = {
        { "LocalHost.", "Server-side hostname: localhost" },
        { "127.0.0.1", NULL },
        { "[::1]", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *args[] = { "-cert",
                               tls_path("server-P-256.crt"),
                               "-key",
                               tls_path("server-P-256.key"),
                               "-servername",
                               "localhost",
                               "-cert2",
                               tls_path("server-P-384.crt"),
                               "-key2",
                               tls_path("server-P-384.key"),
                               "-servername_fatal",
                               "-tlsextdebug",
                               NULL };
        struct result result;
        struct server server;
        struct route route;

        route_make(&route, "ca.crt", -1, cases[i].name);
        route.conf.side.verify = CONF_VERIFY_NONE;
        server_start(&server, args);
        meet_fd(&route, connected(server.port), 60000, &result);
        (void)server_end(&server);
        assert_int_equal(result.reason, REASON_NONE);
        if ((strstr(server.output, "TLS client extension \"server name\"") !=
             NULL) != (cases[i].want != NULL))
            fail_msg("%s: %s", cases[i].name, server.output);
        route_free(&route);
    }
}

/* --- our own certificate ----------------------------------------------------- */

static void
demand(bool tls13, const char *ca, int own, struct result *result)
{
    const char *args[] = { tls13 ? "-tls1_3" : "-tls1_2",
                           "-cert",
                           tls_path("server-P-256.crt"),
                           "-key",
                           tls_path("server-P-256.key"),
                           "-Verify",
                           "3",
                           "-verify_return_error",
                           "-CAfile",
                           tls_path(ca),
                           NULL };
    struct route route;

    route_make(&route, "ca.crt", own, "localhost");
    (void)meet(&route, args, result);
    if (own >= 0 && result->asked)
        assert_int_equal(route.sign.count, 1);
    route_free(&route);
}

static void
an_upstream_that_asks_gets_our_certificate(void **state)
{
    struct result result;

    (void)state;
    for (int own = 0; own < OURS - 1; own++)
        for (int tls13 = 0; tls13 < 2; tls13++) {
            demand(tls13 != 0, "ca.crt", own, &result);
            if (result.reason != REASON_NONE || !result.answered ||
                !result.asked ||
                strcmp(result.version, tls13 ? "1.3" : "1.2") != 0)
                fail_msg("%s TLS 1.%d: %s: %s", ours[own].name, tls13 ? 3 : 2,
                         reason_word(result.reason), result.why.text);
        }
}

static void
a_refusal_of_our_certificate_is_told_apart(void **state)
{
    struct result result;

    (void)state;
    demand(false, "ca.crt", OURS - 1, &result); /* issued by another CA */
    assert_int_equal(result.reason, REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE);
    assert_int_equal(result.alert_received, 48);
    assert_non_null(strstr(result.why.text, "unknown_ca"));
    assert_non_null(strstr(result.why.text, "CN=Root,O=Other"));
    demand(true, "ca.crt", OURS - 1, &result);
    assert_int_equal(result.reason, REASON_NONE); /* as TLS 1.3 has it */
    assert_false(result.answered);
    assert_true(result.refused);
    assert_int_equal(result.alert, 48);
    demand(false, "ca.crt", -1, &result); /* none at all */
    assert_int_equal(result.reason, REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE);
    assert_int_equal(result.alert_received, 40);
    assert_non_null(strstr(result.why.text, "no upstream_cert"));
    demand(true, "ca.crt", -1, &result);
    assert_int_equal(result.reason, REASON_NONE);
    assert_true(result.refused);
    assert_int_equal(result.alert, 116);
}

/* --- no common ground --------------------------------------------------------- */

static void
no_common_cipher_is_the_upstreams_word(void **state)
{
    const char *args[] = { "-tls1_2",
                           "-cert",
                           tls_path("server-P-256.crt"),
                           "-key",
                           tls_path("server-P-256.key"),
                           "-cipher",
                           "ECDHE-ECDSA-CAMELLIA128-SHA256@SECLEVEL=0",
                           NULL };
    struct result result;
    struct route route;

    (void)state;
    route_make(&route, "ca.crt", -1, "localhost");
    (void)meet(&route, args, &result);
    assert_int_equal(result.reason, REASON_UPSTREAM_TLS);
    assert_int_equal(result.alert_received, 40);
    assert_non_null(strstr(result.why.text, "handshake_failure"));
    assert_int_equal(result.err, ERR_TLS);
    route_free(&route);
}

static void
a_version_that_we_do_not_want_is_refused(void **state)
{
    const char *args[] = { "-tls1_2",
                           "-cert",
                           tls_path("server-P-256.crt"),
                           "-key",
                           tls_path("server-P-256.key"),
                           NULL };
    struct result result;
    struct route route;

    (void)state;
    route_conf(&route, "localhost");
    route.conf.side.min = CONF_TLS_13;
    route_build(&route, "ca.crt", -1, NULL);
    (void)meet(&route, args, &result);
    assert_int_equal(result.reason, REASON_UPSTREAM_TLS);
    assert_int_equal(result.err, ERR_TLS);
    assert_true(result.why.text[0] != '\0');
    route_free(&route);
}

static void
alpn_is_offered_and_what_was_chosen_is_known(void **state)
{
    static char h2[] = "h2", h1[] = "http/1.1", *protocols[] = { h2, h1 };
    const char *args[] = { "-cert", tls_path("server-P-256.crt"),
                           "-key",  tls_path("server-P-256.key"),
                           NULL,    "http/1.1",
                           NULL };
    struct result result;
    struct route route;

    (void)state;
    for (int knows = 0; knows < 2; knows++) {
        args[4] = knows ? "-alpn" : NULL;
        route_conf(&route, "localhost");
        route.conf.side.alpn.count = 2;
        route.conf.side.alpn.item = protocols;
        route_build(&route, "ca.crt", -1, NULL);
        (void)meet(&route, args, &result);
        assert_int_equal(result.reason, REASON_NONE);
        assert_true(result.answered);
        assert_string_equal(result.alpn, knows ? "http/1.1" : "");
        route_free(&route);
    }
}

/* by_hand - an upstream that this test plays by hand */
static void
by_hand(const char *says, bool hangs_up, int64_t ms, struct result *result)
{
    struct route route;
    int pair[2];

    route_make(&route, "ca.crt", -1, "localhost");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    assert_int_equal(fdio_nonblock(pair[0], NULL), ERR_OK);
    if (says != NULL)
        assert_int_equal(write(pair[1], says, strlen(says)), strlen(says));
    if (hangs_up)
        shutdown(pair[1], SHUT_WR);
    meet_fd(&route, pair[0], ms, result);
    close(pair[1]);
    route_free(&route);
}

static void
an_upstream_without_tls_is_said_to_be_one(void **state)
{
    struct result result;

    (void)state;
    by_hand("HTTP/1.1 400 Bad Request\r\n\r\n", true, 60000, &result);
    assert_int_equal(result.reason, REASON_UPSTREAM_TLS);
    assert_non_null(strstr(result.why.text, "does not speak TLS"));
    assert_int_equal(result.alert_sent, -1);
    by_hand("S", false, 60000, &result);
    assert_int_equal(result.reason, REASON_UPSTREAM_TLS);
    by_hand(NULL, true, 60000, &result);
    assert_int_equal(result.reason, REASON_UPSTREAM_TLS);
    assert_int_equal(result.err, ERR_EOF);
}

static void
a_silent_upstream_meets_the_deadline(void **state)
{
    struct result result;
    int64_t start = clock_ms();

    (void)state;
    by_hand(NULL, false, 300, &result);
    assert_int_equal(result.reason, REASON_UPSTREAM_TIMEOUT);
    assert_int_equal(result.err, ERR_TIMEOUT);
    assert_in_range(clock_ms() - start, 290, 60000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_upstream_gets_its_word_and_its_alert),
        cmocka_unit_test(a_revoked_upstream_is_refused),
        cmocka_unit_test(intermediates_are_forgotten),
        cmocka_unit_test(sni_is_a_name_and_never_an_address),
        cmocka_unit_test(an_upstream_that_asks_gets_our_certificate),
        cmocka_unit_test(a_refusal_of_our_certificate_is_told_apart),
        cmocka_unit_test(no_common_cipher_is_the_upstreams_word),
        cmocka_unit_test(a_version_that_we_do_not_want_is_refused),
        cmocka_unit_test(alpn_is_offered_and_what_was_chosen_is_known),
        cmocka_unit_test(an_upstream_without_tls_is_said_to_be_one),
        cmocka_unit_test(a_silent_upstream_meets_the_deadline),
    };

    signal(SIGPIPE, SIG_IGN);
    /* as the master that forks keepers: Landlock asks for it */
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return cmocka_run_group_tests(tests, setup, teardown);
}
