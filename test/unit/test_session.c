/* test_session.c - the handshake against openssl s_client: who gets in, and what the others hear */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/fdio.h"
#include "test/unit/tls_serve.h"
#include "worker/wait.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the table ---------------------------------------------------------- */

#define ONLY_12 (-2) /* a client cannot even try in TLS 1.3 */

static const struct row {
    const char *name; /* "": no certificate */
    enum reason reason;
    int depth;
    int alert12, alert13; /* that the client must see; 0: reason_alert */
} rows[] = {
    { "good-P-256", REASON_NONE, 0, 0, 0 },
    { "good-P-384", REASON_NONE, 0, 0, 0 },
    { "good-P-521", REASON_NONE, 0, 0, 0 },
    { "good-rsa2048", REASON_NONE, 0, 0, 0 },
    { "good-ed25519", REASON_NONE, 0, 0, 0 },
    { "good-plain", REASON_NONE, 0, 0, 0 },
    { "good-any", REASON_NONE, 0, 0, 0 },
    { "good-sanonly", REASON_NONE, 0, 0, 0 },
    { "good-rsaca", REASON_NONE, 0, 0, 0 },
    { "good-pss", REASON_NONE, 0, 0, 0 },
    { "escapes", REASON_NONE, 0, 0, 0 },
    { "leaf1", REASON_NONE, 0, 0, 0 },
    { "leaf2", REASON_NONE, 0, 0, 0 },
    { "leaf3", REASON_TOO_DEEP, 3, 0, 0 },
    { "", REASON_NO_CERTIFICATE, 0, 40, 116 },
    { "selfsigned", REASON_SELF_SIGNED, 0, 0, 0 },
    { "selfleaf", REASON_SELF_SIGNED, 0, 0, 0 },
    { "selfexpired", REASON_SELF_SIGNED, 0, 0, 0 },
    { "otherca", REASON_UNKNOWN_CA, 0, 0, 0 },
    { "otherexpired", REASON_UNKNOWN_CA, 0, 0, 0 },
    { "sameca", REASON_UNKNOWN_CA, 0, 0, 0 },
    { "forged", REASON_BAD_SIGNATURE, 0, 0, 0 },
    { "expired", REASON_EXPIRED, 0, 0, 0 },
    { "early", REASON_NOT_YET_VALID, 0, 0, 0 },
    { "serveronly", REASON_BAD_PURPOSE, 0, 0, 0 },
    { "nosign", REASON_BAD_PURPOSE, 0, 0, 0 },
    { "empty", REASON_NO_IDENTITY, 0, 0, 0 },
    { "v1", REASON_X509_V1, 0, 0, 0 },
    { "subjectissuer", REASON_SUBJECT_IS_ISSUER, 0, 0, 0 },
    { "rsa1024", REASON_WEAK_KEY, 0, 0, 0 },
    { "secp256k1", REASON_WEAK_KEY, 0, 0, ONLY_12 },
    { "sha1", REASON_WEAK_SIGNATURE, 0, 0, 0 },
    { "sha1pss", REASON_WEAK_SIGNATURE, 0, 0, 0 },
    { "belowleaf", REASON_BAD_PURPOSE, 1, 0, 0 },
    { "leafserver", REASON_BAD_PURPOSE, 1, 0, 0 },
    { "leafnc", REASON_NAME_CONSTRAINT, 1, 0, 0 },
    { "leafnc2", REASON_NAME_CONSTRAINT, 0, 0, 0 },
    { "leafnosign", REASON_BAD_PURPOSE, 1, 0, 0 },
    { "leafinterexpired", REASON_EXPIRED, 1, 0, 0 },
    { "leafinterweak", REASON_WEAK_KEY, 1, 0, 0 },
    { "leafintersha1", REASON_WEAK_SIGNATURE, 1, 0, 0 },
    { "leafpath", REASON_BAD_PURPOSE, 1, 0, 0 },
};

/* check_row - false, with one line about it, when something differs */
static bool
check_row(const struct row *row, bool tls13, const struct result *r)
{
    int alert = tls13 ? row->alert13 : row->alert12;
    bool in = row->reason == REASON_NONE;

    show(row->name, tls13, r);
    if (alert == 0)
        alert = reason_alert(row->reason);
    if (r->reason == row->reason && r->alert == alert &&
        r->session.depth == row->depth && r->session.alert_sent == alert &&
        r->session.verified == in && r->err == (in ? ERR_OK : ERR_TLS) &&
        (strstr(r->output, "HELLO") != NULL) == in)
        return true;
    print_error("%s TLS 1.%d: %s at depth %d, alert %d sent, %d seen (wanted "
                "%s at %d, alert %d): %s\n",
                row->name, tls13 ? 3 : 2, reason_word(r->reason),
                r->session.depth, r->session.alert_sent, r->alert,
                reason_word(row->reason), row->depth, alert, r->why.text);
    return false;
}

