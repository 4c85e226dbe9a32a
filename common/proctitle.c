/*
 * proctitle.c - the name that ps(1) shows
 *
 * Owns the memory in which the kernel laid out arguments and environment, and
 * through proctitle_init the moving of both to somewhere else.
 * Must never be given peer text: every user of the machine can read a title.
 */
#include "common/proctitle.h"
#include "common/mem.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char *title_at;
static size_t title_room; /* with the NUL */
static const void *floor_at;

/* copy_vector - copies of count strings, NULL behind */
static char **
copy_vector(char *const *from, size_t count)
{
    char **to = mem_new((count + 1) * sizeof(*to));

    for (size_t i = 0; i < count; i++)
        to[i] = mem_copy(from[i]);
    return to;
}

/* extend - end of the string when it starts right where the last one ended */
static char *
extend(char *end, char *next)
{
    return next == end ? end + strlen(next) + 1 : end;
}

char **
proctitle_init(int argc, char **argv)
{
    size_t args = argc > 0 ? (size_t)argc : 0, vars = 0;
    char **copy = copy_vector(argv, args);
    char *end = args > 0 ? argv[0] : NULL;

    for (size_t i = 0; i < args; i++)
        end = extend(end, argv[i]);
    while (environ != NULL && environ[vars] != NULL)
        vars++;
    for (size_t i = 0; end != NULL && i < vars; i++)
        end = extend(end, environ[i]);
    environ = copy_vector(environ, vars);
    floor_at = argv;
    if (end != NULL && end > argv[0]) {
        title_at = argv[0];
        title_room = (size_t)(end - argv[0]);
    }
    return copy;
}

const void *
proctitle_floor(void)
{
    return floor_at;
}

void
proctitle_set(const char *format, ...)
{
    static const char prefix[] = "mtlsd: ";
    char text[256];
    size_t len;
    va_list list;

    if (title_at == NULL)
        return;
    memcpy(text, prefix, sizeof(prefix));
    va_start(list, format);
    vsnprintf(text + sizeof(prefix) - 1, sizeof(text) - sizeof(prefix) + 1,
              format, list);
    va_end(list);
    len = strlen(text);
    if (len > title_room - 1)
        len = title_room - 1;
    memcpy(title_at, text, len);
    memset(title_at + len, 0, title_room - len);
    (void)prctl(PR_SET_NAME, text); /* the kernel cuts it to 15 */
}
