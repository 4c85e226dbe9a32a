/*
 * http_peers.c - both ends of http_run in one process
 *
 * Owns the socket pairs and the turns. The peers never parse more than they
 * must: where a request ends.
 */
#include "test/unit/http_peers.h"
#include "common/log.h"
#include "worker/stream.h"
#include "worker/wait.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define must(condition)         \
    do {                        \
        if (!(condition)) {     \
            perror(#condition); \
            abort();            \
        }                       \
    } while (0)

enum err __wrap_wait_for(struct pollfd *items, size_t count, int64_t deadline);
void __wrap_log_send(struct log_line *line);

static struct addr upstream = { .kind = ADDR_IP };
struct conf_route http_routes[4];
struct conf_service http_service;

static struct http_peers *now;
static struct ends client;
static struct ends ups[PEERS_UPS]; /* here: http_run's */
static size_t sent;
static bool finished;

void
http_peers_reset(struct http_peers *peers)
{
    memset(peers, 0, sizeof(*peers));
    memset(http_routes, 0, sizeof(http_routes));
    memset(&http_service, 0, sizeof(http_service));
    for (int i = 0; i < 4; i++)
        http_routes[i].upstream = (struct conf_addrs){ 1, &upstream };
    strcpy(http_service.name, "test");
    http_service.route = http_routes;
    http_service.route_count = 1;
    http_service.head_timeout = http_service.body_timeout = 10000;
    http_service.keepalive_timeout = http_service.idle_timeout = 10000;
    http_service.head_max = 4096;
    http_service.headers_max = 20;
}

static enum err
links_open(void *ctx, size_t route, struct http_upstream *out,
           enum reason *reason, struct why *why)
{
    (void)ctx;
    (void)why;
    if (now->refuse != REASON_NONE) {
        *reason = now->refuse;
        return ERR_IO;
    }
    must(now->ups < PEERS_UPS);
    ends_open(&ups[now->ups], now->kind);
    now->up[now->ups].open = true;
    now->routes[now->ups] = route;
    *out = (struct http_upstream){ &ups[now->ups].here, "192.0.2.9:80",
                                   "up.example" };
    now->ups++;
    return ERR_OK;
}

static void
links_close(void *ctx, size_t route)
{
    (void)ctx;
    must(route == now->routes[now->ups - 1]);
    ends_end(&ups[now->ups - 1].here);
}

static enum reason
links_blame(void *ctx, size_t route)
{
    (void)ctx;
    must(route == now->routes[now->ups - 1]);
    return now->blame;
}

/* take - whatever there is, into a terminated buffer */
static bool
take(struct stream *from, char *buf, size_t *len)
{
    ssize_t n;

    stream_recheck(from); /* each call is at another time */
    n = stream_read(from, buf + *len, PEERS_BUF - 1 - *len);

    if (n <= 0)
        return false;
    *len += (size_t)n;
    buf[*len] = '\0';
    return true;
}

/* whole - the length of the request at text, 0: not whole yet */
static size_t
whole(const char *text, bool early)
{
    const char *end = strstr(text, "\r\n\r\n"), *length, *last;
    size_t head, body;

    if (end == NULL)
        return 0;
    head = (size_t)(end - text) + 4;
    if (early)
        return head;
    length = strstr(text, "\r\nContent-Length: ");
    if (length != NULL && length < end) {
        body = strtoul(length + 18, NULL, 10);
        return strlen(text + head) >= body ? head + body : 0;
    }
    length = strstr(text, "\r\nTransfer-Encoding: chunked");
    if (length == NULL || length > end)
        return head;
    if (strncmp(end + 4, "0\r\n\r\n", 5) == 0)
        return head + 5;
    last = strstr(end, "\r\n0\r\n\r\n");
    return last == NULL ? 0 : (size_t)(last - text) + 7;
}

/* reply - the next one of the script */
static void
reply(size_t i)
{
    static const struct http_peers_reply ok = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0, PEERS_STAY
    };
    const struct http_peers_reply *next = &ok;
    size_t len;

    if (now->script_len > 0) {
        must(now->asked < now->script_len);
        next = &now->script[now->asked];
    }
    now->asked++;
    len = next->len != 0 ? next->len : strlen(next->text);
    if (len > 0)
        ends_write(&ups[i].there, next->text, len);
    if (next->after == PEERS_CLOSE)
        ends_shut(&ups[i].there);
    if (next->after == PEERS_DEAD) {
        ends_end(&ups[i].there);
        now->up[i].open = false;
    }
}

