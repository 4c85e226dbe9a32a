/*
 * runner_table.c - a runner's list of programs
 *
 * Owns its memory. Must never change an entry that is in use: sessions keep the
 * program that their generation had.
 */
#include "master/runner_table.h"
#include "common/text.h"
#include <stdlib.h>
#include <string.h>

static struct runner_table *tables;

struct runner_table *
runner_table_find(uint32_t generation, uint16_t service)
{
    struct runner_table *table = tables;

    while (table != NULL &&
           (table->generation != generation || table->service != service))
        table = table->next;
    return table;
}

bool
runner_table_add(struct runner_order *order)
{
    struct runner_table *table;

    order->name[sizeof(order->name) - 1] = '\0';
    order->dir[sizeof(order->dir) - 1] = '\0';
    order->command[sizeof(order->command) - 1] = '\0';
    if (runner_table_find(order->generation, order->service) != NULL ||
        (table = calloc(1, sizeof(*table))) == NULL)
        return false;
    if (words_split(order->command, &table->words, NULL) != ERR_OK) {
        free(table);
        return false;
    }
    table->generation = order->generation;
    table->service = order->service;
    table->limits = order->limits;
    table->kill_ms = order->kill_ms;
    table->most = order->most;
    (void)text_copy(table->name, order->name, sizeof(table->name));
    (void)text_copy(table->dir, order->dir, sizeof(table->dir));
    table->next = tables;
    tables = table;
    return true;
}

void
runner_table_forget(uint32_t generation)
{
    for (struct runner_table *table = tables; table != NULL;
         table = table->next)
        if (table->generation == generation)
            table->forgotten = true;
}

void
runner_table_sweep(void)
{
    struct runner_table **at = &tables, *table;

    while ((table = *at) != NULL) {
        if (!table->forgotten || table->users > 0) {
            at = &table->next;
            continue;
        }
        *at = table->next;
        free(table);
    }
}
