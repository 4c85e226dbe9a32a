/*
 * test_keyfile.c - every form of every kind of key is read, signs, and is
 * verified by openssl(1); everything else is refused with its own sentence
 */
#include "common/err.h"
#include "master/keyfile.h"
#include "master/keypem.h"
#include "test/unit/keygen.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
    const char *name, *kind;
} kinds[] = {
    { "p256", "ec:P-256" }, { "p384", "ec:P-384" }, { "p521", "ec:P-521" },
    { "rsa2", "rsa:2048" }, { "rsa3", "rsa:3072" }, { "rsa4", "rsa:4096" },
    { "ed", "ed25519" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static int
setup(void **state)
{
    struct why why;

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        keygen_key(kinds[i].name, kinds[i].kind);
        keygen_run("openssl pkey -in %s.key -pubout -outform DER -out %s.pub",
                   kinds[i].name, kinds[i].name);
    }
    return keyfile_start(&why) == ERR_OK ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    keyfile_stop();
    return 0;
}

static enum err
read_key(const char *name, struct keyfile **key, struct why *why)
{
    int fd = open(keygen_path(name), O_RDONLY | O_CLOEXEC);
    enum err err;

    assert_true(fd >= 0);
    *key = NULL;
    err = keyfile_read(fd, name, key, why);
    assert_int_equal(lseek(fd, 0, SEEK_CUR),
                     0); /* the position is shared: never moved */
    close(fd);
    return err;
}

/* must_read - read it, and its public key is what openssl says of `same` */
static struct keyfile *
must_read(const char *name, const char *same)
{
    struct keyfile *key;
    struct why why = { "" };
    char public_name[64];
    const uint8_t *der;
    uint8_t *want;
    size_t len, want_len;

    if (read_key(name, &key, &why) != ERR_OK)
        fail_msg("%s", why.text);
    snprintf(public_name, sizeof(public_name), "%s.pub", same);
    want = keygen_read(public_name, &want_len);
    keyfile_public(key, &der, &len);
    assert_int_equal(len, want_len);
    assert_memory_equal(der, want, len);
    free(want);
    return key;
}

static void
pkcs8_is_read_and_public_key_is_right(void **state)
{
    char name[64];

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        snprintf(name, sizeof(name), "%s.key", kinds[i].name);
        keyfile_free(must_read(name, kinds[i].name));
    }
}

