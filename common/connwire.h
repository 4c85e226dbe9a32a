/* connwire.h - what a worker may ask of the connector, byte by byte */
#ifndef COMMON_CONNWIRE_H
#define COMMON_CONNWIRE_H
#include "common/addr.h"
#include <stdint.h>

/*
 * Over the worker's own SOCK_SEQPACKET pair. The connector knows from the pair
 * which service and generation asks; an address never comes from a worker. One
 * request, one reply (a request that overtakes one still waiting for a name
 * takes its place); a broken packet closes the pair.
 */
struct connwire_request {
    uint16_t route;   /* 0 today: the service's own upstream */
    uint16_t attempt; /* 0 first; each next one asks for the next address */
    uint32_t seq;     /* comes back in the reply: a worker that gave up waiting
                       * must not take the late answer for its next one */
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
    uint16_t pad;
    int32_t error;
    uint32_t seq;             /* of the request */
    char text[ADDR_TEXT_MAX]; /* terminated */
};
#endif