static bool
upstream_turn(size_t i)
{
    bool did;
    size_t len;

    if (!now->up[i].open)
        return false;
    did = take(&ups[i].there, now->up[i].got, &now->up[i].len);
    while (now->up[i].open &&
           (len = whole(now->up[i].got + now->up[i].seen, now->early)) > 0 &&
           (now->script_len == 0 || now->asked < now->script_len)) {
        now->up[i].seen += now->early ? now->up[i].len - now->up[i].seen : len;
        reply(i);
        did = true;
    }
    return did;
}

static bool
client_turn(void)
{
    bool did = take(&client.there, now->got, &now->got_len);
    size_t piece = now->send_len - sent;
    ssize_t n;

    if (sent < now->send_len) {
        if (now->drip)
            piece = 1;
        else if (now->cut > 0 && sent < now->cut)
            piece = now->cut - sent;
        n = stream_write(&client.there, now->send + sent, piece);
        if (n > 0)
            sent += (size_t)n;
        return n > 0 || did;
    }
    if (!finished && !now->stay) {
        finished = true;
        (void)stream_shut(&client.there);
        return true;
    }
    return did;
}

static bool
turn(void)
{
    bool did = false;

    for (size_t i = 0; i < now->ups; i++)
        did |= upstream_turn(i);
    return did || client_turn(); /* the client is slower than upstreams */
}

enum err
__wrap_wait_for(struct pollfd *items, size_t count, int64_t deadline)
{
    (void)deadline;
    do {
        if (poll(items, (nfds_t)count, 0) > 0)
            return ERR_OK;
    } while (turn());
    return poll(items, (nfds_t)count, 0) > 0 ? ERR_OK : ERR_TIMEOUT;
}

/* field - the text of a log record's field */
static void
field(const struct log_line *line, const char *key, char *out, size_t size)
{
    char mark[40];
    size_t mark_len = strlen(key) + 2;
    const char *at;
    uint16_t len;

    out[0] = '\0';
    mark[0] = 't';
    memcpy(mark + 1, key, mark_len - 1);
    at = memmem(line->data, line->len, mark, mark_len);
    if (at == NULL)
        return;
    memcpy(&len, at + mark_len, 2);
    must(len < size);
    memcpy(out, at + mark_len + 2, len);
    out[len] = '\0';
}

void
__wrap_log_send(struct log_line *line)
{
    must(line->on && !line->cut);
    field(line, "reason", now->reason, sizeof(now->reason));
    field(line, "path", now->path, sizeof(now->path));
    now->lines++;
}

bool
http_peers_served(int fd)
{
    for (size_t i = 0; now != NULL && i < now->ups; i++)
        if (fd == ups[i].here.fd)
            return true;
    return fd == client.here.fd;
}

void
http_peers_run(struct http_peers *peers)
{
    static const struct http_peer plain = { NULL, "192.0.2.7", 4711 };
    const struct http_links links = { .open = links_open,
                                      .close = links_close,
                                      .blame = links_blame };

    now = peers;
    ends_open(&client, peers->kind);
    sent = 0;
    finished = false;
    peers->got_len = peers->ups = peers->asked = peers->lines = 0;
    peers->got[0] = peers->reason[0] = peers->path[0] = '\0';
    for (size_t i = 0; i < PEERS_UPS; i++) {
        peers->up[i].len = peers->up[i].seen = 0;
        peers->up[i].got[0] = '\0';
    }
    http_run(&http_service, &client.here,
             peers->peer != NULL ? peers->peer : &plain, &links,
             &peers->result);
    if (!peers->result.abort)
        (void)stream_shut(&client.here);
    while (take(&client.there, peers->got, &peers->got_len))
        ;
    ends_close(&client);
    for (size_t i = 0; i < peers->ups; i++) {
        if (!peers->up[i].open)
            continue;
        while (take(&ups[i].there, peers->up[i].got, &peers->up[i].len))
            ;
        ends_end(&ups[i].there);
    }
}
