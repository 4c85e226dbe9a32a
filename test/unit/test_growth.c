/* test_growth.c - what a handshake looks up does not cost more where there is
 * more of it: comparisons are counted, no clock is asked */
/* wrap: memcmp wolfSSL_CertManagerUnloadIntermediateCerts */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/mem.h"
#include "common/tlsside.h"
#include "test/unit/tls_serve.h"
#include "worker/chain.h"
#include "worker/crl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t compared;

int __wrap_memcmp(const void *a, const void *b, size_t len);
int __real_memcmp(const void *a, const void *b, size_t len);

int
__wrap_memcmp(const void *a, const void *b, size_t len)
{
    compared++;
    return __real_memcmp(a, b, len);
}

/* log2_of - rounded up */
static size_t
log2_of(size_t n)
{
    size_t bits = 0;

    while ((size_t)1 << bits < n)
        bits++;
    return bits;
}

/* mixed - a number of its own for each i, in no order */
static uint32_t
mixed(size_t i)
{
    return (uint32_t)i * 2654435761u;
}

static void
put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* ---- one list ----------------------------------------------------------- */

#define ENTRY_LEN (2 + 2 + 8 + 2 + 13)

/* entry - SEQUENCE { INTEGER, UTCTime }; the serial begins with no zero */
static void
entry(uint8_t *at, uint32_t serial)
{
    memcpy(at, "\x30\x19\x02\x08QQQQ....\x17\x0d", 14);
    put32(at + 8, serial);
    memcpy(at + 14, "250101000000Z", 13);
}

static void
list_make(struct x509_crl *crl, size_t count)
{
    uint8_t *at = mem_new(count * ENTRY_LEN);
    size_t i;

    memset(crl, 0, sizeof(*crl));
    for (i = 0; i < count; i++)
        entry(at + i * ENTRY_LEN, mixed(i));
    crl->revoked = (struct span){ at, count * ENTRY_LEN };
    crl->count = count;
    x509_crl_sort(crl, mem_array(NULL, count, sizeof(uint32_t)));
}

static void
list_free(struct x509_crl *crl)
{
    free((void *)(uintptr_t)crl->serial);
    free((void *)(uintptr_t)crl->revoked.at);
}

/* listed - is it? and it took a search by halves */
static bool
listed(const struct x509_crl *crl, uint32_t number)
{
    uint8_t serial[8] = "QQQQ";
    bool found;

    put32(serial + 4, number);
    compared = 0;
    found = x509_crl_lists(crl, (struct span){ serial, sizeof(serial) });
    assert_in_range(compared, 1, log2_of(crl->count) + 1);
    return found;
}

static void
a_serial_in_a_list(void **state)
{
    static const size_t sizes[] = { 2, 1000, 100000, 1000000 };
    struct x509_crl crl;
    size_t i, k;

    (void)state;
    for (k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        compared = 0;
        list_make(&crl, sizes[k]);
        assert_in_range(compared, 1, sizes[k] * log2_of(sizes[k]));
        for (i = 0; i < 1000; i++) {
            assert_true(listed(&crl, mixed(i * sizes[k] / 1000)));
            assert_false(listed(&crl, mixed(sizes[k] + i)));
        }
        list_free(&crl);
    }
}

/* ---- many authorities, many lists --------------------------------------- */

#define NAME_LEN 16

/* name_make - as if it were a Name */
static struct span
name_make(uint8_t *names, size_t i)
{
    uint8_t *at = names + i * NAME_LEN;

    memcpy(at, "name of a CA", 12);
    put32(at + 12, mixed(i / 2)); /* two of each */
    return (struct span){ at, NAME_LEN };
}

/* side_make - count anchors and lists, two by each name, the older one first */
static void
side_make(struct tls_side *side, uint8_t *names, size_t count)
{
    size_t i;

    memset(side, 0, sizeof(*side));
    side->anchor_count = side->crl_count = count;
    side->anchor = mem_array(NULL, count, sizeof(*side->anchor));
    side->crl = mem_array(NULL, count, sizeof(*side->crl));
    memset(side->anchor, 0, count * sizeof(*side->anchor));
    memset(side->crl, 0, count * sizeof(*side->crl));
    for (i = 0; i < count; i++) {
        side->anchor[i].subject = name_make(names, i);
        side->crl[i].crl.issuer = side->anchor[i].subject;
        side->crl[i].crl.this_update = (time_t)(i % 2);
    }
    tls_side_sort_anchors(side);
    tls_side_sort_crls(side);
}

