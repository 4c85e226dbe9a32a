/* test_http.c - worker/http*.c: headers, routes, bodies, responses, ends */
/* wrap: wait_for log_send recv send */
#include "test/unit/http_peers.h"
#include "worker/session.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags);
ssize_t __real_recv(int fd, void *buf, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t size, int flags);
ssize_t __real_send(int fd, const void *buf, size_t size, int flags);

static struct http_peers peers;
static unsigned recvs, sends; /* of http_run */

ssize_t
__wrap_recv(int fd, void *buf, size_t size, int flags)
{
    recvs += http_peers_served(fd);
    return __real_recv(fd, buf, size, flags);
}

ssize_t
__wrap_send(int fd, const void *buf, size_t size, int flags)
{
    sends += http_peers_served(fd);
    return __real_send(fd, buf, size, flags);
}

#define H            "Host: a\r\n"
#define GET          "GET / HTTP/1.1\r\n" H "\r\n"
#define OK_2         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int
setup(void **state)
{
    (void)state;
    http_peers_reset(&peers);
    return 0;
}

/* ask - run with this text from the client */
static void
ask(const char *text)
{
    peers.send = text;
    peers.send_len = strlen(text);
    http_peers_run(&peers);
}

static void
script(const struct http_peers_reply *replies, size_t count)
{
    peers.script = replies;
    peers.script_len = count;
}

static size_t
count_of(const char *text, const char *what)
{
    size_t n = 0;

    while ((text = strstr(text, what)) != NULL) {
        n++;
        text++;
    }
    return n;
}

/* --- headers of ours ------------------------------------------------------ */

static struct conf_header headers[8];

static void
set_header(size_t i, const char *name, const char *value)
{
    headers[i] = (struct conf_header){ (char *)(uintptr_t)name,
                                       (char *)(uintptr_t)value };
    http_routes[0].header = headers;
    http_routes[0].header_count = i + 1;
}

static void
nobody_can_forge_a_header_of_ours(void **state)
{
    static const char *const forged[] = {
        "X-Real-IP: 6.6.6.6\r\n",
        "x-real-ip: 6.6.6.6\r\n",
        "X_Real_IP: 6.6.6.6\r\n",
        "X.Real.IP: 6.6.6.6\r\n",
        "X!Real~IP: 6.6.6.6\r\n",
        "X-Real_IP:6.6.6.6\r\n",
        "X-Real-IP: 6.6.6.6\r\nX-REAL-IP: 6.6.6.6\r\n",
        "Connection: X-Real-IP\r\nX-Real-IP: 6.6.6.6\r\n",
        "Connection: x_real_ip, close\r\nX-Real-IP: 6.6.6.6\r\n",
        "X-Removed: 6.6.6.6\r\nx_removed: 6.6.6.6\r\n",
        "X-Empty: 6.6.6.6\r\n",
    };
    static char text[2000];

    (void)state;
    set_header(0, "x-real-ip", "$remote_addr");
    set_header(1, "X-Removed", "");
    set_header(2, "X-Empty", "$ssl_client_s_dn");
    for (size_t i = 0; i < COUNT(forged); i++) {
        (void)snprintf(text, sizeof(text), GET "GET /2 HTTP/1.1\r\n" H "%s\r\n",
                       forged[i]);
        ask(text);
        assert_int_equal(peers.asked, 2);
        assert_int_equal(count_of(peers.up[0].got, "x-real-ip: 192.0.2.7\r\n"),
                         2);
        assert_null(strstr(peers.up[0].got, "6.6.6.6"));
        assert_null(strcasestr(peers.up[0].got, "x-empty"));
        assert_null(strcasestr(peers.up[0].got, "connection"));
    }
}

static struct session session; /* all zero but what a test sets */

static const char *
expanded(const char *value, const char *request)
{
    static char out[8192];
    const char *at, *end;

    set_header(0, "X", value);
    ask(request);
    at = strstr(peers.up[0].got, "\r\nX: ");
    if (peers.ups == 0 || at == NULL)
        return "";
    end = strstr(at + 2, "\r\n");
    (void)snprintf(out, sizeof(out), "%.*s", (int)(end - at - 5), at + 5);
    return out;
}

