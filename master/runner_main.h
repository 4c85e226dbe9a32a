/* runner_main.h - a runner's process, and what the master tells it */
#ifndef MASTER_RUNNER_MAIN_H
#define MASTER_RUNNER_MAIN_H
#include "common/conf.h"
#include "common/words.h"
#include "master/drop.h"
#include "master/limits.h"
#include <limits.h>
#include <stdint.h>

enum runner_order_kind {
    RUNNER_SERVICE = 1, /* what its workers may have run */
    RUNNER_WORKERS,     /* descriptors come along: the pair of each */
    RUNNER_FORGET,      /* the generation is gone */
};

/* flat, host byte order: both ends are one program */
struct runner_order {
    uint8_t kind; /* enum runner_order_kind */
    uint8_t pad[3];
    uint16_t service;
    uint16_t pad2;
    uint32_t generation;
    /* RUNNER_SERVICE from here on */
    uint32_t most;   /* programs at a time, those included that are to end */
    int64_t kill_ms; /* from the end of a session to SIGTERM */
    struct limits_program limits;
    char name[CONF_NAME_MAX + 1];
    char dir[PATH_MAX];
    char command[WORDS_TEXT_MAX]; /* for words_split */
};

/* runner_main - for helper_start: become the identity, say hello, serve. Returns
 * when the master and all workers are gone, and no program is left that has not
 * been killed.
 * setup  the struct drop_ids of the identity. */
void runner_main(const void *setup, int control);
#endif
