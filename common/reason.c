/*
 * reason.c - reason words, the alerts that go with them, alert names
 *
 * Owns the reading of the table in reason.h and the names of TLS alerts. Pure.
 * Must never be asked to trust a number: one from another process goes through
 * reason_valid, and every function here answers for any value.
 */
#include "common/reason.h"
#include "common/err.h"
#include <stddef.h>
#include <stdio.h>

static const struct {
    const char *word;
    int alert;
    const char *hint;
} reasons[REASON_COUNT] = {
#define REASON(id, word, alert, hint) [REASON_##id] = { word, alert, hint },
    REASONS(REASON)
#undef REASON
};

/* RFC 8446 6, RFC 5246 7.2, RFC 6066 9, RFC 7507 3 */
static const struct {
    int alert;
    const char *name;
} alerts[] = {
    { 0, "close_notify" },
    { 10, "unexpected_message" },
    { 20, "bad_record_mac" },
    { 21, "decryption_failed" },
    { 22, "record_overflow" },
    { 30, "decompression_failure" },
    { 40, "handshake_failure" },
    { 41, "no_certificate" },
    { 42, "bad_certificate" },
    { 43, "unsupported_certificate" },
    { 44, "certificate_revoked" },
    { 45, "certificate_expired" },
    { 46, "certificate_unknown" },
    { 47, "illegal_parameter" },
    { 48, "unknown_ca" },
    { 49, "access_denied" },
    { 50, "decode_error" },
    { 51, "decrypt_error" },
    { 60, "export_restriction" },
    { 70, "protocol_version" },
    { 71, "insufficient_security" },
    { 80, "internal_error" },
    { 86, "inappropriate_fallback" },
    { 90, "user_canceled" },
    { 100, "no_renegotiation" },
    { 109, "missing_extension" },
    { 110, "unsupported_extension" },
    { 111, "certificate_unobtainable" },
    { 112, "unrecognized_name" },
    { 113, "bad_certificate_status_response" },
    { 114, "bad_certificate_hash_value" },
    { 115, "unknown_psk_identity" },
    { 116, "certificate_required" },
    { 120, "no_application_protocol" },
};

bool
reason_valid(unsigned value)
{
    return value < REASON_COUNT;
}

/* index_of - a place in the table for any value */
static size_t
index_of(enum reason reason)
{
    return reason_valid((unsigned)reason) ? (size_t)reason : REASON_INTERNAL;
}

const char *
reason_word(enum reason reason)
{
    return reasons[index_of(reason)].word;
}

int
reason_alert(enum reason reason)
{
    return reasons[index_of(reason)].alert;
}

const char *
reason_hint(enum reason reason)
{
    return reasons[index_of(reason)].hint;
}

bool
reason_blames_client(enum reason reason)
{
    return (reason > REASON_NONE && reason <= REASON_CLIENT_ALERT) ||
           reason == REASON_SNI_UNKNOWN;
}

int
reason_exit(enum reason reason)
{
    switch ((int)reason) {
    case REASON_NONE:
    case REASON_CLIENT_EOF:
    case REASON_UPSTREAM_EOF:
    case REASON_RESPONDED:
    case REASON_BAD_REQUEST:
        return EXIT_OK;
    case REASON_NOT_FROM:
    case REASON_UPSTREAM_TLS:
    case REASON_UPSTREAM_REFUSED_OUR_CERTIFICATE:
        return EXIT_TLS;
    default:
        return reason_blames_client(reason) ? EXIT_TLS : EXIT_SYS;
    }
}

bool
alert_refuses_us(int alert)
{
    /* bad_certificate to certificate_unknown; unknown_ca, access_denied;
     * certificate_required */
    return (alert >= 42 && alert <= 46) || alert == 48 || alert == 49 ||
           alert == 116;
}

const char *
alert_name(int alert)
{
    static char other[32];

    for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++)
        if (alerts[i].alert == alert)
            return alerts[i].name;
    snprintf(other, sizeof(other), "alert_%d", alert);
    return other;
}
