/* expiry.h - what of the running generation runs out */
#ifndef MASTER_EXPIRY_H
#define MASTER_EXPIRY_H
#include <time.h>

struct generation;

/*
 * expiry_look - one sentence for each certificate of ours and each CRL that is
 * in the last third of its life, or past it, and for each CA bundle whose first
 * anchor has less than 30 days
 * tell    called for each, with the service's name.
 * Returns when to look again: the next time that something enters its last
 * third, or sooner and sooner as an end comes near; at most a day from now, at
 * least ten minutes.
 */
time_t expiry_look(const struct generation *gen, time_t now,
                   void (*tell)(void *ctx, const char *service,
                                const char *text),
                   void *ctx);
#endif
