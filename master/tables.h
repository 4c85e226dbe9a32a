/* tables.h - the connector's list of upstreams */
#ifndef MASTER_TABLES_H
#define MASTER_TABLES_H
#include "master/connector_main.h"
#include "master/names.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct entry {                  /* one upstream of a service, as configured */
    struct sockaddr_storage sa; /* IP or unix */
    socklen_t sa_len;
    struct name *name; /* or this, and port */
    uint16_t port;
};

struct table { /* where a service of a generation may connect */
    uint32_t generation;
    uint16_t service;
    bool complete;  /* the last address is here */
    bool forgotten; /* goes when the last pair does */
    size_t pairs;   /* workers that use it; the caller counts */
    size_t count;
    struct entry *entry;
    struct table *next;
};

struct target { /* an address to connect to */
    struct sockaddr_storage sa;
    socklen_t sa_len;
    bool more; /* there is, or may be, an address behind it */
};

enum tables_pick { PICK_FOUND, PICK_WAIT, PICK_NONE, PICK_NO_NAME };

/* tables_find - NULL: not known */
struct table *tables_find(uint32_t generation, uint16_t service);

/* tables_address - an order with an upstream; false: out of turn, no memory */
bool tables_address(const struct connector_order *order);

/* tables_forget - the generation goes once nobody uses it; tables_sweep does
 * that */
void tables_forget(uint32_t generation);
void tables_sweep(void);

/*
 * tables_pick - the attempt-th address over all entries in order, names as
 * they resolve now
 * PICK_WAIT: a name is being resolved. PICK_NONE: past the last one.
 * PICK_NO_NAME: there is none at all, because *failure did not resolve.
 */
enum tables_pick tables_pick(const struct table *table, uint16_t attempt,
                             int64_t now, struct target *out,
                             const struct name **failure);
#endif
