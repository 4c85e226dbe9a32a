/*
 * suite_words.c - the words of OpenSSL's cipher strings, over our suites
 *
 * Owns the table of words of ciphers(1). All suites of ours have forward
 * secrecy and AEAD, so words for anything else are known and name none of them.
 * A word that OpenSSL would pass over in silence is an error here. Pure.
 */
#include "common/suite_words.h"
#include "common/suite.h"
#include "common/text.h"
#include <string.h>

/* our six, each a bit */
enum {
    EA256 = 1 << 0,
    RA256 = 1 << 1,
    ECHA = 1 << 2,
    RCHA = 1 << 3,
    EA128 = 1 << 4,
    RA128 = 1 << 5,
};
#define EVERY   SUITE_WORD_EVERY
#define ECDSA   (EA256 | ECHA | EA128)
#define RSA     (RA256 | RCHA | RA128)
#define GCM_128 (EA128 | RA128)
#define GCM_256 (EA256 | RA256)
#define CHACHA  (ECHA | RCHA)

const uint16_t suite_word_ids[SUITE_WORD_COUNT] = { 0xc02c, 0xc030, 0xcca9,
                                                    0xcca8, 0xc02b, 0xc02f };

const unsigned suite_word_strong = GCM_256 | CHACHA;

static const struct word {
    const char *name;
    unsigned set;
} words[] = {
    { "ALL", EVERY },
    { "COMPLEMENTOFALL", 0 },
    { "DEFAULT", EVERY }, /* at the beginning alone */
    { "COMPLEMENTOFDEFAULT", 0 },
    { "HIGH", EVERY },
    { "MEDIUM", 0 },
    { "LOW", 0 },
    /* how keys are agreed on */
    { "ECDHE", EVERY },
    { "EECDH", EVERY },
    { "kECDHE", EVERY },
    { "kEECDH", EVERY },
    { "ECDH", EVERY },
    { "kRSA", 0 },
    { "RSA", 0 },
    { "DH", 0 },
    { "DHE", 0 },
    { "EDH", 0 },
    { "kDHE", 0 },
    { "kEDH", 0 },
    { "ADH", 0 },
    { "AECDH", 0 },
    { "PSK", 0 },
    { "kPSK", 0 },
    { "kRSAPSK", 0 },
    { "kECDHEPSK", 0 },
    { "kDHEPSK", 0 },
    { "SRP", 0 },
    { "kSRP", 0 },
    { "kGOST", 0 },
    { "kGOST18", 0 },
    /* how the server is known */
    { "aRSA", RSA },
    { "aECDSA", ECDSA },
    { "ECDSA", ECDSA },
    { "aNULL", 0 },
    { "aDSS", 0 },
    { "DSS", 0 },
    { "aPSK", 0 },
    { "aSRP", 0 },
    { "aGOST", 0 },
    { "aGOST01", 0 },
    { "aGOST12", 0 },
    /* how bytes are hidden */
    { "AES", GCM_128 | GCM_256 },
    { "AES128", GCM_128 },
    { "AES256", GCM_256 },
    { "AESGCM", GCM_128 | GCM_256 },
    { "CHACHA20", CHACHA },
    { "AESCCM", 0 },
    { "AESCCM8", 0 },
    { "ARIA", 0 },
    { "ARIAGCM", 0 },
    { "ARIA128", 0 },
    { "ARIA256", 0 },
    { "CAMELLIA", 0 },
    { "CAMELLIA128", 0 },
    { "CAMELLIA256", 0 },
    { "SEED", 0 },
    { "IDEA", 0 },
    { "DES", 0 },
    { "3DES", 0 },
    { "RC2", 0 },
    { "RC4", 0 },
    { "CBC", 0 },
    { "NULL", 0 },
    { "eNULL", 0 },
    { "GOST89", 0 },
    /* how they are sealed: the hash of an AEAD suite is no seal */
    { "MD5", 0 },
    { "SHA", 0 },
    { "SHA1", 0 },
    { "SHA256", 0 },
    { "SHA384", 0 },
    { "GOST94", 0 },
    { "GOST89MAC", 0 },
    /* since when there are such suites */
    { "TLSv1.2", EVERY },
    { "TLSv1.0", 0 },
    { "TLSv1", 0 },
    { "SSLv3", 0 },
    { "SSLv2", 0 },
    /* gone from OpenSSL, alive in configurations */
    { "EXP", 0 },
    { "EXPORT", 0 },
    { "EXPORT40", 0 },
    { "EXPORT56", 0 },
    { "KRB5", 0 },
    { "FZA", 0 },
    { "kDHr", 0 },
    { "kDHd", 0 },
    { "aDH", 0 },
    { "aECDH", 0 },
    { "kECDH", 0 },
    { "kECDHr", 0 },
    { "kECDHe", 0 },
};
#define WORDS (sizeof(words) / sizeof(words[0]))

