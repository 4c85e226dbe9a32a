/* health.h - which addresses of a service failed lately */
#ifndef MASTER_HEALTH_H
#define MASTER_HEALTH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define HEALTH_FIRST_MS 10000 /* skipped for so long after a first failure, */
#define HEALTH_MOST_MS  60000 /* twice as long after each next, up to this */
#define HEALTH_MAX      64    /* addresses remembered; the oldest one goes */

struct health_mark { /* an address that failed */
    struct sockaddr_storage sa;
    socklen_t sa_len;
    int64_t failed_at;  /* the last time */
    int64_t down_until; /* skipped before that */
    int64_t penalty;    /* ms, of the last time */
    bool trial;         /* its time was up, and somebody tries it now */
};

/* One service's memory: what its workers say of an address, true or not, is
 * kept from every other service. All zero is empty. */
struct health {
    size_t count, room;
    struct health_mark *mark;
};

/* health_mark - what is remembered of an address; NULL: nothing bad */
const struct health_mark *health_mark(const struct health *health,
                                      const struct sockaddr_storage *sa,
                                      socklen_t len);

/* health_down - is it to be skipped now? */
bool health_down(const struct health_mark *mark, int64_t now);

/*
 * health_given - somebody was given this address. If its time was up, this is
 * the trial: others skip it until the trial has an outcome, or for as long as
 * the last time, whichever comes first. True: we want to hear of success too.
 */
bool health_given(struct health *health, const struct sockaddr_storage *sa,
                  socklen_t len, int64_t now);

/*
 * health_outcome - error 0: it works; errno: it does not. Errors of our own
 * side (no descriptor, no local port, no memory) say nothing about it.
 * Several failures while it is skipped count as one. True: it went up or down
 * by this, *penalty says for how long it is skipped (0: up).
 */
bool health_outcome(struct health *health, const struct sockaddr_storage *sa,
                    socklen_t len, int error, int64_t now, int64_t *penalty);

void health_free(struct health *health);
#endif
