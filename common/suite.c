/*
 * suite.c - the cipher suites and groups that we know
 *
 * Owns the two tables; what does not stand in them cannot be configured, so
 * nothing without forward secrecy or without AEAD is ever offered. Pure: knows
 * the names of the TLS library, never calls it.
 */
#include "common/suite.h"
#include "common/text.h"
#include <string.h>
#include <strings.h>

const struct suite suites[] = {
    { "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256",
      "TLS13-AES128-GCM-SHA256", 0x1301, true },
    { "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384",
      "TLS13-AES256-GCM-SHA384", 0x1302, true },
    { "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
      "TLS13-CHACHA20-POLY1305-SHA256", 0x1303, true },
    { "ECDHE-ECDSA-AES128-GCM-SHA256",
      "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
      "ECDHE-ECDSA-AES128-GCM-SHA256", 0xc02b, false },
    { "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
      "ECDHE-RSA-AES128-GCM-SHA256", 0xc02f, false },
    { "ECDHE-ECDSA-AES256-GCM-SHA384",
      "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
      "ECDHE-ECDSA-AES256-GCM-SHA384", 0xc02c, false },
    { "ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
      "ECDHE-RSA-AES256-GCM-SHA384", 0xc030, false },
    { "ECDHE-ECDSA-CHACHA20-POLY1305",
      "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
      "ECDHE-ECDSA-CHACHA20-POLY1305", 0xcca9, false },
    { "ECDHE-RSA-CHACHA20-POLY1305",
      "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
      "ECDHE-RSA-CHACHA20-POLY1305", 0xcca8, false },
    { NULL, NULL, NULL, 0, false },
};

/* one row per spelling; the first row of an id has the name that we print */
static const struct {
    const char *name;
    uint16_t id; /* RFC 8446 4.2.7; X25519MLKEM768 as IANA has it */
} groups[] = {
    { "X25519MLKEM768", 4588 },
    { "X25519", 29 },
    { "P-256", 23 },
    { "P-384", 24 },
    { "P-521", 25 },
    { "x25519", 29 },
    { "secp256r1", 23 },
    { "prime256v1", 23 },
    { "secp384r1", 24 },
    { "secp521r1", 25 },
    { NULL, 0 },
};

#define WORD_MAX 64

/* next_word - the next of a colon-separated list into word; *list moves on, to
 * NULL behind the last. ERR_FORMAT: empty or too long. */
static enum err
next_word(const char **list, char word[WORD_MAX])
{
    size_t len = strcspn(*list, ":");
    enum err code = len > 0 && len < WORD_MAX ? ERR_OK : ERR_FORMAT;

    if (len >= WORD_MAX)
        len = WORD_MAX - 1;
    memcpy(word, *list, len);
    word[len] = '\0';
    *list += strcspn(*list, ":");
    *list = **list == ':' ? *list + 1 : NULL;
    return code;
}

/* append - name behind a colon; ERR_RANGE when it does not fit */
static enum err
append(char *out, size_t size, const char *name)
{
    size_t used = strlen(out), colon = used > 0 ? 1 : 0;

    if (used + colon + strlen(name) >= size)
        return ERR_RANGE;
    if (colon)
        out[used] = ':';
    (void)text_copy(out + used + colon, name, size - used - colon);
    return ERR_OK;
}

/* holds - does a colon-separated list have this very name? */
static bool
holds(const char *list, const char *name)
{
    char word[WORD_MAX];

    while (list != NULL && *list != '\0') {
        (void)next_word(&list, word);
        if (strcmp(word, name) == 0)
            return true;
    }
    return false;
}

static const struct suite *
suite_by_name(const char *name)
{
    const struct suite *row;

    for (row = suites; row->name != NULL; row++)
        if (strcmp(row->name, name) == 0 || strcmp(row->iana, name) == 0)
            return row;
    return NULL;
}

/* bad_suite - word is no suite of this kind: say what is */
static enum err
bad_suite(const char *word, bool tls13, struct why *why)
{
    const char *names[sizeof(suites) / sizeof(suites[0])], *near;
    const struct suite *row;
    char shown[WORD_MAX * 4];
    size_t n = 0;

    for (row = suites; row->name != NULL; row++)
        if (row->tls13 == tls13)
            names[n++] = row->name;
    names[n] = NULL;
    near = text_nearest(word, names);
    (void)text_escape(word, strlen(word), shown, sizeof(shown));
    return why_set(why, ERR_CONF,
                   "\"%s\" is not known; allowed are TLS %s suites with "
                   "forward secrecy and AEAD, such as %s%s%s%s",
                   shown, tls13 ? "1.3" : "1.2", names[0],
                   near != NULL ? "; did you mean \"" : "",
                   near != NULL ? near : "", near != NULL ? "\"?" : "");
}

