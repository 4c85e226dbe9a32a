/* tcp.h - options of TCP sockets, tcp(7) */
#ifndef COMMON_TCP_H
#define COMMON_TCP_H
#include <stdint.h>

/* Each does nothing on a unix socket. What is set on a listener, accepted
 * sockets inherit: that saves calls for every connection. */

/* tcp_nodelay - delays hurt, small segments do not: we write what we have */
void tcp_nodelay(int fd);

/* tcp_ack_now - acknowledge what has come, instead of waiting for something to
 * send along */
void tcp_ack_now(int fd);

/* tcp_dead_peer - give a peer up that has not acknowledged anything for ms, sent
 * data or keep-alive probes; CLOCK_NEVER: leave it to the kernel */
void tcp_dead_peer(int fd, int64_t ms);

/* tcp_defer - on a listener: show a connection when its first byte is there, or
 * about ms later; 0: at once */
void tcp_defer(int fd, int64_t ms);
#endif