static void
variables_are_nginx_s(void **state)
{
    static const uint8_t der[] = { 0x30, 0x03, 0xfb, 0xff, 0xbf };
    static const struct http_peer tls = { &session, "2001:db8::7", 443 };
    static const struct {
        const char *value, *want;
        bool tls;
    } rows[] = {
        { "$remote_addr", "192.0.2.7", false },
        { "$remote_port", "4711", false },
        { "${remote_addr}:$remote_port", "192.0.2.7:4711", false },
        { "$scheme", "http", false },
        { "$scheme", "https", true },
        { "$host", "a.example", false },
        { "$http_host", "A.example:8443", false },
        { "$proxy_host", "up.example", false },
        { "$server_name", "test", false },
        { "$$x $", "$x ", false },
        { "a=$nothing;", "a=;", false },
        { "$ssl_protocol", "", false },
        { "$ssl_client_verify", "", false },
        { "$ssl_client_escaped_cert", "", false },
        { "$proxy_add_x_forwarded_for", "1.1.1.1, 2.2.2.2, 192.0.2.7", false },
        { "$remote_addr", "2001:db8::7", true },
        { "$ssl_protocol", "TLSv1.3", true },
        { "$ssl_cipher", "ECDHE-RSA-AES128-GCM-SHA256", true },
        { "$ssl_client_verify", "SUCCESS", true },
        { "$ssl_client_s_dn", "CN=ops,O=Example", true },
        { "$ssl_client_i_dn", "CN=ca", true },
        { "$ssl_client_serial", "1A2B", true },
        { "$ssl_client_fingerprint", "0123456789abcdef0123456789abcdef01234567",
          true },
        { "$ssl_client_escaped_cert",
          "-----BEGIN%20CERTIFICATE-----%0AMAP7%2F78%3D%0A-----END%20"
          "CERTIFICATE-----%0A",
          true },
    };

    (void)state;
    session.verified = session.id.present = true;
    session.version = "1.3";
    session.cipher = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
    strcpy(session.id.subject, "CN=ops,O=Example");
    strcpy(session.id.issuer, "CN=ca");
    strcpy(session.id.serial, "1A2B");
    strcpy(session.id.sha1_hex, "0123456789abcdef0123456789abcdef01234567");
    session.id.der = der;
    session.id.der_len = sizeof(der);
    for (size_t i = 0; i < COUNT(rows); i++) {
        peers.peer = rows[i].tls ? &tls : NULL;
        assert_string_equal(
            expanded(rows[i].value,
                     "GET / HTTP/1.1\r\nHost: A.example:8443\r\n"
                     "X-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2\r\n"
                     "X_Forwarded_For: 6.6.6.6\r\n\r\n"),
            rows[i].want);
    }
    session.verified = false; /* then nothing is said of a certificate */
    assert_string_equal(expanded("$ssl_client_verify", GET), "NONE");
    assert_string_equal(expanded("$ssl_client_s_dn", GET), "");
    assert_string_equal(expanded("$ssl_client_fingerprint", GET), "");
    session.verified = session.id.cut = true; /* no part of a name */
    memset(session.id.subject, 'a', IDENTITY_NAME_MAX - 2);
    assert_string_equal(expanded("$ssl_client_s_dn", GET), "");
    assert_string_equal(expanded("$ssl_client_i_dn", GET), "CN=ca");
}

static void
framing_and_host_stay_ours(void **state)
{
    (void)state;
    set_header(0, "Host", "$host");
    set_header(1, "Content-Length", "99");
    set_header(2, "Transfer_Encoding", "chunked");
    set_header(3, "Connection", "upgrade");
    ask("POST / HTTP/1.1\r\nHost: B.example\r\nContent-Length: 1\r\n\r\nx");
    assert_string_equal(peers.up[0].got,
                        "POST / HTTP/1.1\r\nHost: b.example\r\n"
                        "Content-Length: 1\r\n\r\nx");
    set_header(0, "host", ""); /* a request without Host is none */
    http_routes[0].header_count = 1;
    ask(GET);
    assert_string_equal(peers.up[0].got,
                        "GET / HTTP/1.1\r\nHost: up.example\r\n\r\n");
}

