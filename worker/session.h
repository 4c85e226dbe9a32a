/* session.h - the TLS handshake with a client, and who it turned out to be */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H
#include "common/err.h"
#include "common/reason.h"
#include "worker/ahead.h"
#include "worker/identity.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct WOLFSSL;
struct WOLFSSL_CTX;
struct conf_tls;
struct sign;
struct slotchain;
struct tls_side;

/* what the I/O callbacks know of the descriptor */
struct session_io {
    int fd;
    _Atomic uint32_t *heard; /* set with the first byte; may be NULL */
    int error;               /* errno of the last failure, 0 */
    bool eof;                /* the client's FIN was read */
    bool reset;              /* RST, or a send to a closed connection */
    bool not_tls;            /* the first bytes are no TLS handshake record */
    bool muted;         /* our alert is out: the library's own goes nowhere */
    bool established;   /* the handshake is over */
    bool upstream;      /* the peer is a server: it may begin with an alert */
    uint64_t in;        /* bytes from the client, handshake included */
    uint8_t head[2];    /* the first two of them */
    struct ahead ahead; /* read and not used yet: the stream goes on with it */
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
    char sni[256];  /* escaped, "" when none */
    char alpn[256]; /* escaped, "" when none was agreed on */
    bool asked;     /* session_connect: the upstream wants a certificate */
    int alert_sent, alert_received; /* -1: none */
    int depth;                      /* of the certificate that failed, 0 leaf */
    int tls_error;                  /* wolfSSL's code, for debug */
    struct session_io io;
    uint8_t *leaf; /* the client's certificate: id.der points here; kept for */
    size_t leaf_room; /* the next connection */
};

struct session_rules { /* how to judge clients, from the service */
    const struct tls_side *side;
    const struct conf_tls *conf; /* verify, verify_depth, crl_*, unsafe_* */
    struct sign *sign; /* its key is set by the certificate that SNI chose */
    bool sni_strict;   /* an unknown name is refused: sni_unknown */
    bool sha1;         /* out->id.sha1_hex is wanted */
    _Atomic uint32_t *heard; /* set when the client has sent a byte; or NULL */
    struct slotchain *keep;  /* where an accepted chain goes; or NULL */
};

/* session_install - callbacks on the context (sign_install, I/O, verify): once,
 * in the master, because each worker that wrote them would have pages of its
 * own for it. rules->sign does not matter. */
void session_install(const struct session_rules *rules);

/* session_init - once per worker, after the fork, because a library that is
 * not built by us has an RNG with a state (wolfSSL_CTX_new_rng) */
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

/* how to speak TLS to an upstream, from a route */
struct session_target {
    const struct tls_side *side;
    struct sign *sign; /* upstream side; NULL: no certificate of ours */
    const char *name;  /* must stand in its certificate (RFC 9525: dns and ip
                           * SANs; the CN only when there is no SAN at all); sent
                           * as SNI unless it is an address */
    const struct conf_tls *conf; /* verify, verify_depth, crl_*, unsafe_* */
    bool ready; /* session_connect's own: false before the first one */
};

/* session_target_install - session_install for an upstream's context */
void session_target_install(const struct session_target *target);

/*
 * session_target_init - once per worker and target, before the worker's filter:
 * the keeper's pair gets its timeouts. The context gets its RNG by the first
 * session_connect, because that costs a worker time and copied pages per route,
 * and most routes never see this worker.
 */
enum err session_target_init(struct session_target *target, struct why *why);

/*
 * session_connect - the client's handshake with an upstream, like
 * session_accept: one deadline, exact reasons (unknown_ca, expired, bad_name,
 * revoked ... are about the upstream's certificate;
 * upstream_refused_our_certificate; upstream_tls for the rest), *out is ended
 * with session_end by the caller in every case. out->id is the upstream's.
 * TLS 1.3: an upstream's refusal of our certificate arrives with the first
 * read (RFC 8446 4.4.2.4): see session_refused_us.
 */
enum err session_connect(struct session_target *target, int fd,
                         int64_t deadline, struct session *out,
                         enum reason *reason, struct why *why);

/*
 * session_refused_us - did the upstream say that it does not accept our
 * certificate, or misses one? Looks at the last alert received, after the
 * handshake too: that is where TLS 1.3 says it (relay.h tells it by itself).
 */
bool session_refused_us(const struct session *session);

/* session_refusal - the sentence for it: alert (relay_result.alert), and who has
 * issued our certificate. The names of CAs that the upstream accepts are not
 * available from the library. Returns ERR_TLS. */
enum err session_refusal(const struct session_target *target, int alert,
                         struct why *why);

/* session_alert - end a verified session with the alert of a reason, where it
 * has one: no upstream for this client. Nothing is sent after it. */
void session_alert(struct session *session, enum reason reason);

/* session_end - free the session, wipe what it left in `session` (the room for
 * the next certificate stays) */
void session_end(struct session *session);

/* session_bytes_seen - did the client send any byte in this handshake? */
bool session_bytes_seen(const struct session *session);
#endif
