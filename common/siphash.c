/*
 * siphash.c - SipHash-2-4
 *
 * Owns the hash of tables whose keys an attacker chooses. Pure.
 */
#include "common/siphash.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t
word(const uint8_t *at, size_t len)
{
    uint64_t out = 0;

    for (size_t i = 0; i < len; i++)
        out |= (uint64_t)at[i] << (8 * i);
    return out;
}

static uint64_t
turn(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void
rounds(struct state *s, int count)
{
    while (count-- > 0) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = turn(s->v1, 13) ^ s->v0;
        s->v3 = turn(s->v3, 16) ^ s->v2;
        s->v0 = turn(s->v0, 32) + s->v3;
        s->v2 += s->v1;
        s->v1 = turn(s->v1, 17) ^ s->v2;
        s->v3 = turn(s->v3, 21) ^ s->v0;
        s->v2 = turn(s->v2, 32);
    }
}

static void
absorb(struct state *s, uint64_t m)
{
    s->v3 ^= m;
    rounds(s, 2);
    s->v0 ^= m;
}

uint64_t
siphash(const uint8_t key[16], const void *bytes, size_t len)
{
    uint64_t k0 = word(key, 8), k1 = word(key + 8, 8);
    struct state s = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
                       k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573 };
    const uint8_t *at = bytes;
    size_t left;

    for (left = len; left >= 8; left -= 8, at += 8)
        absorb(&s, word(at, 8));
    absorb(&s, word(at, left) | (uint64_t)len << 56);
    s.v2 ^= 0xff;
    rounds(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
