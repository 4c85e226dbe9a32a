/* overstay.h - workers that have no place any more, and keep it */
#ifndef MASTER_OVERSTAY_H
#define MASTER_OVERSTAY_H
#include <stddef.h>
#include <stdint.h>

struct crew_member;
struct master;

/*
 * A worker of ours that has been told to retire, or says that it leaves, is gone
 * in a moment. One that stays would go on taking connections by rules of before:
 * it is killed after OVERSTAY_MS, with a line that names it.
 */
#define OVERSTAY_MS 10000

/* overstay_begin - its time has come: it must be gone OVERSTAY_MS from now */
void overstay_begin(struct master *master, struct crew_member *member,
                    int64_t now);
/* overstay_begin_pool - so it has for all of that pool and older generations
 * that are free */
void overstay_begin_pool(struct master *master, size_t pool, int64_t now);
/* overstay_forget - it has a connection, which it may serve to its end */
void overstay_forget(struct crew_member *member);
/* overstay_due - end those whose moment is over; returns the next time */
int64_t overstay_due(struct master *master, int64_t now);
#endif
