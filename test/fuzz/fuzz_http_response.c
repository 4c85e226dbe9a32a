/* fuzz_http_response.c - any bytes from an upstream: no crash, and whatever the
 * client gets is a sequence of strict responses, or the connection is aborted
 *
 * The first byte chooses the client: HEAD, HTTP/1.0, WebSocket or plain. */
#include "common/conf.h"
#include "test/fuzz/must.h"
#include "worker/http.h"
#include "worker/http_body.h"
#include "worker/stream.h"
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const requests[] = {
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
     "Connection: upgrade\r\n\r\n"),
};

static struct addr upstream = { .kind = ADDR_IP };
static struct conf_route route = { .upstream = { 1, &upstream } };
static struct conf_service service = {
    .name = "fuzz",
    .head_timeout = 50,
    .body_timeout = 50,
    .idle_timeout = 50,
    .keepalive_timeout = 50,
    .head_max = 2048,
    .headers_max = 20,
    .route_count = 1,
    .route = &route,
};

static struct stream stream;
static const uint8_t *answer;
static size_t answer_len;
static int up = -1;

static enum err
up_open(void *ctx, size_t number, struct http_upstream *out,
        enum reason *reason, struct why *why)
{
    int pair[2];

    (void)ctx, (void)why, (void)number;
    *reason = REASON_UPSTREAM_REFUSED;
    if (up >= 0)
        return ERR_IO;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    must(answer_len == 0 ||
         send(pair[1], answer, answer_len, 0) == (ssize_t)answer_len);
    must(shutdown(pair[1], SHUT_WR) == 0);
    stream_init(&stream, pair[0], NULL, NULL);
    up = pair[1];
    *out = (struct http_upstream){ &stream, "up", "up.example" };
    return ERR_OK;
}

static void
up_close(void *ctx, size_t number)
{
    (void)ctx, (void)number;
    close(stream.fd);
}

/* check - what the client got. false: it ends in the middle */
static bool
/* NOLINTNEXTLINE(misc-no-recursion): each time less of the answer is left */
check(char *text, size_t len, bool head_only)
{
    static struct http_parser *parser;
    static struct http_field fields[64];
    struct http_head head = { .room = 64, .field = fields };
    struct http_scan scan;
    struct http_body body;
    struct http_text payload;
    size_t used, at;

    if (parser == NULL)
        must((parser = http_parser_new(false)) != NULL);
    http_scan_begin(&scan, HTTP_SCAN_START, 65536, 60);
    must(http_scan_feed(&scan, text, len, &used) == HTTP_NONE);
    if (scan.state != HTTP_SCAN_DONE)
        return false;
    must(http_head_read(parser, text, scan.len, scan.fields, head_only,
                        &head) == HTTP_NONE);
    if (head.status == 101)
        return true; /* the rest is another protocol */
    if (head.status < 200)
        return check(text + scan.len, len - scan.len, head_only);
    http_body_begin(&body, &head, parser, 2048, 20);
    for (at = scan.len; !http_body_done(&body) && at < len; at += used)
        must(http_body_feed(&body, text + at, len - at, &used, &payload) ==
             HTTP_NONE);
    must(at == len); /* one request, one response */
    return http_body_done(&body) || head.framing == HTTP_UNTIL_END;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_links links = { .open = up_open,
                                             .close = up_close };
    static const struct http_peer peer = { NULL, "192.0.2.7", 1 };
    static char text[1 << 18];
    struct http_result result;
    struct stream client;
    const char *request;
    int pair[2];
    ssize_t n;

    if (size < 1 || size > 16384)
        return -1;
    log_open(-1, LOG_L_ERROR);
    request = requests[data[0] % 4];
    answer = data + 1;
    answer_len = size - 1;
    up = -1;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    must(send(pair[1], request, strlen(request), 0) > 0);
    must(shutdown(pair[1], SHUT_WR) == 0);
    stream_init(&client, pair[0], NULL, NULL);
    http_run(&service, &client, &peer, &links, &result);
    n = recv(pair[1], text, sizeof(text), MSG_DONTWAIT);
    if (!check(text, n > 0 ? (size_t)n : 0, data[0] % 4 == 1))
        must(result.abort);
    close(pair[0]);
    close(pair[1]);
    if (up >= 0)
        close(up);
    return 0;
}
