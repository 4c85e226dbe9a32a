/* bucket.h - so many a second, and as many at once; pure */
#ifndef COMMON_BUCKET_H
#define COMMON_BUCKET_H
#include <stdbool.h>
#include <stdint.h>

struct bucket {
    int64_t tokens; /* thousandths */
    int64_t at;     /* clock_ms; when they were counted */
};

/* bucket_fill - as many tokens as may be taken at once */
void bucket_fill(struct bucket *bucket, int64_t burst, int64_t now);

/* bucket_take - one token; false: there is none. rate: tokens that come in a
 * second; burst: the most that there are. Time that goes back adds nothing. */
bool bucket_take(struct bucket *bucket, int64_t rate, int64_t burst,
                 int64_t now);
#endif