static void
every_client_gets_its_word_and_its_alert(void **state)
{
    struct server server = { .service = tls_service() };
    struct result result;
    bool good = true;
    size_t i;
    int v;

    (void)state;
    (void)!system("cat \"$PKI/ca.crt\" \"$PKI/rsaca.crt\" >\"$PKI/both.crt\"");
    server_start(&server, "server-P-256", "both.crt");
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (v = 0; v < (rows[i].alert13 == ONLY_12 ? 1 : 2); v++) {
            connect_as(&server, rows[i].name, v == 1, &result);
            good &= check_row(&rows[i], v == 1, &result);
        }
    server_end(&server);
    assert_true(good);
}

/* depth: N intermediates pass when verify_depth is N or more; a root that comes
 * along does not count */
static void
depth_counts_intermediates(void **state)
{
    const char *version,
        *name, *const leaves[] = { "good-P-256", "leaf1", "leaf2", "leaf3" };
    struct server server = { .service = tls_service() };
    struct result result;
    char crt[32], key[32], full[32];
    int allowed, has, v;

    (void)state;
    server_start(&server, "server-P-256", "ca.crt");
    for (allowed = 0; allowed <= 3; allowed++)
        for (has = 0; has <= 3; has++)
            for (v = 2; v <= 3; v++) {
                server.service.client.verify_depth = allowed;
                name = leaves[has];
                version = v == 3 ? "-tls1_3" : "-tls1_2";
                connect_as(&server, name, v == 3, &result);
                assert_int_equal(result.reason,
                                 has > allowed ? REASON_TOO_DEEP : REASON_NONE);
                (void)snprintf(crt, sizeof(crt), "%s.crt", name);
                (void)snprintf(key, sizeof(key), "%s.key", name);
                (void)snprintf(full, sizeof(full), "%s",
                               has == 0 ? "ca.crt" : "");
                if (has > 0)
                    (void)snprintf(full, sizeof(full), "%s.full", name);
                connect_with(&server,
                             (const char *[]){ version, "-cert", tls_path(crt),
                                               "-key", tls_path(key),
                                               "-cert_chain", tls_path(full),
                                               NULL },
                             &result);
                assert_int_equal(result.reason,
                                 has > allowed ? REASON_TOO_DEEP : REASON_NONE);
            }
    server_end(&server);
}

/* a root that comes along is verified once: that must not help one that is
 * damaged */
static void
a_damaged_root_is_refused_whatever_came_before(void **state)
{
    static const struct {
        const char *root;
        enum reason want;
    } turns[] = {
        { "ca.crt", REASON_NONE },
        { "damaged.crt", REASON_BAD_SIGNATURE },
        { "ca.crt", REASON_NONE },
        { "damaged.crt", REASON_BAD_SIGNATURE },
    };
    struct server server = { .service = tls_service() };
    struct result result;

    (void)state;
    assert_int_equal(
        system("cd \"$PKI\" && openssl x509 -in ca.crt -outform DER -out ca.der"
               " && { head -c -1 ca.der; tail -c 1 ca.der |"
               " tr '\\000-\\377' '\\001-\\377\\000'; } |"
               " openssl x509 -inform DER -out damaged.crt"),
        0);
    server_start(&server, "server-P-256", "ca.crt");
    for (size_t i = 0; i < 2 * sizeof(turns) / sizeof(turns[0]); i++) {
        connect_with(&server,
                     (const char *[]){ i % 2 == 0 ? "-tls1_3" : "-tls1_2",
                                       "-cert", tls_path("good-P-256.crt"),
                                       "-key", tls_path("good-P-256.key"),
                                       "-cert_chain",
                                       tls_path(turns[i / 2].root), NULL },
                     &result);
        assert_int_equal(result.reason, turns[i / 2].want);
    }
    server_end(&server);
}

/* alone - only the leaf, without its chain */
static void
alone(struct server *server, const char *name, const char *version,
      struct result *result)
{
    char crt[32], key[32];

