/* test_verify.c - our own rules for chains, and the library's words made exact */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test/unit/tls_pki.h"
#include "worker/chain.h"

#include <stdlib.h>
#include <string.h>

/* judge - the certificates of these files as a chain */
static enum reason
judge(const char *const *files, enum reason objection, int objection_depth,
      int verify_depth, int *depth)
{
    struct span chain[CHAIN_MAX];
    uint8_t *der[CHAIN_MAX];
    struct chain_case what = { .chain = chain,
                               .objection = objection,
                               .objection_depth = objection_depth,
                               .verify_depth = verify_depth };
    enum reason reason;
    size_t i;

    for (what.count = 0; files[what.count] != NULL; what.count++) {
        der[what.count] = tls_der(files[what.count], &chain[what.count].len);
        chain[what.count].at = der[what.count];
    }
    reason = chain_judge(&what, depth);
    for (i = 0; i < what.count; i++)
        free(der[i]);
    return reason;
}

static const struct row {
    const char *chain[6];
    enum reason objection;
    int objection_depth;
    int verify_depth;
    enum reason reason;
    int depth;
} rows[] = {
    { { "good-P-256.crt" }, REASON_NONE, 0, 0, REASON_NONE, 0 },
    { { "good-P-256.crt", "ca.crt" }, REASON_NONE, 0, 0, REASON_NONE, 0 },
    { { "leaf1.crt", "inter1.crt" }, REASON_NONE, 0, 0, REASON_TOO_DEEP, 1 },
    { { "leaf1.crt", "inter1.crt" }, REASON_NONE, 0, 1, REASON_NONE, 0 },
    { { "leaf2.crt", "inter2.crt", "inter1.crt", "ca.crt" },
      REASON_NONE,
      0,
      2,
      REASON_NONE,
      0 },
    { { "leaf2.crt", "inter2.crt", "inter1.crt", "ca.crt" },
      REASON_NONE,
      0,
      1,
      REASON_TOO_DEEP,
      2 },
    /* the library's objection is never lifted */
    { { "good-P-256.crt" }, REASON_EXPIRED, 0, 0, REASON_EXPIRED, 0 },
    { { "good-P-256.crt" },
      REASON_BAD_CERTIFICATE,
      0,
      0,
      REASON_BAD_CERTIFICATE,
      0 },
    { { "good-P-256.crt" }, REASON_INTERNAL, 0, 0, REASON_INTERNAL, 0 },
    { { "good-P-256.crt" }, REASON_EXPIRED, 7, 0, REASON_EXPIRED, 7 },
    { { NULL }, REASON_NONE, 0, 0, REASON_INTERNAL, 0 },
    { { NULL }, REASON_UNKNOWN_CA, 0, 0, REASON_UNKNOWN_CA, 0 },
    /* one word of the library, several of ours */
    { { "otherca.crt" }, REASON_UNKNOWN_CA, 0, 2, REASON_UNKNOWN_CA, 0 },
    { { "selfleaf.crt" }, REASON_UNKNOWN_CA, 0, 2, REASON_SELF_SIGNED, 0 },
    { { "otherca.crt", "other.crt" },
      REASON_UNKNOWN_CA,
      1,
      2,
      REASON_UNKNOWN_CA,
      1 },
    { { "belowleaf.crt", "good-P-256.crt" },
      REASON_UNKNOWN_CA,
      0,
      2,
      REASON_BAD_PURPOSE,
      1 },
    { { "secp256k1.crt" }, REASON_BAD_CERTIFICATE, 0, 2, REASON_WEAK_KEY, 0 },
    { { "sha1.crt" }, REASON_BAD_SIGNATURE, 0, 2, REASON_WEAK_SIGNATURE, 0 },
    /* what the library would let in */
    { { "rsa1024.crt" }, REASON_NONE, 0, 2, REASON_WEAK_KEY, 0 },
    { { "sha1.crt" }, REASON_NONE, 0, 2, REASON_WEAK_SIGNATURE, 0 },
    { { "sha1pss.crt" }, REASON_NONE, 0, 2, REASON_WEAK_SIGNATURE, 0 },
    { { "good-pss.crt" }, REASON_NONE, 0, 2, REASON_NONE, 0 },
    { { "v1.crt" }, REASON_NONE, 0, 2, REASON_X509_V1, 0 },
    { { "subjectissuer.crt" }, REASON_NONE, 0, 2, REASON_SUBJECT_IS_ISSUER, 0 },
    { { "ca.crt" }, REASON_NONE, 0, 2, REASON_SUBJECT_IS_ISSUER, 0 },
    { { "empty.crt" }, REASON_NONE, 0, 2, REASON_NO_IDENTITY, 0 },
    { { "good-sanonly.crt" }, REASON_NONE, 0, 2, REASON_NONE, 0 },
    { { "serveronly.crt" }, REASON_NONE, 0, 2, REASON_BAD_PURPOSE, 0 },
    { { "good-any.crt" }, REASON_NONE, 0, 2, REASON_NONE, 0 },
    { { "good-plain.crt" }, REASON_NONE, 0, 2, REASON_NONE, 0 },
    { { "nosign.crt" }, REASON_NONE, 0, 2, REASON_BAD_PURPOSE, 0 },
    { { "leafserver.crt", "interserver.crt" },
      REASON_NONE,
      0,
      2,
      REASON_BAD_PURPOSE,
      1 },
    { { "leafnc.crt", "internc.crt" },
      REASON_NONE,
      0,
      2,
      REASON_NAME_CONSTRAINT,
      1 },
    { { "leafnosign.crt", "internosign.crt" },
      REASON_NONE,
      0,
      2,
      REASON_BAD_PURPOSE,
      1 },
    { { "leafintersha1.crt", "intersha1.crt" },
      REASON_NONE,
      0,
      2,
      REASON_WEAK_SIGNATURE,
      1 },
    { { "leafinterweak.crt", "interweak.crt" },
      REASON_NONE,
      0,
      2,
      REASON_WEAK_KEY,
      1 },
};

