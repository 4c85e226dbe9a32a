/* tables.h - the connector's list of upstreams */
#ifndef MASTER_TABLES_H
#define MASTER_TABLES_H
#include "master/connector_main.h"
#include "master/health.h"
#include "master/names.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct entry {                  /* one upstream of a route, as configured */
    struct sockaddr_storage sa; /* IP or unix */
    socklen_t sa_len;
    struct name *name; /* or this, and port */
    uint16_t port;
    uint16_t index; /* in the configured list */
};

struct route {
    bool complete; /* the last address is here */
    bool robin;    /* each round begins one further */
    size_t turn;   /* of robin */
    size_t count;
    struct entry *entry;
};

struct table { /* where a service of a generation may connect */
    uint32_t generation;
    uint16_t service;
    char name[CONF_NAME_MAX + 1]; /* of the service, for the log */
    int64_t dead_peer_ms;
    bool forgotten;       /* goes when the last pair does */
    size_t pairs;         /* workers that use it; the caller counts */
    struct health health; /* of all its routes */
    int64_t log_from;     /* lines about it since then: */
    unsigned logged;
    size_t route_count;
    struct route *route;
    struct table *next;
};

/* tables_find - NULL: not known */
struct table *tables_find(uint32_t generation, uint16_t service);

/* tables_address - an order with an upstream; false: out of turn, no memory */
bool tables_address(const struct connector_order *order);

/* tables_has - may workers of this service ask for it? */
bool tables_has(const struct table *table, uint16_t route);

/* tables_forget - the generation goes once nobody uses it; tables_sweep does
 * that */
void tables_forget(uint32_t generation);
void tables_sweep(void);
#endif