    (void)snprintf(crt, sizeof(crt), "%s.crt", name);
    (void)snprintf(key, sizeof(key), "%s.key", name);
    connect_with(server,
                 (const char *[]){ version, "-cert", tls_path(crt), "-key",
                                   tls_path(key), NULL },
                 result);
}

/* what one client sent must not help the next one in the same worker */
static void
an_intermediate_helps_nobody_else(void **state)
{
    struct server server = { .service = tls_service() };
    struct result result;
    const char *version;
    int v;

    (void)state;
    server_start(&server, "server-P-256", "ca.crt");
    for (v = 2; v <= 3; v++) {
        version = v == 3 ? "-tls1_3" : "-tls1_2";
        connect_as(&server, "leaf1", v == 3, &result);
        assert_int_equal(result.reason, REASON_NONE);
        alone(&server, "leaf1", version, &result);
        assert_int_equal(result.reason, REASON_UNKNOWN_CA);
        /* nor after one whose handshake failed above or at the leaf */
        server.service.client.verify_depth = 0;
        connect_as(&server, "leaf1", v == 3, &result);
        assert_int_equal(result.reason, REASON_TOO_DEEP);
        server.service.client.verify_depth = 2;
        alone(&server, "leaf1", version, &result);
        assert_int_equal(result.reason, REASON_UNKNOWN_CA);
        /* an intermediate of a stranger, refused, is no anchor afterwards */
        connect_as(&server, "leafother", v == 3, &result);
        assert_int_equal(result.reason, REASON_UNKNOWN_CA);
        assert_int_equal(result.session.depth, 1);
        connect_as(&server, "leafother", v == 3, &result);
        assert_int_equal(result.reason, REASON_UNKNOWN_CA);
        alone(&server, "leafother", version, &result);
        assert_int_equal(result.reason, REASON_UNKNOWN_CA);
        connect_as(&server, "otherca", v == 3, &result);
        assert_int_equal(result.reason, REASON_UNKNOWN_CA);
    }
    server_end(&server);
}

/* a client's own certificate in the CA file makes nobody trusted */
static void
a_leaf_in_the_ca_file_is_no_anchor(void **state)
{
    static const char *const names[] = { "selfleaf", "selfexpired", "otherca",
                                         "expired" };
    struct server server = { .service = tls_service() };
    struct result result;
    size_t i;

    (void)state;
    (void)!system("cd \"$PKI\" && cat ca.crt selfleaf.crt selfexpired.crt "
                  "otherca.crt expired.crt rootexpired.crt >mixed.crt");
    server_start(&server, "server-P-256", "mixed.crt");
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        connect_as(&server, names[i], true, &result);
        assert_int_equal(result.err, ERR_TLS);
        connect_as(&server, names[i], false, &result);
        assert_int_equal(result.err, ERR_TLS);
    }
    connect_as(&server, "good-P-256", true, &result);
    assert_int_equal(result.err, ERR_OK);
    server_end(&server);
}

static void
every_kind_of_server_key_signs(void **state)
{
    static const char *const keys[] = { "server-P-256",   "server-P-384",
                                        "server-P-521",   "server-rsa2048",
                                        "server-ed25519", "deep" };
    struct result result;
    size_t i;
    int v;

    (void)state;
    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct server server = { .service = tls_service() };

        server_start(&server, keys[i], "ca.crt");
        for (v = 0; v < 2; v++) {
            connect_as(&server, "good-P-256", v == 1, &result);
            if (result.err != ERR_OK)
                fail_msg("%s 1.%d: %s\n%s", keys[i], v + 2, result.why.text,
                         result.output);
            /* the whole chain is on the wire, in order */
            assert_true(
                (strstr(result.output, " 2 s:O = Example, CN = Inter 1") !=
                 NULL) == (strcmp(keys[i], "deep") == 0));
        }
        server_end(&server);
    }
}

