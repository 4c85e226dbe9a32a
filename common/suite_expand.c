/*
 * suite_expand.c - what a string of OpenSSL's cipher language means
 *
 * Owns its signs, separators and commands, and the order that comes out. A rule
 * moves its suites to one end and never changes the order of the others, so
 * what is not in our table changes nothing in the order of what is. Pure.
 */
#include "common/suite.h"
#include "common/suite_words.h"
#include "common/text.h"
#include <string.h>

/* strings of their own (RFC 6460) */
static const struct {
    const char *name, *text;
} suite_b[] = {
    { "SUITEB128ONLY", "ECDHE-ECDSA-AES128-GCM-SHA256" },
    { "SUITEB128C2", "ECDHE-ECDSA-AES256-GCM-SHA384" },
    { "SUITEB128",
      "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384" },
    { "SUITEB192", "ECDHE-ECDSA-AES256-GCM-SHA384" },
};
#define SUITE_BS (sizeof(suite_b) / sizeof(suite_b[0]))

#define SEPARATORS   ":,; \t"
#define LEFT_OUT_MAX 200

/* a string under way */
struct expand {
    int order[SUITE_WORD_COUNT]; /* numbers of suites, best first */
    unsigned active;             /* sets */
    unsigned killed;
    char
        left_out[LEFT_OUT_MAX]; /* what was asked for and is no suite of ours */
    struct why *why;
};

/* conjunction - A+B+C: the suites that every one of them names */
static enum err
conjunction(const char *rule, unsigned *set, struct why *why)
{
    char word[SUITE_WORD_MAX];
    unsigned one = 0;
    enum err code;
    size_t len;

    *set = SUITE_WORD_EVERY;
    for (;; rule += len + 1) {
        len = strcspn(rule, "+");
        if (len == 0)
            return why_set(why, ERR_CONF, "a word is missing beside + ! or -");
        memcpy(word, rule, len);
        word[len] = '\0';
        if ((code = suite_word(word, &one, why)) != ERR_OK)
            return code;
        *set &= one;
        if (rule[len] == '\0')
            return ERR_OK;
    }
}

/* move - the suites of set to one end, in the order that they have */
static void
move(struct expand *e, unsigned set, bool to_front)
{
    int old[SUITE_WORD_COUNT];
    size_t i, n = 0;
    int pass;

    memcpy(old, e->order, sizeof(old));
    for (pass = 0; pass < 2; pass++)
        for (i = 0; i < SUITE_WORD_COUNT; i++)
            if (((set >> old[i] & 1) != 0) == (to_front == (pass == 0)))
                e->order[n++] = old[i];
}

static void
by_strength(struct expand *e)
{
    /* as OpenSSL does it: each strength in turn goes to the end */
    move(e, e->active & suite_word_strong, false);
    move(e, e->active & ~suite_word_strong, false);
}

static enum err
special(struct expand *e, const char *rule)
{
    static const char level[] = "@SECLEVEL=";
    size_t len = sizeof(level) - 1;

    if (strcmp(rule, "@STRENGTH") == 0) {
        by_strength(e);
        return ERR_OK;
    }
    if (strncmp(rule, level, len) != 0 || rule[len] < '0' || rule[len] > '5' ||
        rule[len + 1] != '\0')
        return why_set(e->why, ERR_CONF,
                       "allowed with @ are @STRENGTH and @SECLEVEL=0 to 2");
    if (rule[len] > '2')
        return why_set(e->why, ERR_CONF,
                       "%s would demand longer keys than are checked here: "
                       "allowed are levels to 2, which is what always holds "
                       "(RSA 2048, EC 224 bits)",
                       rule);
    return ERR_OK;
}

static void
leave_out(struct expand *e, const char *rule)
{
    size_t used = strlen(e->left_out);

    if (used + strlen(rule) + 3 > sizeof(e->left_out))
        return;
    (void)text_copy(e->left_out + used, used > 0 ? ", " : "",
                    sizeof(e->left_out) - used);
    used = strlen(e->left_out);
    (void)text_copy(e->left_out + used, rule, sizeof(e->left_out) - used);
}

