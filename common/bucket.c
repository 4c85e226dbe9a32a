/*
 * bucket.c - so many a second, and as many at once
 *
 * Owns the counting of tokens. Pure.
 */
#include "common/bucket.h"

void
bucket_fill(struct bucket *bucket, int64_t burst, int64_t now)
{
    bucket->tokens = burst * 1000;
    bucket->at = now;
}

bool
bucket_take(struct bucket *bucket, int64_t rate, int64_t burst, int64_t now)
{
    const int64_t full = burst * 1000;
    int64_t passed = now > bucket->at ? now - bucket->at : 0;

    /* what fills it anyway is not multiplied: years fit in no product */
    if (passed >= full / rate + 1)
        bucket->tokens = full;
    else if ((bucket->tokens += passed * rate) > full)
        bucket->tokens = full;
    bucket->at = now;
    if (bucket->tokens < 1000)
        return false;
    bucket->tokens -= 1000;
    return true;
}