static void
a_session_says_what_was_negotiated(void **state)
{
    struct server server = { .service = tls_service() };
    struct result r;

    (void)state;
    server_start(&server, "server-P-256", "ca.crt");
    connect_with(&server,
                 (const char *[]){ "-tls1_3", "-servername", "a.example.org",
                                   "-cert", tls_path("good-P-256.crt"), "-key",
                                   tls_path("good-P-256.key"), "-groups",
                                   "X25519", "-msg", NULL },
                 &r);
    show("negotiated", true, &r);
    assert_int_equal(r.err, ERR_OK);
    assert_string_equal(r.session.version, "1.3");
    assert_string_equal(r.session.cipher, "TLS_AES_128_GCM_SHA256");
    assert_string_equal(r.session.group, "X25519");
    assert_string_equal(r.session.sni, "a.example.org");
    assert_string_equal(r.session.id.subject, "CN=good-P-256,O=Example");
    assert_string_equal(r.session.id.san,
                        "dns:P-256.example.org,uri:spiffe://example.org/P-256,"
                        "ip:192.0.2.1,email:a@example.org");
    assert_false(r.session.resumed);
    assert_null(strstr(r.output, "NewSessionTicket"));
    connect_with(&server,
                 (const char *[]){ "-tls1_2", "-noservername", "-cert",
                                   tls_path("good-P-256.crt"), "-key",
                                   tls_path("good-P-256.key"), "-groups",
                                   "P-256", "-msg", NULL },
                 &r);
    assert_int_equal(r.err, ERR_OK);
    assert_string_equal(r.session.version, "1.2");
    assert_string_equal(r.session.group, "P-256");
    assert_string_equal(r.session.sni, "");
    assert_null(strstr(r.output, "NewSessionTicket"));
    assert_true(session.ssl == NULL && !session.id.present);
    server_end(&server);
}

/* a client that wants its session back gets a new handshake, and is judged */
static void
nothing_is_resumed(void **state)
{
    struct server server = { .service = tls_service() };
    struct result r;
    int v;

    (void)state;
    server_start(&server, "server-P-256", "ca.crt");
    for (v = 0; v < 2; v++) {
        const char *version = v == 1 ? "-tls1_3" : "-tls1_2";

        connect_with(&server,
                     (const char *[]){ version, "-cert",
                                       tls_path("good-P-256.crt"), "-key",
                                       tls_path("good-P-256.key"), "-sess_out",
                                       tls_path("sess"), NULL },
                     &r);
        assert_int_equal(r.err, ERR_OK);
        if (access(tls_path("sess"), R_OK) != 0)
            continue; /* it was given none */
        connect_with(
            &server,
            (const char *[]){ version, "-sess_in", tls_path("sess"), NULL },
            &r);
        assert_true(r.err == ERR_TLS || r.err == ERR_EOF);
        assert_false(r.session.resumed);
    }
    server_end(&server);
}

static void
optional_and_none_let_the_nameless_in(void **state)
{
    struct server server = { .service = tls_service() };
    struct result r;
    int v;

    (void)state;
    server.service.client.verify = CONF_VERIFY_OPTIONAL;
    server_start(&server, "server-P-256", "ca.crt");
    for (v = 0; v < 2; v++) {
        connect_as(&server, "", v == 1, &r);
        assert_true(r.err == ERR_OK && r.session.verified &&
                    !r.session.id.present);
        connect_as(&server, "good-P-256", v == 1, &r);
        assert_true(r.err == ERR_OK && r.session.id.present);
        connect_as(&server, "otherca", v == 1, &r);
        assert_true(r.err == ERR_TLS && r.reason == REASON_UNKNOWN_CA);
    }
    server_end(&server);
    server.service.client.verify = CONF_VERIFY_NONE;
    server_start(&server, "server-P-256", "ca.crt");
    for (v = 0; v < 2; v++) {
        connect_as(&server, "otherca", v == 1, &r);
        assert_true(r.err == ERR_OK && !r.session.id.present);
    }
    server_end(&server);
}

/* ---- before certificates ------------------------------------------------ */

