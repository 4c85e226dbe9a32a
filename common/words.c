/*
 * words.c - a command as it is written in the configuration
 *
 * Owns where its words begin and end. Pure; runs nothing and opens nothing.
 */
#include "common/words.h"
#include <stdbool.h>
#include <string.h>

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* word_end - behind the word that begins at `from`; NULL: a quote is never
 * closed, or stands inside a word */
static char *
word_end(char *from)
{
    char *at = from + strcspn(from, " \t\"");

    if (*from != '"')
        return *at == '"' ? NULL : at;
    at = strchr(from + 1, '"');
    return at == NULL || (at[1] != '\0' && !is_blank(at[1])) ? NULL : at + 1;
}

/* add - the word between from and end, which is overwritten with a NUL */
static void
add(struct words *words, char *from, char *end)
{
    if (*from == '"') {
        from++;
        end--;
    }
    *end = '\0';
    words->word[words->count++] = from;
}

enum err
words_split(const char *text, struct words *out, struct why *why)
{
    size_t len = strlen(text);
    char *at, *end, *next;

    memset(out, 0, sizeof(*out));
    if (len >= sizeof(out->text))
        return why_set(why, ERR_RANGE, "a command has at most %zu bytes",
                       sizeof(out->text) - 1);
    memcpy(out->text, text, len + 1);
    for (at = out->text + strspn(out->text, " \t"); *at != '\0'; at = next) {
        if (out->count == WORDS_MAX)
            return why_set(why, ERR_RANGE, "a command has at most %d words",
                           WORDS_MAX);
        if ((end = word_end(at)) == NULL)
            return why_set(why, ERR_FORMAT,
                           "double quotes stand around a whole word");
        next = end + strspn(end, " \t");
        add(out, at, end);
    }
    if (out->count == 0 || out->word[0][0] != '/')
        return why_set(why, ERR_FORMAT,
                       "write exec: and the absolute path of a program");
    return ERR_OK;
}
