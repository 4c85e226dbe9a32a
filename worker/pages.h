/* pages.h - buffers that are large only while traffic is */
#ifndef WORKER_PAGES_H
#define WORKER_PAGES_H
#include <stddef.h>

#define PAGES_SIZE  4096             /* what buffers are aligned to */
#define PAGES_LIGHT (2 * PAGES_SIZE) /* not worth a system call */

/*
 * pages_forget - nothing of what a buffer held can be read any more
 * at    begins a page, of private anonymous memory (static, not initialized);
 *       may be NULL.
 * used  bytes that were ever written; the rest is zero already.
 * What is more than PAGES_LIGHT goes back to the kernel, which is also cheaper
 * than writing zeros.
 */
void pages_forget(void *at, size_t used);

/* pages_return - the same, and it all goes back: for a pause, whose length nobody
 * knows */
void pages_return(void *at, size_t used);

#endif