static void
versions_and_suites_must_meet(void **state)
{
    struct server server = { .service = tls_service() };
    static char p384[] = "P-384";
    static char rsa[] = "ECDHE-RSA-AES128-GCM-SHA256";
    struct result r;

    (void)state;
    server_start(&server, "server-P-256", "ca.crt");
    connect_with(&server, (const char *[]){ "-tls1_1", NULL }, &r);
    show("tls 1.1", false, &r);
    assert_true(r.reason == REASON_VERSION && r.alert == 70);
    connect_with(&server,
                 (const char *[]){ "-tls1_2", "-cipher",
                                   "AES128-SHA:@SECLEVEL=0", NULL },
                 &r);
    show("static rsa", false, &r);
    assert_true(r.reason == REASON_NO_COMMON_CIPHER && r.alert == 40);
    server_end(&server);

    server.service.client.min = CONF_TLS_13;
    server_start(&server, "server-P-256", "ca.crt");
    connect_as(&server, "good-P-256", false, &r);
    show("min 1.3", false, &r);
    assert_true(r.reason == REASON_VERSION && r.alert == 70);
    connect_as(&server, "good-P-256", true, &r);
    assert_int_equal(r.err, ERR_OK);
    server_end(&server);

    server.service.client.min = server.service.client.max = CONF_TLS_12;
    server_start(&server, "server-P-256", "ca.crt");
    connect_as(&server, "good-P-256", true, &r);
    show("max 1.2", true, &r);
    /* a 1.2 server does not read supported_versions: it sees strange suites */
    assert_true(r.reason == REASON_NO_COMMON_CIPHER && r.alert == 40);
    connect_as(&server, "good-P-256", false, &r);
    assert_int_equal(r.err, ERR_OK);
    server_end(&server);

    server.service = tls_service();
    server.service.client.groups = p384;
    server.service.client.ciphers = rsa;
    server_start(&server, "server-P-256", "ca.crt");
    connect_with(&server,
                 (const char *[]){ "-tls1_3", "-groups", "X25519", NULL }, &r);
    show("group", true, &r);
    /* the library asks for a group that the client did not offer: it says so */
    assert_true(r.err == ERR_TLS && r.reason == REASON_CLIENT_ALERT);
    connect_as(&server, "good-P-256", false, &r);
    show("suite", false, &r);
    assert_true(r.reason == REASON_NO_COMMON_CIPHER && r.alert == 40);
    server_end(&server);
}

/* raw - connect, send these bytes, then: 'k' keep open, 'f' FIN, 'r' RST */
static void
raw(struct server *server, const void *bytes, size_t len, char then, int64_t ms,
    struct result *result)
{
    struct linger linger = { .l_onoff = 1 };
    struct pollfd gone = { .events = POLLRDHUP };
    int sock;
    pid_t pid;

    listen_once();
    gone.fd = sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        connect(sock, (struct sockaddr *)&address, sizeof(address)), 0);
    if (len > 0)
        assert_int_equal(write(sock, bytes, len), (ssize_t)len);
    if (then == 'f')
        (void)shutdown(sock, SHUT_WR);
    if (then == 'r') {
        (void)setsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        close(sock);
    }
    pid = fork(); /* somebody must end, so that the drain does */
    if (pid == 0) {
        if (then == 'k')
            (void)poll(&gone, 1, 400); /* until the server has its say */
        _exit(0);
    }
    if (then != 'r')
        close(sock);
    take(server, pid, NULL, result, ms);
}

static void
other_ends_have_their_words(void **state)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char hello[] = "\x16\x03\x01\x02\x00\x01";
    static const char rubbish[] = "\x16\x03\x01\x00\x05\x99zzzz";
    static const char ssl2[] = "\x80\x2e\x01\x00\x02\x00\x15";
    static const struct {
        const char *bytes;
        size_t len;
        char then;
        enum reason reason;
        enum err err;
    } ends[] = {
        { http, sizeof(http) - 1, 'k', REASON_NOT_TLS, ERR_TLS },
        { ssl2, sizeof(ssl2) - 1, 'k', REASON_NOT_TLS, ERR_TLS },
        { "x", 1, 'f', REASON_NOT_TLS, ERR_TLS },
        { rubbish, sizeof(rubbish) - 1, 'k', REASON_HANDSHAKE_FAILED, ERR_TLS },
        { hello, sizeof(hello) - 1, 'f', REASON_CLIENT_GONE, ERR_EOF },
        { hello, sizeof(hello) - 1, 'r', REASON_CLIENT_GONE, ERR_RESET },
        { "", 0, 'f', REASON_CLIENT_GONE, ERR_EOF },
        { "", 0, 'r', REASON_CLIENT_GONE, ERR_RESET },
        { hello, sizeof(hello) - 1, 'k', REASON_HANDSHAKE_TIMEOUT,
          ERR_TIMEOUT },
    };
    struct server server = { .service = tls_service() };
    struct result r;
    size_t i;

    (void)state;
    server_start(&server, "server-P-256", "ca.crt");
    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        raw(&server, ends[i].bytes, ends[i].len, ends[i].then, 200, &r);
        if (r.reason != ends[i].reason || r.err != ends[i].err)
            fail_msg("row %zu: %s, err %d: %s", i, reason_word(r.reason),
                     (int)r.err, r.why.text);
        assert_int_equal(session_bytes_seen(&r.session), ends[i].len > 0);
    }
    server_end(&server);
}