/* --- routes --------------------------------------------------------------- */

static void
the_longest_whole_segment_prefix_wins(void **state)
{
    static const struct {
        const char *path;
        size_t route;
    } rows[] = {
        { "/", 0 },
        { "/a", 1 },
        { "/a/", 1 },
        { "/a/b", 2 },
        { "/a/b/c", 2 },
        { "/a/bc", 1 },
        { "/ab", 0 },
        { "/a?/b", 1 },
        { "//a", 1 },
        { "/a//b", 2 },
        { "/%61/b", 2 },
        { "/%61%62", 0 },
        { "/A", 0 },
        { "/c", 3 },
        { "/c/x", 3 },
        { "/cx", 0 },
        { "/x/a", 0 },
        { "http://a/a", 1 },
        { "http://a/a/b", 2 },
        { "http://a", 0 },
    };
    char text[200];

    (void)state;
    http_service.route_count = 4;
    http_routes[1].path = (char *)(uintptr_t) "/a";
    http_routes[2].path = (char *)(uintptr_t) "/a/b";
    http_routes[3].path = (char *)(uintptr_t) "/c/";
    for (size_t i = 0; i < COUNT(rows); i++) {
        (void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" H "\r\n",
                       rows[i].path);
        ask(text);
        assert_int_equal(peers.ups, 1);
        if (peers.routes[0] != rows[i].route)
            fail_msg("%s: route %zu", rows[i].path, peers.routes[0]);
    }
    ask("GET /a HTTP/1.1\r\n" H "\r\nGET /c HTTP/1.1\r\n" H "\r\n"
        "GET /c HTTP/1.1\r\n" H "\r\n");
    assert_int_equal(peers.asked, 3); /* one upstream at a time */
    assert_int_equal(peers.ups, 2);
    assert_int_equal(peers.routes[1], 3);
}

/* what another program would take for another route's path is nobody's */
static void
path_parameters_lead_nowhere_else(void **state)
{
    static const struct {
        const char *path;
        int status;
    } rows[] = {
        { "/a;x=y", 400 },      { "/a;x/b", 400 },   { "/a%3bx=y/b", 400 },
        { "/;x/a", 400 },       { "/x;y/a", 200 },   { "/a/z;jsession=1", 200 },
        { "/a/b/z;x=/q", 200 }, { "/a;/b;/c", 400 },
    };
    char text[200];

    (void)state;
    http_service.route_count = 3;
    http_routes[1].path = (char *)(uintptr_t) "/a";
    http_routes[2].path = (char *)(uintptr_t) "/a/b";
    for (size_t i = 0; i < COUNT(rows); i++) {
        (void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" H "\r\n",
                       rows[i].path);
        ask(text);
        if (peers.ups != (rows[i].status == 200))
            fail_msg("%s: %zu upstreams", rows[i].path, peers.ups);
    }
}

