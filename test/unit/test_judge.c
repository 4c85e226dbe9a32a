/* test_judge.c - chains from slots: the words of a handshake, and nothing that a
 * taken-over worker could write there hurts */
#include "common/slotchain.h"
#include "test/unit/child.h"
#include "test/unit/tls_pki.h"
#include "worker/judge.h"
#include "worker/recheck.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct conf_service service;
static struct tls_side *plain, *listed; /* listed: with revocation lists */
static struct slot *slot;

/* put - the certificates of these files become the slot's chain */
static void
put(const char *const *files)
{
    struct span chain[SLOTCHAIN_CERTS] = { { NULL, 0 } };
    size_t count, i;

    for (count = 0; files[count] != NULL; count++)
        chain[count].at = tls_der(files[count], &chain[count].len);
    assert_true(slotchain_put(&slot->chain, chain, count));
    slotchain_hold(&slot->chain);
    for (i = 0; i < count; i++)
        free((void *)(uintptr_t)chain[i].at);
}

static enum reason
look(const struct tls_side *side)
{
    const struct judge_case what = { .side = side, .conf = &service.client };

    return judge_look(&what, slot);
}

/* in this order: what one chain teaches must not help the next */
static const struct row {
    const char *chain[6];
    enum reason reason;
} rows[] = {
    { { "good-P-256.crt" }, REASON_NONE },
    { { "good-P-256.crt", "ca.crt" }, REASON_NONE },
    { { "good-rsa2048.crt" }, REASON_NONE },
    { { "good-ed25519.crt", "ca.crt" }, REASON_NONE },
    { { "leaf1.crt" }, REASON_UNKNOWN_CA },
    { { "leaf1.crt", "inter1.crt" }, REASON_NONE },
    { { "leaf1.crt" }, REASON_UNKNOWN_CA },
    { { "leaf2.crt", "inter2.crt", "inter1.crt", "ca.crt" }, REASON_NONE },
    { { "leaf2.crt", "inter2.crt", "inter1.crt" }, REASON_NONE },
    { { "leaf2.crt", "inter2.crt" }, REASON_UNKNOWN_CA },
    { { "leaf2.crt" }, REASON_UNKNOWN_CA },
    { { "leaf1.crt", "inter1.crt" }, REASON_NONE },
    { { "revoked1.crt", "inter1.crt" }, REASON_NONE },
    { { "leaf2.crt", "inter1.crt" }, REASON_UNKNOWN_CA },
    { { "leaf3.crt", "inter3.crt", "inter2.crt", "inter1.crt" },
      REASON_TOO_DEEP },
    { { "otherca.crt" }, REASON_UNKNOWN_CA },
    { { "otherca.crt", "other.crt" }, REASON_UNKNOWN_CA },
    { { "otherca.crt" }, REASON_UNKNOWN_CA },
    { { "leafother.crt", "interother.crt", "other.crt" }, REASON_UNKNOWN_CA },
    { { "selfleaf.crt" }, REASON_SELF_SIGNED },
    { { "sameca.crt" }, REASON_UNKNOWN_CA },
    { { "forged.crt" }, REASON_BAD_SIGNATURE },
    { { "expired.crt" }, REASON_EXPIRED },
    { { "early.crt" }, REASON_NOT_YET_VALID },
    { { "serveronly.crt" }, REASON_BAD_PURPOSE },
    { { "belowleaf.crt", "good-P-256.crt" }, REASON_BAD_PURPOSE },
    { { "v1.crt" }, REASON_X509_V1 },
    { { "rsa1024.crt" }, REASON_WEAK_KEY },
    { { "sha1.crt" }, REASON_WEAK_SIGNATURE },
    { { "empty.crt" }, REASON_NO_IDENTITY },
    { { "subjectissuer.crt" }, REASON_SUBJECT_IS_ISSUER },
    { { "leafserver.crt", "interserver.crt" }, REASON_BAD_PURPOSE },
    { { "leafnc.crt", "internc.crt" }, REASON_NAME_CONSTRAINT },
    { { "leafnc2.crt", "internc2.crt" }, REASON_NAME_CONSTRAINT },
    { { "leafnosign.crt", "internosign.crt" }, REASON_BAD_PURPOSE },
    { { "leafinterexpired.crt", "interexpired.crt" }, REASON_EXPIRED },
    { { "leafpath.crt", "interbelow.crt", "interpath.crt" },
      REASON_BAD_PURPOSE },
    { { "good-P-256.crt", "ca.crt" }, REASON_NONE },
};

