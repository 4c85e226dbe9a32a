/* crew.h - the master's own table of its workers, by pid */
#ifndef MASTER_CREW_H
#define MASTER_CREW_H
#include "common/bucket.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* from CREW_BUSY on there is a connection */
enum crew_state {
    CREW_STARTING,
    CREW_IDLE,
    CREW_LEAVING,
    CREW_BUSY,
    CREW_VERIFIED
};

/*
 * Private memory of the master: what a taken-over worker writes into shared
 * memory can change nothing here. A pid stays a key until it has been reaped.
 */
struct crew_member {
    pid_t pid;
    unsigned generation;
    size_t pool; /* index */
    int slot;
    enum crew_state state;
    bool took;          /* has had a connection */
    bool lingers;       /* of an older generation, and may still accept */
    bool condemned;     /* broke report.h; SIGKILL is on its way */
    uint8_t source[16]; /* of the connection, IPv4 mapped; zero: none */
    uint8_t family;
    uint16_t port;
    uint32_t sessions; /* connections that it has reported, refused ones too */
    unsigned judged;   /* generation that has judged this session, 0: none */
    struct bucket reports;
    int64_t kill_at;      /* SIGKILL is due, 0: not asked to end */
    int64_t leave_by;     /* overstay.h, 0: has a place */
    uint32_t end_reason;  /* enum reason that it was told, */
    uint32_t end_session; /* and of which session, 0: whichever */
};

struct crew;

struct crew *crew_new(void);
void crew_free(struct crew *crew);

/* crew_add - a new member, zeroed but for pid; pid must not be there */
struct crew_member *crew_add(struct crew *crew, pid_t pid);
/* crew_find - NULL: no worker of ours */
struct crew_member *crew_find(struct crew *crew, pid_t pid);
/* crew_remove - forget it; pointers to members become invalid */
void crew_remove(struct crew *crew, pid_t pid);
size_t crew_count(const struct crew *crew);
/* crew_each - call visit for every member; visit must not add or remove */
void crew_each(struct crew *crew,
               void (*visit)(struct crew_member *member, void *ctx), void *ctx);
#endif
