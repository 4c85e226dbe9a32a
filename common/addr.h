/* addr.h - addresses as they are written in the configuration */
#ifndef COMMON_ADDR_H
#define COMMON_ADDR_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum addr_kind {
    ADDR_IP,      /* sa holds IPv4 or IPv6 */
    ADDR_UNIX,    /* sa holds a path */
    ADDR_NAME,    /* host and port: to be resolved by the connector */
    ADDR_RESPOND, /* the built-in answer: code, body */
    ADDR_SYSTEMD, /* sockets passed at start under the name in host */
    ADDR_EXEC,    /* a program of this machine: text, from `exec:` on */
};

struct addr {
    enum addr_kind kind;
    bool tls;                   /* tls://: TLS towards this upstream */
    struct sockaddr_storage sa; /* ADDR_IP, ADDR_UNIX */
    socklen_t sa_len;
    uint16_t port;  /* ADDR_IP, ADDR_NAME; host order */
    char host[256]; /* ADDR_NAME, ADDR_SYSTEMD; as written for ADDR_IP */
    int code;       /* ADDR_RESPOND: 200-599 */
    char *body;     /* ADDR_RESPOND: owned by the configuration */
    char *text;     /* as written; owned by the configuration */
};

#define ADDR_TEXT_MAX 128 /* longest result of addr_text, with its NUL */

/*
 * addr_parse_listen - PORT | HOST:PORT | [V6]:PORT | unix:/path | systemd:NAME
 * HOST is an IPv4 address or `localhost` (127.0.0.1) here: a listener is never
 * resolved. PORT alone means all of IPv4 and of IPv6: two results.
 * out holds up to 2, *count says how many. Does not set body or text.
 * ERR_FORMAT, ERR_RANGE: why says what is wrong and what is allowed.
 */
enum err addr_parse_listen(const char *text, struct addr out[2], size_t *count,
                           struct why *why);

/*
 * addr_parse_upstream - HOST:PORT | [V6]:PORT | unix:/path | tls://HOST[:PORT]
 * | respond:CODE "text" (body is allocated; the caller owns it)
 * | exec:/path words (words.h; nothing but the kind is set)
 * https://x is an error that says: write tls://x:443.
 */
enum err addr_parse_upstream(const char *text, struct addr *out,
                             struct why *why);

/* addr_is_host - a host name, or an address without brackets and port */
bool addr_is_host(const char *text);

/* addr_is_local - loopback, unix socket, built-in or program: plaintext may go
 * there. A name is local only when it is `localhost`; a socket that is passed
 * never, before it is there (addr_of). */
bool addr_is_local(const struct addr *addr);

/* addr_of - the address of a socket as the system tells it */
struct addr addr_of(const struct sockaddr_storage *sa, socklen_t len);

/* addr_command - what stands behind `exec:`, for words_split; NULL: it is
 * another kind */
const char *addr_command(const struct addr *addr);

/*
 * addr_text - a socket address for logs: 192.0.2.9:40112, [2001:db8::1]:443,
 * unix:/path, unix (unnamed). IPv4-mapped IPv6 is shown as IPv4.
 * out holds ADDR_TEXT_MAX bytes; control bytes of a path are escaped.
 * Returns out.
 */
char *addr_text(const struct sockaddr *sa, socklen_t len, char *out);

/* addr_host_text - the same without the port */
char *addr_host_text(const struct sockaddr *sa, socklen_t len, char *out);

#endif
