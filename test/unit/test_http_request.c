/* test_http_request.c - worker/http*.c: which requests are served, which are
 * refused, and with what word */
/* wrap: wait_for log_send */
#include "test/unit/http_peers.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct http_peers peers;

#define TEXT(text)       text, sizeof(text) - 1
#define H                "Host: a\r\n"
#define GET              "GET / HTTP/1.1\r\n" H "\r\n"
#define LINE(line)       TEXT(line "\r\n" H "\r\n")
#define PATH(path)       LINE("GET " path " HTTP/1.1")
#define WITH(more)       TEXT("GET / HTTP/1.1\r\n" H more "\r\n\r\n")
#define BODY(more, body) TEXT("POST / HTTP/1.1\r\n" H more "\r\n\r\n" body)
#define CHUNKS(body)     BODY("Transfer-Encoding: chunked", body)

static const struct {
    const char *text;
    size_t len;
    int status;
    const char *reason;
} bad[] = {
    /* line ends */
    { TEXT("GET / HTTP/1.1\n" H "\r\n"), 400, "bare_lf" },
    { TEXT("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400, "bare_lf" },
    { TEXT("GET / HTTP/1.1\r\n" H "\n"), 400, "bare_lf" },
    { TEXT("GET / HTTP/1.1\r\n" H "A: b\nC: d\r\n\r\n"), 400, "bare_lf" },
    { TEXT("GET / HTTP/1.1\r" H "\r\n"), 400, "bare_cr" },
    { TEXT("GET / HTTP/1.1\r\n" H "A: b\rC: d\r\n\r\n"), 400, "bare_cr" },
    { TEXT("GET / HTTP/1.1\r\n" H "A: b\r\rC: d\r\n\r\n"), 400, "bare_cr" },
    { TEXT("GET / HTTP/1.1\r\n" H "\rX\r\n"), 400, "bare_cr" },
    { TEXT("GET / HTTP/1.1\r\n" H "\r\r\n"), 400, "bare_cr" },
    { TEXT("\nGET / HTTP/1.1\r\n" H "\r\n"), 400, "bare_lf" },
    { TEXT("\rGET / HTTP/1.1\r\n" H "\r\n"), 400, "bare_cr" },
    { TEXT("\r\n\nGET / HTTP/1.1\r\n" H "\r\n"), 400, "bare_lf" },
    { WITH("A: b\r\n c"), 400, "obs_fold" },
    { WITH("A: b\r\n\tc"), 400, "obs_fold" },
    { TEXT("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400, "obs_fold" },
    { WITH("A: b\r\n "), 400, "obs_fold" },
    { WITH("Transfer-Encoding:\r\n chunked"), 400, "obs_fold" },
    /* names */
    { WITH("A : b"), 400, "space_before_colon" },
    { WITH("A\t: b"), 400, "space_before_colon" },
    { WITH("Content-Length : 0"), 400, "space_before_colon" },
    { WITH("Transfer-Encoding : chunked"), 400, "space_before_colon" },
    { WITH(": b"), 400, "bad_field_name" },
    { WITH("A"), 400, "bad_field_name" },
    { WITH("A(b: c"), 400, "bad_field_name" },
    { WITH("A\x80: c"), 400, "bad_field_name" },
    { WITH("A\"b: c"), 400, "bad_field_name" },
    { WITH("A@b: c"), 400, "bad_field_name" },
    { WITH("A/b: c"), 400, "bad_field_name" },
    { WITH("A\0b: c"), 400, "control_byte" },
    { WITH("\0: c"), 400, "control_byte" },
    /* control bytes */
    { WITH("A: b\0c"), 400, "control_byte" },
    { WITH("A: b\x01"), 400, "control_byte" },
    { WITH("A: b\x0b"), 400, "control_byte" },
    { WITH("A: b\x1b[0m"), 400, "control_byte" },
    { WITH("A: b\x7f"), 400, "control_byte" },
    { LINE("GET /\0 HTTP/1.1"), 400, "control_byte" },
    { LINE("GET /\t HTTP/1.1"), 400, "control_byte" },
    { LINE("GET\t/ HTTP/1.1"), 400, "control_byte" },
    { LINE("GET /a\x01 HTTP/1.1"), 400, "control_byte" },
    { LINE("GET /a\x7f HTTP/1.1"), 400, "control_byte" },
    { TEXT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), 400,
      "control_byte" },
    { TEXT("\0GET / HTTP/1.1\r\n" H "\r\n"), 400, "control_byte" },
    /* request lines */
    { LINE("GET  / HTTP/1.1"), 400, "bad_request_line" },
    { LINE("GET /  HTTP/1.1"), 400, "bad_request_line" },
    { LINE(" GET / HTTP/1.1"), 400, "bad_request_line" },
    { LINE("GET / HTTP/1.1 "), 400, "bad_request_line" },
    { LINE("GET / x HTTP/1.1"), 400, "bad_request_line" },
    { LINE("GET /"), 400, "bad_request_line" },
    { LINE("GET"), 400, "bad_request_line" },
    { LINE("GET / "), 400, "bad_request_line" },
    { LINE("GET / http/1.1"), 400, "bad_request_line" },
    { LINE("GET / HTTP/1"), 400, "bad_request_line" },
    { LINE("GET / HTTP/11"), 400, "bad_request_line" },
    { LINE("GET / HTTP/1.10"), 400, "bad_request_line" },
    { LINE("GET / HTTP/01.1"), 400, "bad_request_line" },
    { LINE("GET / HTTP/1,1"), 400, "bad_request_line" },
    { LINE("GET / HTTP/x.1"), 400, "bad_request_line" },
    { LINE("GET / HTTQ/1.1"), 400, "bad_request_line" },
    { LINE("G\"T / HTTP/1.1"), 400, "bad_request_line" },
    { LINE("G(T / HTTP/1.1"), 400, "bad_request_line" },
    { LINE("SSH-2.0-OpenSSH_9"), 400, "bad_request_line" },
    { LINE("GET / HTTP/2.0"), 505, "version" },
    { LINE("GET / HTTP/0.9"), 505, "version" },
    { LINE("GET / HTTP/1.2"), 505, "version" },
    { TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505, "version" },
    /* methods */
    { LINE("CONNECT a:443 HTTP/1.1"), 501, "method" },
    { LINE("BREW / HTTP/1.1"), 501, "method" },
    { LINE("get / HTTP/1.1"), 501, "method" },
    { LINE("PLAY / HTTP/1.1"), 501, "method" },
    { LINE("PRI * HTTP/1.1"), 501, "method" },
    { LINE("GETT / HTTP/1.1"), 501, "method" },
    /* Host */
    { TEXT("GET / HTTP/1.1\r\n\r\n"), 400, "no_host" },
    { TEXT("GET / HTTP/1.1\r\nHos_t: a\r\n\r\n"), 400, "no_host" },
    { WITH("Host: a"), 400, "two_hosts" },
    { WITH("hOST: b"), 400, "two_hosts" },
    { TEXT("GET / HTTP/1.0\r\n" H H "\r\n"), 400, "two_hosts" },
    { TEXT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400, "bad_host" },
    { TEXT("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400, "bad_host" },
    { TEXT("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"), 400, "bad_host" },
    { TEXT("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400, "bad_host" },
    { TEXT("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400, "bad_host" },
    { TEXT("GET / HTTP/1.1\r\nHost: a:\r\n\r\n"), 400, "bad_host" },
    { TEXT("GET / HTTP/1.1\r\nHost: a:x\r\n\r\n"), 400, "bad_host" },
    { TEXT("GET / HTTP/1.1\r\nHost: a:0\r\n\r\n"), 400, "bad_host" },
    { TEXT("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"), 400, "bad_host" },
    { TEXT("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"), 400, "bad_host" },
    { TEXT("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), 400, "bad_host" },
    { TEXT("GET / HTTP/1.1\r\nHost: [g::1]\r\n\r\n"), 400, "bad_host" },
    { TEXT("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"), 400, "bad_host" },
    { TEXT("GET / HTTP/1.1\r\nHost: a\x80\r\n\r\n"), 400, "bad_host" },
    { TEXT("GET / HTTP/1.1\r\nHost: <a>\r\n\r\n"), 400, "bad_host" },
    /* absolute form and others */
    { PATH("http://b/"), 400, "other_host" },
    { PATH("http://a:81/"), 400, "other_host" },
    { PATH("http://b@a/"), 400, "bad_host" },
    { PATH("http:///x"), 400, "bad_host" },
    { PATH("http://"), 400, NULL },
    { PATH("ftp://a/"), 400, "bad_target" },
    { PATH("a/b"), 400, "bad_target" },
    { PATH("*"), 400, "bad_target" },
    { LINE("OPTIONS ** HTTP/1.1"), 400, "bad_target" },
    { LINE("OPTIONS a HTTP/1.1"), 400, "bad_target" },
    { PATH("http://a?x"), 400, "bad_target" },
    { PATH("http://a/../b"), 400, "dot_segment" },
    /* paths */
    { PATH("/.."), 400, "dot_segment" },
    { PATH("/."), 400, "dot_segment" },
    { PATH("/../"), 400, "dot_segment" },
    { PATH("/a/../b"), 400, "dot_segment" },
    { PATH("/a/./b"), 400, "dot_segment" },
    { PATH("/a/.."), 400, "dot_segment" },
    { PATH("/a/%2e%2e/b"), 400, "dot_segment" },
    { PATH("/a/%2E./b"), 400, "dot_segment" },
    { PATH("/a/.%2e"), 400, "dot_segment" },
    { PATH("/%2e"), 400, "dot_segment" },
    { PATH("/a/..;x=1/b"), 400, "dot_segment" },
    { PATH("/a/..%3bx/b"), 400, "dot_segment" },
    { PATH("/.;x"), 400, "dot_segment" },
    { PATH("/..?x"), 400, "dot_segment" },
    { PATH("/a%2fb"), 400, "encoded_slash" },
    { PATH("/a%2Fb"), 400, "encoded_slash" },
    { PATH("/a%5cb"), 400, "backslash" },
    { PATH("/a\\b"), 400, "backslash" },
    { PATH("/..\\a"), 400, "backslash" },
    { PATH("/a%00"), 400, "encoded_nul" },
    { PATH("/a%0"), 400, "bad_escape" },
    { PATH("/a%"), 400, "bad_escape" },
    { PATH("/a%zz"), 400, "bad_escape" },
    { PATH("/%%32%65"), 400, "bad_escape" },
    { PATH("/%u002e"), 400, "bad_escape" },
    { PATH("/a#b"), 400, "bad_target" },
    { PATH("/a?b#c"), 400, "bad_target" },
    { PATH("/\x80"), 400, "bad_target" },
    { PATH("/?\xff"), 400, "bad_target" },
    /* framing */
    { BODY("Content-Length: 1\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400,
      "length_and_encoding" },
    { BODY("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"), 400,
      "length_and_encoding" },
    { BODY("Content-Length: 1\r\nContent-Length: 1", "x"), 400, "two_lengths" },
    { BODY("Content-Length: 1\r\nContent-Length: 2", "xy"), 400,
      "two_lengths" },
    { BODY("Content-Length: 1, 1", "x"), 400, "two_lengths" },
    { BODY("Content-Length: 1,2", "x"), 400, "two_lengths" },
    { BODY("Content-Length: ", ""), 400, "bad_length" },
    { BODY("Content-Length: +1", "x"), 400, "bad_length" },
    { BODY("Content-Length: -1", "x"), 400, "bad_length" },
    { BODY("Content-Length: 1x", "x"), 400, "bad_length" },
    { BODY("Content-Length: 0x1", "x"), 400, "bad_length" },
    { BODY("Content-Length: 1 1", "x"), 400, "bad_length" },
    { BODY("Content-Length: 1.0", "x"), 400, "bad_length" },
    { BODY("Content-Length: 1e1", "x"), 400, "bad_length" },
    { BODY("Content-Length: 9999999999999999999999", "x"), 400, "bad_length" },
    { BODY("Content-Length: 18446744073709551617", "x"), 400, "bad_length" },
    { BODY("Transfer-Encoding: identity", ""), 400, "transfer_encoding" },
    { BODY("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), 400,
      "transfer_encoding" },
    { BODY("Transfer-Encoding: chunked, chunked", "0\r\n\r\n"), 400,
      "transfer_encoding" },
    { BODY("Transfer-Encoding: chunked, gzip", ""), 400, "transfer_encoding" },
    { BODY("Transfer-Encoding: xchunked", ""), 400, "transfer_encoding" },
    { BODY("Transfer-Encoding: chunkedx", ""), 400, "transfer_encoding" },
    { BODY("Transfer-Encoding: \"chunked\"", ""), 400, "transfer_encoding" },
    { BODY("Transfer-Encoding: chunked;x=y", ""), 400, "transfer_encoding" },
    { BODY("Transfer-Encoding:", ""), 400, "transfer_encoding" },
    { BODY("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
           "0\r\n\r\n"),
      400, "transfer_encoding" },
    { BODY("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
           "0\r\n\r\n"),
      400, "transfer_encoding" },
    { TEXT("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
           "0\r\n\r\n"),
      400, "transfer_encoding" },
    /* expectations */
    { BODY("Expect: 200-ok\r\nContent-Length: 1", "x"), 417, "expect" },
    { BODY("Expect: 100-continue, x\r\nContent-Length: 1", "x"), 417,
      "expect" },
    { BODY("Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1",
           "x"),
      417, "expect" },
    /* limits */
    { WITH("a:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\n"
           "a:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:"),
      431, "headers_max" },
    { TEXT("GET / HTTP/1.1\r\nHost: a"), 400, "head_cut" },
    { TEXT("GET"), 400, "head_cut" },
};

/* the head of these is in order; what follows is not */
static const struct {
    const char *text;
    size_t len;
    const char *reason;
} bad_bodies[] = {
    { CHUNKS("x\r\n"), "bad_chunk" },
    { CHUNKS("\r\n"), "bad_chunk" },
    { CHUNKS("0x1\r\na\r\n0\r\n\r\n"), "bad_chunk" },
    { CHUNKS("-1\r\na\r\n0\r\n\r\n"), "bad_chunk" },
    { CHUNKS("+1\r\na\r\n0\r\n\r\n"), "bad_chunk" },
    { CHUNKS(" 1\r\na\r\n0\r\n\r\n"), "bad_chunk" },
    { CHUNKS("1 \r\na\r\n0\r\n\r\n"), "bad_chunk" },
    { CHUNKS("1\na\r\n0\r\n\r\n"), "bad_chunk" },
    { CHUNKS("1\r\na\n0\r\n\r\n"), "bad_chunk" },
    { CHUNKS("1\r\nab\r\n0\r\n\r\n"), "bad_chunk" },
    { CHUNKS("1\r\na0\r\n\r\n"), "bad_chunk" },
    { CHUNKS("1\r\ra\r\n0\r\n\r\n"), "bad_chunk" },
    { CHUNKS("1;a\nb\r\na\r\n0\r\n\r\n"), "bad_chunk" },
    { CHUNKS("1;a\rb\r\na\r\n0\r\n\r\n"), "bad_chunk" },
    { CHUNKS("1;a\0b\r\na\r\n0\r\n\r\n"), "bad_chunk" },
    { CHUNKS("ffffffffffffffff\r\na\r\n"), "bad_chunk" },
    { CHUNKS("00000000000000001\r\na\r\n0\r\n\r\n"), "bad_chunk" },
    { CHUNKS("1,1\r\na\r\n0\r\n\r\n"), "bad_chunk" },
    { CHUNKS("0\r\nA: b\n\r\n"), "bare_lf" },
    { CHUNKS("0\r\nA : b\r\n\r\n"), "space_before_colon" },
    { CHUNKS("0\r\nA: b\r\n c\r\n\r\n"), "obs_fold" },
    { CHUNKS("0\r\nA: \0\r\n\r\n"), "control_byte" },
    { CHUNKS("0\r\n\rX"), "bare_cr" },
    { CHUNKS("0\r\nGET / HTTP/1.1\r\n\r\n"), "space_before_colon" },
    { CHUNKS("1\r\na"), "body_cut" },
    { CHUNKS("0\r\n"), "body_cut" },
    { BODY("Content-Length: 5", "abcd"), "body_cut" },
};

static const struct {
    const char *text;
    size_t len;
    const char *want; /* at the upstream, whole */
} good[] = {
#define UP(line, more) line " HTTP/1.1\r\nHost: up.example\r\n" more "\r\n"
    { TEXT(GET), UP("GET /", "") },
    { TEXT("\r\n" GET), UP("GET /", "") },
    { TEXT("\r\n\r\n" GET), UP("GET /", "") },
    { TEXT("GET / HTTP/1.0\r\n\r\n"), UP("GET /", "") },
    { TEXT("GET / HTTP/1.0\r\n" H "Connection: keep-alive\r\n\r\n"),
      UP("GET /", "") },
    { TEXT("GET / HTTP/1.1\r\nhOsT:a\r\n\r\n"), UP("GET /", "") },
    { TEXT("GET / HTTP/1.1\r\nHost: a.b-c_d:8080\r\n\r\n"), UP("GET /", "") },
    { TEXT("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"), UP("GET /", "") },
    { TEXT("GET / HTTP/1.1\r\nHost: \t a \t\r\n\r\n"), UP("GET /", "") },
    { LINE("HEAD / HTTP/1.1"), UP("HEAD /", "") },
    { LINE("DELETE /x HTTP/1.1"), UP("DELETE /x", "") },
    { LINE("OPTIONS * HTTP/1.1"), UP("OPTIONS *", "") },
    { LINE("OPTIONS /x HTTP/1.1"), UP("OPTIONS /x", "") },
    { LINE("PROPFIND /x HTTP/1.1"), UP("PROPFIND /x", "") },
    { LINE("M-SEARCH /x HTTP/1.1"), UP("M-SEARCH /x", "") },
    { PATH("/a/b?c=d&e=/../%2f"), UP("GET /a/b?c=d&e=/../%2f", "") },
    { PATH("/..."), UP("GET /...", "") },
    { PATH("/.a/b."), UP("GET /.a/b.", "") },
    { PATH("/a..b"), UP("GET /a..b", "") },
    { PATH("//a//b/"), UP("GET //a//b/", "") },
    { PATH("/%41%7e?%"), UP("GET /%41%7e?%", "") },
    { PATH("/a;b=c"), UP("GET /a;b=c", "") },
    { PATH("http://a/x?y"), UP("GET /x?y", "") },
    { PATH("http://a"), UP("GET /", "") },
    { PATH("http://A:80/x"), UP("GET /x", "") },
    { PATH("HTTPS://a:443/x"), UP("GET /x", "") },
    { TEXT("GET http://b/x HTTP/1.0\r\n\r\n"), UP("GET /x", "") },
    { WITH("A: b"), UP("GET /", "A: b\r\n") },
    { WITH("A:b"), UP("GET /", "A: b\r\n") },
    { WITH("A: \t b  c \t"), UP("GET /", "A: b  c\r\n") },
    { WITH("A:"), UP("GET /", "A: \r\n") },
    { WITH("A: \xc3\xa9"), UP("GET /", "A: \xc3\xa9\r\n") },
    { WITH("A: b\r\nA: c\r\na: d"), UP("GET /", "A: b\r\nA: c\r\na: d\r\n") },
    { WITH("a!#$%&'*+-.^_`|~9: b"), UP("GET /", "a!#$%&'*+-.^_`|~9: b\r\n") },
    { WITH("Cookie: a=b; c=\"d\""), UP("GET /", "Cookie: a=b; c=\"d\"\r\n") },
    /* one hop only */
    { WITH("Connection: close"), UP("GET /", "") },
    { WITH("Connection: keep-alive, X-A\r\nX-A: b\r\nx_a: c\r\nX-B: d"),
      UP("GET /", "X-B: d\r\n") },
    { WITH("Connection: X-A\r\nconnection: X-B\r\nX-A: 1\r\nX-B: 2"),
      UP("GET /", "") },
    { WITH("Keep-Alive: 5\r\nProxy-Connection: x\r\nProxy-Authorization: y"),
      UP("GET /", "") },
    { WITH("TE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\nHTTP2-Settings: x"),
      UP("GET /", "") },
    { WITH("Upgrade: h2c\r\nConnection: upgrade, http2-settings"),
      UP("GET /", "") },
    { WITH("Upgrade: h2c, websocket\r\nConnection: upgrade"), UP("GET /", "") },
    { WITH("Transfer_Encoding: chunked\r\nContent_Length: 5"),
      UP("GET /", "") },
    { BODY("Content-Length: 0", ""), UP("POST /", "Content-Length: 0\r\n") },
    { BODY("Content-Length: 3", "abc"),
      UP("POST /", "Content-Length: 3\r\n") "abc" },
    { BODY("content-length:0003", "abc"),
      UP("POST /", "Content-Length: 3\r\n") "abc" },
    { BODY("Content-Length: 3\r\nConnection: content-length", "abc"),
      UP("POST /", "Content-Length: 3\r\n") "abc" },
    { TEXT("GET / HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\nx"),
      UP("GET /", "Content-Length: 1\r\n") "x" },
    { TEXT("POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx"),
      UP("POST /", "Content-Length: 1\r\n") "x" },
#define CHUNKED UP("POST /", "Transfer-Encoding: chunked\r\n")
    { CHUNKS("0\r\n\r\n"), CHUNKED "0\r\n\r\n" },
    { BODY("transfer-encoding: Chunked", "0\r\n\r\n"), CHUNKED "0\r\n\r\n" },
    { CHUNKS("3\r\nabc\r\n0\r\n\r\n"), CHUNKED "3\r\nabc\r\n0\r\n\r\n" },
    { CHUNKS("03\r\nabc\r\n00\r\n\r\n"), CHUNKED "3\r\nabc\r\n0\r\n\r\n" },
    { CHUNKS("A\r\n0123456789\r\n0\r\n\r\n"),
      CHUNKED "a\r\n0123456789\r\n0\r\n\r\n" },
    { CHUNKS("1;a=b\r\nx\r\n0;c\r\n\r\n"), CHUNKED "1\r\nx\r\n0\r\n\r\n" },
    { CHUNKS("1\r\nx\r\n0\r\nHost: evil\r\nX: y\r\n\r\n"),
      CHUNKED "1\r\nx\r\n0\r\n\r\n" },
    { CHUNKS("5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
      CHUNKED "5\r\n0\r\n\r\n\r\n0\r\n\r\n" },
    { BODY("Expect: 100-continue\r\nContent-Length: 1", "x"),
      UP("POST /", "Content-Length: 1\r\nExpect: 100-continue\r\n") "x" },
    { WITH("Expect: 100-continue"), UP("GET /", "") },
};

/* ask - run with these bytes, cut there */
static void
ask(const char *text, size_t len, size_t cut)
{
    peers.send = text;
    peers.send_len = len;
    peers.cut = cut;
    http_peers_run(&peers);
}

/* status_of - an answer, 0: it is none */
static int
status_of(const char *answer)
{
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? atoi(answer + 9) : 0;
}

static bool
refused(const char *answer, size_t row, int status, const char *reason)
{
    if (status_of(answer) == status &&
        strstr(answer, "\r\nConnection: close\r\n") != NULL &&
        strstr(answer + 1, "HTTP/1.1 ") == NULL && !peers.result.abort &&
        peers.result.end == REASON_BAD_REQUEST &&
        (reason == NULL || strcmp(peers.reason, reason) == 0))
        return true;
    print_error("row %zu: %.20s, reason %s, want %d %s, end %s\n", row, answer,
                peers.reason, status, reason == NULL ? "" : reason,
                reason_word(peers.result.end));
    return false;
}

static void
a_bad_head_is_refused_with_its_word(void **state)
{
    (void)state;
    http_peers_reset(&peers);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ask(bad[i].text, bad[i].len, 0);
        assert_true(refused(peers.got, i, bad[i].status, bad[i].reason));
        assert_int_equal(peers.ups, 0); /* no upstream heard of it */
        assert_int_equal(peers.lines, 1);
    }
}

static void
it_makes_no_difference_where_a_bad_head_is_cut(void **state)
{
    (void)state;
    http_peers_reset(&peers);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (size_t cut = 1; cut < bad[i].len; cut++) {
            ask(bad[i].text, bad[i].len, cut);
            assert_true(refused(peers.got, i, bad[i].status, bad[i].reason));
            assert_int_equal(peers.ups, 0);
        }
}

static void
a_bad_head_is_refused_as_the_second_request_too(void **state)
{
    static char text[2048];
    const size_t first = strlen(GET);

    (void)state;
    http_peers_reset(&peers);
    memcpy(text, GET, first);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memcpy(text + first, bad[i].text, bad[i].len);
        for (size_t cut = first - 1; cut < first + bad[i].len;
             cut += 1 + cut / 40) {
            const char *second;

            ask(text, first + bad[i].len, cut);
            assert_int_equal(status_of(peers.got), 200);
            second = strstr(peers.got, "\r\n\r\nok");
            assert_non_null(second);
            assert_true(refused(second + 6, i, bad[i].status, bad[i].reason));
            assert_int_equal(peers.ups, 1);
            assert_string_equal(peers.up[0].got, UP("GET /", ""));
            assert_int_equal(peers.result.requests, 2);
        }
    }
}

static void
a_bad_body_is_refused_and_its_upstream_sees_no_end(void **state)
{
    (void)state;
    http_peers_reset(&peers);
    for (size_t i = 0; i < sizeof(bad_bodies) / sizeof(bad_bodies[0]); i++)
        for (size_t cut = 0; cut < bad_bodies[i].len; cut++) {
            ask(bad_bodies[i].text, bad_bodies[i].len, cut);
            assert_true(refused(peers.got, i, 400, bad_bodies[i].reason));
            assert_int_equal(peers.asked, 0);
            assert_null(strstr(peers.up[0].got, "0\r\n\r\n"));
        }
}

static void
a_good_request_reaches_the_upstream_exactly_so(void **state)
{
    (void)state;
    http_peers_reset(&peers);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ask(good[i].text, good[i].len, 0);
        if (status_of(peers.got) != 200 ||
            strcmp(peers.up[0].got, good[i].want) != 0)
            fail_msg("row %zu: %s: %s\n%s", i, good[i].text, peers.got,
                     peers.up[0].got);
        assert_string_equal(peers.reason, "");
        assert_false(peers.result.abort);
    }
}

/* chunks may be cut differently then: those are compared when they come whole */
static void
a_good_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    http_peers_reset(&peers);
    peers.drip = true;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ask(good[i].text, good[i].len, 0);
        assert_int_equal(status_of(peers.got), 200);
        assert_int_equal(peers.asked, 1);
        if (strstr(good[i].want, "chunked") == NULL)
            assert_string_equal(peers.up[0].got, good[i].want);
    }
}

static void
heads_over_their_limits_are_refused(void **state)
{
    static char text[9000];
    int n;

    (void)state;
    http_peers_reset(&peers);
    n = snprintf(text, sizeof(text), "GET /");
    memset(text + n, 'a', sizeof(text) - (size_t)n);
    ask(text, sizeof(text), 0);
    assert_true(refused(peers.got, 0, 414, "request_line_too_long"));
    n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nA: ");
    memset(text + n, 'a', sizeof(text) - (size_t)n);
    ask(text, sizeof(text), 0);
    assert_true(refused(peers.got, 1, 431, "head_max"));
    assert_int_equal(peers.ups, 0);
    memcpy(text + 4092, "\r\n\r\n", 4); /* exactly the limit */
    ask(text, 4096, 0);
    assert_int_equal(status_of(peers.got), 200);
    memcpy(text + 4092, "a\r\n\r\n", 5);
    ask(text, 4097, 0);
    assert_true(refused(peers.got, 2, 431, "head_max"));
}

static void
silence_and_half_heads_time_out(void **state)
{
    (void)state;
    http_peers_reset(&peers);
    peers.stay = true;
    ask("", 0, 0);
    assert_int_equal(peers.result.end, REASON_IDLE_TIMEOUT);
    assert_int_equal(peers.got_len, 0);
    assert_int_equal(peers.lines, 0);
    ask(TEXT("GET / HTTP/1.1\r\n"), 0);
    assert_true(refused(peers.got, 0, 408, "head_timeout"));
    ask(TEXT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"), 0);
    assert_true(refused(peers.got, 0, 408, "body_timeout"));
    ask(TEXT(GET), 0); /* then silence */
    assert_int_equal(status_of(peers.got), 200);
    assert_int_equal(peers.result.end, REASON_IDLE_TIMEOUT);
    assert_false(peers.result.abort);
    assert_int_equal(peers.lines, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_head_is_refused_with_its_word),
        cmocka_unit_test(it_makes_no_difference_where_a_bad_head_is_cut),
        cmocka_unit_test(a_bad_head_is_refused_as_the_second_request_too),
        cmocka_unit_test(a_bad_body_is_refused_and_its_upstream_sees_no_end),
        cmocka_unit_test(a_good_request_reaches_the_upstream_exactly_so),
        cmocka_unit_test(a_good_request_may_come_byte_by_byte),
        cmocka_unit_test(heads_over_their_limits_are_refused),
        cmocka_unit_test(silence_and_half_heads_time_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
