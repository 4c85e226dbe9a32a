/* fuzz_http_request.c - any bytes from a client: no crash, and whatever goes to
 * the upstream is a sequence of strict requests with one framing each and no
 * forged header */
#include "common/conf.h"
#include "test/fuzz/must.h"
#include "worker/http.h"
#include "worker/http_body.h"
#include "worker/stream.h"
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char name[] = "X-Real-IP", value[] = "$remote_addr", path[] = "/a";
static struct conf_header header = { name, value };
static struct addr upstream = { .kind = ADDR_IP };
static struct conf_route routes[2] = {
    { .upstream = { 1, &upstream }, .header_count = 1, .header = &header },
    { .path = path,
      .upstream = { 1, &upstream },
      .header_count = 1,
      .header = &header },
};
static struct conf_service service = {
    .name = "fuzz",
    .head_timeout = 50,
    .body_timeout = 50,
    .idle_timeout = 50,
    .keepalive_timeout = 50,
    .head_max = 2048,
    .headers_max = 20,
    .route_count = 2,
    .route = routes,
};

#define UPS 64
static struct stream stream;
static int ups[UPS];
static size_t count;

/* up_open - an upstream that has answered before it was asked, and ended */
static enum err
up_open(void *ctx, size_t route, struct http_upstream *out, enum reason *reason,
        struct why *why)
{
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    int pair[2];

    (void)ctx, (void)why;
    *reason = REASON_UPSTREAM_REFUSED;
    if (count == UPS)
        return ERR_IO;
    must(route < 2);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    must(send(pair[1], answer, sizeof(answer) - 1, 0) > 0);
    must(shutdown(pair[1], SHUT_WR) == 0);
    stream_init(&stream, pair[0], NULL, NULL);
    ups[count++] = pair[1];
    *out = (struct http_upstream){ &stream, "up", "up.example" };
    return ERR_OK;
}

static void
up_close(void *ctx, size_t route)
{
    (void)ctx, (void)route;
    close(stream.fd);
}

/* check_fields - Host, our header, at most one framing, nothing of one hop */
static void
check_fields(const struct http_head *head)
{
    size_t hosts, lengths, codings, real = 0;
    const struct http_field *host = http_find(head, "host", &hosts);

    must(hosts == 1 && http_is(host->value, "up.example"));
    (void)http_find(head, "content-length", &lengths);
    (void)http_find(head, "transfer-encoding", &codings);
    must(lengths + codings <= 1);
    for (size_t i = 0; i < head->count; i++)
        if (http_like(head->field[i].name, "x-real-ip")) {
            must(http_is(head->field[i].value, "192.0.2.7"));
            real++;
        }
    must(real == 1);
    must(http_find(head, "te", NULL) == NULL &&
         http_find(head, "keep-alive", NULL) == NULL &&
         http_find(head, "trailer", NULL) == NULL);
}

/* check_one - the request at text; returns its length, 0: it was not whole */
static size_t
check_one(char *text, size_t len)
{
    static struct http_parser *parser;
    static struct http_field fields[64];
    struct http_head head = { .room = 64, .field = fields };
    struct http_scan scan;
    struct http_body body;
    struct http_text payload;
    size_t used, at;

    if (parser == NULL)
        must((parser = http_parser_new(true)) != NULL);
    http_scan_begin(&scan, HTTP_SCAN_START, 65536, 60);
    must(http_scan_feed(&scan, text, len, &used) == HTTP_NONE);
    if (scan.state != HTTP_SCAN_DONE)
        return 0;
    must(http_head_read(parser, text, scan.len, scan.fields, false, &head) ==
         HTTP_NONE);
    must(head.minor == 1);
    check_fields(&head);
    http_body_begin(&body, &head, parser, 2048, 20);
    for (at = scan.len; !http_body_done(&body); at += used) {
        if (at == len)
            return 0;
        must(http_body_feed(&body, text + at, len - at, &used, &payload) ==
             HTTP_NONE);
    }
    return at;
}

static void
check(int fd)
{
    static char text[1 << 18];
    ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
    size_t at = 0, len = n > 0 ? (size_t)n : 0, one;

    while (at < len && (one = check_one(text + at, len - at)) > 0)
        at += one;
    close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_links links = { .open = up_open,
                                             .close = up_close };
    static const struct http_peer peer = { NULL, "192.0.2.7", 1 };
    struct http_result result;
    struct stream client;
    int pair[2];

    if (size > 16384)
        return -1;
    log_open(-1, LOG_L_ERROR);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    must(size == 0 || send(pair[1], data, size, 0) == (ssize_t)size);
    must(shutdown(pair[1], SHUT_WR) == 0);
    stream_init(&client, pair[0], NULL, NULL);
    count = 0;
    http_run(&service, &client, &peer, &links, &result);
    must(result.in <= size);
    for (size_t i = 0; i < count; i++)
        check(ups[i]);
    close(pair[0]);
    close(pair[1]);
    return 0;
}
