/*
 * connector.c - the master's end of the connector
 *
 * Owns starting it and what it is told: where services may connect, which pair
 * belongs to whom.
 * Must never connect to anything.
 */
#include "master/connector.h"
#include "common/text.h"
#include "master/connector_main.h"
#include "master/helper.h"
#include <string.h>

enum err
connector_start(const struct drop_ids *ids, bool confine_strict,
                int64_t resolve_ms, struct connector *out, struct why *why)
{
    struct connector_setup setup = {
        .ids = ids,
        .strict = confine_strict,
        .resolve_ms = resolve_ms,
    };

    return helper_start("connector", connector_main, &setup, &out->pid,
                        &out->control, why);
}

/* order - one packet to the connector */
static enum err
order(const struct connector *connector, const struct connector_order *packet,
      const int *fds, size_t count, struct why *why)
{
    return helper_order("connector", connector->control, packet,
                        sizeof(*packet), fds, count, why);
}

/* describe - an address as an order; false: nothing to connect to */
static bool
describe(const struct addr *addr, struct connector_order *packet)
{
    switch (addr->kind) {
    case ADDR_IP:
    case ADDR_UNIX:
        packet->kind = addr->kind == ADDR_IP ? CONNECTOR_IP : CONNECTOR_UNIX;
        packet->sa_len = addr->sa_len;
        memcpy(&packet->sa, &addr->sa, sizeof(packet->sa));
        return true;
    case ADDR_NAME:
        packet->kind = CONNECTOR_NAME;
        packet->port = addr->port;
        memcpy(packet->host, addr->host, sizeof(packet->host));
        return true;
    case ADDR_RESPOND:
    case ADDR_SYSTEMD:
    case ADDR_EXEC:
        return false;
    }
    return false;
}

enum err
connector_service(struct connector *connector, uint32_t generation,
                  uint16_t service, uint16_t route, const char *name,
                  const struct conf_addrs *addrs, enum conf_policy policy,
                  int64_t dead_peer_ms, struct why *why)
{
    struct connector_order blank, packet, next;
    enum err err;

    if (addrs->count > UINT16_MAX)
        return why_set(why, ERR_CONF, "more upstreams than %u", UINT16_MAX);
    memset(&blank, 0, sizeof(blank));
    blank.kind = CONNECTOR_EMPTY;
    blank.generation = generation;
    blank.service = service;
    blank.route = route;
    blank.dead_peer_ms = dead_peer_ms;
    blank.robin = policy == CONF_POLICY_ROBIN;
    (void)text_copy(blank.name, name, sizeof(blank.name));
    packet = blank;
    for (size_t i = 0; i < addrs->count; i++) {
        next = blank;
        next.index = (uint16_t)i;
        if (!describe(&addrs->item[i], &next))
            continue;
        /* an address goes out when the one behind it is known to be there */
        if (packet.kind != CONNECTOR_EMPTY &&
            (err = order(connector, &packet, NULL, 0, why)) != ERR_OK)
            return err;
        packet = next;
    }
    packet.last = 1;
    return order(connector, &packet, NULL, 0, why);
}

enum err
connector_workers(struct connector *connector, uint32_t generation,
                  uint16_t service, const int *fds, size_t count,
                  struct why *why)
{
    struct connector_order packet;

    memset(&packet, 0, sizeof(packet));
    packet.kind = CONNECTOR_WORKERS;
    packet.service = service;
    packet.generation = generation;
    return order(connector, &packet, fds, count, why);
}

enum err
connector_forget(struct connector *connector, uint32_t generation,
                 struct why *why)
{
    struct connector_order packet;

    memset(&packet, 0, sizeof(packet));
    packet.kind = CONNECTOR_FORGET;
    packet.generation = generation;
    return order(connector, &packet, NULL, 0, why);
}
