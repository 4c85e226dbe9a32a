/* count.h - what a job of the generator has seen: times, failures; and its
 * result as one line of JSON */
#ifndef BENCH_COUNT_H
#define BENCH_COUNT_H

#include <stddef.h>
#include <stdint.h>

struct count {
    double from;  /* what began before it does not count */
    float *times; /* seconds that each operation took */
    size_t done, room;
    uint64_t bytes;
    unsigned long failed;
    char why[120]; /* of the first failure, and where it was */
};

/* count_from - forget what was, and count what begins from now on */
void count_from(struct count *count, double now);

/* count_done - an operation that began then has ended now */
void count_done(struct count *count, double began, double now);

/* count_failed - one failed at that stage, for the reason of wire_why() */
void count_failed(struct count *count, const char *stage);

/* count_print - the result; elapsed in seconds. Sorts the times. */
void count_print(struct count *count, double elapsed);

#endif
