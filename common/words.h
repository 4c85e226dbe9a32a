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
 * words_split - words with blanks between them; one that holds blanks, or
 * nothing, stands in double quotes. No other character has a meaning: this is
 * no shell. The first word is the program, an absolute path.
 * ERR_FORMAT, ERR_RANGE: why says what is wrong.
 */
enum err words_split(const char *text, struct words *out, struct why *why);
#endif
