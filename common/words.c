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
    while (at != NULL && at[1] == '"') /* a quote, written twice */
        at = strchr(at + 2, '"');
    return at == NULL || (at[1] != '\0' && !is_blank(at[1])) ? NULL : at + 1;
}

/* unquote - what stands between the quotes, in place */
static void
unquote(char *word, const char *end)
{
    char *to = word;

    for (const char *at = word + 1; at < end - 1; at++) {
        *to++ = *at;
        at += *at == '"'; /* its second */
    }
    *to = '\0';
}

/* add - the word between from and end, which may be overwritten with a NUL */
static void
add(struct words *words, char *from, char *end)
{
    if (*from == '"')
        unquote(from, end);
    else
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

/* a text that grows; what does not fit is counted alone */
struct text {
    char *out;
    size_t size, len;
};

static void
put(struct text *text, char c)
{
    if (text->len < text->size)
        text->out[text->len] = c;
    text->len++;
}

static void
put_word(struct text *text, const char *word)
{
    bool quoted = *word == '\0' || strpbrk(word, " \t\"") != NULL;

    if (quoted)
        put(text, '"');
    for (; *word != '\0'; word++) {
        if (*word == '"')
            put(text, '"');
        put(text, *word);
    }
    if (quoted)
        put(text, '"');
}

enum err
words_join(char *const *word, char *out, size_t size, struct why *why)
{
    struct text text = { .size = size };

    text.out = out;
    for (size_t i = 0; word[i] != NULL; i++) {
        if (i > 0)
            put(&text, ' ');
        put_word(&text, word[i]);
    }
    put(&text, '\0');
    if (text.len > size)
        return why_set(why, ERR_RANGE, "a command has at most %zu bytes",
                       size - 1);
    return ERR_OK;
}