static void
an_authority_by_its_name(void **state)
{
    static const size_t sizes[] = { 2, 100, 1000, 100000 };
    static uint8_t names[100000 * NAME_LEN], other[100002 * NAME_LEN];
    const struct tls_anchor *anchor;
    const struct tls_crl *list;
    struct tls_side side;
    struct span name;
    size_t i, k, n;

    (void)state;
    for (k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        side_make(&side, names, sizes[k]);
        for (i = 0; i < sizes[k]; i += sizes[k] / 100 + 1) {
            name = name_make(other, i);
            compared = 0;
            anchor = tls_side_anchors(&side, name, &n);
            list = tls_side_crls(&side, name, &n);
            assert_in_range(compared, 2, 2 * (log2_of(sizes[k]) + 4));
            assert_int_equal(n, 2);
            assert_true(span_equal(anchor[0].subject, name));
            assert_true(span_equal(anchor[1].subject, name));
            assert_int_equal(list[0].crl.this_update, 1);
            assert_int_equal(list[1].crl.this_update, 0);
        }
        name = name_make(other, sizes[k] + 1);
        assert_null(tls_side_anchors(&side, name, &n));
        assert_int_equal(n, 0);
        assert_null(tls_side_crls(&side, name, &n));
        assert_int_equal(n, 0);
        free(side.anchor);
        free(side.crl);
    }
}

/* ---- the whole question -------------------------------------------------- */

static bool
nobody(const struct x509_crl *crl, struct span spki)
{
    (void)crl;
    (void)spki;
    return false;
}

/* judged - comparisons for one client, count strangers among our anchors and
 * their lists */
static size_t
judged(struct span leaf, size_t count)
{
    static uint8_t names[100000 * NAME_LEN];
    struct tls_side side;
    struct crl_case what = { .chain = &leaf,
                             .count = 1,
                             .side = &side,
                             .scope_chain = true,
                             .signed_by = nobody };
    int depth;

    side_make(&side, names, count);
    compared = 0;
    assert_int_equal(crl_judge(&what, &depth), REASON_CRL_MISSING);
    free(side.anchor);
    free(side.crl);
    return compared;
}

static void
a_client_among_many_authorities(void **state)
{
    struct span leaf;
    uint8_t *der;
    size_t few;

    (void)state;
    leaf.at = der = tls_der("good-P-256.crt", &leaf.len);
    few = judged(leaf, 2);
    assert_in_range(judged(leaf, 100000), few, few + 2 * log2_of(100000));
    free(der);
}

/* ---- what a peer's chain has taught the context ------------------------- */

static size_t unloaded;

int __wrap_wolfSSL_CertManagerUnloadIntermediateCerts(void *manager);
int __real_wolfSSL_CertManagerUnloadIntermediateCerts(void *manager);

int
__wrap_wolfSSL_CertManagerUnloadIntermediateCerts(void *manager)
{
    unloaded++;
    return __real_wolfSSL_CertManagerUnloadIntermediateCerts(manager);
}

/* reason_of - what came of a client, and how often all authorities were walked
 * for it */
static enum reason
reason_of(struct server *server, const char *name, bool tls13, size_t *walks)
{
    struct result *result = test_calloc(1, sizeof(*result));
    enum reason reason;

    unloaded = 0;
    connect_as(server, name, tls13, result);
    *walks = unloaded;
    reason = result->reason;
    test_free(result);
    return reason;
}

/* a_chain_is_forgotten_when_there_is_one - and nobody looks for one else */
static void
a_chain_is_forgotten_when_there_is_one(void **state)
{
    struct server server = { .service = tls_service() };
    size_t walks, i;

    (void)state;
    server_start(&server, "server-P-256", "ca.crt");
    for (i = 0; i < 4; i++) {
        bool tls13 = i % 2 == 0;

        assert_int_equal(reason_of(&server, "good-P-256", tls13, &walks),
                         REASON_NONE);
        assert_int_equal(walks, 0);
        assert_int_equal(reason_of(&server, "leaf1", tls13, &walks),
                         REASON_NONE);
        assert_int_equal(walks, 1);
        assert_int_equal(reason_of(&server, "leaf1alone", tls13, &walks),
                         REASON_UNKNOWN_CA);
        assert_int_equal(walks, 0);
    }
    server_end(&server);
}

/* leaf1alone - leaf1, whose chain does not come along */
static int
make_leaf1alone(void **state)
{
    (void)state;
    return symlink(tls_path("leaf1.crt"), tls_path("leaf1alone.crt")) != 0 ||
           symlink(tls_path("leaf1.key"), tls_path("leaf1alone.key")) != 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_serial_in_a_list),
        cmocka_unit_test(an_authority_by_its_name),
        cmocka_unit_test(a_client_among_many_authorities),
        cmocka_unit_test_setup(a_chain_is_forgotten_when_there_is_one,
                               make_leaf1alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
