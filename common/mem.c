/*
 * mem.c - memory that is there or the process ends
 *
 * Owns the decision that a daemon without memory at start or reload is no
 * daemon. Never called with a size that a peer chose.
 */
#include "common/mem.h"
#include "common/err.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

_Noreturn static void
give_up(void)
{
    static const char text[] = "mtlsd: out of memory\n";

    /* no stdio: it may want memory itself */
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(EXIT_SYS);
}

void *
mem_new(size_t size)
{
    void *at = calloc(1, size > 0 ? size : 1);

    if (at == NULL)
        give_up();
    return at;
}

char *
mem_copy(const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL)
        give_up();
    return copy;
}

void *
mem_array(void *old, size_t count, size_t size)
{
    void *at;

    if (count == 0 || size == 0)
        count = size = 1; /* realloc(p, 0) means something else */
    if ((at = reallocarray(old, count, size)) == NULL)
        give_up();
    return at;
}

/* before what mem_own gives: how long the mapping is */
union own {
    size_t len;
    max_align_t align;
};

void *
mem_own(size_t size)
{
    size_t len = sizeof(union own) + size;
    union own *own = mmap(NULL, len, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (len < size || own == MAP_FAILED ||
        madvise(own, len, MADV_DONTFORK) != 0)
        give_up();
    own->len = len;
    return own + 1;
}

void
mem_own_free(void *at)
{
    union own *own = at;

    if (own != NULL)
        (void)munmap(own - 1, own[-1].len);
}

void
mem_wipe(void *at, size_t len)
{
    if (at != NULL)
        explicit_bzero(at, len);
}
