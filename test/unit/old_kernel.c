/* old_kernel.c - system calls that a test's kernel may be made to lack */
#include "test/unit/old_kernel.h"
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

long __wrap_syscall(long number, ...);
bool old_kernel;

long
__wrap_syscall(long number, ...)
{
    va_list args;
    long a[6];

    if (number == SYS_memfd_secret && old_kernel) {
        errno = ENOSYS;
        return -1;
    }
    va_start(args, number);
    for (size_t i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
