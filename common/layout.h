/* layout.h - where the kernel has this process's arguments, heap and stack */
#ifndef COMMON_LAYOUT_H
#define COMMON_LAYOUT_H
#include <stdbool.h>
#include <stddef.h>

/*
 * layout_init - first thing in main, before the first malloc(3): look where
 * everything is, and have the heap begin a page behind the program's variables
 * and not up to a gigabyte later, because page tables are spent on every two
 * megabytes with a page in use. Where the kernel cannot do it (no
 * CONFIG_CHECKPOINT_RESTORE, no /proc) all stays as it is.
 */
void layout_init(void);

/* layout_title - what ps(1) shows is at `to`, `room` bytes; false: it stays */
bool layout_title(const char *to, size_t room);
#endif
