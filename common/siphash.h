/* siphash.h - a hash whose collisions cannot be chosen without its key */
#ifndef COMMON_SIPHASH_H
#define COMMON_SIPHASH_H
#include <stddef.h>
#include <stdint.h>

/* siphash - SipHash-2-4 (Aumasson and Bernstein, 2012) of len bytes */
uint64_t siphash(const uint8_t key[16], const void *bytes, size_t len);
#endif