static void
without_a_route_404_and_the_built_in_answer(void **state)
{
    static struct addr answer = { .kind = ADDR_RESPOND, .code = 200 };

    (void)state;
    answer.body = (char *)(uintptr_t) "hello";
    http_service.route_count = 2;
    http_routes[0].upstream.count = 0;
    http_routes[1].path = (char *)(uintptr_t) "/r";
    http_routes[1].upstream = (struct conf_addrs){ 1, &answer };
    ask("GET /x HTTP/1.1\r\n" H "\r\nHEAD /r HTTP/1.1\r\n" H "\r\n"
        "GET /r HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        "POST /r HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\nx" GET);
    assert_int_equal(strncmp(peers.got, "HTTP/1.1 404 ", 13), 0);
    assert_int_equal(count_of(peers.got, "HTTP/1.1 200 OK\r\n"), 3);
    assert_int_equal(count_of(peers.got, "Content-Length: 5\r\n"), 3);
    assert_int_equal(count_of(peers.got, "\r\n\r\nhello"), 2);
    assert_int_equal(count_of(peers.got, "Connection: keep-alive\r\n"), 1);
    assert_int_equal(count_of(peers.got, "Connection: close\r\n"), 1);
    assert_int_equal(peers.result.end, REASON_RESPONDED);
    assert_int_equal(peers.lines, 4);
    assert_int_equal(peers.ups, 0);
}

/* --- responses ------------------------------------------------------------ */

static void
each_response_reaches_the_client_so(void **state)
{
    static const struct {
        const char *request;
        struct http_peers_reply reply;
        const char *want;
    } rows[] = {
#define R(status, more, body) "HTTP/1.1 " status "\r\n" more "\r\n" body
#define GET10                 "GET / HTTP/1.0\r\n\r\n"
#define KEEP10                "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
#define HEAD                  "HEAD / HTTP/1.1\r\n" H "\r\n"
#define LEN                   "Content-Length: 2\r\n"
#define CHK                   "Transfer-Encoding: chunked\r\n"
#define BYE                   "Connection: close\r\n"
        { GET, { OK_2, 0, PEERS_STAY }, OK_2 },
        { GET, { R("200", LEN, "ok"), 0, PEERS_STAY }, R("200 ", LEN, "ok") },
        { GET,
          { R("299 a b",
              "A: b\r\nKeep-Alive: 5\r\nX: y\r\nConnection: X\r\n" LEN, "ok"),
            0, PEERS_STAY },
          R("299 a b", "A: b\r\n" LEN, "ok") },
        { GET,
          { R("200 OK", CHK, "1\r\no\r\n1;x\r\nk\r\n0\r\nA: b\r\n\r\n"), 0,
            PEERS_STAY },
          R("200 OK", CHK, "1\r\no\r\n1\r\nk\r\n0\r\n\r\n") },
        { GET,
          { R("200 OK", "", "ok"), 0, PEERS_CLOSE },
          R("200 OK", CHK, "2\r\nok\r\n0\r\n\r\n") },
        { GET,
          { "HTTP/1.0 200 OK\r\n\r\nok", 0, PEERS_CLOSE },
          R("200 OK", CHK, "2\r\nok\r\n0\r\n\r\n") },
        { GET,
          { "HTTP/1.0 200 OK\r\n" LEN "\r\nok", 0, PEERS_CLOSE },
          R("200 OK", LEN, "ok") },
        { GET10, { OK_2, 0, PEERS_STAY }, R("200 OK", LEN BYE, "ok") },
        { KEEP10,
          { OK_2, 0, PEERS_STAY },
          R("200 OK", LEN "Connection: keep-alive\r\n", "ok") },
        { KEEP10,
          { R("200 OK", CHK, "2\r\nok\r\n0\r\n\r\n"), 0, PEERS_STAY },
          R("200 OK", BYE, "ok") },
        { GET10,
          { R("200 OK", "", "ok"), 0, PEERS_CLOSE },
          R("200 OK", BYE, "ok") },
        { "GET / HTTP/1.1\r\n" H BYE "\r\n",
          { OK_2, 0, PEERS_STAY },
          R("200 OK", LEN BYE, "ok") },
        { HEAD, { R("200 OK", LEN, ""), 0, PEERS_STAY }, R("200 OK", LEN, "") },
        { HEAD, { R("200 OK", CHK, ""), 0, PEERS_STAY }, R("200 OK", "", "") },
        { HEAD, { R("200 OK", "", ""), 0, PEERS_STAY }, R("200 OK", "", "") },
        { GET, { R("204 No", "", ""), 0, PEERS_STAY }, R("204 No", "", "") },
        { GET, { R("204 No", LEN, ""), 0, PEERS_STAY }, R("204 No", "", "") },
        { GET, { R("304 No", LEN, ""), 0, PEERS_STAY }, R("304 No", LEN, "") },
        { GET,
          { R("100 Go", "A: b\r\n", "") R("103 Hint", "", "") OK_2, 0,
            PEERS_STAY },
          R("100 Go", "A: b\r\n", "") R("103 Hint", "", "") OK_2 },
        { GET10,
          { R("100 Go", "", "") OK_2, 0, PEERS_STAY },
          R("200 OK", LEN BYE, "ok") },
        { GET,
          { R("200 OK", "Content-Length: 0\r\n", ""), 0, PEERS_STAY },
          R("200 OK", "Content-Length: 0\r\n", "") },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        script(&rows[i].reply, 1);
        ask(rows[i].request);
        if (strcmp(peers.got, rows[i].want) != 0)
            fail_msg("row %zu:\n%s", i, peers.got);
        assert_false(peers.result.abort);
    }
}

static void
a_bad_response_is_502(void **state)
{
    static const struct http_peers_reply rows[] = {
#define B(text) { text, sizeof(text) - 1, PEERS_STAY }
#define E(text)                             \
    {                                       \
        text, sizeof(text) - 1, PEERS_CLOSE \
    }
#define BAD(more) B("HTTP/1.1 200 OK\r\n" more "\r\n\r\nok")
        B("HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok"),
        B("HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok"),
        B("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\rX\r\nok"),
        B("\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        B("HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok"),
        B("HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok"),
        B("HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok"),
        B("HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok"),
        B("HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\nok"),
        B("HTTP/1.1 200\tOK\r\nContent-Length: 2\r\n\r\nok"),
        B("HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok"),
        B("HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok"),
        B("HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        B("HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        B("http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        B("ICY 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        B("220 smtp.example ESMTP\r\n"),
        BAD("Content-Length: 2\r\nContent-Length: 2"),
        BAD("Content-Length: 2\r\nContent-Length: 3"),
        BAD("Content-Length: 2, 2"),
        BAD("Content-Length: 2x"),
        BAD("Content-Length: -2"),
        BAD("Content-Length:"),
        BAD("Content-Length: 2\r\nTransfer-Encoding: chunked"),
        BAD("Transfer-Encoding: gzip, chunked"),
        BAD("Transfer-Encoding: identity"),
        BAD("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        BAD("Content-Length: 2\r\nA : b"),
        BAD("Content-Length: 2\r\n: b"),
        BAD("Content-Length: 2\r\nA: b\r\n c"),
        BAD("Content-Length: 2\r\nA: b\0c"),
        BAD("Content-Length: 2\r\nA: b\x1b[31m"),
        BAD("a:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\n"
            "a:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:"),
        B("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        B("HTTP/1.1 204 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        B("HTTP/1.1 101 Up\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
          "\r\n"),
        B("HTTP/1.0 100 Go\r\n\r\n" OK_2),
        E(""),
        E("HTTP/1.1 200 OK\r\nContent-"),
        E("HTTP/1.1 100 Go\r\n\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *at;

        script(&rows[i], 1);
        ask(GET);
        at = strstr(peers.got, "HTTP/1.1 502 Bad Gateway\r\n");
        if (at == NULL || strstr(peers.got, "ok") != NULL)
            fail_msg("row %zu: %s", i, peers.got);
        assert_true(at == peers.got ||
                    strncmp(peers.got, "HTTP/1.1 100", 12) == 0);
        assert_true(strcmp(peers.reason, "bad_response") == 0 ||
                    strcmp(peers.reason, "upstream_eof") == 0);
        assert_false(peers.result.abort);
    }
}

static void
a_body_that_is_cut_resets_the_client(void **state)
{
    static const struct http_peers_reply rows[] = {
        E("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"),
        E("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
        E("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0"
          "\r\n"),
        B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokk\r\n0"
          "\r\n\r\n"),
        B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx"),
        B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA\n\r\n"),
        { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", 0, PEERS_DEAD },
        B("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"), /* silence */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        script(&rows[i], 1);
        ask(GET GET);
        assert_true(peers.result.abort);
        assert_int_equal(peers.asked, 1);
        assert_int_equal(count_of(peers.got, "HTTP/1.1"),
                         peers.got_len > 0 ? 1 : 0);
        assert_null(strstr(peers.got, "0\r\n\r\n"));
        assert_true(peers.result.end == REASON_UPSTREAM_RESET ||
                    peers.result.end == REASON_UPSTREAM_ERROR);
    }
}

static void
no_upstream_is_502_or_504_and_the_connection_stays(void **state)
{
    (void)state;
    peers.refuse = REASON_UPSTREAM_REFUSED;
    ask(GET GET);
    assert_int_equal(count_of(peers.got, "HTTP/1.1 502 "), 2);
    assert_string_equal(peers.reason, "upstream_refused");
    peers.refuse = REASON_UPSTREAM_TIMEOUT;
    ask(GET);
    assert_int_equal(count_of(peers.got, "HTTP/1.1 504 "), 1);
    peers.refuse = REASON_REVOKED; /* of the upstream's certificate */
    ask(GET);
    assert_int_equal(count_of(peers.got, "HTTP/1.1 502 "), 1);
    assert_string_equal(peers.reason, "revoked");
    peers.refuse = REASON_STOPPED;
    ask(GET GET);
    assert_int_equal(count_of(peers.got, "HTTP/1.1 503 "), 1);
    assert_int_equal(peers.result.end, REASON_STOPPED);
}

static void
a_silent_upstream_is_504(void **state)
{
    static const struct http_peers_reply nothing = { "", 0, PEERS_STAY };

    (void)state;
    script(&nothing, 1);
    ask(GET);
    assert_int_equal(strncmp(peers.got, "HTTP/1.1 504 ", 13), 0);
    assert_string_equal(peers.reason, "response_timeout");
}

/* --- connections ---------------------------------------------------------- */

static void
pipelined_requests_are_served_in_order(void **state)
{
    static const struct http_peers_reply replies[] = {
        { "HTTP/1.1 200 one\r\nContent-Length: 1\r\n\r\n1", 0, PEERS_STAY },
        { "HTTP/1.1 200 two\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0,
          PEERS_STAY },
        { "HTTP/1.1 204 three\r\n\r\n", 0, PEERS_STAY },
        { "HTTP/1.1 200 four\r\nContent-Length: 0\r\n\r\n", 0, PEERS_STAY },
    };
    static const char text[] =
        GET "POST /2 HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nGET"
            "POST /3 HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
            "3\r\nGET\r\n0\r\n\r\nHEAD /4 HTTP/1.1\r\n" H "\r\n";

    (void)state;
    script(replies, 4);
    for (size_t cut = 0; cut < sizeof(text) - 1; cut++) {
        peers.cut = cut;
        ask(text);
        assert_string_equal(
            peers.got,
            "HTTP/1.1 200 one\r\nContent-Length: 1\r\n\r\n1"
            "HTTP/1.1 200 two\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            "HTTP/1.1 204 three\r\n\r\n"
            "HTTP/1.1 200 four\r\nContent-Length: 0\r\n\r\n");
        assert_int_equal(peers.ups, 1); /* kept */
        assert_int_equal(peers.lines, 4);
        assert_int_equal(peers.result.end, REASON_CLIENT_EOF);
        assert_int_equal(peers.result.in, sizeof(text) - 1);
        assert_int_equal(peers.result.out, peers.got_len);
    }
}

static void
an_upstream_that_says_too_much_is_not_used_again(void **state)
{
    static const struct http_peers_reply replies[] = {
        { OK_2 "HTTP/1.1 200 evil\r\nContent-Length: 0\r\n\r\n", 0,
          PEERS_STAY },
        { "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
          0, PEERS_STAY },
        { "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 0, PEERS_STAY },
        { OK_2, 0, PEERS_STAY },
    };

    (void)state;
    script(replies, 4);
    ask(GET GET GET GET);
    assert_string_equal(peers.got, OK_2 OK_2 OK_2 OK_2);
    assert_int_equal(peers.ups, 4);
}

static void
a_stale_connection_is_tried_again_once_where_that_is_safe(void **state)
{
    static const struct http_peers_reply replies[] = {
        { OK_2, 0, PEERS_STAY },
        { "", 0, PEERS_DEAD }, /* the second request finds it gone */
        { OK_2, 0, PEERS_STAY },
    };
    static const struct http_peers_reply twice[] = {
        { OK_2, 0, PEERS_STAY },
        { "", 0, PEERS_DEAD },
        { "", 0, PEERS_DEAD },
    };

    (void)state;
    script(replies, 3);
    ask(GET GET);
    assert_string_equal(peers.got, OK_2 OK_2);
    assert_int_equal(peers.ups, 2);
    ask(GET "POST / HTTP/1.1\r\n" H "\r\n");
    assert_non_null(strstr(peers.got, "HTTP/1.1 502 "));
    assert_int_equal(peers.ups, 1);
    ask(GET "PUT / HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\nx");
    assert_non_null(strstr(peers.got, "HTTP/1.1 502 "));
    assert_int_equal(peers.ups, 1);
    script(twice, 3);
    ask(GET GET);
    assert_non_null(strstr(peers.got, "HTTP/1.1 502 "));
    assert_int_equal(peers.ups, 2); /* not for ever */
}

static void
a_closed_kept_connection_is_noticed_before_use(void **state)
{
    static const struct http_peers_reply replies[] = {
        { OK_2, 0, PEERS_CLOSE }, /* without saying so */
        { OK_2, 0, PEERS_STAY },
    };

    (void)state;
    script(replies, 2);
    ask(GET "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\nx");
    assert_string_equal(peers.got, OK_2 OK_2);
    assert_int_equal(peers.ups, 2);
}

static void
an_early_answer_ends_the_connection(void **state)
{
    static const struct http_peers_reply early = {
        "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n", 0, PEERS_STAY
    };

    (void)state;
    script(&early, 1);
    peers.early = true;
    peers.stay = true;
    ask("POST / HTTP/1.1\r\n" H "Content-Length: 100\r\n\r\nx");
    assert_string_equal(peers.got, "HTTP/1.1 413 No\r\nContent-Length: 0\r\n"
                                   "Connection: close\r\n\r\n");
    assert_int_equal(peers.result.end, REASON_RESPONDED);
}

static void
one_hundred_continue_goes_through(void **state)
{
    static const struct http_peers_reply go = { "HTTP/1.1 100 Continue\r\n\r\n",
                                                0, PEERS_STAY };

    (void)state;
    script(&go, 1);
    peers.early = true;
    peers.stay = true;
    ask("POST / HTTP/1.1\r\n" H "Expect: 100-Continue\r\nContent-Length: 1\r\n"
        "\r\n");
    assert_non_null(strstr(peers.up[0].got, "\r\nExpect: 100-continue\r\n"));
    assert_int_equal(strncmp(peers.got, "HTTP/1.1 100 Continue\r\n\r\n", 25),
                     0);
    assert_non_null(strstr(peers.got, "HTTP/1.1 408 ")); /* it sent nothing */
}

static void
a_websocket_becomes_a_plain_relay(void **state)
{
    static const struct http_peers_reply up = {
        "HTTP/1.1 101 Up\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: x\r\n\r\n\x81\x02hi",
        0, PEERS_CLOSE
    };

    (void)state;
    script(&up, 1);
    ask("GET /ws HTTP/1.1\r\n" H "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: y\r\n\r\n\x01\x02raw\r\n\r\nbytes");
    assert_string_equal(
        peers.got,
        "HTTP/1.1 101 Up\r\nSec-WebSocket-Accept: x\r\n"
        "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n\x81\x02hi");
    assert_string_equal(
        peers.up[0].got,
        "GET /ws HTTP/1.1\r\nHost: up.example\r\nSec-WebSocket-Key: y\r\n"
        "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n"
        "\x01\x02raw\r\n\r\nbytes");
    assert_true(peers.result.end == REASON_CLIENT_EOF ||
                peers.result.end == REASON_UPSTREAM_EOF);
    assert_false(peers.result.abort);
}

#define POST_3 "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc"

static void
head_and_body_go_by_one_write_and_nothing_is_asked_in_vain(void **state)
{
    const unsigned requests = 10;

    (void)state;
    for (int i = 0; i < 2; i++) {
        peers.kind = i == 0 ? ENDS_TCP : ENDS_TLS13;
        recvs = sends = 0;
        ask(POST_3 POST_3 POST_3 POST_3 POST_3 POST_3 POST_3 POST_3 POST_3
                POST_3);
        assert_int_equal(peers.lines, requests);
        assert_int_equal(count_of(peers.got, OK_2), requests);
        assert_true(sends <= requests * 2 + 4); /* close_notify and tickets */
        /* each response, and each time whether the kept upstream is silent */
        assert_true(recvs <= requests * 2 + 6);
    }
}

static void
large_bodies_flow_both_ways_through_small_buffers(void **state)
{
    static char text[300000], answer[300200];
    struct http_peers_reply reply = { answer, 0, PEERS_STAY };
    size_t head;
    const char *body;

    (void)state;
    peers.script_len = 0;
    peers.script_len = 0;
    head = (size_t)snprintf(text, sizeof(text),
                            "PUT / HTTP/1.1\r\n" H "Content-Length: 250000"
                            "\r\n\r\n");
    memset(text + head, 'a', 250000);
    text[head + 250000] = '\0';
    ask(text);
    assert_int_equal(peers.asked, 1);
    assert_non_null(body = strstr(peers.up[0].got, "\r\n\r\n"));
    assert_int_equal(strlen(body + 4), 250000);
    head = (size_t)snprintf(answer, sizeof(answer),
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
                            "\r\n\r\n1d4c0\r\n");
    memset(answer + head, 'b', 120000);
    memcpy(answer + head + 120000, "\r\n0\r\n\r\n", 8);
    script(&reply, 1);
    ask(GET);
    assert_int_equal(count_of(peers.got, "b"), 120000);
    assert_string_equal(peers.got + peers.got_len - 7, "\r\n0\r\n\r\n");
    assert_false(peers.result.abort);
}

static void
it_is_the_same_over_tls(void **state)
{
    (void)state;
    for (peers.kind = ENDS_TCP; peers.kind <= ENDS_TLS13; peers.kind++) {
        peers.script_len = 0;
        ask(GET GET);
        assert_string_equal(peers.got, OK_2 OK_2);
        assert_int_equal(peers.ups, 1);
        large_bodies_flow_both_ways_through_small_buffers(state);
        a_websocket_becomes_a_plain_relay(state);
    }
}

static void
the_opener_may_know_why_an_upstream_broke(void **state)
{
    static const struct http_peers_reply gone = { "", 0, PEERS_DEAD };

    (void)state;
    script(&gone, 1);
    peers.blame = REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE;
    ask(GET);
    assert_int_equal(strncmp(peers.got, "HTTP/1.1 502 ", 13), 0);
    assert_string_equal(peers.reason, "upstream_refused_our_certificate");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(nobody_can_forge_a_header_of_ours),
        TEST(variables_are_nginx_s),
        TEST(framing_and_host_stay_ours),
        TEST(the_longest_whole_segment_prefix_wins),
        TEST(path_parameters_lead_nowhere_else),
        TEST(without_a_route_404_and_the_built_in_answer),
        TEST(each_response_reaches_the_client_so),
        TEST(a_bad_response_is_502),
        TEST(a_body_that_is_cut_resets_the_client),
        TEST(no_upstream_is_502_or_504_and_the_connection_stays),
        TEST(a_silent_upstream_is_504),
        TEST(pipelined_requests_are_served_in_order),
        TEST(an_upstream_that_says_too_much_is_not_used_again),
        TEST(a_stale_connection_is_tried_again_once_where_that_is_safe),
        TEST(a_closed_kept_connection_is_noticed_before_use),
        TEST(an_early_answer_ends_the_connection),
        TEST(one_hundred_continue_goes_through),
        TEST(a_websocket_becomes_a_plain_relay),
        TEST(head_and_body_go_by_one_write_and_nothing_is_asked_in_vain),
        TEST(large_bodies_flow_both_ways_through_small_buffers),
        TEST(it_is_the_same_over_tls),
        TEST(the_opener_may_know_why_an_upstream_broke),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
