/*
 * test_keywire.c - only a packet that follows the page is a packet
 */
#include "common/keywire.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ok - is this a request when it comes with this many bytes behind the head? */
static bool
ok(uint8_t op, uint8_t side, uint8_t key, uint8_t alg, uint16_t len,
   size_t came)
{
    static struct keywire_request request; /* 16 KiB that nobody looks at */

    request.op = op;
    request.side = side;
    request.key = key;
    request.alg = alg;
    request.len = len;
    return keywire_request_ok(&request, KEYWIRE_REQUEST_HEAD + came);
}

/* every algorithm number there is with every length: exactly the table */
static void
lengths_of_a_side(uint8_t side, unsigned most)
{
    for (unsigned alg = 0; alg < 256; alg++)
        for (unsigned len = 0; len <= most + 2; len++) {
            bool want;

            switch (alg) {
            case KEYWIRE_ECDSA:
                want = len == 32 || len == 48 || len == 64;
                break;
            case KEYWIRE_ED25519:
                want = len >= 1 && len <= most;
                break;
            case KEYWIRE_RSA_PKCS1_SHA256:
            case KEYWIRE_RSA_PSS_SHA256:
                want = len == 32;
                break;
            case KEYWIRE_RSA_PKCS1_SHA384:
            case KEYWIRE_RSA_PSS_SHA384:
                want = len == 48;
                break;
            case KEYWIRE_RSA_PKCS1_SHA512:
            case KEYWIRE_RSA_PSS_SHA512:
                want = len == 64;
                break;
            default:
                want = false;
            }
            assert_int_equal(
                ok(KEYWIRE_SIGN, side, 0, (uint8_t)alg, (uint16_t)len, len),
                want);
        }
}

static void
lengths_belong_to_algorithms(void **state)
{
    (void)state;
    lengths_of_a_side(KEYWIRE_CLIENT_SIDE, KEYWIRE_MESSAGE_MAX);
    lengths_of_a_side(KEYWIRE_UPSTREAM_SIDE, KEYWIRE_DATA_MAX);
}

static void
every_other_rule_counts(void **state)
{
    (void)state;
    assert_true(ok(KEYWIRE_SIGN, 1, 0, KEYWIRE_ECDSA, 32, 32));
    assert_false(ok(0, 1, 0, KEYWIRE_ECDSA, 32, 32));
    assert_false(ok(2, 1, 0, KEYWIRE_ECDSA, 32, 32));
    assert_false(ok(KEYWIRE_SIGN, 2, 0, KEYWIRE_ECDSA, 32, 32));
    assert_true(ok(KEYWIRE_SIGN, 1, 1, KEYWIRE_ECDSA, 32, 32));
    assert_true(ok(KEYWIRE_SIGN, 0, 255, KEYWIRE_ECDSA, 32, 32));
    assert_false(ok(KEYWIRE_SIGN, 1, 0, KEYWIRE_ECDSA, 32, 31));
    assert_false(ok(KEYWIRE_SIGN, 1, 0, KEYWIRE_ECDSA, 32, 33));
    assert_false(ok(KEYWIRE_SIGN, 1, 0, KEYWIRE_ECDSA, 65535, 32));
    assert_false(ok(KEYWIRE_SIGN, 1, 0, KEYWIRE_ED25519, 65535, 65535));
}

/* a short packet is not read behind its end: the sanitizer watches */
static void
short_packets_are_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < KEYWIRE_REQUEST_HEAD; len++) {
        void *packet = malloc(len > 0 ? len : 1);

        memset(packet, 1, len > 0 ? len : 1);
        assert_false(keywire_request_ok(packet, len));
        if (len < KEYWIRE_REPLY_HEAD)
            assert_false(keywire_reply_ok(packet, len));
        free(packet);
    }
}

static void
replies_follow_the_page(void **state)
{
    struct keywire_reply reply = { .status = KEYWIRE_OK,
                                   .len = KEYWIRE_SIG_MAX };

    (void)state;
    assert_true(keywire_reply_ok(&reply, KEYWIRE_REPLY_HEAD + KEYWIRE_SIG_MAX));
    assert_false(
        keywire_reply_ok(&reply, KEYWIRE_REPLY_HEAD + KEYWIRE_SIG_MAX - 1));
    reply.len++;
    assert_false(
        keywire_reply_ok(&reply, KEYWIRE_REPLY_HEAD + KEYWIRE_SIG_MAX + 1));
    reply.len = 0;
    assert_false(keywire_reply_ok(&reply, KEYWIRE_REPLY_HEAD));
    reply.status = KEYWIRE_FAILED;
    assert_true(keywire_reply_ok(&reply, KEYWIRE_REPLY_HEAD));
    reply.len = 1;
    assert_false(keywire_reply_ok(&reply, KEYWIRE_REPLY_HEAD + 1));
    reply.status = KEYWIRE_SPENT;
    assert_false(keywire_reply_ok(&reply, KEYWIRE_REPLY_HEAD + 1));
    reply.len = 0;
    assert_true(keywire_reply_ok(&reply, KEYWIRE_REPLY_HEAD));
    reply = (struct keywire_reply){ .status = 3 };
    assert_false(keywire_reply_ok(&reply, KEYWIRE_REPLY_HEAD));
}

static void
digest_lengths(void **state)
{
    (void)state;
    assert_int_equal(keywire_digest_len(KEYWIRE_RSA_PSS_SHA384), 48);
    assert_int_equal(keywire_digest_len(KEYWIRE_ECDSA), 0);
    assert_int_equal(keywire_digest_len((enum keywire_alg)200), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_belong_to_algorithms),
        cmocka_unit_test(every_other_rule_counts),
        cmocka_unit_test(short_packets_are_refused),
        cmocka_unit_test(replies_follow_the_page),
        cmocka_unit_test(digest_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
