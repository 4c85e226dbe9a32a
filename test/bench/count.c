/*
 * count.c - times, failures, percentiles
 *
 * Every time is kept: a run has at most a few hundred thousand.
 */
#include "count.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
count_from(struct count *count, double now)
{
    count->from = now;
    count->done = 0;
    count->bytes = 0;
    count->failed = 0;
    count->why[0] = '\0';
}

void
count_done(struct count *count, double began, double now)
{
    if (began < count->from)
        return;
    if (count->done == count->room) {
        count->room = count->room * 2 + 4096;
        count->times =
            realloc(count->times, count->room * sizeof(*count->times));
        if (count->times == NULL)
            abort();
    }
    count->times[count->done++] = (float)(now - began);
}

void
count_failed(struct count *count, const char *stage)
{
    if (count->failed++ == 0)
        snprintf(count->why, sizeof(count->why), "%s: %s", stage, wire_why());
}

static int
smaller(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* percentile - in microseconds; 0 of nothing */
static double
percentile(const struct count *count, double part)
{
    size_t last = count->done - 1;

    if (count->done == 0)
        return 0;
    return (double)count->times[(size_t)((double)last * part)] * 1e6;
}

void
count_print(struct count *count, double elapsed)
{
    if (count->done > 0)
        qsort(count->times, count->done, sizeof(*count->times), smaller);
    for (char *c = count->why; *c != '\0'; c++)
        if (*c == '"' || *c == '\\')
            *c = '\'';
    printf("{\"done\": %zu, \"bytes\": %llu, \"seconds\": %.6f, "
           "\"failed\": %lu, \"why\": \"%s\", \"p50_us\": %.1f, "
           "\"p99_us\": %.1f, \"max_us\": %.1f}\n",
           count->done, (unsigned long long)count->bytes, elapsed,
           count->failed, count->why, percentile(count, 0.5),
           percentile(count, 0.99), percentile(count, 1));
    fflush(stdout);
}
