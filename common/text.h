/* text.h - strict numbers, times, sizes, lists, hex, escaping, nearest word */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* text_long - the whole string, base ten, no sign but '-', no blank, no
 * leading zero, within min..max. ERR_FORMAT, ERR_RANGE. */
enum err text_long(const char *text, long min, long max, long *out);

/* text_octal - 0600: a leading zero and octal digits, at most 07777 */
enum err text_octal(const char *text, long *out);

/* text_time - NUMBER and a unit ms s m h d, in ms; `never` is CLOCK_NEVER when
 * never_ok. ERR_FORMAT (no unit, bad number), ERR_RANGE (outside min..max). */
enum err text_time(const char *text, int64_t min, int64_t max, bool never_ok,
                   int64_t *out);

/* text_time_print - the shortest form that text_time reads back the same */
char *text_time_print(int64_t ms, char *out, size_t size);

/* text_size - bytes: NUMBER, or with a unit k m g (1024 each), within
 * min..max. ERR_FORMAT, ERR_RANGE. */
enum err text_size(const char *text, long min, long max, long *out);

/* text_size_print - the shortest form that text_size reads back the same */
char *text_size_print(long bytes, char *out, size_t size);

/* text_bool - yes, no; nothing else */
enum err text_bool(const char *text, bool *out);

/* text_copy - strlcpy: always terminates, returns strlen(from) */
size_t text_copy(char *to, const char *from, size_t size);

/* text_hex - lower case; out holds 2 * len + 1 */
char *text_hex(const void *bytes, size_t len, char *out);

/* text_escape - printable ASCII stays, the rest as \xNN, backslash as \\,
 * double quote as \"; never cuts an escape in two; returns the length */
size_t text_escape(const void *bytes, size_t len, char *out, size_t size);

/* text_nearest - the word of a NULL-terminated table with the smallest edit
 * distance to text, NULL when none is near (more than a third of it differs) */
const char *text_nearest(const char *text, const char *const *words);

#endif
