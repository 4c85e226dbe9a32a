/*
 * log_render.c - a wire record, from a sender that is not believed, as one line
 *
 * Owns what a log line looks like, and what may stand in it. Pure: no state, no
 * system call, no clock, no locale (gmtime would read the time zone's file).
 * Must never put out a control byte, a field that the sender did not spell as
 * a word, or more than `size` bytes, whatever the record holds.
 */
#include "common/log.h"
#include <stdio.h>
#include <string.h>

#define WORD_MAX 32

struct out { /* bounded text; full: something did not fit */
    char *at;
    size_t len, size; /* size without the NUL */
    bool full;
};

struct field {
    char type;
    const char *key;
    const unsigned char *value;
    size_t len;
};

static const char *const level_names[] = { "error", "warn", "notice", "info",
                                           "debug" };

const char *
log_level_name(enum log_level level)
{
    unsigned n = (unsigned)level;

    return n < sizeof(level_names) / sizeof(level_names[0]) ? level_names[n]
                                                            : "debug";
}

/* put_all - these bytes or none of them */
static void
put_all(struct out *o, const char *bytes, size_t len)
{
    if (o->full || len > o->size - o->len) {
        o->full = true;
        return;
    }
    memcpy(o->at + o->len, bytes, len);
    o->len += len;
}

static void
put(struct out *o, const char *text)
{
    put_all(o, text, strlen(text));
}

/* word_len - the length of a word [a-z0-9_]{1,32} that ends in a NUL before
 * end, 0 when there is none */
static size_t
word_len(const unsigned char *at, const unsigned char *end)
{
    size_t n = 0;

    while (at + n < end && n <= WORD_MAX && at[n] != '\0') {
        unsigned char c = at[n];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return 0;
        n++;
    }
    return at + n < end && n <= WORD_MAX ? n : 0;
}

/* field_next - take one field off the record; false: it is broken */
static bool
field_next(const unsigned char **at, const unsigned char *end,
           struct field *field)
{
    const unsigned char *p = *at;
    uint16_t len;
    size_t key;

    field->type = (char)*p++;
    if ((field->type != 't' && field->type != 'n') ||
        (key = word_len(p, end)) == 0)
        return false;
    field->key = (const char *)p;
    p += key + 1;
    if ((size_t)(end - p) < sizeof(len))
        return false;
    memcpy(&len, p, sizeof(len));
    p += sizeof(len);
    if (len > end - p)
        return false;
    field->value = p;
    field->len = len;
    *at = p + len;
    return true;
}

/* utf8_len - bytes of the valid sequence at `at`, 0: invalid (RFC 3629) */
static size_t
utf8_len(const unsigned char *at, size_t room, uint32_t *point)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = { { 0x80, 0x00, 0 },
                  { 0xe0, 0xc0, 0x80 },
                  { 0xf0, 0xe0, 0x800 },
                  { 0xf8, 0xf0, 0x10000 } };

    for (size_t n = 0; n < sizeof(forms) / sizeof(forms[0]); n++) {
        uint32_t value;

        if ((at[0] & forms[n].mask) != forms[n].lead)
            continue;
        if (n + 1 > room)
            return 0;
        value = at[0] & (unsigned char)~forms[n].mask;
        for (size_t i = 1; i <= n; i++) {
            if ((at[i] & 0xc0) != 0x80)
                return 0;
            value = value << 6 | (at[i] & 0x3fu);
        }
        if (value < forms[n].least || value > 0x10ffff ||
            (value >= 0xd800 && value <= 0xdfff))
            return 0;
        *point = value;
        return n + 1;
    }
    return 0;
}

/* is_hostile - code points that steer a terminal, break a line, hide or
 * reorder what a person reads: a log must show what was sent */
static bool
is_hostile(uint32_t point)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        { 0x00, 0x1f },     { 0x7f, 0x9f },       { 0xad, 0xad },
        { 0x61c, 0x61c },   { 0x180e, 0x180e },   { 0x200b, 0x200f },
        { 0x2028, 0x202e }, { 0x2060, 0x206f },   { 0xfeff, 0xfeff },
        { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}

/* piece - the next bytes of a value as they stand in the line; returns how
 * many bytes of the value they use. text holds 16. */
typedef size_t piece(const unsigned char *at, size_t room, char *text);

static size_t
piece_logfmt(const unsigned char *at, size_t room, char *text)
{
    (void)room;
    if (at[0] == '"' || at[0] == '\\')
        snprintf(text, 16, "\\%c", at[0]);
    else if (at[0] < 0x20 || at[0] > 0x7e)
        snprintf(text, 16, "\\x%02x", at[0]);
    else
        snprintf(text, 16, "%c", at[0]);
    return 1;
}

static size_t
piece_json(const unsigned char *at, size_t room, char *text)
{
    uint32_t point;
    size_t len = utf8_len(at, room, &point);

    if (len == 0) {
        snprintf(text, 16, "\\u%04x", at[0]);
        return 1;
    }
    if (point == '"' || point == '\\') {
        snprintf(text, 16, "\\%c", (int)point);
    } else if (!is_hostile(point)) {
        memcpy(text, at, len);
        text[len] = '\0';
    } else if (point < 0x10000) {
        snprintf(text, 16, "\\u%04x", (unsigned)point);
    } else {
        point -= 0x10000;
        snprintf(text, 16, "\\u%04x\\u%04x", 0xd800 + (unsigned)(point >> 10),
                 0xdc00 + (unsigned)(point & 0x3ff));
    }
    return len;
}

/* put_value - a value within double quotes, at most LOG_VALUE_MAX of text; no
 * escape and no character is cut in two */
