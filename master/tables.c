/*
 * tables.c - where each service may connect
 *
 * Owns the connector's list of upstreams, by generation, service and route.
 * Must never connect, and never hold an address that the master did not send
 * or the resolver did not find for a name that the master sent.
 */
#include "master/tables.h"
#include "common/text.h"
#include <stdlib.h>
#include <string.h>

static struct table *tables;

struct table *
tables_find(uint32_t generation, uint16_t service)
{
    struct table *table;

    for (table = tables; table != NULL; table = table->next)
        if (table->generation == generation && table->service == service)
            return table;
    return NULL;
}

static void
route_free(struct table *table, struct route *route)
{
    for (size_t i = 0; i < route->count; i++)
        if (route->entry[i].name != NULL)
            names_drop(route->entry[i].name, table->name);
    free(route->entry);
}

static void
table_free(struct table *table)
{
    for (size_t i = 0; i < table->route_count; i++)
        route_free(table, &table->route[i]);
    free(table->route);
    health_free(&table->health);
    free(table);
}

/* table_of - the service's table, a new one when there is none */
static struct table *
table_of(const struct connector_order *order)
{
    struct table *table = tables_find(order->generation, order->service);

    if (table != NULL || (table = calloc(1, sizeof(*table))) == NULL)
        return table;
    table->generation = order->generation;
    table->service = order->service;
    table->dead_peer_ms = order->dead_peer_ms;
    (void)text_copy(table->name, order->name, sizeof(table->name));
    table->next = tables;
    tables = table;
    return table;
}

/* route_open - the route to add to; NULL: it is complete, or no memory */
static struct route *
route_open(struct table *table, uint16_t route)
{
    size_t count = (size_t)route + 1;
    struct route *grown;

    if (count > table->route_count) {
        grown = reallocarray(table->route, count, sizeof(*grown));
        if (grown == NULL)
            return NULL;
        memset(&grown[table->route_count], 0,
               (count - table->route_count) * sizeof(*grown));
        table->route = grown;
        table->route_count = count;
    }
    return table->route[route].complete ? NULL : &table->route[route];
}

/* route_add - one configured upstream */
static bool
route_add(struct table *table, struct route *route,
          const struct connector_order *order)
{
    struct entry *entry,
        *grown = reallocarray(route->entry, route->count + 1, sizeof(*grown));

    if (grown == NULL)
        return false;
    route->entry = grown;
    entry = &grown[route->count];
    memset(entry, 0, sizeof(*entry));
    entry->sa = order->sa;
    entry->sa_len = order->sa_len;
    entry->port = order->port;
    entry->index = order->index;
    if (order->kind == CONNECTOR_NAME &&
        (entry->name = names_take(order->host, table->name)) == NULL)
        return false;
    route->count++;
    return true;
}

bool
tables_address(const struct connector_order *order)
{
    struct table *table;
    struct route *route;

    if (order->sa_len > sizeof(order->sa) ||
        order->host[sizeof(order->host) - 1] != '\0' ||
        order->name[sizeof(order->name) - 1] != '\0' ||
        (table = table_of(order)) == NULL ||
        (route = route_open(table, order->route)) == NULL)
        return false;
    route->complete = order->last != 0;
    route->robin = order->robin != 0;
    return order->kind == CONNECTOR_EMPTY || route_add(table, route, order);
}

bool
tables_has(const struct table *table, uint16_t route)
{
    return route < table->route_count && table->route[route].complete;
}

void
tables_forget(uint32_t generation)
{
    for (struct table *table = tables; table != NULL; table = table->next)
        if (table->generation == generation)
            table->forgotten = true;
}

void
tables_sweep(void)
{
    struct table **table = &tables;

    while (*table != NULL) {
        struct table *gone = *table;

        if (!gone->forgotten || gone->pairs > 0) {
            table = &gone->next;
            continue;
        }
        *table = gone->next;
        table_free(gone);
    }
}
