/* resolve.h - one name, one short-lived process */
#ifndef MASTER_RESOLVE_H
#define MASTER_RESOLVE_H
#include "common/err.h"
#include <stdint.h>
#include <sys/types.h>

#define RESOLVE_MAX 32 /* addresses kept of one name */

struct resolve_addr {
    uint16_t family; /* AF_INET or AF_INET6 */
    uint16_t pad;
    uint32_t scope;   /* IPv6: the interface of a link-local address */
    uint8_t addr[16]; /* IPv4: the first four */
};

struct resolve_answer {
    int32_t gai;    /* getaddrinfo(3)'s code, 0: it worked */
    int32_t error;  /* errno, with EAI_SYSTEM */
    uint32_t count; /* of addr, at most RESOLVE_MAX */
    struct resolve_addr addr[RESOLVE_MAX];
};

struct resolve { /* one running child */
    pid_t pid;
    int fd; /* readable when it has answered or died */
};

/*
 * resolve_start - fork a child that asks getaddrinfo(3) for host
 * The C library's resolver parses answers from the network and may load
 * modules: it lives and dies in a process of its own. The child has nothing
 * but its end of the pair, and dies with its parent.
 * ERR_SYS.
 */
enum err resolve_start(const char *host, struct resolve *out, struct why *why);

/*
 * resolve_finish - take the answer, checked; kill the child, close its end.
 * The caller reaps resolve->pid (waitpid). ERR_IO: it died or sent rubbish;
 * ERR_CONF: the name has no address, why says what the resolver said.
 */
enum err resolve_finish(struct resolve *resolve, struct resolve_answer *out,
                        struct why *why);

/* resolve_kill - it took too long: kill it, close its end; the caller reaps */
void resolve_kill(struct resolve *resolve);
#endif
