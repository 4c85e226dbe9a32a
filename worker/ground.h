/* ground.h - the memory that a worker writes, all in one place */
#ifndef WORKER_GROUND_H
#define WORKER_GROUND_H
#include <stddef.h>

/*
 * What a forked process writes becomes its own copy, a page at a time, and
 * page tables are spent on every two megabytes in which it does. So a worker
 * leaves the master's stack and heap alone and stands on ground of its own: a
 * stack, and a heap for the TLS library, side by side.
 */

/*
 * ground_run - go on with run(arg) on the ground's stack; it never returns
 * arg  is copied there, len bytes.
 * The master's stack is given back: nothing that points into it may be used
 * from here on. With a sanitizer it only calls run.
 */
_Noreturn void ground_run(void (*run)(const void *arg), const void *arg,
                          size_t len);

/* ground_new - zeroed memory for as long as the worker lives, mem_new's
 * contract otherwise */
void *ground_new(size_t size);

/*
 * ground_rest - give back what is not in use: free pages of the heap, and the
 * stack below the caller with whatever calls have left there (keys too). For a
 * worker that is about to wait for long.
 */
void ground_rest(void);
#endif
