/*
 * test_upper.c - the library leaves the upper halves of the AVX registers clean
 *
 * On some CPUs SHA-256 by the CPU's own instructions is 70 times slower while
 * they are in use (mtlsd-internals(7), "What a handshake costs"). What the
 * registers hold is asked of the CPU, so that the trap shows on every x86-64
 * with AVX2, not only where it hurts; where it hurts, the clock says so, too.
 */
#include <wolfssl/options.h>
#include "common/err.h"
#include "master/keyfile.h"
#include "test/unit/keygen.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/sha256.h>
#include <wolfssl/wolfcrypt/sha512.h>

#include <cmocka.h>

#ifdef __x86_64__
#include <cpuid.h>

#define UPPER_AVX    0x04u
#define UPPER_AVX512 0x40u

/* tells - can this CPU be asked (XGETBV with ECX = 1), and has it AVX2? */
static bool
tells(void)
{
    unsigned a, b, c, d;

    return __get_cpuid_count(0xd, 1, &a, &b, &c, &d) != 0 && (a & 4u) != 0 &&
           __builtin_cpu_supports("avx2") != 0;
}

/* in_use - does an upper half hold anything? */
static bool
in_use(void)
{
    unsigned low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
    return (low & (UPPER_AVX | UPPER_AVX512)) != 0;
}

static void
use(void)
{
    __asm__ volatile("vpcmpeqd %%ymm15, %%ymm15, %%ymm15" ::: "xmm15");
}

static void
clean(void)
{
    __asm__ volatile("vzeroupper" ::: "memory");
}
#else /* no such registers: the clock alone */
static bool
tells(void)
{
    return false;
}

static bool
in_use(void)
{
    return false;
}

static void
use(void)
{
}

static void
clean(void)
{
}
#endif

static WC_RNG rng;
static uint8_t block[4096], out[sizeof(block)], tag[16];
static const uint8_t secret[32] = { 1, 2, 3 };

/* --- what a handshake and its records do ---------------------------------- */

/* ec - a new key, a signature, its verification, an agreement */
static void
ec(int size)
{
    uint8_t sig[ECC_MAX_SIG_SIZE];
    word32 len = sizeof(sig), got = sizeof(out);
    ecc_key key;
    int good = 0;

    assert_int_equal(wc_ecc_init(&key), 0);
    assert_int_equal(wc_ecc_make_key(&rng, size, &key), 0);
    assert_int_equal(wc_ecc_set_rng(&key, &rng), 0);
    assert_int_equal(wc_ecc_sign_hash(secret, 32, sig, &len, &rng, &key), 0);
    assert_int_equal(wc_ecc_verify_hash(sig, len, secret, 32, &good, &key), 0);
    assert_int_equal(good, 1);
    assert_int_equal(wc_ecc_shared_secret(&key, &key, out, &got), 0);
    wc_ecc_free(&key);
}

static void
p256(void)
{
    ec(32);
}

static void
p384(void)
{
    ec(48);
}

static void
p521(void)
{
    ec(66);
}

static void
x25519(void)
{
    curve25519_key key;
    word32 got = sizeof(out);

    assert_int_equal(wc_curve25519_init(&key), 0);
    assert_int_equal(wc_curve25519_make_key(&rng, 32, &key), 0);
    assert_int_equal(wc_curve25519_shared_secret(&key, &key, out, &got), 0);
    wc_curve25519_free(&key);
}

/* kept - a signature by the keeper's own hand */
static void
kept(const char *name, enum keywire_alg alg)
{
    uint8_t sig[KEYWIRE_SIG_MAX];
    struct keyfile *key;
    struct why why;
    size_t len;
    uint8_t *pem = keygen_read(name, &len);

    assert_int_equal(keyfile_parse(pem, len, name, &key, &why), ERR_OK);
    clean();
    assert_true(keyfile_sign(key, alg, secret, sizeof(secret), sig) > 0);
    assert_true(!tells() || !in_use());
    keyfile_free(key);
    free(pem);
}

static void
rsa(void)
{
    kept("rsa.key", KEYWIRE_RSA_PSS_SHA256);
}

static void
ed25519(void)
{
    kept("ed.key", KEYWIRE_ED25519);
}

static void
aes_gcm(void)
{
    Aes aes;

    assert_int_equal(wc_AesInit(&aes, NULL, INVALID_DEVID), 0);
    assert_int_equal(wc_AesGcmSetKey(&aes, secret, 16), 0);
    assert_int_equal(wc_AesGcmEncrypt(&aes, out, block, sizeof(block), secret,
                                      12, tag, 16, secret, 5),
                     0);
    wc_AesFree(&aes);
}

static void
chacha(void)
{
    assert_int_equal(wc_ChaCha20Poly1305_Encrypt(secret, secret, secret, 5,
                                                 block, sizeof(block), out,
                                                 tag),
                     0);
}

static void
sha256(void)
{
    assert_int_equal(wc_Sha256Hash(block, sizeof(block), out), 0);
}

static void
sha384(void)
{
    assert_int_equal(wc_Sha384Hash(block, sizeof(block), out), 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} works[] = {
    { "P-256", p256 },      { "P-384", p384 },    { "P-521", p521 },
    { "X25519", x25519 },   { "RSA", rsa },       { "Ed25519", ed25519 },
    { "AES-GCM", aes_gcm }, { "ChaCha", chacha }, { "SHA-256", sha256 },
    { "SHA-384", sha384 },
};

/* the probe itself: without this the next test could not fail */
static void
use_is_seen(void **state)
{
    (void)state;
    if (!tells())
        return;
    use();
    assert_true(in_use());
    clean();
    assert_false(in_use());
}

static void
nothing_leaves_them_in_use(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
        clean();
        works[i].run();
        if (tells() && in_use())
            fail_msg("%s leaves upper halves in use", works[i].name);
    }
}

static long long
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* fastest - SHA-256 of 4 KiB, the best of many: what disturbs, only adds */
static long long
fastest(void (*before)(void))
{
    long long best = 0;

    for (int i = 0; i < 64; i++) {
        long long start;

        before();
        start = now_ns();
        sha256();
        start = now_ns() - start;
        if (i == 0 || start < best)
            best = start;
    }
    return best;
}

static void
sha256_is_as_fast_after_p256(void **state)
{
    long long clear = fastest(clean), after = fastest(p256);

    (void)state;
    assert_in_range(after, 1, 8 * clear);
}

static int
setup(void **state)
{
    struct why why;

    (void)state;
    keygen_key("rsa", "rsa:2048");
    keygen_key("ed", "ed25519");
    return keyfile_start(&why) == ERR_OK ? wc_InitRng(&rng) : -1;
}

static int
teardown(void **state)
{
    (void)state;
    wc_FreeRng(&rng);
    keyfile_stop();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(use_is_seen),
        cmocka_unit_test(nothing_leaves_them_in_use),
        cmocka_unit_test(sha256_is_as_fast_after_p256),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
