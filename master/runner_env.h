/* runner_env.h - the environment of a program, from what is known of its client;
 * pure */
#ifndef MASTER_RUNNER_ENV_H
#define MASTER_RUNNER_ENV_H
#include "common/runwire.h"

#define RUNNER_ENV_MAX  48   /* variables, the NULL behind them included */
#define RUNNER_ENV_TEXT 8192 /* all of them at their longest */

struct runner_env { /* points into itself: not to be copied */
    char *item[RUNNER_ENV_MAX];
    size_t used;
    char text[RUNNER_ENV_TEXT];
};

/*
 * runner_env_make - the table of mtlsd(8), "Programs": PATH, and what UCSPI
 * tools, s6, stunnel and we call the same things
 * service  its name.
 * run      by the rules of runwire.h.
 * A variable without a value is not set. A value that begins with `(` has \x28
 * in its place, so that no shell takes it for a function.
 */
void runner_env_make(const char *service, const struct runwire_request *run,
                     struct runner_env *out);
#endif