static void
put_value(struct out *o, const struct field *field, piece *next)
{
    size_t used = 0, shown = 0;
    char text[16];

    put(o, "\"");
    while (used < field->len) {
        size_t n = next(field->value + used, field->len - used, text);

        shown += strlen(text);
        if (shown > LOG_VALUE_MAX) {
            put(o, "...");
            break;
        }
        put(o, text);
        used += n;
    }
    put(o, "\"");
}

/* is_bare - may it stand in logfmt without quotes? */
static bool
is_bare(const struct field *field)
{
    static const char others[] = "_.:/@+,*=~-%[]";

    if (field->len == 0 || field->len > LOG_VALUE_MAX)
        return false;
    for (size_t i = 0; i < field->len; i++) {
        unsigned char c = field->value[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') ||
              (c != '\0' && strchr(others, c) != NULL)))
            return false;
    }
    return true;
}

/* is_number - -?[0-9]{1,15} as JSON spells it: no leading zero, no -0 */
static bool
is_number(const struct field *field)
{
    size_t i = field->len > 0 && field->value[0] == '-', digits;

    digits = field->len - i;
    if (field->type != 'n' || digits < 1 || digits > 15 ||
        (field->value[i] == '0' && field->len > 1))
        return false;
    for (; i < field->len; i++)
        if (field->value[i] < '0' || field->value[i] > '9')
            return false;
    return true;
}

static void
put_logfmt(struct out *o, const struct field *field)
{
    put(o, " ");
    put(o, field->key);
    put(o, "=");
    if (is_bare(field))
        put_all(o, (const char *)field->value, field->len);
    else
        put_value(o, field, piece_logfmt);
}

static void
put_json(struct out *o, const struct field *field)
{
    static const char *const stamps[] = { "ts", "pid", "level", "event" };

    put(o, ",\"");
    put(o, field->key);
    for (size_t i = 0; i < sizeof(stamps) / sizeof(stamps[0]); i++)
        if (strcmp(field->key, stamps[i]) == 0)
            put(o, "_");
    put(o, "\":");
    if (is_number(field))
        put_all(o, (const char *)field->value, field->len);
    else
        put_value(o, field, piece_json);
}

static bool
is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* when_text - microseconds since the epoch as 2026-11-21T18:12:04.123Z */
static void
when_text(int64_t when_us, char *text, size_t size)
{
    static const unsigned char lengths[] = { 31, 28, 31, 30, 31, 30,
                                             31, 31, 30, 31, 30, 31 };
    uint64_t ms = when_us > 0 ? (uint64_t)when_us / 1000 : 0;
    uint64_t days = ms / 86400000;
    unsigned in_day = (unsigned)(ms % 86400000), year = 1970, month = 0;

    while (year < 9999 && days >= 365u + is_leap(year))
        days -= 365u + is_leap(year++);
    for (; month < 11; month++) {
        unsigned len = lengths[month];

        if (month == 1 && is_leap(year))
            len++;
        if (days < len)
            break;
        days -= len;
    }
    snprintf(text, size, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year, month + 1,
             (unsigned)(days % 31) + 1, in_day / 3600000, in_day / 60000 % 60,
             in_day / 1000 % 60, in_day % 1000);
}

/* put_head - the stamps, the level and the event */
static void
put_head(struct out *o, enum log_format format, int64_t when_us, int pid,
         enum log_level level, const char *event)
{
    char when[64] = "", head[256];

    if (when_us > 0)
        when_text(when_us, when, sizeof(when));
    if (format == LOG_F_JSON)
        snprintf(head, sizeof(head),
                 "{%s%s%s\"pid\":%d,\"level\":\"%s\",\"event\":\"%s\"",
                 when_us > 0 ? "\"ts\":\"" : "", when, when_us > 0 ? "\"," : "",
                 pid, log_level_name(level), event);
    else
        snprintf(head, sizeof(head), "%s%smtlsd[%d] %s %s", when,
                 when_us > 0 ? " " : "", pid, log_level_name(level), event);
    put(o, head);
}

/* put_fields - all that fit; cut: one did not; false: the record is broken */
static bool
put_fields(struct out *o, enum log_format format, const unsigned char *at,
           const unsigned char *end, bool *cut)
{
    while (at < end) {
        struct field field;
        size_t mark = o->len;

        if (!field_next(&at, end, &field))
            return false;
        if (strcmp(field.key, "cut") == 0) {
            *cut = true;
            continue;
        }
        if (format == LOG_F_JSON)
            put_json(o, &field);
        else
            put_logfmt(o, &field);
        if (o->full) {
            o->len = mark;
            o->full = false;
            *cut = true;
        }
    }
    return true;
}

enum err
log_render(const void *record, size_t len, enum log_format format,
           int64_t when_us, int pid, char *out, size_t size)
{
    const unsigned char *at = record, *end = at + len;
    const char *tail = format == LOG_F_JSON ? ",\"cut\":\"yes\"}" : " cut=yes";
    struct out o = { .at = out };
    bool cut = false;
    size_t event;

    if (size > 0)
        out[0] = '\0';
    if (len < 3 || at[0] > LOG_L_DEBUG || (event = word_len(at + 1, end)) == 0)
        return ERR_FORMAT;
    if (size <= strlen(tail))
        return ERR_RANGE;
    o.size = size - 1 - strlen(tail);
    put_head(&o, format, when_us, pid, (enum log_level)at[0],
             (const char *)at + 1);
    if (o.full || !put_fields(&o, format, at + 1 + event + 1, end, &cut)) {
        out[0] = '\0';
        return o.full ? ERR_RANGE : ERR_FORMAT;
    }
    o.size = size - 1;
    if (!cut)
        tail = format == LOG_F_JSON ? "}" : "";
    put(&o, tail);
    out[o.len] = '\0';
    return ERR_OK;
}
