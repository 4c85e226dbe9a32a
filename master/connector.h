/* connector.h - the process that opens connections to upstreams for workers */
#ifndef MASTER_CONNECTOR_H
#define MASTER_CONNECTOR_H
#include "common/conf.h"
#include "common/err.h"
#include "master/drop.h"
#include <stdint.h>
#include <sys/types.h>

struct connector { /* the master's end */
    pid_t pid;
    int control; /* SOCK_SEQPACKET, -1 after it died */
};

/*
 * connector_start - fork it, before the drop; it drops itself to ids with no
 * capability, not jailed (the resolver needs the host's files), Landlock: read
 * what the resolver reads (/etc, /usr, /lib*, /run/systemd/resolve, /run/nscd,
 * /var/lib/misc?), confine_strict: a missing Landlock ends it (ERR_PRIV).
 * resolve_ms  names are resolved again after this (resolve_interval).
 * It ends by itself when the control pair and the last worker's pair are gone.
 */
enum err connector_start(const struct drop_ids *ids, bool confine_strict,
                         int64_t resolve_ms, struct connector *out,
                         struct why *why);

/*
 * connector_service - tell it where (generation, service, route) may connect;
 * once for each route, before any worker of that service is registered.
 * Addresses that are ADDR_RESPOND or ADDR_EXEC are left out; a route may have none, and must
 * be told all the same.
 * name    of the service, for the log. policy: see connwire.h.
 * dead_peer_ms  tcp_dead_peer of every connection.
 * What failed lately is remembered by service, for all its routes together; a
 * new generation begins with a blank memory.
 */
enum err connector_service(struct connector *connector, uint32_t generation,
                           uint16_t service, uint16_t route, const char *name,
                           const struct conf_addrs *addrs,
                           enum conf_policy policy, int64_t dead_peer_ms,
                           struct why *why);

/* connector_workers - hand over the connector's ends of the pairs of count
 * workers, at most FDIO_FDS_MAX (the caller closes its copies). From then on the
 * connector knows which service and generation these pairs mean. */
enum err connector_workers(struct connector *connector, uint32_t generation,
                           uint16_t service, const int *fds, size_t count,
                           struct why *why);

/* connector_forget - a generation is gone: drop its addresses once its last
 * worker's pair has closed */
enum err connector_forget(struct connector *connector, uint32_t generation,
                          struct why *why);
#endif
