/*
 * proctitle.c - the name that ps(1) shows
 *
 * Owns the memory in which the kernel laid out arguments and environment, and
 * through proctitle_init the moving of both to somewhere else.
 * Must never be given peer text: every user of the machine can read a title.
 */
#include "common/proctitle.h"
#include "common/layout.h"
#include "common/mem.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STACK_MAX (8u << 20) /* nothing else is mapped so close below it */

static MEM_TOUCHED char *title_at;
static MEM_TOUCHED size_t title_room; /* with the NUL */
static MEM_TOUCHED char comm[16];     /* what the kernel has: it cuts to 15 */
static const void *argv_at;           /* the kernel's; frames lie below */
static uintptr_t stack_end;           /* 0: not known */

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

/* look_at_stack - its end, from /proc/self/maps; 0: not there */
static uintptr_t
look_at_stack(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    const char *dash = NULL;
    char line[512];

    while (maps != NULL && dash == NULL &&
           fgets(line, sizeof(line), maps) != NULL)
        if (strstr(line, " [stack]") != NULL)
            dash = strchr(line, '-');
    if (maps != NULL)
        fclose(maps);
    return dash != NULL ? (uintptr_t)strtoull(dash + 1, NULL, 16) : 0;
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
    argv_at = argv;
    stack_end = look_at_stack();
    if (end != NULL && end > argv[0]) {
        title_at = argv[0];
        title_room = (size_t)(end - argv[0]);
    }
    return copy;
}

void
proctitle_move(char *to, size_t room)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), end, low;

    if (title_at == NULL)
        return;
    memset(to, 0, room);
    memcpy(to, title_at, title_room < room ? title_room : room - 1);
    low = (uintptr_t)argv_at / page * page - STACK_MAX;
    if (stack_end != 0 && layout_title(to, room)) {
        title_at = to;
        title_room = room;
        (void)munmap((void *)low, stack_end - low);
    } else {
        end = (uintptr_t)argv_at / page * page;
        (void)madvise((void *)low, end - low, MADV_DONTNEED);
    }
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
    if (strncmp(comm, text, sizeof(comm) - 1) == 0)
        return; /* the same for all of a worker's connections */
    (void)snprintf(comm, sizeof(comm), "%.15s", text);
    (void)prctl(PR_SET_NAME, comm);
}
