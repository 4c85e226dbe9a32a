/* http_peers.h - both ends of http_run in one process: a client that sends
 * what it is given, upstreams that answer from a script. Tests that use it wrap
 * wait_for and log_send: whenever http_run would sleep, the peers have a turn;
 * when they have nothing to do either, the wait times out. Nothing sleeps. */
#ifndef TEST_UNIT_HTTP_PEERS_H
#define TEST_UNIT_HTTP_PEERS_H
#include "common/conf.h"
#include "test/unit/ends.h"
#include "worker/http.h"
#include <stdbool.h>
#include <stddef.h>

enum http_peers_after { PEERS_STAY, PEERS_CLOSE, PEERS_DEAD };

struct http_peers_reply {
    const char *text;
    size_t len; /* 0: strlen */
    enum http_peers_after after;
};

#define PEERS_UPS 8
#define PEERS_BUF 400000

struct http_peers {
    /* given */
    const char *send; /* of the client */
    size_t send_len;
    size_t cut;                            /* the first piece; 0: all in one */
    bool drip;                             /* byte by byte */
    bool stay;                             /* the client does not finish */
    const struct http_peers_reply *script; /* one per request, any upstream */
    size_t script_len;                     /* 0: 200 "ok" for ever */
    bool early;          /* answer as soon as a head is there */
    enum ends_kind kind; /* of all connections */
    enum reason refuse;  /* open fails so; REASON_NONE: it works */
    enum reason blame;   /* what the opener knows of a broken upstream */
    const struct http_peer *peer; /* NULL: a plain one, 192.0.2.7:4711 */
    /* found */
    char got[PEERS_BUF]; /* what the client got, terminated */
    size_t got_len;
    struct {
        char got[PEERS_BUF];
        size_t len, seen; /* seen: up to the end of the last answered request */
        bool open;
    } up[PEERS_UPS];
    size_t ups;   /* connections that were opened */
    size_t asked; /* requests that were answered */
    size_t routes[PEERS_UPS];
    char reason[64]; /* reason= of the last `request` line, "" */
    char path[300];
    unsigned lines;
    struct http_result result;
};

/* a service with head_max 4096, headers_max 20 and one upstream; change it */
extern struct conf_service http_service;
extern struct conf_route http_routes[4];
void http_peers_reset(struct http_peers *peers);
void http_peers_run(struct http_peers *peers);
/* http_peers_served - is fd an end of http_run's, not of its peers? */
bool http_peers_served(int fd);
#endif
