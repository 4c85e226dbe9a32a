/*
 * text.c - strict numbers, times, hex, escaping, nearest word
 *
 * Owns what a number or a time looks like in a configuration. Everything here
 * is pure: no I/O, no allocation, no locale. What is not wholly understood is
 * refused; nothing is cut or guessed.
 */
#include "common/text.h"
#include "common/clock.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* digits - the leading decimal digits of text as a number; *end stands behind
 * them. ERR_FORMAT: none, or a leading zero. ERR_RANGE: over INT64_MAX. */
static enum err
digits(const char *text, int64_t *out, const char **end)
{
    int64_t value = 0;
    bool over = false;
    const char *at;

    for (at = text; *at >= '0' && *at <= '9'; at++) {
        int digit = *at - '0';

        if (value > (INT64_MAX - digit) / 10)
            over = true;
        else
            value = value * 10 + digit;
    }
    *end = at;
    *out = value;
    if (at == text || (text[0] == '0' && at - text > 1))
        return ERR_FORMAT;
    return over ? ERR_RANGE : ERR_OK;
}

enum err
text_long(const char *text, long min, long max, long *out)
{
    bool minus = text[0] == '-';
    const char *end;
    int64_t value;
    enum err code;

    code = digits(text + (minus ? 1 : 0), &value, &end);
    if (code == ERR_FORMAT || *end != '\0' || (minus && text[1] == '0'))
        return ERR_FORMAT;
    if (minus)
        value = -value;
    if (code != ERR_OK || value < min || value > max)
        return ERR_RANGE;
    *out = (long)value;
    return ERR_OK;
}

enum err
text_octal(const char *text, long *out)
{
    const char *at;
    long value = 0;

    if (text[0] != '0' || text[1] == '\0')
        return ERR_FORMAT;
    for (at = text; *at >= '0' && *at <= '7'; at++)
        if (value <= 07777)
            value = value * 8 + (*at - '0');
    if (*at != '\0')
        return ERR_FORMAT;
    if (value > 07777)
        return ERR_RANGE;
    *out = value;
    return ERR_OK;
}

/* largest first: text_time_print takes the first that divides */
static const struct {
    const char *name;
    int64_t ms;
} units[] = {
    { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 },
    { "s", 1000 },     { "ms", 1 },
};
#define UNITS (sizeof(units) / sizeof(units[0]))

enum err
text_time(const char *text, int64_t min, int64_t max, bool never_ok,
          int64_t *out)
{
    const char *unit;
    int64_t value;
    enum err code;
    size_t i;

    if (strcmp(text, "never") == 0) {
        if (!never_ok)
            return ERR_RANGE;
        *out = CLOCK_NEVER;
        return ERR_OK;
    }
    if ((code = digits(text, &value, &unit)) == ERR_FORMAT)
        return ERR_FORMAT;
    for (i = 0; i < UNITS && strcmp(unit, units[i].name) != 0; i++)
        ;
    if (i == UNITS)
        return ERR_FORMAT;
    if (code != ERR_OK || value > (CLOCK_NEVER - 1) / units[i].ms)
        return ERR_RANGE;
    value *= units[i].ms;
    if (value < min || value > max)
        return ERR_RANGE;
    *out = value;
    return ERR_OK;
}

char *
text_time_print(int64_t ms, char *out, size_t size)
{
    size_t i = 0;

    if (ms == CLOCK_NEVER) {
        (void)text_copy(out, "never", size);
        return out;
    }
    while (i < UNITS - 1 && (ms == 0 ? i < 3 : ms % units[i].ms != 0))
        i++;
    (void)snprintf(out, size, "%lld%s", (long long)(ms / units[i].ms),
                   units[i].name);
    return out;
}

static const struct {
    char name;
    long bytes;
} sizes[] = {
    { 'g', 1024L * 1024 * 1024 },
    { 'm', 1024L * 1024 },
    { 'k', 1024L },
};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

