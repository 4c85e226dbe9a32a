/*
 * test_random.c - random bytes are the kernel's, for everybody
 *
 * getrandom(2) is wrapped, so that it can fail, and give little.
 */
/* wrap: getrandom */
#include <wolfssl/options.h>

#include "common/err.h"
#include "test/unit/child.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/ecc.h>

#include <cmocka.h>

#define DRAW 32u

static size_t most = SIZE_MAX; /* that the kernel gives at once */
static int fails;              /* errno of the next calls */
static int interrupted;        /* so many calls are, first */

ssize_t __real_getrandom(void *out, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t size, unsigned flags);

ssize_t
__wrap_getrandom(void *out, size_t size, unsigned flags)
{
    if (fails != 0 || interrupted > 0) {
        errno = fails != 0 ? fails : EINTR;
        interrupted -= fails == 0;
        return -1;
    }
    return __real_getrandom(out, size < most ? size : most, flags);
}

static int
reset(void **state)
{
    (void)state;
    most = SIZE_MAX;
    fails = interrupted = 0;
    return 0;
}

/* one - what a child draws from a generator that its parent made */
struct one {
    WC_RNG *rng;
    uint8_t *out;
};

static void
draw(void *arg)
{
    struct one *one = arg;

    child_must(wc_RNG_GenerateBlock(one->rng, one->out, DRAW) == 0);
}

/* as nobody of ours does: the generator is there before the fork */
static void
siblings_and_parent_differ(void **state)
{
    uint8_t *out = mmap(NULL, 3 * DRAW, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    WC_RNG rng;
    struct one one = { &rng, out };

    (void)state;
    assert_ptr_not_equal(out, MAP_FAILED);
    assert_int_equal(wc_InitRng(&rng), 0);
    assert_true(child_run(draw, &one));
    one.out = out + DRAW;
    assert_true(child_run(draw, &one));
    assert_int_equal(wc_RNG_GenerateBlock(&rng, out + 2 * DRAW, DRAW), 0);
    assert_memory_not_equal(out, out + DRAW, DRAW);
    assert_memory_not_equal(out, out + 2 * DRAW, DRAW);
    assert_memory_not_equal(out + DRAW, out + 2 * DRAW, DRAW);
    wc_FreeRng(&rng);
    munmap(out, 3 * DRAW);
}

#ifdef CUSTOM_RAND_GENERATE_BLOCK /* the library that etc/build-wolfssl makes */

/* touched - has every part of what was asked for been written? */
static bool
touched(const uint8_t *out, size_t size)
{
    static const uint8_t none[16];

    for (size_t i = 0; i + sizeof(none) <= size; i += sizeof(none))
        if (memcmp(out + i, none, sizeof(none)) == 0)
            return false;
    return true;
}

/* RSA of 4096 bits draws 512 bytes; getrandom(2) may give less than asked for
 * beyond 256 */
static void
large_draws_are_whole(void **state)
{
    uint8_t out[1024] = { 0 };
    WC_RNG rng;

    (void)state;
    assert_int_equal(wc_InitRng(&rng), 0);
    most = 100;
    interrupted = 2;
    assert_int_equal(wc_RNG_GenerateBlock(&rng, out, sizeof(out)), 0);
    assert_int_equal(interrupted, 0);
    assert_true(touched(out, sizeof(out)));
    wc_FreeRng(&rng);
}

/* what a handshake and a keeper make of them */
static void
without_random_bytes_nothing_is_made(void **state)
{
    uint8_t hash[32] = { 1 }, out[80];
    word32 len = sizeof(out);
    curve25519_key share;
    ecc_key key;
    WC_RNG rng;

    (void)state;
    assert_int_equal(wc_InitRng(&rng), 0);
    assert_int_equal(wc_ecc_init(&key), 0);
    assert_int_equal(wc_curve25519_init(&share), 0);
    assert_int_equal(wc_ecc_make_key(&rng, 32, &key), 0);
    fails = EAGAIN;
    assert_int_not_equal(wc_RNG_GenerateBlock(&rng, out, 1), 0);
    assert_int_not_equal(wc_curve25519_make_key(&rng, 32, &share), 0);
    assert_int_not_equal(
        wc_ecc_sign_hash(hash, sizeof(hash), out, &len, &rng, &key), 0);
    fails = 0;
    assert_int_equal(wc_curve25519_make_key(&rng, 32, &share), 0);
    wc_curve25519_free(&share);
    wc_ecc_free(&key);
    wc_FreeRng(&rng);
}
#endif

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, reset)
    const struct CMUnitTest tests[] = {
        TEST(siblings_and_parent_differ),
#ifdef CUSTOM_RAND_GENERATE_BLOCK
        TEST(large_draws_are_whole),
        TEST(without_random_bytes_nothing_is_made),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
