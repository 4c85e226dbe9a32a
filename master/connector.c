/*
 * connector.c - the master's end of the connector
 *
 * Owns starting it and what it is told: where services may connect, which pair
 * belongs to whom.
 * Must never connect to anything, nor wait for a connector that hangs.
 */
#include "master/connector.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/text.h"
#include "master/connector_main.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELLO_MS 10000 /* confinement takes a millisecond */
#define ORDER_MS 5000  /* the longest that the master waits for it to listen */

/* hello - wait until the child is confined, or says why it is not */
static enum err
hello(int control, struct why *why)
{
    struct pollfd item = { .fd = control, .events = POLLIN };
    int64_t deadline = clock_deadline(HELLO_MS);
    struct connector_hello packet;
    size_t len = sizeof(packet);
    enum err err;
    int n;

    do {
        n = poll(&item, 1, clock_left(deadline));
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return why_set(why, ERR_SYS, "the connector does not come up");
    err = fdio_recv(control, &packet, &len, NULL, NULL, MSG_DONTWAIT, why);
    if (err != ERR_OK || len != sizeof(packet))
        return why_set(why, ERR_SYS, "the connector died while it came up");
    packet.text[sizeof(packet.text) - 1] = '\0';
    if (packet.err != ERR_OK)
        return why_set(why, packet.err == ERR_PRIV ? ERR_PRIV : ERR_SYS,
                       "connector: %s", packet.text);
    return ERR_OK;
}

/* patience - no order may block the master for ever */
static enum err
patience(int control, struct why *why)
{
    struct timeval limit = { .tv_sec = ORDER_MS / 1000 };

    if (setsockopt(control, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) !=
        0)
        return why_errno(why, ERR_SYS, "connector: SO_SNDTIMEO");
    return ERR_OK;
}

enum err
connector_start(const struct drop_ids *ids, bool confine_strict,
                int64_t resolve_ms, struct connector *out, struct why *why)
{
    struct connector_setup setup = {
        .ids = ids,
        .strict = confine_strict,
        .resolve_ms = resolve_ms,
    };
    int pair[2];
    enum err err;

    out->pid = 0;
    out->control = -1;
    if ((err = fdio_pair(pair, why)) != ERR_OK)
        return err;
    setup.control = pair[1];
    if ((out->pid = fork()) == 0)
        connector_main(&setup);
    fdio_close(&pair[1]);
    if (out->pid < 0)
        err = why_errno(why, ERR_SYS, "fork");
    if (err == ERR_OK)
        err = patience(pair[0], why);
    if (err == ERR_OK)
        err = hello(pair[0], why);
    if (err == ERR_OK) {
        out->control = pair[0];
        return ERR_OK;
    }
    fdio_close(&pair[0]);
    if (out->pid > 0) {
        (void)kill(out->pid, SIGKILL);
        while (waitpid(out->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    out->pid = 0;
    return err;
}

/* order - one packet to the connector */
static enum err
order(const struct connector *connector, const struct connector_order *packet,
      const int *fds, size_t count, struct why *why)
{
    enum err err;

    if (connector->control < 0)
        return why_set(why, ERR_SYS, "the connector is gone");
    err = fdio_send_all(connector->control, packet, sizeof(*packet), fds, count,
                        0, why);
    if (err == ERR_AGAIN)
        return why_set(why, ERR_SYS, "the connector takes no orders");
    return err == ERR_OK ? ERR_OK
                         : why_set(why, ERR_SYS, "the connector is gone");
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
