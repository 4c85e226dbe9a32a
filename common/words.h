/* words.h - a command as it is written in the configuration; pure */
#ifndef COMMON_WORDS_H
#define COMMON_WORDS_H
#include "common/err.h"
#include <stddef.h>

#define WORDS_MAX      64   /* of a command, its program included */
#define WORDS_TEXT_MAX 1024 /* a line of the configuration is shorter */

struct words { /* points into itself: not to be copied */
    size_t count;
    char *word[WORDS_MAX + 1]; /* NULL behind the last, as for execve(2) */
    char text[WORDS_TEXT_MAX];
};

/*
 * words_split - words with blanks between them; one that holds blanks, double
 * quotes, or nothing, stands in double quotes, and those within are written
 * twice. No other character has a meaning: this is no shell. The first word is
 * the program, an absolute path.
 * ERR_FORMAT, ERR_RANGE: why says what is wrong.
 */
enum err words_split(const char *text, struct words *out, struct why *why);

/*
 * words_join - the text that words_split takes apart to the same words
 * word    NULL behind the last, as execve(2) has them.
 * ERR_RANGE: longer than size, NUL included; more than WORDS_MAX are left for
 * words_split to refuse.
 */
enum err words_join(char *const *word, char *out, size_t size, struct why *why);
#endif
