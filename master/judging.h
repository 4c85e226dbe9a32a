/* judging.h - live sessions of older generations, judged by the running one */
#ifndef MASTER_JUDGING_H
#define MASTER_JUDGING_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct crew_member;
struct master;

/*
 * A reload changes what a client must be; sessions that began before are looked
 * at once by the new generation, by a process of its own, the judge
 * (worker/judge.h). Whoever would not be admitted now is ended with the word
 * that he would be refused with. A judge that dies, or is not done in time, is
 * tried once more; then sessions stay as they are until the next reload.
 */
struct judging;

struct judging *judging_new(void);

/* judging_begin - a new generation was adopted: everybody is to be judged */
void judging_begin(struct master *master);

/* judging_verified - a client was just admitted by the rules of the worker's own
 * generation: if that is an older one, the running one has its say */
void judging_verified(struct master *master, const struct crew_member *member);

/* judging_due - start a judge when there is somebody to judge, end one that takes
 * too long; returns when to look again (clock_ms) */
int64_t judging_due(struct master *master, int64_t now);

/* judging_read - verdicts have come */
void judging_read(struct master *master);

/* judging_stop - there is nobody left to be judged: kill and bury a judge that
 * still runs */
void judging_stop(struct master *master);

/* judging_ended - a process has ended: was it the judge? */
bool judging_ended(struct master *master, pid_t pid, int status);
#endif
