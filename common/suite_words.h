/* suite_words.h - the words of OpenSSL's cipher strings; suite_*.c only */
#ifndef COMMON_SUITE_WORDS_H
#define COMMON_SUITE_WORDS_H
#include "common/err.h"
#include <stdint.h>

/* A word is the set of our TLS 1.2 suites that it names, a bit for each. The
 * bits stand in the order in which OpenSSL 1.1 to 3 begins: by strength, GCM
 * before CHACHA20, ECDSA before RSA. */
#define SUITE_WORD_COUNT 6
#define SUITE_WORD_EVERY ((1U << SUITE_WORD_COUNT) - 1)
#define SUITE_WORD_MAX   64 /* bytes of a word, with its NUL */

/* the IANA number of each bit */
extern const uint16_t suite_word_ids[SUITE_WORD_COUNT];

/* the suites with keys of 256 bits; all others have 128 */
extern const unsigned suite_word_strong;

/* suite_word - the suites that one word or name means; none for what is known
 * and unsafe. ERR_CONF: unknown, why names the nearest; or a TLS 1.3 suite. */
enum err suite_word(const char *word, unsigned *set, struct why *why);
#endif