static enum err
check_suite(const char *word, bool tls13, char *out, size_t size,
            struct why *why)
{
    const struct suite *row = suite_by_name(word);

    if (row == NULL)
        return bad_suite(word, tls13, why);
    if (row->tls13 != tls13)
        return why_set(why, ERR_CONF,
                       "%s is a TLS %s suite: it belongs into "
                       "%s",
                       row->name, row->tls13 ? "1.3" : "1.2",
                       row->tls13 ? "ciphersuites" : "ciphers");
    if (holds(out, row->name))
        return why_set(why, ERR_CONF, "%s stands there twice", row->name);
    if (append(out, size, row->name) != ERR_OK)
        return why_set(why, ERR_CONF, "the list is too long");
    return ERR_OK;
}

enum err
suite_check(const char *list, bool tls13, char *out, size_t size,
            struct why *why)
{
    char word[WORD_MAX];
    enum err code;

    out[0] = '\0';
    while (list != NULL) {
        if (next_word(&list, word) != ERR_OK && word[0] == '\0')
            return why_set(why, ERR_CONF,
                           "a name is missing; write names with "
                           "one colon between two");
        if ((code = check_suite(word, tls13, out, size, why)) != ERR_OK)
            return code;
    }
    return ERR_OK;
}

/* join - the suites of one checked list, in the TLS library's names */
static enum err
join(const char *list, char *out, size_t size)
{
    const struct suite *row;
    char word[WORD_MAX];
    enum err code;

    while (list != NULL && *list != '\0') {
        if (next_word(&list, word) != ERR_OK ||
            (row = suite_by_name(word)) == NULL)
            return ERR_CONF;
        if ((code = append(out, size, row->wolfssl)) != ERR_OK)
            return code;
    }
    return ERR_OK;
}

enum err
suite_wolfssl(const char *ciphers, const char *ciphersuites, bool tls12,
              bool tls13, char *out, size_t size)
{
    enum err code;

    out[0] = '\0';
    if (tls13 && (code = join(ciphersuites, out, size)) != ERR_OK)
        return code;
    if (tls12 && (code = join(ciphers, out, size)) != ERR_OK)
        return code;
    return out[0] == '\0' ? ERR_CONF : ERR_OK;
}

const struct suite *
suite_by_id(uint16_t id)
{
    const struct suite *row;

    for (row = suites; row->name != NULL; row++)
        if (row->id == id)
            return row;
    return NULL;
}

/* group_by_name - its number, 0 when unknown; case does not matter: RFCs, IANA
 * and libraries do not agree on it */
static uint16_t
group_by_name(const char *name)
{
    size_t i;

    for (i = 0; groups[i].name != NULL; i++)
        if (strcasecmp(groups[i].name, name) == 0)
            return groups[i].id;
    return 0;
}

const char *
group_name(uint16_t id)
{
    size_t i;

    for (i = 0; groups[i].name != NULL; i++)
        if (groups[i].id == id)
            return groups[i].name;
    return NULL;
}

static enum err
bad_group(const char *word, struct why *why)
{
    const char *names[sizeof(groups) / sizeof(groups[0])], *near;
    char shown[WORD_MAX * 4];
    size_t i;

    for (i = 0; groups[i].name != NULL; i++)
        names[i] = groups[i].name;
    names[i] = NULL;
    near = text_nearest(word, names);
    (void)text_escape(word, strlen(word), shown, sizeof(shown));
    return why_set(why, ERR_CONF,
                   "\"%s\" is not known; allowed are " SUITE_DEFAULT_GROUPS
                   "%s%s%s",
                   shown, near != NULL ? "; did you mean \"" : "",
                   near != NULL ? near : "", near != NULL ? "\"?" : "");
}

enum err
group_check(const char *list, char *out, size_t size, struct why *why)
{
    char word[WORD_MAX];
    const char *name;

    out[0] = '\0';
    while (list != NULL) {
        if (next_word(&list, word) != ERR_OK && word[0] == '\0')
            return why_set(why, ERR_CONF,
                           "a name is missing; write names with "
                           "one colon between two");
        if ((name = group_name(group_by_name(word))) == NULL)
            return bad_group(word, why);
        if (holds(out, name))
            return why_set(why, ERR_CONF, "%s stands there twice", name);
        if (append(out, size, name) != ERR_OK)
            return why_set(why, ERR_CONF, "the list is too long");
    }
    return ERR_OK;
}

size_t
group_ids(const char *list, uint16_t *out)
{
    char word[WORD_MAX];
    size_t count = 0;

    while (list != NULL && *list != '\0' && count < 8) {
        (void)next_word(&list, word);
        if ((out[count] = group_by_name(word)) != 0)
            count++;
    }
    return count;
}
