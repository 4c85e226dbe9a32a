/* report.h - the fixed-size record from a worker to the master */
#ifndef COMMON_REPORT_H
#define COMMON_REPORT_H
#include <stdint.h>

/*
 * Over one SOCK_SEQPACKET pair per pool with SO_PASSCRED on the master's end:
 * the kernel names the sender, a report carries no pid and no slot.
 *
 *   IDLE --taken--> BUSY --verified--> BUSY --ended--> IDLE
 *   IDLE --refused--> IDLE                 BUSY --last--> exit
 *   IDLE --leaving--> exit
 */
enum report_kind {
    REPORT_IDLE = 1, /* ready for its first connection */
    REPORT_TAKEN,    /* accepted; addr is the client's */
    REPORT_VERIFIED, /* handshake done and client admitted */
    REPORT_ENDED,    /* session over, idle again; reason says why */
    REPORT_LAST,     /* the same, and the worker ends: max_use */
    REPORT_LEAVING,  /* has taken a byte off the leash */
    REPORT_REFUSED,  /* accepted and closed, not a byte read; addr, reason */
};

/* reports a second from one worker, and as many at once: above that it is no
 * worker of ours. The fastest that one of ours can do is to refuse sources:
 * measured 10 us of CPU each, with a kernel that makes connections as fast. The
 * master reads one in 3 us. */
#define REPORTS_RATE  200000
#define REPORTS_BURST 20000

struct report {
    uint8_t kind;
    uint8_t family;  /* AF_INET, AF_INET6, AF_UNIX */
    uint16_t port;   /* host order */
    uint16_t reason; /* enum reason */
    uint16_t pad;
    uint8_t addr[16];
};
#endif