static void
every_other_form_is_read(void **state)
{
    static const struct {
        const char *same, *command;
    } rows[] = {
        { "p256", "openssl pkey -in p256.key -traditional -out form" },
        { "p521", "openssl pkey -in p521.key -traditional -out form" },
        { "rsa2", "openssl pkey -in rsa2.key -traditional -out form" },
        { "p256", "openssl pkey -in p256.key -outform DER -out form" },
        { "p384",
          "openssl pkey -in p384.key -traditional -outform DER -out form" },
        { "rsa4", "openssl pkey -in rsa4.key -outform DER -out form" },
        { "rsa4",
          "openssl pkey -in rsa4.key -traditional -outform DER -out form" },
        { "ed", "openssl pkey -in ed.key -outform DER -out form" },
        /* with the parameter block that ecparam -genkey writes */
        { "p256", "{ openssl ecparam -name P-256; openssl pkey -in p256.key "
                  "-traditional; } >form" },
        /* without the public point */
        { "p256", "openssl ec -in p256.key -no_public -out form" },
        { "p384", "openssl ec -in p384.key -no_public -outform DER -out form" },
        /* text before, a public key behind, carriage returns, blanks */
        { "rsa2", "{ echo Bag Attributes; cat rsa2.key; openssl pkey -in "
                  "rsa2.key -pubout; } >form" },
        { "ed", "sed 's/$/\\r/' ed.key >form" },
        { "ed", "sed 's/$/  /' ed.key >form" },
        /* no newline at the end */
        { "ed", "printf %s \"$(cat ed.key)\" >form" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        keygen_run("%s", rows[i].command);
        keyfile_free(must_read("form", rows[i].same));
    }
}

/* verifies - does openssl accept sig over msg? */
static bool
verifies(const char *key, const char *options, const uint8_t *sig,
         size_t sig_len)
{
    keygen_write("sig", sig, sig_len);
    return keygen_try("openssl pkeyutl -verify -inkey %s.key %s -in digest "
                      "-sigfile sig",
                      key, options) == 0;
}

static void
signatures_verify(void **state)
{
#define PSS(bits)              \
    "-pkeyopt digest:sha" bits \
    " -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:digest"
    static const struct {
        const char *key;
        enum keywire_alg alg;
        size_t len;
        const char *options;
    } rows[] = {
        { "p256", KEYWIRE_ECDSA, 32, "" },
        { "p256", KEYWIRE_ECDSA, 48, "" }, /* longer than the order */
        { "p256", KEYWIRE_ECDSA, 64, "" },
        { "p384", KEYWIRE_ECDSA, 32, "" },
        { "p384", KEYWIRE_ECDSA, 48, "" },
        { "p384", KEYWIRE_ECDSA, 64, "" },
        { "p521", KEYWIRE_ECDSA, 32, "" },
        { "p521", KEYWIRE_ECDSA, 64, "" },
        { "ed", KEYWIRE_ED25519, 1, "-rawin" },
        { "ed", KEYWIRE_ED25519, KEYWIRE_DATA_MAX, "-rawin" },
        { "rsa2", KEYWIRE_RSA_PKCS1_SHA256, 32, "-pkeyopt digest:sha256" },
        { "rsa2", KEYWIRE_RSA_PKCS1_SHA384, 48, "-pkeyopt digest:sha384" },
        { "rsa3", KEYWIRE_RSA_PKCS1_SHA512, 64, "-pkeyopt digest:sha512" },
        { "rsa4", KEYWIRE_RSA_PKCS1_SHA256, 32, "-pkeyopt digest:sha256" },
        { "rsa2", KEYWIRE_RSA_PSS_SHA256, 32, PSS("256") },
        { "rsa3", KEYWIRE_RSA_PSS_SHA384, 48, PSS("384") },
        { "rsa4", KEYWIRE_RSA_PSS_SHA512, 64, PSS("512") },
    };
    uint8_t data[KEYWIRE_DATA_MAX], sig[KEYWIRE_SIG_MAX];
    char name[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct keyfile *key;
        size_t len;

        snprintf(name, sizeof(name), "%s.key", rows[i].key);
        key = must_read(name, rows[i].key);
        memset(data, (int)i + 0xa0,
               sizeof(data)); /* the top bit set: no lucky short digest */
        keygen_write("digest", data, rows[i].len);
        assert_true(keyfile_can(key, rows[i].alg));
        len = keyfile_sign(key, rows[i].alg, data, rows[i].len, sig);
        if (len == 0 || !verifies(rows[i].key, rows[i].options, sig, len))
            fail_msg("row %zu: %s with algorithm %d", i, rows[i].key,
                     rows[i].alg);
        sig[len - 1] ^= 1; /* and the check can fail */
        assert_false(verifies(rows[i].key, rows[i].options, sig, len));
        keyfile_free(key);
    }
}

static void
a_key_signs_only_what_fits_it(void **state)
{
    static const struct {
        const char *key;
        enum keywire_alg first, last;
    } rows[] = {
        { "p256", KEYWIRE_ECDSA, KEYWIRE_ECDSA },
        { "ed", KEYWIRE_ED25519, KEYWIRE_ED25519 },
        { "rsa2", KEYWIRE_RSA_PKCS1_SHA256, KEYWIRE_RSA_PSS_SHA512 },
    };
    uint8_t data[KEYWIRE_DATA_MAX] = { 1 }, sig[KEYWIRE_SIG_MAX];
    char name[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct keyfile *key;

        snprintf(name, sizeof(name), "%s.key", rows[i].key);
        key = must_read(name, rows[i].key);
        for (int alg = -1; alg < 300; alg++) {
            bool fits = alg >= (int)rows[i].first && alg <= (int)rows[i].last;
            size_t len = keywire_digest_len((enum keywire_alg)alg);

            assert_int_equal(keyfile_can(key, (enum keywire_alg)alg), fits);
            len = keyfile_sign(key, (enum keywire_alg)alg, data,
                               len == 0 ? 32 : len, sig);
            assert_int_equal(len > 0, fits);
        }
        keyfile_free(key);
    }
}

static void
a_digest_of_the_wrong_length_is_not_signed(void **state)
{
    struct keyfile *key = must_read("rsa2.key", "rsa2");
    uint8_t data[KEYWIRE_DATA_MAX] = { 0 }, sig[KEYWIRE_SIG_MAX];

    (void)state;
    assert_int_equal(keyfile_sign(key, KEYWIRE_RSA_PKCS1_SHA256, data, 31, sig),
                     0);
    assert_int_equal(keyfile_sign(key, KEYWIRE_RSA_PSS_SHA256, data, 48, sig),
                     0);
    keyfile_free(key);
}

/* refused - ERR_FILE with the path and these words */
static void
refused(const char *what, const char *words)
{
    struct keyfile *key;
    struct why why = { "" };

    if (read_key("bad", &key, &why) != ERR_FILE)
        fail_msg("accepted: %s", what);
    if (strncmp(why.text, "bad ", 4) != 0 || strstr(why.text, words) == NULL)
        fail_msg("%s: said \"%s\", wanted \"%s\"", what, why.text, words);
    assert_null(strchr(why.text, '\n'));
}

static void
what_is_no_good_key_is_refused_and_says_why(void **state)
{
    static const struct {
        const char *command, *words;
    } rows[] = {
        { "openssl pkcs8 -topk8 -in p256.key -passout pass:x -out bad",
          "is encrypted" },
        { "openssl pkcs8 -topk8 -in p256.key -passout pass:x -outform DER -out "
          "bad",
          "is encrypted" },
        { "openssl rsa -in rsa2.key -traditional -aes128 -passout pass:x -out "
          "bad",
          "openssl pkey -in" },
        { "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out "
          "bad",
          "1024 bits" },
        { "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2047 -out "
          "bad",
          "2047 bits" },
        { "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:5120 -out "
          "bad",
          "5120 bits" },
        { "openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 "
          "-out bad",
          "restricted to RSA-PSS" },
        { "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-224 -out "
          "bad",
          "another curve" },
        { "openssl ecparam -name secp256k1 -genkey -noout -out bad",
          "another curve" },
        { "openssl ecparam -name P-256 -param_enc explicit -genkey -noout -out "
          "bad",
          "spells its curve out" },
        { "openssl genpkey -algorithm ed448 -out bad", "Ed448" },
        { "openssl genpkey -algorithm x25519 -out bad", "cannot sign" },
        { "openssl pkey -in p256.key -pubout -out bad",
          "holds no private key" },
        { "cat p256.key ed.key >bad", "more than one private key" },
        { "head -n 2 p256.key >bad", "without its END line" },
        { "sed s/END/BEGIN/ p256.key >bad", "without its END line" },
        { "sed 's/END PRIVATE/END EC PRIVATE/' p256.key >bad",
          "without its END line" },
        { "sed 2s/^...../!!!!!/ p256.key >bad", "not base64" },
        { "sed 3d rsa2.key >bad", "PKCS#8" },
        { ": >bad", "PKCS#8" },
        { "echo hello >bad", "PKCS#8" },
        { "openssl pkey -in p256.key -outform DER -out bad; echo >>bad",
          "behind its key" },
        { "openssl pkey -in p256.key -outform DER | head -c 100 >bad",
          "PKCS#8" },
        { "openssl pkey -in p256.key -pubout -outform DER -out bad", "is" },
        { "yes 0 | head -c 40000 >bad", "longer than 32 KiB" },
        { "openssl dhparam -dsaparam -out dh 512; openssl genpkey -paramfile "
          "dh -out bad",
          "algorithm" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        keygen_try("rm -f bad; %s", rows[i].command);
        refused(rows[i].command, rows[i].words);
    }
}

/* damaged - flip one byte of the DER at an offset from the end of a
 * traditional key */
static void
damaged(const char *key, size_t from_end, const char *words)
{
    uint8_t *der;
    size_t len;

    keygen_run("openssl pkey -in %s.key -traditional -outform DER -out der",
               key);
    der = keygen_read("der", &len);
    der[len - from_end] ^= 0x10;
    keygen_write("bad", der, len);
    free(der);
    refused(key, words);
}

static void
a_key_whose_parts_disagree_is_refused(void **state)
{
    (void)state;
    damaged("p256", 10, "does not parse");  /* the public point */
    damaged("p256", 100, "does not parse"); /* the scalar */
    damaged("p521", 200, "does not parse");
    damaged("rsa2", 20, "damaged");   /* the CRT coefficient */
    damaged("rsa2", 200, "damaged");  /* an exponent */
    damaged("rsa2", 1100, "damaged"); /* the modulus */
}

static void
memory_of_any_content_is_parsed_or_refused(void **state)
{
    uint8_t *der;
    size_t len;

    (void)state;
    keygen_run("openssl pkey -in p256.key -outform DER -out der");
    der = keygen_read("der", &len);
    for (size_t cut = 0; cut < len;
         cut++) { /* every prefix, from memory that ends there */
        uint8_t *copy = malloc(cut + 1);
        struct keyfile *key = NULL;
        struct why why;

        memcpy(copy, der, cut);
        assert_int_equal(keyfile_parse(copy, cut, "x", &key, &why), ERR_FILE);
        free(copy);
    }
    for (size_t i = 0; i < len; i++) { /* every byte changed */
        struct keyfile *key = NULL;
        struct why why;

        der[i] ^= 0xff;
        if (keyfile_parse(der, len, "x", &key, &why) == ERR_OK)
            keyfile_free(key);
        der[i] ^= 0xff;
    }
    free(der);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(pkcs8_is_read_and_public_key_is_right),
        cmocka_unit_test(every_other_form_is_read),
        cmocka_unit_test(signatures_verify),
        cmocka_unit_test(a_key_signs_only_what_fits_it),
        cmocka_unit_test(a_digest_of_the_wrong_length_is_not_signed),
        cmocka_unit_test(what_is_no_good_key_is_refused_and_says_why),
        cmocka_unit_test(a_key_whose_parts_disagree_is_refused),
        cmocka_unit_test(memory_of_any_content_is_parsed_or_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
