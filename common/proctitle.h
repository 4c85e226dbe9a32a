/* proctitle.h - the name that ps(1) shows */
#ifndef COMMON_PROCTITLE_H
#define COMMON_PROCTITLE_H
#include <stddef.h>

/* proctitle_init - first thing in main: moves the environment away so that the
 * space of the arguments can be written over. argv strings stay valid as
 * copies in the returned vector. */
char **proctitle_init(int argc, char **argv);

/*
 * proctitle_move - leave the stack that the kernel made for main: the title goes
 * to `room` bytes at `to`, then the stack, with the arguments on it, is unmapped.
 * Whoever calls stands elsewhere and never returns to a frame on it. A kernel
 * that cannot move the title (no CONFIG_CHECKPOINT_RESTORE) keeps it where it
 * is, and only the frames below the arguments are given back.
 */
void proctitle_move(char *to, size_t room);

/* proctitle_set - "mtlsd: " and the formatted rest, cut to the space there is;
 * also prctl(PR_SET_NAME). No-op before proctitle_init. */
void proctitle_set(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
#endif
