/*
 * certpick.c - choose a certificate by server name and by signature algorithms
 *
 * Owns the order of the choice. A wrong choice costs a handshake and gives
 * nothing away: every certificate of a service is public. Pure.
 */
#include "worker/certpick.h"

#include "common/suite.h"

#include <string.h>

#define NAME_MAX_LEN 255

/* lower - a server name in lower case without its final dot; false: no name */
static bool
lower(struct span name, char out[NAME_MAX_LEN + 1])
{
    size_t i;

    if (name.len > 0 && name.at[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return false;
    for (i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];

        if (c <= ' ' || c >= 0x7f || c == '*')
            return false;
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    out[i] = '\0';
    return true;
}

enum fit { FIT_NONE, FIT_WILDCARD, FIT_EXACT };

/* fit_of - how well one name of a certificate stands for the server name */
static enum fit
fit_of(const char *own, const char *name)
{
    const char *dot;

    if (strcmp(own, name) == 0)
        return FIT_EXACT;
    dot = strchr(name, '.');
    if (own[0] != '*' || own[1] != '.' || dot == NULL || dot == name)
        return FIT_NONE;
    return strcmp(own + 1, dot) == 0 ? FIT_WILDCARD : FIT_NONE;
}

static enum fit
cert_fit(const struct tls_cert *cert, const char *name)
{
    enum fit best = FIT_NONE, fit;
    size_t i;

    for (i = 0; i < cert->name_count; i++)
        if ((fit = fit_of(cert->name[i], name)) > best)
            best = fit;
    return best;
}

static enum fit
best_fit(const struct tls_side *side, const char *name)
{
    enum fit best = FIT_NONE, fit;
    size_t i;

    for (i = 0; i < side->cert_count; i++)
        if ((fit = cert_fit(&side->cert[i], name)) > best)
            best = fit;
    return best;
}

bool
certpick_known(const struct tls_side *side, struct span name)
{
    char text[NAME_MAX_LEN + 1];

    return lower(name, text) && best_fit(side, text) != FIT_NONE;
}

/* twins - do two certificates share a name? Every one is its own twin. */
static bool
twins(const struct tls_cert *a, const struct tls_cert *b)
{
    size_t i, j;

    for (i = 0; i < a->name_count; i++)
        for (j = 0; j < b->name_count; j++)
            if (strcmp(a->name[i], b->name[j]) == 0)
                return true;
    return a == b;
}

/* scheme_fits - RFC 8446 4.2.3; TLS 1.2 does not bind the hash to the curve */
static bool
scheme_fits(const struct tls_cert *cert, bool tls13, unsigned scheme)
{
    unsigned hash = scheme >> 8;

    switch (cert->kind) {
    case KEY_EC:
        if ((scheme & 0xff) != 3)
            return false;
        if (!tls13)
            return hash >= 4 && hash <= 6;
        return hash == (cert->key_size <= 32   ? 4u
                        : cert->key_size <= 48 ? 5u
                                               : 6u);
    case KEY_RSA:
        if (scheme >= 0x0804 && scheme <= 0x0806)
            return true;
        return !tls13 && (scheme & 0xff) == 1 && hash >= 4 && hash <= 6;
    case KEY_ED25519:
        return scheme == 0x0807;
    }
    return false;
}

static bool
any_scheme(const struct tls_cert *cert, const struct certpick_hello *hello)
{
    const uint8_t *at = hello->schemes.at;
    size_t i;

    for (i = 0; i + 1 < hello->schemes.len; i += 2)
        if (scheme_fits(cert, hello->tls13,
                        (unsigned)at[i] << 8 | (unsigned)at[i + 1]))
            return true;
    return hello->schemes.len == 0 && !hello->tls13;
}

/* listed - is this word in a list with colons? */
static bool
listed(const char *list, const char *word)
{
    size_t len = strlen(word), n;

    for (; list != NULL && *list != '\0'; list += n + (list[n] == ':')) {
        n = strcspn(list, ":");
        if (n == len && memcmp(list, word, n) == 0)
            return true;
    }
    return false;
}

/* any_suite - TLS 1.2 names the kind of certificate in the suite */
static bool
any_suite(const struct tls_cert *cert, const struct certpick_hello *hello)
{
    const char *kind = cert->kind == KEY_RSA ? "ECDHE-RSA-" : "ECDHE-ECDSA-";
    const uint8_t *at = hello->suites.at;
    const struct suite *suite;
    size_t i;

    for (i = 0; i + 1 < hello->suites.len; i += 2) {
        suite = suite_by_id((uint16_t)(at[i] << 8 | at[i + 1]));
        if (suite != NULL && !suite->tls13 &&
            strncmp(suite->name, kind, strlen(kind)) == 0 &&
            listed(hello->ciphers, suite->name))
            return true;
    }
    return false;
}

static bool
verifiable(const struct tls_cert *cert, const struct certpick_hello *hello)
{
    return any_scheme(cert, hello) && (hello->tls13 || any_suite(cert, hello));
}

const struct tls_cert *
certpick(const struct tls_side *side, const struct certpick_hello *hello)
{
    const struct tls_cert *first = NULL, *cert;
    char name[NAME_MAX_LEN + 1];
    enum fit fit = FIT_NONE;
    size_t i;

    if (lower(hello->name, name))
        fit = best_fit(side, name);
    for (i = 0; i < side->cert_count; i++) {
        cert = &side->cert[i];
        if (fit == FIT_NONE ? !twins(&side->cert[0], cert)
                            : cert_fit(cert, name) != fit)
            continue;
        if (verifiable(cert, hello))
            return cert;
        if (first == NULL)
            first = cert;
    }
    return first;
}
