/* clock.h - monotonic time in milliseconds, and deadlines */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H
#include <stdint.h>

#define CLOCK_NEVER INT64_MAX

/* clock_ms - CLOCK_MONOTONIC in ms; never fails */
int64_t clock_ms(void);

/* clock_deadline - now + ms; CLOCK_NEVER when ms is CLOCK_NEVER */
int64_t clock_deadline(int64_t ms);

/* clock_left - ms until deadline for poll(2): 0 when past, -1 for CLOCK_NEVER,
 * at most INT_MAX */
int clock_left(int64_t deadline);

#endif
