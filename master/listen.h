/* listen.h - the listening sockets: opened once, before the drop */
#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H
#include "common/conf.h"
#include "common/err.h"

/*
 * listen_open - one socket of a service: bound, listening, non-blocking,
 * close-on-exec. IPv6 sockets are IPv6 only (PORT alone makes two).
 * A unix socket gets listen_mode and listen_owner (default: owner) before it
 * listens; a stale one, to which nobody listens any more, is replaced, anything
 * else at its path is an error.
 * ERR_SYS, ERR_CONF: why names the address and what to do.
 */
enum err listen_open(const struct conf_service *service,
                     const struct addr *addr, uid_t owner, gid_t group, int *fd,
                     struct why *why);

/* listen_passed - what a service manager passed under the address's name is put
 * behind the *count descriptors of *fd, which grows. ERR_CONF: nothing was;
 * ERR_SYS: no listening stream socket. */
enum err listen_passed(const struct addr *addr, int **fd, size_t *count,
                       struct why *why);

/* listen_plain - is a service with listen_tls = no out of reach for other
 * machines, or unsafe_plaintext? By the sockets themselves, which the
 * configuration may not know (systemd:) or no longer name (a reload).
 * ERR_CONF: it is not. */
enum err listen_plain(const struct conf_service *service, const int *fd,
                      size_t count, struct why *why);

/*
 * listen_tune - how accepted connections behave: at boot and after every reload
 * No delays, dead_peer_timeout, and on a TLS listener nobody hears of a client
 * before its first byte or handshake_timeout. (Not on a plain one: there it may
 * be the server that speaks first.)
 */
void listen_tune(const struct conf_service *service, const int *fd,
                 size_t count);

/* listen_waiting - connections that nobody has accepted yet; at least 1 when
 * poll(2) says so and the socket cannot tell more (unix) */
unsigned listen_waiting(int fd);
#endif
