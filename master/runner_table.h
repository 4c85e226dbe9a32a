/* runner_table.h - a runner's list of programs */
#ifndef MASTER_RUNNER_TABLE_H
#define MASTER_RUNNER_TABLE_H
#include "common/words.h"
#include "master/runner_main.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct runner_table { /* what a service of a generation runs */
    uint32_t generation;
    uint16_t service;
    char name[CONF_NAME_MAX + 1];
    struct words words;
    char dir[PATH_MAX];
    struct limits_program limits;
    int64_t kill_ms;
    uint32_t most, running;
    bool forgotten; /* goes when its last user does */
    size_t users;   /* pairs and programs; the callers count */
    struct runner_table *next;
};

/* runner_table_find - NULL: not known */
struct runner_table *runner_table_find(uint32_t generation, uint16_t service);

/* runner_table_add - an order with a program; false: it makes no sense, or there
 * is no memory */
bool runner_table_add(struct runner_order *order);

/* runner_table_forget - the generation goes once nobody uses it;
 * runner_table_sweep does that */
void runner_table_forget(uint32_t generation);
void runner_table_sweep(void);
#endif