static void
every_chain_gets_its_word(void **state)
{
    size_t i;
    int depth;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum reason reason =
            judge(rows[i].chain, rows[i].objection, rows[i].objection_depth,
                  rows[i].verify_depth, &depth);

        if (reason != rows[i].reason || depth != rows[i].depth)
            fail_msg("row %zu: %s at %d", i, reason_word(reason), depth);
    }
}

/* no byte changed anywhere may crash it, nor give a yes to what is no DER */
static void
broken_bytes_are_refused(void **state)
{
    size_t len, i;
    uint8_t *der = tls_der("good-P-256.crt", &len);
    struct span chain = { der, 0 };
    struct chain_case what = { .chain = &chain, .count = 1, .verify_depth = 2 };
    int depth;

    (void)state;
    for (i = 0; i < len; i++) {
        chain.len = i;
        assert_int_equal(chain_judge(&what, &depth), REASON_BAD_CERTIFICATE);
    }
    for (i = 0; i < len; i++) {
        chain.len = len;
        der[i] ^= 0x80;
        (void)chain_judge(&what, &depth);
        der[i] ^= 0x80;
    }
    free(der);
}

/* ---- sides -------------------------------------------------------------- */

static const struct {
    const char *cert;
    enum chain_side side;
    bool allow_v1;
    enum reason reason;
} sides[] = {
    { "good-P-256.crt", CHAIN_CLIENT, false, REASON_NONE },
    { "good-P-256.crt", CHAIN_UPSTREAM, false, REASON_BAD_PURPOSE },
    { "server-P-256.crt", CHAIN_CLIENT, false, REASON_BAD_PURPOSE },
    { "server-P-256.crt", CHAIN_UPSTREAM, false, REASON_NONE },
    { "good-any.crt", CHAIN_UPSTREAM, false, REASON_NONE },
    { "good-plain.crt", CHAIN_UPSTREAM, false, REASON_NONE },
    { "v1.crt", CHAIN_UPSTREAM, false, REASON_X509_V1 },
    { "v1.crt", CHAIN_UPSTREAM, true, REASON_NONE },
    { "v1.crt", CHAIN_CLIENT, true, REASON_NONE },
    { "rsa1024.crt", CHAIN_CLIENT, true, REASON_WEAK_KEY },
};

static void
each_side_has_its_purpose(void **state)
{
    struct span chain;
    struct chain_case what;
    uint8_t *der;
    size_t i;
    int depth;

    (void)state;
    for (i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
        der = tls_der(sides[i].cert, &chain.len);
        chain.at = der;
        what = (struct chain_case){ .chain = &chain,
                                    .count = 1,
                                    .side = sides[i].side,
                                    .allow_v1 = sides[i].allow_v1 };
        if (chain_judge(&what, &depth) != sides[i].reason)
            fail_msg("row %zu (%s): %s", i, sides[i].cert,
                     reason_word(chain_judge(&what, &depth)));
        free(der);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_side_has_its_purpose),
        cmocka_unit_test(every_chain_gets_its_word),
        cmocka_unit_test(broken_bytes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