static void
a_clients_alert_is_heard(void **state)
{
    struct server server = { .service = tls_service() };
    struct result r;
    int v;

    (void)state;
    server_start(&server, "server-P-256", "ca.crt");
    for (v = 0; v < 2; v++) {
        connect_with(&server,
                     (const char *[]){ v == 1 ? "-tls1_3" : "-tls1_2",
                                       "-verify_return_error", "-CAfile",
                                       tls_path("other.crt"), NULL },
                     &r);
        show("distrust", v == 1, &r);
        assert_int_equal(r.reason, REASON_CLIENT_ALERT);
        assert_int_equal(r.session.alert_received, 48);
        /* in TLS 1.3 the library hears the alert, then complains about its form
         * (it is not encrypted yet) */
        assert_int_equal(r.session.alert_sent, v == 1 ? 10 : -1);
    }
    server_end(&server);
}

static void
a_lost_keeper_is_said(void **state)
{
    struct server server = { .service = tls_service() };
    struct result r;
    int v;

    (void)state;
    for (v = 0; v < 2; v++) {
        server_start(&server, "server-P-256", "ca.crt");
        kill(server.keeper, SIGKILL);
        connect_as(&server, "good-P-256", v == 1, &r);
        show("keeper", v == 1, &r);
        assert_true(r.reason == REASON_KEEPER_GONE && r.err == ERR_PEER);
        assert_int_equal(r.alert, 80);
        server_end(&server);
    }
}

/* thief - a wolfSSL client with somebody's certificate and its own key */
static pid_t
thief(bool tls13)
{
    const char *crt = tls_path("good-P-256.crt");
    const char *key = tls_path("otherca.key");
    WOLFSSL_CTX *ctx;
    WOLFSSL *ssl;
    char byte;
    int sock;
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    sock = socket(AF_INET, SOCK_STREAM, 0);
    ctx = wolfSSL_CTX_new(tls13 ? wolfTLSv1_3_client_method()
                                : wolfTLSv1_2_client_method());
    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
    if (wolfSSL_CTX_use_certificate_file(ctx, crt, WOLFSSL_FILETYPE_PEM) !=
            WOLFSSL_SUCCESS ||
        wolfSSL_CTX_use_PrivateKey_file(ctx, key, WOLFSSL_FILETYPE_PEM) !=
            WOLFSSL_SUCCESS ||
        connect(sock, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        (ssl = wolfSSL_new(ctx)) == NULL)
        _exit(9);
    wolfSSL_set_fd(ssl, sock);
    (void)wolfSSL_connect(ssl);
    (void)wolfSSL_read(ssl, &byte, 1);
    {
        WOLFSSL_ALERT_HISTORY history;

        (void)wolfSSL_get_alert_history(ssl, &history);
        _exit(history.last_rx.code);
    }
}

static void
a_stolen_certificate_is_no_key(void **state)
{
    struct server server = { .service = tls_service() };
    struct result r;
    pid_t pid;
    int v, status;

    (void)state;
    listen_once();
    server_start(&server, "server-P-256", "ca.crt");
    for (v = 0; v < 2; v++) {
        pid = thief(v == 1);
        take(&server, 0, NULL, &r, 60000);
        (void)waitpid(pid, &status, 0);
        show("thief", v == 1, &r);
        assert_int_equal(r.reason, REASON_BAD_SIGNATURE);
        assert_int_equal(WEXITSTATUS(status), 51);
    }
    server_end(&server);
}

static int
setup(void **state)
{
    struct why why;

    (void)state;
    if (context_library(&why) != ERR_OK || wait_init(&why) != ERR_OK)
        return -1;
    return setenv("PKI", tls_pki(), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_client_gets_its_word_and_its_alert),
        cmocka_unit_test(depth_counts_intermediates),
        cmocka_unit_test(a_damaged_root_is_refused_whatever_came_before),
        cmocka_unit_test(an_intermediate_helps_nobody_else),
        cmocka_unit_test(a_leaf_in_the_ca_file_is_no_anchor),
        cmocka_unit_test(every_kind_of_server_key_signs),
        cmocka_unit_test(a_session_says_what_was_negotiated),
        cmocka_unit_test(nothing_is_resumed),
        cmocka_unit_test(optional_and_none_let_the_nameless_in),
        cmocka_unit_test(versions_and_suites_must_meet),
        cmocka_unit_test(other_ends_have_their_words),
        cmocka_unit_test(a_clients_alert_is_heard),
        cmocka_unit_test(a_lost_keeper_is_said),
        cmocka_unit_test(a_stolen_certificate_is_no_key),
    };

    return cmocka_run_group_tests(tests, setup, tls_serve_teardown);
}
