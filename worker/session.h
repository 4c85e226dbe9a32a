/* session.h - the TLS handshake with a client, and who it turned out to be */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H
#include "common/err.h"
#include "common/reason.h"
#include "worker/identity.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct WOLFSSL;
struct WOLFSSL_CTX;
struct sign;

/* what the I/O callbacks know of the descriptor */
struct session_io {
    int fd;
    int error;        /* errno of the last failure, 0 */
    bool eof;         /* the client's FIN was read */
    bool reset;       /* RST, or a send to a closed connection */
    bool not_tls;     /* the first bytes are no TLS handshake record */
    bool muted;       /* our alert is out: the library's own goes nowhere */
    bool established; /* the handshake is over */
    uint64_t in;      /* bytes from the client, handshake included */
    uint8_t head[2];  /* the first two of them */
};

/*
 * reused for each connection of a worker; all zero before the first. wolfSSL
 * holds pointers into it: it must not move between accept and end.
 */
struct session {
    struct WOLFSSL *ssl; /* NULL outside a connection */
    bool verified; /* handshake done; and, unless optional, a certificate */
    struct identity id;  /* of the client; id.present false: no certificate */
    const char *version; /* "1.3"; static strings */
    const char *cipher;  /* IANA name */
    const char *group;
    bool resumed;
    char sni[256];                  /* escaped, "" when none */
    int alert_sent, alert_received; /* -1: none */
    int depth;                      /* of the certificate that failed, 0 leaf */
    int tls_error;                  /* wolfSSL's code, for debug */
    struct session_io io;
    uint8_t *leaf; /* the client's certificate: id.der points here; kept for */
    size_t leaf_room; /* the next connection */
};

struct session_rules { /* how to judge, from the service */
    struct WOLFSSL_CTX *ctx;
    struct sign *sign;
    bool require;     /* verify = require */
    bool verify;      /* require or optional */
    int verify_depth; /* intermediates */
    size_t group_count;
    uint16_t groups[8]; /* IANA numbers, for TLS 1.2; none: the context's */
};

/* session_init - once per worker, after the fork: the RNG of this process
 * (wolfSSL_CTX_new_rng), callbacks on the context (sign_install, I/O, verify) */
enum err session_init(const struct session_rules *rules, struct why *why);

/*
 * session_accept - the server's handshake, on a non-blocking descriptor, under
 * one total deadline (clock_ms based)
 * ERR_OK: out->verified. Else *reason is the word, the exact alert has been
 * sent where there is one (reason_alert), why has the library's words:
 * ERR_TLS refused; ERR_TIMEOUT; ERR_STOP; ERR_RESET, ERR_EOF client gone
 * (a probe, when the client sent no byte); ERR_PEER keeper gone.
 * Who the client says it is stands in out->id in both cases; believe it only
 * when out->verified. Unloads verified intermediates around every handshake.
 * After a refusal the caller drains the descriptor, then closes. The caller calls
 * session_end in every case, after stream work is over.
 */
enum err session_accept(const struct session_rules *rules, int fd,
                        int64_t deadline, struct session *out,
                        enum reason *reason, struct why *why);

/* session_alert - end a verified session with the alert of a reason, where it
 * has one: no upstream for this client. Nothing is sent after it. */
void session_alert(struct session *session, enum reason reason);

/* session_end - free the session, wipe what it left in `session` (the room for
 * the next certificate stays) */
void session_end(struct session *session);

/* session_bytes_seen - did the client send any byte in this handshake? */
bool session_bytes_seen(const struct session *session);
#endif
