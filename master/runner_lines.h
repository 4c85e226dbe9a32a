/* runner_lines.h - what a program writes to its 2, line by line; pure */
#ifndef MASTER_RUNNER_LINES_H
#define MASTER_RUNNER_LINES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUNNER_LINE_MAX 400  /* bytes; the rest of a longer line is left out */
#define RUNNER_LINES    20   /* of one program, in */
#define RUNNER_LINES_MS 1000 /* this time; those beyond are counted alone */

struct runner_lines { /* all zero at first */
    char at[RUNNER_LINE_MAX];
    size_t len;
    int64_t from;       /* when the time that counts began */
    unsigned said;      /* since then */
    unsigned long lost; /* since the last line that was said */
};

/* called for each line: without its newline, bytes as they are; lost of those
 * before it were left out. text NULL: no line, only the count. */
typedef void runner_lines_say(void *ctx, const char *text, size_t len,
                              unsigned long lost);

/* runner_lines_feed - empty lines are left out */
void runner_lines_feed(struct runner_lines *lines, const char *bytes,
                       size_t len, int64_t now, runner_lines_say *say,
                       void *ctx);

/* runner_lines_end - the last line may have no newline */
void runner_lines_end(struct runner_lines *lines, int64_t now,
                      runner_lines_say *say, void *ctx);
#endif