enum err
text_size(const char *text, long min, long max, long *out)
{
    const char *unit;
    int64_t value;
    long each = 1;
    enum err code;
    size_t i;

    if ((code = digits(text, &value, &unit)) == ERR_FORMAT)
        return ERR_FORMAT;
    for (i = 0; i < SIZES && *unit != '\0' && each == 1; i++)
        if (*unit == sizes[i].name)
            each = sizes[i].bytes;
    if (unit[each == 1 ? 0 : 1] != '\0')
        return ERR_FORMAT;
    if (code != ERR_OK || value > LONG_MAX / each || value * each < min ||
        value * each > max)
        return ERR_RANGE;
    *out = (long)value * each;
    return ERR_OK;
}

char *
text_size_print(long bytes, char *out, size_t size)
{
    size_t i;

    for (i = 0; i < SIZES && (bytes == 0 || bytes % sizes[i].bytes != 0);)
        i++;
    if (i == SIZES)
        (void)snprintf(out, size, "%ld", bytes);
    else
        (void)snprintf(out, size, "%ld%c", bytes / sizes[i].bytes,
                       sizes[i].name);
    return out;
}

enum err
text_bool(const char *text, bool *out)
{
    if (strcmp(text, "yes") == 0)
        *out = true;
    else if (strcmp(text, "no") == 0)
        *out = false;
    else
        return ERR_FORMAT;
    return ERR_OK;
}

size_t
text_copy(char *to, const char *from, size_t size)
{
    size_t len = strlen(from), part;

    if (size > 0) {
        part = len < size ? len : size - 1;
        memcpy(to, from, part);
        to[part] = '\0';
    }
    return len;
}

static const char hex[] = "0123456789abcdef";

char *
text_hex(const void *bytes, size_t len, char *out)
{
    const unsigned char *at = bytes;
    size_t i;

    for (i = 0; i < len; i++) {
        out[2 * i] = hex[at[i] >> 4];
        out[2 * i + 1] = hex[at[i] & 15];
    }
    out[2 * len] = '\0';
    return out;
}

/* escape_one - one byte as it is shown, into piece; returns the length */
static size_t
escape_one(unsigned char byte, char piece[4])
{
    if (byte == '\\' || byte == '"') {
        piece[0] = '\\';
        piece[1] = (char)byte;
        return 2;
    }
    if (byte >= 0x20 && byte < 0x7f) {
        piece[0] = (char)byte;
        return 1;
    }
    piece[0] = '\\';
    piece[1] = 'x';
    piece[2] = hex[byte >> 4];
    piece[3] = hex[byte & 15];
    return 4;
}

size_t
text_escape(const void *bytes, size_t len, char *out, size_t size)
{
    const unsigned char *at = bytes;
    size_t used = 0, i, n;
    char piece[4];

    if (size == 0)
        return 0;
    for (i = 0; i < len; i++) {
        n = escape_one(at[i], piece);
        if (used + n >= size)
            break;
        memcpy(out + used, piece, n);
        used += n;
    }
    out[used] = '\0';
    return used;
}

#define NEAREST_MAX 64 /* longer words have no neighbour */

static int
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* distance - edits between a and b: insert, delete, change, swap neighbours;
 * upper and lower case are the same. Both at most NEAREST_MAX long. */
static size_t
distance(const char *a, const char *b)
{
    size_t row[3][NEAREST_MAX + 1], i, j, la = strlen(a), lb = strlen(b);

    for (j = 0; j <= lb; j++)
        row[0][j] = j;
    for (i = 1; i <= la; i++) {
        size_t *now = row[i % 3], *up = row[(i + 2) % 3];
        const size_t *upup = row[(i + 1) % 3];

        now[0] = i;
        for (j = 1; j <= lb; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);

            now[j] =
                least(up[j - 1] + (same ? 0 : 1), least(up[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                now[j] = least(now[j], upup[j - 2] + 1);
        }
    }
    return row[la % 3][lb];
}

const char *
text_nearest(const char *text, const char *const *words)
{
    const char *best = NULL;
    size_t best_far = SIZE_MAX, len = strlen(text), far, longer;

    if (len > NEAREST_MAX)
        return NULL;
    for (; *words != NULL; words++) {
        size_t word_len = strlen(*words);

        if (word_len > NEAREST_MAX)
            continue;
        far = distance(text, *words);
        longer = len > word_len ? len : word_len;
        if (far < best_far && far * 3 <= longer) {
            best = *words;
            best_far = far;
        }
    }
    return best;
}
