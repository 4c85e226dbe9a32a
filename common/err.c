/*
 * err.c - result codes and the sentence that explains one
 *
 * Owns the mapping from results to exit codes.
 * Never allocates, never logs, never exits, keeps errno.
 */
#include "common/err.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#undef why_set /* the analyzer's, err.h */
#undef why_errno

enum err
why_set(struct why *why, enum err code, const char *format, ...)
{
    va_list args;

    if (why == NULL)
        return code;
    va_start(args, format);
    if (vsnprintf(why->text, sizeof(why->text), format, args) < 0)
        why->text[0] = '\0';
    va_end(args);
    return code;
}

enum err
why_errno(struct why *why, enum err code, const char *format, ...)
{
    int saved = errno;
    /* not strerror(3), which takes a lock for its translations: a page of the C
     * library's would be copied for it, between two forks */
    const char *what = strerrordesc_np(saved);
    va_list args;
    size_t used;

    if (why == NULL)
        return code;
    va_start(args, format);
    if (vsnprintf(why->text, sizeof(why->text), format, args) < 0)
        why->text[0] = '\0';
    va_end(args);
    used = strlen(why->text);
    (void)snprintf(why->text + used, sizeof(why->text) - used, ": %s",
                   what != NULL ? what : "unknown error");
    errno = saved;
    return code;
}

int
err_exit(enum err code)
{
    switch (code) {
    case ERR_OK:
        return EXIT_OK;
    case ERR_CONF:
    case ERR_FILE:
    case ERR_RANGE:
    case ERR_FORMAT:
        return EXIT_CONF;
    case ERR_PRIV:
        return EXIT_CONFINE;
    case ERR_TLS:
        return EXIT_TLS;
    case ERR_AGAIN:
    case ERR_EOF:
    case ERR_TIMEOUT:
    case ERR_IO:
    case ERR_RESET:
    case ERR_TRUNCATED:
    case ERR_STOP:
    case ERR_SYS:
    case ERR_NOMEM:
    case ERR_PEER:
        return EXIT_SYS;
    }
    return EXIT_SYS; /* a number from outside the enumeration */
}
