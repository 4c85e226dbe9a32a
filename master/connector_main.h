/* connector_main.h - the connector's process, and what the master tells it */
#ifndef MASTER_CONNECTOR_MAIN_H
#define MASTER_CONNECTOR_MAIN_H
#include "common/conf.h"
#include "common/err.h"
#include "master/drop.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum connector_order_kind {
    CONNECTOR_IP = 1,  /* an address of a route: sa */
    CONNECTOR_UNIX,    /* the same */
    CONNECTOR_NAME,    /* host and port */
    CONNECTOR_EMPTY,   /* the route has no address (built-in answers alone) */
    CONNECTOR_WORKERS, /* descriptors come along: the pair of each */
    CONNECTOR_FORGET,  /* the generation is gone */
};

/* Flat: a struct addr of the configuration holds pointers, which mean nothing
 * over there. Host byte order, both ends are one program. */
struct connector_order {
    uint8_t kind; /* enum connector_order_kind */
    uint8_t last; /* of a route's addresses */
    uint8_t robin;
    uint8_t pad;
    uint16_t service;
    uint16_t route;
    uint32_t generation;
    uint16_t index;       /* of the address in the route's configured list */
    uint16_t port;        /* CONNECTOR_NAME */
    int64_t dead_peer_ms; /* of the service: dead_peer_timeout */
    uint32_t sa_len;
    struct sockaddr_storage sa;
    char host[256];
    char name[CONF_NAME_MAX + 1]; /* of the service, for the log */
};

struct connector_setup {
    const struct drop_ids *ids;
    bool strict; /* no Landlock is an error */
    int64_t resolve_ms;
};

/* connector_main - for helper_start: confine, say hello, serve. Returns when the
 * master and all workers are gone.
 * setup  a struct connector_setup. */
void connector_main(const void *setup, int control);
#endif
