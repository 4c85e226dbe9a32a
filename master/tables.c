/*
 * tables.c - where each service may connect
 *
 * Owns the connector's list of upstreams, by generation and service, and which
 * of their addresses an attempt means.
 * Must never connect, and never hold an address that the master did not send
 * or the resolver did not find for a name that the master sent.
 */
#include "master/tables.h"
#include <netinet/in.h>
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
table_free(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->entry[i].name != NULL)
            names_drop(table->entry[i].name);
    free(table->entry);
    free(table);
}

/* table_open - the one to add to; a new one for the first address */
static struct table *
table_open(const struct connector_order *order)
{
    struct table *table = tables_find(order->generation, order->service);

    if (table != NULL && table->complete)
        return NULL;
    if (table != NULL || (table = calloc(1, sizeof(*table))) == NULL)
        return table;
    table->generation = order->generation;
    table->service = order->service;
    table->next = tables;
    tables = table;
    return table;
}

bool
tables_address(const struct connector_order *order)
{
    struct table *table = table_open(order);
    struct entry *entry, *grown;

    if (table == NULL || order->sa_len > sizeof(order->sa) ||
        order->host[sizeof(order->host) - 1] != '\0')
        return false;
    table->complete = order->last != 0;
    if (order->kind == CONNECTOR_EMPTY)
        return true;
    grown = reallocarray(table->entry, table->count + 1, sizeof(*grown));
    if (grown == NULL)
        return false;
    table->entry = grown;
    entry = &grown[table->count];
    memset(entry, 0, sizeof(*entry));
    entry->sa = order->sa;
    entry->sa_len = order->sa_len;
    entry->port = order->port;
    if (order->kind == CONNECTOR_NAME &&
        (entry->name = names_take(order->host)) == NULL)
        return false;
    table->count++;
    return true;
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

/* from_answer - a resolved address and the configured port */
static void
from_answer(const struct resolve_addr *addr, uint16_t port, struct target *out)
{
    memset(&out->sa, 0, sizeof(out->sa));
    if (addr->family == AF_INET) {
        struct sockaddr_in *in = (void *)&out->sa;

        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, addr->addr, sizeof(in->sin_addr));
        out->sa_len = sizeof(*in);
    } else {
        struct sockaddr_in6 *in6 = (void *)&out->sa;

        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        in6->sin6_scope_id = addr->scope;
        memcpy(&in6->sin6_addr, addr->addr, sizeof(in6->sin6_addr));
        out->sa_len = sizeof(*in6);
    }
}

/* may_follow - is there, or may there be, an address behind entry number at? */
static bool
may_follow(const struct table *table, size_t at)
{
    for (size_t i = at + 1; i < table->count; i++) {
        const struct name *name = table->entry[i].name;

        if (name == NULL || name->known || name->failure[0] == '\0')
            return true;
    }
    return false;
}

enum tables_pick
tables_pick(const struct table *table, uint16_t attempt, int64_t now,
            struct target *out, const struct name **failure)
{
    uint32_t left = attempt;

    *failure = NULL;
    for (size_t i = 0; i < table->count; i++) {
        const struct entry *entry = &table->entry[i];
        enum name_state state = NAME_KNOWN;
        uint32_t count = 1;

        if (entry->name != NULL) {
            state = names_look(entry->name, now);
            count = state == NAME_KNOWN ? entry->name->answer.count : 0;
        }
        if (state == NAME_WAIT)
            return PICK_WAIT;
        if (state == NAME_FAILED && *failure == NULL)
            *failure = entry->name;
        if (left >= count) {
            left -= count;
            continue;
        }
        if (entry->name != NULL) {
            from_answer(&entry->name->answer.addr[left], entry->port, out);
        } else {
            out->sa = entry->sa;
            out->sa_len = entry->sa_len;
        }
        out->more = left + 1 < count || may_follow(table, i);
        return PICK_FOUND;
    }
    return attempt == 0 && *failure != NULL ? PICK_NO_NAME : PICK_NONE;
}
