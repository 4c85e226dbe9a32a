/* connwire.h - what a worker may ask of the connector, byte by byte */
#ifndef COMMON_CONNWIRE_H
#define COMMON_CONNWIRE_H
#include "common/addr.h"
#include <stdint.h>

/*
 * Over the worker's own SOCK_SEQPACKET pair. The connector knows from the pair
 * which service and generation asks; an address never comes from a worker. One
 * CONNWIRE_OPEN, one reply (a request that overtakes one still waiting for a
 * name takes its place); a broken packet, or a route that the service has not,
 * closes the pair.
 *
 * Attempt 0 begins a round. The connector chooses: by the route's policy, what
 * failed lately last, and no address twice in one round. Attempt N is for who
 * has had N addresses in this round and saw them fail.
 */
enum connwire_kind {
    CONNWIRE_OPEN = 1, /* a connection, please */
    CONNWIRE_OUTCOME,  /* how the connection of reply `seq` went: `error`. No
                        * reply; one that is not about the pair's last
                        * descriptor is ignored. Always sent when it failed,
                        * when it stands only if the reply had `trial`. */
};

struct connwire_request {
    uint8_t kind; /* enum connwire_kind */
    uint8_t pad[3];
    uint16_t route;   /* index of the service's routes, 0: its own upstream */
    uint16_t attempt; /* 0 first; each next one asks for the next address */
    uint32_t seq;     /* comes back in the reply: a worker that gave up waiting
                       * must not take the late answer for its next one */
    int32_t error;    /* CONNWIRE_OUTCOME: errno, ETIMEDOUT; 0: it stands */
};

enum connwire_status {
    CONNWIRE_CONNECTING = 0, /* a descriptor comes along: wait for POLLOUT, then
                              * SO_ERROR; text is its address */
    CONNWIRE_FAILED,         /* this address failed at once; error is errno;
                              * ask for the next attempt */
    CONNWIRE_BUSY,           /* a unix socket's backlog is full (EAGAIN): ask
                              * for the same attempt again in a moment */
    CONNWIRE_NO_MORE,        /* attempt is past the last address */
    CONNWIRE_NO_NAME,        /* the name does not resolve; text says why */
};

struct connwire_reply {
    uint8_t status; /* enum connwire_status */
    uint8_t more;   /* 1: a next attempt exists */
    uint8_t trial;  /* 1: it failed before; say so when it stands */
    uint8_t pad;
    uint16_t index; /* of the address in the route's configured list */
    uint16_t pad2;
    int32_t error;
    uint32_t seq;             /* of the request */
    char text[ADDR_TEXT_MAX]; /* terminated */
};
#endif
