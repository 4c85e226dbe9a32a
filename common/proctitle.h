/* proctitle.h - the name that ps(1) shows */
#ifndef COMMON_PROCTITLE_H
#define COMMON_PROCTITLE_H

/* proctitle_init - first thing in main: moves the environment away so that the
 * space of the arguments can be written over. argv strings stay valid as
 * copies in the returned vector. */
char **proctitle_init(int argc, char **argv);

/* proctitle_floor - where that memory begins: all below it on this stack are
 * frames of main and of what it called */
const void *proctitle_floor(void);

/* proctitle_set - "mtlsd: " and the formatted rest, cut to the space there is;
 * also prctl(PR_SET_NAME). No-op before proctitle_init. */
void proctitle_set(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
#endif
