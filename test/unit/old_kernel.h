/* old_kernel.h - for tests that wrap syscall(2) */
#ifndef TEST_UNIT_OLD_KERNEL_H
#define TEST_UNIT_OLD_KERNEL_H
#include <stdbool.h>

long __real_syscall(long number, ...); /* the unwrapped one */

extern bool old_kernel; /* true: memfd_secret(2) is not there */
#endif
