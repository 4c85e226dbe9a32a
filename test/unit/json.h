/* json.h - is a text one flat JSON object as the log writes it? For tests. */
#ifndef TEST_UNIT_JSON_H
#define TEST_UNIT_JSON_H
#include <stdbool.h>
#include <string.h>

/* json_string - skip a string with its quotes; NULL: it is none */
static inline const char *
json_string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    while (*at != '"') {
        if ((unsigned char)*at < 0x20)
            return NULL; /* its NUL included */
        if (*at++ != '\\')
            continue;
        if (*at == 'u') {
            if (strspn(at + 1, "0123456789abcdef") < 4)
                return NULL;
            at += 5;
        } else if (*at == '"' || *at == '\\') {
            at++;
        } else {
            return NULL;
        }
    }
    return at + 1;
}

/* json_number - skip an integer; NULL: it is none */
static inline const char *
json_number(const char *at)
{
    size_t digits;

    at += *at == '-';
    digits = strspn(at, "0123456789");
    return digits == 0 || (digits > 1 && *at == '0') ? NULL : at + digits;
}

/* json_flat - {"key":"text","key":1,...}, nothing behind */
static inline bool
json_flat(const char *text)
{
    const char *at = text;

    if (*at != '{')
        return false;
    do {
        at = json_string(at + 1);
        if (at == NULL || *at++ != ':')
            return false;
        at = *at == '"' ? json_string(at) : json_number(at);
        if (at == NULL)
            return false;
    } while (*at == ',');
    return at[0] == '}' && at[1] == '\0';
}

#endif