static void
every_chain_has_the_word_of_a_handshake(void **state)
{
    size_t i, wrong = 0;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum reason reason;

        put(rows[i].chain);
        if ((reason = look(plain)) == rows[i].reason)
            continue;
        print_error("row %zu, %s: %s, not %s\n", i, rows[i].chain[0],
                    reason_word(reason), reason_word(rows[i].reason));
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static void
lists_are_asked(void **state)
{
    static const char *const good[] = { "good-P-256.crt", NULL },
                             *const bad[] = { "revoked.crt", NULL },
                             *const low[] = { "leafinterrevoked.crt",
                                              "interrevoked.crt", NULL };

    (void)state;
    put(good);
    assert_int_equal(look(listed), REASON_NONE);
    put(bad);
    assert_int_equal(look(listed), REASON_REVOKED);
    assert_int_equal(look(plain), REASON_NONE);
    put(low);
    service.client.crl_scope = CONF_CRL_CHAIN;
    assert_int_equal(look(listed), REASON_REVOKED);
    service.client.crl_scope = CONF_CRL_LEAF;
}

static void
no_certificate_is_what_verify_makes_of_it(void **state)
{
    static const char *const none[] = { NULL };
    static const char *const other[] = { "otherca.crt", NULL };
    const enum reason want[] = { [CONF_VERIFY_REQUIRE] = REASON_NO_CERTIFICATE,
                                 [CONF_VERIFY_OPTIONAL] = REASON_NONE,
                                 [CONF_VERIFY_NONE] = REASON_NONE };

    (void)state;
    for (long verify = CONF_VERIFY_REQUIRE; verify <= CONF_VERIFY_NONE;
         verify++) {
        service.client.verify = verify;
        put(none);
        assert_int_equal(look(plain), want[verify]);
        put(other);
        assert_int_equal(look(plain), verify == CONF_VERIFY_NONE
                                          ? REASON_NONE
                                          : REASON_UNKNOWN_CA);
    }
    service.client.verify = CONF_VERIFY_REQUIRE;
}

static void
without_a_session_there_is_no_verdict(void **state)
{
    static const char *const other[] = { "otherca.crt", NULL };
    const struct judge_case what = { .side = plain, .conf = &service.client };

    (void)state;
    put(other);
    slotchain_clear(&slot->chain);
    assert_int_equal(look(plain), REASON_NONE);
    assert_int_equal(judge_look(&what, NULL), REASON_NONE);
    put(other);
    slot->chain.turn |= 1; /* the worker writes */
    assert_int_equal(look(plain), REASON_NONE);
    slot->chain.turn++;
    assert_int_equal(look(plain), REASON_UNKNOWN_CA);
}

static void
chains_beyond_the_room_are_not_taken(void **state)
{
    static uint8_t bytes[SLOTCHAIN_ROOM];
    struct span many[SLOTCHAIN_CERTS + 1],
        wide[2] = { { bytes, 20000 }, { bytes, 5601 } };
    static struct slotchain_copy copy;

    (void)state;
    for (size_t i = 0; i <= SLOTCHAIN_CERTS; i++)
        many[i] = (struct span){ bytes, 1 };
    slotchain_hold(&slot->chain);
    assert_false(slotchain_put(&slot->chain, many, SLOTCHAIN_CERTS + 1));
    assert_true(slotchain_put(&slot->chain, many, SLOTCHAIN_CERTS));
    assert_false(slotchain_put(&slot->chain, wide, 2));
    assert_true(slotchain_get(&slot->chain, &copy));
    assert_int_equal(copy.count, 0);
    wide[1].len--;
    assert_true(slotchain_put(&slot->chain, wide, 2));
    assert_true(slotchain_get(&slot->chain, &copy));
    assert_int_equal(copy.count, 2);
}

/* hostile - what a taken-over worker could leave in a slot */
static void
hostile_slots_have_no_chain(void **state)
{
    static struct slotchain_copy copy;
    struct slotchain *chain = &slot->chain;

    (void)state;
    memset(slot, 0xff, sizeof(*slot));
    assert_int_equal(look(plain), REASON_NONE);
    memset(slot, 0, sizeof(*slot));
    chain->held = 1;
    chain->count = SLOTCHAIN_CERTS + 1;
    assert_false(slotchain_get(chain, &copy));
    chain->count = UINT32_MAX;
    assert_false(slotchain_get(chain, &copy));
    chain->count = 1;
    assert_false(slotchain_get(chain, &copy)); /* of no length */
    chain->len[0] = SLOTCHAIN_ROOM + 1;
    assert_false(slotchain_get(chain, &copy));
    chain->len[0] = UINT16_MAX;
    assert_false(slotchain_get(chain, &copy));
    chain->count = 2;
    chain->len[0] = SLOTCHAIN_ROOM;
    chain->len[1] = 1;
    assert_false(slotchain_get(chain, &copy));
    chain->count = 1;
    assert_int_equal(look(plain), REASON_BAD_CERTIFICATE);
}

static void
mangled_certificates_end_no_judge(void **state)
{
    static const char *const chain[] = { "leaf2.crt", "inter2.crt",
                                         "inter1.crt", NULL };
    unsigned seed = 20261121;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        put(chain);
        for (int bytes = 1 + round % 3; bytes > 0; bytes--) {
            seed = seed * 1103515245 + 12345;
            slot->chain.der[(seed >> 8) % 1500] ^=
                (uint8_t)(1 << (seed >> 28) % 8);
        }
        if (round % 5 == 0)
            slot->chain.len[round % 3] = (uint16_t)(seed >> 4);
        (void)look(plain);
    }
    put(chain);
    assert_int_equal(look(plain), REASON_NONE);
}

