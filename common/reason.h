/* reason.h - the words that say why something was refused or ended */
#ifndef COMMON_REASON_H
#define COMMON_REASON_H
#include <stdbool.h>

/* REASON(enumerator, word, TLS alert description or -1, hint or NULL)
 * Alerts: RFC 8446 6.2. The manual page mtlsd(8) lists the same words. */
#define REASONS(REASON)                                                        \
    REASON(NONE, "none", -1, NULL)                                             \
    REASON(NO_CERTIFICATE, "no_certificate", 116, NULL)                        \
    REASON(UNKNOWN_CA, "unknown_ca", 48, NULL)                                 \
    REASON(SELF_SIGNED, "self_signed", 48, NULL)                               \
    REASON(EXPIRED, "expired", 45, NULL)                                       \
    REASON(NOT_YET_VALID, "not_yet_valid", 45, NULL)                           \
    REASON(TOO_DEEP, "too_deep", 48, "verify_depth")                           \
    REASON(BAD_PURPOSE, "bad_purpose", 43, NULL)                               \
    REASON(BAD_SIGNATURE, "bad_signature", 51, NULL)                           \
    REASON(BAD_CERTIFICATE, "bad_certificate", 42, NULL)                       \
    REASON(WEAK_KEY, "weak_key", 43, NULL)                                     \
    REASON(WEAK_SIGNATURE, "weak_signature", 43, NULL)                         \
    REASON(X509_V1, "x509_v1", 43, "unsafe_x509v1")                            \
    REASON(SUBJECT_IS_ISSUER, "subject_is_issuer", 42, NULL)                   \
    REASON(NAME_CONSTRAINT, "name_constraint", 42, NULL)                       \
    REASON(NO_IDENTITY, "no_identity", 42, NULL)                               \
    REASON(BAD_NAME, "bad_name", 42, "upstream_name")                          \
    REASON(REVOKED, "revoked", 44, NULL)                                       \
    REASON(CRL_EXPIRED, "crl_expired", 44, "crl_missing")                      \
    REASON(CRL_MISSING, "crl_missing", 44, "crl_missing")                      \
    REASON(CRL_BAD, "crl_bad", 44, NULL)                                       \
    REASON(HANDSHAKE_TIMEOUT, "handshake_timeout", -1, "handshake_timeout")    \
    REASON(NOT_TLS, "not_tls", -1, NULL)                                       \
    REASON(NO_COMMON_CIPHER, "no_common_cipher", 40, "ciphers")                \
    REASON(VERSION, "version", 70, "tls_min")                                  \
    REASON(HANDSHAKE_FAILED, "handshake_failed", 40, NULL)                     \
    REASON(CLIENT_GONE, "client_gone", -1, NULL)                               \
    REASON(CLIENT_ALERT, "client_alert", -1, NULL)                             \
    REASON(KEEPER_GONE, "keeper_gone", 80, NULL)                               \
    REASON(SIGNING_BUDGET, "signing_budget", 80, NULL)                         \
    REASON(CRASHED_SOURCE, "crashed_source", -1, NULL)                         \
    REASON(NOT_FROM, "not_from", -1, "from")                                   \
    REASON(PER_SOURCE, "per_source", 80, "per_source")                         \
    REASON(PER_SOURCE_HANDSHAKING, "per_source_handshaking", 80,               \
           "per_source_handshaking")                                           \
    REASON(PER_SOURCE_RATE, "per_source_rate", 80, "per_source_rate")          \
    REASON(PER_SOURCE_PENALTY, "per_source_penalty", 80, "per_source_penalty") \
    REASON(MAX_HANDSHAKING, "max_handshaking", 80, "max_handshaking")          \
    REASON(POOL_FULL, "pool_full", 80, "workers")                              \
    REASON(UPSTREAM_REFUSED, "upstream_refused", 80, NULL)                     \
    REASON(UPSTREAM_TIMEOUT, "upstream_timeout", 80, "connect_timeout")        \
    REASON(UPSTREAM_NAME, "upstream_name", 80, NULL)                           \
    REASON(UPSTREAM_TLS, "upstream_tls", 80, NULL)                             \
    REASON(UPSTREAM_REFUSED_OUR_CERTIFICATE,                                   \
           "upstream_refused_our_certificate", 80, "upstream_cert")            \
    REASON(EXEC_FAILED, "exec_failed", 80, NULL)                               \
    REASON(SNI_UNKNOWN, "sni_unknown", 112, "sni_strict")                      \
    REASON(CLIENT_EOF, "client_eof", -1, NULL)                                 \
    REASON(UPSTREAM_EOF, "upstream_eof", -1, NULL)                             \
    REASON(CLIENT_TRUNCATED, "client_truncated", -1, NULL)                     \
    REASON(CLIENT_RESET, "client_reset", -1, NULL)                             \
    REASON(UPSTREAM_RESET, "upstream_reset", -1, NULL)                         \
    REASON(UPSTREAM_TRUNCATED, "upstream_truncated", -1, NULL)                 \
    REASON(CLIENT_ERROR, "client_error", -1, NULL)                             \
    REASON(UPSTREAM_ERROR, "upstream_error", -1, NULL)                         \
    REASON(IDLE_TIMEOUT, "idle_timeout", -1, "idle_timeout")                   \
    REASON(SESSION_TIMEOUT, "session_timeout", -1, "session_timeout")          \
    REASON(DRAIN_TIMEOUT, "drain_timeout", -1, "drain_timeout")                \
    REASON(STOPPED, "stopped", -1, NULL)                                       \
    REASON(RESPONDED, "responded", -1, NULL)                                   \
    REASON(BAD_REQUEST, "bad_request", -1, NULL)                               \
    REASON(KILLED, "killed", -1, NULL)                                         \
    REASON(INTERNAL, "internal", 80, NULL)

enum reason {
#define REASON(id, word, alert, hint) REASON_##id,
    REASONS(REASON)
#undef REASON
        REASON_COUNT
};

/* reason_word - the word; "internal" for a value outside the table */
const char *reason_word(enum reason reason);
/* reason_alert - the TLS alert that tells the peer, or -1 */
int reason_alert(enum reason reason);
/* reason_hint - the key that would admit it, or NULL */
const char *reason_hint(enum reason reason);
/* reason_valid - is a number from another process a reason? */
bool reason_valid(unsigned value);
/* reason_blames_client - a handshake that failed for it is the client's doing */
bool reason_blames_client(enum reason reason);
/* reason_exit - the exit code of a process that served one client alone and
 * whose session ended so: 0 in order; EXIT_TLS a peer was refused, or refused
 * us, or TLS failed; EXIT_SYS else */
int reason_exit(enum reason reason);
/* alert_refuses_us - does this alert from a peer say that it does not accept our
 * certificate, or misses one? */
bool alert_refuses_us(int alert);
/* alert_name - certificate_expired ...; "alert_N" in a static buffer else */
const char *alert_name(int alert);
#endif
