/*
 * complain.c - words to whoever started us, before there is a log
 *
 * Owns the promise that nothing of ours but the service itself ever reaches a
 * client's socket.
 */
#include "master/complain.h"
#include "common/err.h"
#include "common/fdio.h"
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

static bool muted;

/* same_socket - do two descriptors mean one socket? */
static bool
same_socket(int one, int two)
{
    struct stat a, b;

    return fstat(one, &a) == 0 && S_ISSOCK(a.st_mode) && fstat(two, &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

void
complain_init(void)
{
    muted = same_socket(STDIN_FILENO, STDERR_FILENO);
}

void
complain_client(bool given)
{
    muted = muted && given;
    if (muted)
        fdio_null(STDERR_FILENO);
}

bool
complain_muted(void)
{
    return muted;
}

void
complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (muted) {
        openlog("mtlsd", LOG_PID, LOG_DAEMON);
        vsyslog(LOG_ERR, format, args);
        closelog();
    } else {
        (void)vfprintf(stderr, format, args);
        (void)fputc('\n', stderr);
    }
    va_end(args);
}
