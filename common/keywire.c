/*
 * keywire.c - does a packet follow the page of rules in keywire.h?
 *
 * Owns the length rules of both directions. Pure; reads no byte behind len.
 * Must never repair anything: what breaks a rule is no packet.
 */
#include "common/keywire.h"

/* one row per algorithm; digest 0: more than one length fits */
static const struct {
    enum keywire_alg alg;
    size_t digest;
} algs[] = {
    { KEYWIRE_ECDSA, 0 },
    { KEYWIRE_ED25519, 0 },
    { KEYWIRE_RSA_PKCS1_SHA256, 32 },
    { KEYWIRE_RSA_PKCS1_SHA384, 48 },
    { KEYWIRE_RSA_PKCS1_SHA512, 64 },
    { KEYWIRE_RSA_PSS_SHA256, 32 },
    { KEYWIRE_RSA_PSS_SHA384, 48 },
    { KEYWIRE_RSA_PSS_SHA512, 64 },
};

size_t
keywire_digest_len(enum keywire_alg alg)
{
    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++)
        if (algs[i].alg == alg)
            return algs[i].digest;
    return 0;
}

/* data_len_ok - may alg, a number from another process, sign len bytes? */
static bool
data_len_ok(unsigned side, unsigned alg, size_t len)
{
    size_t most =
        side == KEYWIRE_UPSTREAM_SIDE ? KEYWIRE_DATA_MAX : KEYWIRE_MESSAGE_MAX;

    if (alg == KEYWIRE_ECDSA)
        return len == 32 || len == 48 || len == 64;
    if (alg == KEYWIRE_ED25519)
        return len >= 1 && len <= most;
    /* an unknown algorithm has digest length 0, and 0 is no length */
    return len > 0 && len == keywire_digest_len((enum keywire_alg)alg);
}

bool
keywire_request_ok(const struct keywire_request *request, size_t len)
{
    return len >= KEYWIRE_REQUEST_HEAD && request->op == KEYWIRE_SIGN &&
           (request->side == KEYWIRE_CLIENT_SIDE ||
            request->side == KEYWIRE_UPSTREAM_SIDE) &&
           data_len_ok(request->side, request->alg, request->len) &&
           len == KEYWIRE_REQUEST_HEAD + request->len;
}

bool
keywire_reply_ok(const struct keywire_reply *reply, size_t len)
{
    if (len < KEYWIRE_REPLY_HEAD || len != KEYWIRE_REPLY_HEAD + reply->len)
        return false;
    if (reply->status == KEYWIRE_FAILED || reply->status == KEYWIRE_SPENT)
        return reply->len == 0;
    return reply->status == KEYWIRE_OK && reply->len > 0 &&
           reply->len <= KEYWIRE_SIG_MAX;
}