/* is_part - one part of a suite's name, such as AES128 */
static bool
is_part(const char *part, size_t len)
{
    static const char *const parts[] = {
        "ECDHE", "ECDH",    "DHE",     "EDH",         "DH",
        "ADH",   "AECDH",   "RSA",     "DSS",         "ECDSA",
        "PSK",   "SRP",     "KRB5",    "EXP",         "EXP1024",
        "NULL",  "AES128",  "AES256",  "GCM",         "CCM",
        "CCM8",  "CBC",     "CBC3",    "DES",         "3DES",
        "RC2",   "RC4",     "IDEA",    "SEED",        "CHACHA20",
        "ARIA",  "ARIA128", "ARIA256", "CAMELLIA128", "CAMELLIA256",
        "SHA",   "SHA256",  "SHA384",  "MD5",         "POLY1305",
    };
    size_t i;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (strlen(parts[i]) == len && memcmp(parts[i], part, len) == 0)
            return true;
    return false;
}

/* is_suite_like - the name of a suite that we do not have: parts with '-'
 * between, or IANA's way of writing them */
static bool
is_suite_like(const char *word)
{
    size_t len, count = 0;

    if (strncmp(word, "TLS_", 4) == 0)
        return strstr(word, "_WITH_") != NULL;
    for (;;) {
        len = strcspn(word, "-");
        if (!is_part(word, len))
            return false;
        count++;
        if (word[len] == '\0')
            return count > 1;
        word += len + 1;
    }
}

static enum err
unknown(const char *word, struct why *why)
{
    const char *names[WORDS + SUITE_WORD_COUNT + 1], *near;
    char shown[SUITE_WORD_MAX * 4];
    size_t i, n = 0;

    for (i = 0; i < SUITE_WORD_COUNT; i++)
        names[n++] = suite_by_id(suite_word_ids[i])->name;
    for (i = 0; i < WORDS; i++)
        names[n++] = words[i].name;
    names[n] = NULL;
    near = text_nearest(word, names);
    (void)text_escape(word, strlen(word), shown, sizeof(shown));
    return why_set(why, ERR_CONF,
                   "\"%s\" is no suite and no word of OpenSSL's cipher "
                   "strings%s%s%s",
                   shown, near != NULL ? "; did you mean \"" : "",
                   near != NULL ? near : "", near != NULL ? "\"?" : "");
}

enum err
suite_word(const char *word, unsigned *set, struct why *why)
{
    const struct suite *row;
    size_t i;

    for (i = 0; i < WORDS; i++)
        if (strcmp(words[i].name, word) == 0) {
            *set = words[i].set;
            return ERR_OK;
        }
    for (row = suites; row->name != NULL; row++) {
        if (strcmp(row->name, word) != 0 && strcmp(row->iana, word) != 0)
            continue;
        for (i = 0; i < SUITE_WORD_COUNT && suite_word_ids[i] != row->id;)
            i++;
        if (i == SUITE_WORD_COUNT)
            return why_set(why, ERR_CONF,
                           "%s is a TLS 1.3 suite: it belongs into "
                           "ciphersuites",
                           word);
        *set = 1U << i;
        return ERR_OK;
    }
    if (!is_suite_like(word))
        return unknown(word, why);
    *set = 0;
    return ERR_OK;
}