static void
apply(struct expand *e, char sign, unsigned set)
{
    set &= ~e->killed;
    switch (sign) {
    case '!':
        e->killed |= set;
        e->active &= ~set;
        break;
    case '-': /* in front: the next that asks for them has them first */
        move(e, set & e->active, true);
        e->active &= ~set;
        break;
    case '+':
        move(e, set & e->active, false);
        break;
    default:
        move(e, set & ~e->active, false);
        e->active |= set;
        break;
    }
}

static enum err
one_rule(struct expand *e, const char *rule, bool first)
{
    char sign = '\0';
    unsigned set = 0;
    enum err code;
    size_t i;

    if (strchr("!-+", rule[0]) != NULL)
        sign = rule[0];
    if (rule[0] == '@')
        return special(e, rule);
    for (i = 0; i < SUITE_BS; i++)
        if (strcmp(suite_b[i].name, rule) == 0)
            return why_set(e->why, ERR_CONF, "%s stands alone", rule);
    if (strstr(rule, "DEFAULT") != NULL && strstr(rule, "OFDEFAULT") == NULL &&
        (!first || strcmp(rule, "DEFAULT") != 0))
        return why_set(e->why, ERR_CONF,
                       "DEFAULT stands alone at the beginning");
    if ((code = conjunction(rule + (sign != '\0'), &set, e->why)) != ERR_OK)
        return code;
    if (sign == '\0' && set == 0)
        leave_out(e, rule);
    apply(e, sign, set);
    return ERR_OK;
}

static enum err
rules(struct expand *e, const char *text)
{
    char rule[SUITE_WORD_MAX];
    enum err code = ERR_OK;
    bool first = true;
    size_t len;

    while (code == ERR_OK) {
        text += strspn(text, SEPARATORS);
        if ((len = strcspn(text, SEPARATORS)) == 0)
            break;
        if (len >= SUITE_WORD_MAX)
            return why_set(e->why, ERR_CONF, "a word has more than %d bytes",
                           SUITE_WORD_MAX - 1);
        memcpy(rule, text, len);
        rule[len] = '\0';
        code = one_rule(e, rule, first);
        first = false;
        text += len;
    }
    return code;
}

/* ---- the result ---- */

static enum err
nothing_left(const struct expand *e)
{
    if (e->left_out[0] == '\0')
        return why_set(e->why, ERR_CONF,
                       "no suite is left: every one that is safe is taken away "
                       "again, or none was named");
    return why_set(e->why, ERR_CONF,
                   "no suite is left: only those with forward secrecy (ECDHE) "
                   "and AEAD (GCM, CHACHA20) are used, and that leaves out %s",
                   e->left_out);
}

static enum err
print(const struct expand *e, char *out, size_t size)
{
    const char *name;
    size_t i, used = 0;

    out[0] = '\0';
    if (e->active == 0)
        return nothing_left(e);
    for (i = 0; i < SUITE_WORD_COUNT; i++) {
        if ((e->active >> e->order[i] & 1) == 0)
            continue;
        name = suite_by_id(suite_word_ids[e->order[i]])->name;
        if (used + strlen(name) + 2 > size)
            return why_set(e->why, ERR_CONF, "the list is too long");
        if (used > 0)
            out[used++] = ':';
        used += text_copy(out + used, name, size - used);
    }
    return ERR_OK;
}

enum err
suite_expand(const char *text, char *out, size_t size, struct why *why)
{
    struct expand e = { .why = why };
    enum err code;
    size_t i;

    for (i = 0; i < SUITE_WORD_COUNT; i++)
        e.order[i] = (int)i;
    for (i = 0; i < SUITE_BS; i++)
        if (strcmp(suite_b[i].name, text) == 0)
            text = suite_b[i].text;
    if ((code = rules(&e, text)) != ERR_OK)
        return code;
    return print(&e, out, size);
}
