/*
 * runner_lines.c - what a program writes to its 2, line by line
 *
 * Owns the cutting of lines and their rate. Pure; escapes nothing: the logger
 * does.
 */
#include "master/runner_lines.h"
#include <string.h>

/* may_say - is there room for one more in this second? */
static bool
may_say(struct runner_lines *lines, int64_t now)
{
    if (lines->said == 0 || now - lines->from >= RUNNER_LINES_MS) {
        lines->from = now;
        lines->said = 0;
    }
    return lines->said++ < RUNNER_LINES;
}

/* finish - the line that is there */
static void
finish(struct runner_lines *lines, int64_t now, runner_lines_say *say,
       void *ctx)
{
    if (lines->len > 0 && may_say(lines, now)) {
        say(ctx, lines->at, lines->len, lines->lost);
        lines->lost = 0;
    } else if (lines->len > 0)
        lines->lost++;
    lines->len = 0;
}

/* keep - as much of a piece of a line as there is room for */
static void
keep(struct runner_lines *lines, const char *bytes, size_t len)
{
    size_t room = sizeof(lines->at) - lines->len;

    if (len > room)
        len = room;
    memcpy(lines->at + lines->len, bytes, len);
    lines->len += len;
}

void
runner_lines_feed(struct runner_lines *lines, const char *bytes, size_t len,
                  int64_t now, runner_lines_say *say, void *ctx)
{
    const char *end;

    while ((end = memchr(bytes, '\n', len)) != NULL) {
        size_t piece = (size_t)(end - bytes);

        keep(lines, bytes, piece);
        finish(lines, now, say, ctx);
        bytes += piece + 1;
        len -= piece + 1;
    }
    keep(lines, bytes, len);
}

void
runner_lines_end(struct runner_lines *lines, int64_t now, runner_lines_say *say,
                 void *ctx)
{
    finish(lines, now, say, ctx);
    if (lines->lost > 0)
        say(ctx, NULL, 0, lines->lost);
    lines->lost = 0;
}
