/* canary.h - a stack protector's value of this process's own */
#ifndef WORKER_CANARY_H
#define WORKER_CANARY_H
#include <stdint.h>
#include <sys/random.h>

/*
 * canary_redraw - a forked process has its parent's canary, and so has every
 * sibling: one that leaks from the first is good against the next. Puts fresh
 * random bytes in its place. The caller and all above it must never return,
 * because the old value stands in their frames; it is inlined for that reason.
 * The lowest byte stays 0, which ends a string (glibc does the same). Does
 * nothing on machines where we do not know its place, or without randomness.
 */
static inline __attribute__((always_inline)) void
canary_redraw(void)
{
    uintptr_t fresh;

    if (getrandom(&fresh, sizeof(fresh), 0) != (ssize_t)sizeof(fresh))
        return;
    fresh &= ~(uintptr_t)0xff;
#if defined(__x86_64__)
    __asm__ volatile("movq %0, %%fs:0x28" : : "r"(fresh) : "memory");
#elif defined(__aarch64__)
    extern uintptr_t __stack_chk_guard;
    __stack_chk_guard = fresh;
#endif
}
#endif