/* scribble - two chains in turn, until we are killed */
static void
scribble(void)
{
    static uint8_t a[3000], b[9000];
    const struct span chains[2][2] = { { { a, 1000 }, { a + 1000, 2000 } },
                                       { { b, 8000 }, { b + 8000, 1000 } } };

    memset(a, 'a', sizeof(a));
    memset(b, 'b', sizeof(b));
    slotchain_hold(&slot->chain);
    for (size_t i = 0;; i++) {
        slotchain_put(&slot->chain, chains[i % 2], 2);
        for (volatile unsigned pause = i % 4096; pause > 0;)
            pause--;
    }
}

static void
a_copy_is_whole_or_none(void **state)
{
    static struct slotchain_copy copy;
    size_t whole = 0, i, at;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        scribble();
    for (i = 0; i < 20000000 && whole < 2000; i++) {
        if (!slotchain_get(&slot->chain, &copy) || copy.count == 0)
            continue;
        whole++;
        assert_int_equal(copy.count, 2);
        assert_true(copy.cert[0].len + copy.cert[1].len ==
                    (copy.der[0] == 'a' ? 3000u : 9000u));
        for (at = 1; at < copy.cert[0].len + copy.cert[1].len; at++)
            if (copy.der[at] != copy.der[0])
                fail_msg("a copy of two chains");
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_true(whole > 0);
}

static int
start(void **state)
{
    static const char *const certs[] = { "server-P-256.chain", NULL };
    static const char *const crls[] = { "list.crl", NULL };

    (void)state;
    service = tls_service();
    plain = tls_server(&service, certs, "ca.crt", NULL);
    listed = tls_server(&service, certs, "ca.crt", crls);
    slot = mmap(NULL, sizeof(*slot), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return plain == NULL || listed == NULL || slot == MAP_FAILED;
}

static int
stop(void **state)
{
    (void)state;
    context_free(plain);
    context_free(listed);
    munmap(slot, sizeof(*slot));
    return 0;
}

static int
fresh(void **state)
{
    (void)state;
    memset(slot, 0, sizeof(*slot));
    return 0;
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(every_chain_has_the_word_of_a_handshake),
        TEST(lists_are_asked),
        TEST(no_certificate_is_what_verify_makes_of_it),
        TEST(without_a_session_there_is_no_verdict),
        TEST(chains_beyond_the_room_are_not_taken),
        TEST(hostile_slots_have_no_chain),
        TEST(mangled_certificates_end_no_judge),
        TEST(a_copy_is_whole_or_none),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
