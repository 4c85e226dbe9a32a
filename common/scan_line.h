/* scan_line.h - one line under the scanner; common/scan*.c only */
#ifndef COMMON_SCAN_LINE_H
#define COMMON_SCAN_LINE_H
#include "common/scan.h"

/* where the scanner is: one line, and what was seen so far */
struct scan_line {
    struct scan *scan;
    const char *at, *end; /* what is left of the line; no newline */
    unsigned number;
    bool bad;         /* an error was told: one for each line */
    bool crlf_told;   /* once for each file */
    size_t copy_room; /* bytes allocated for scan->copy */
};

/* scan_tell - what is wrong with this line; only the first is kept */
void scan_tell(struct scan_line *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* scan_show - bytes for a message: escaped, and cut where they are long */
#define SCAN_SHOWN_MAX 80
const char *scan_show(const char *from, const char *to,
                      char out[SCAN_SHOWN_MAX]);

/* scan_lower - a word in lower case for a message */
const char *scan_lower(const char *word, char out[SCAN_KEY_MAX + 1]);

bool scan_is_blank(char c);   /* space or tab */
bool scan_is_comment(char c); /* what a comment begins with */
void scan_skip_blanks(struct scan_line *l);

/* scan_at_end - nothing but a comment is left; glued: no blank before it */
bool scan_at_end(struct scan_line *l, bool glued);

/* scan_copy - text goes into the cleaned copy */
void scan_copy(struct scan_line *l, const char *text);

/* scan_value - what stands behind `=`: into entry and into the copy, or told;
 * then entry->value stays NULL */
void scan_value(struct scan_line *l, struct scan_entry *entry);

/* scan_section - a line that begins with [: one more section, good or not */
void scan_section(struct scan_line *l);
#endif
