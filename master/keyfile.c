/*
 * keyfile.c - private keys: parse, check, sign
 *
 * Owns every private key object and the keeper's random generator. Called in
 * the keeper only, inside keymem_run; everything it allocates comes from the
 * library's allocator, which is the secret arena there.
 * Never logs, and no sentence of it holds a byte of a key.
 */
#include <wolfssl/options.h>

#include "master/keyfile.h"
#include "master/keypem.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>

struct keyfile {
    enum keypem_kind kind;
    bool made; /* the union below is initialised */
    union {
        RsaKey rsa;
        ecc_key ec;
        ed25519_key ed;
    } as;
    size_t public_len;
    uint8_t public_der[KEYFILE_PUBLIC_MAX];
};

static WC_RNG *rng; /* only the pointer lives outside the arena */

enum err
keyfile_start(struct why *why)
{
    int ret;

    rng = XMALLOC(sizeof(*rng), NULL, DYNAMIC_TYPE_RNG);
    if (rng == NULL)
        return why_set(why, ERR_NOMEM, "no memory for the random generator");
    ret = wc_InitRng(rng);
    if (ret == 0)
        return ERR_OK;
    XFREE(rng, NULL, DYNAMIC_TYPE_RNG);
    rng = NULL;
    return why_set(why, ERR_TLS, "random generator: %s",
                   wc_GetErrorString(ret));
}

void
keyfile_stop(void)
{
    if (rng != NULL)
        wc_FreeRng(rng);
    XFREE(rng, NULL, DYNAMIC_TYPE_RNG);
    rng = NULL;
}

/* --- signing --- */

struct scheme { /* what a keywire_alg means to the library */
    enum keypem_kind kind;
    enum wc_HashType hash;
    int mgf; /* 0: not PSS */
};

static bool
scheme_of(enum keywire_alg alg, struct scheme *out)
{
    static const struct scheme schemes[] = {
        [KEYWIRE_ECDSA] = { KEYPEM_EC, WC_HASH_TYPE_NONE, 0 },
        [KEYWIRE_ED25519] = { KEYPEM_ED25519, WC_HASH_TYPE_NONE, 0 },
        [KEYWIRE_RSA_PKCS1_SHA256] = { KEYPEM_RSA, WC_HASH_TYPE_SHA256, 0 },
        [KEYWIRE_RSA_PKCS1_SHA384] = { KEYPEM_RSA, WC_HASH_TYPE_SHA384, 0 },
        [KEYWIRE_RSA_PKCS1_SHA512] = { KEYPEM_RSA, WC_HASH_TYPE_SHA512, 0 },
        [KEYWIRE_RSA_PSS_SHA256] = { KEYPEM_RSA, WC_HASH_TYPE_SHA256,
                                     WC_MGF1SHA256 },
        [KEYWIRE_RSA_PSS_SHA384] = { KEYPEM_RSA, WC_HASH_TYPE_SHA384,
                                     WC_MGF1SHA384 },
        [KEYWIRE_RSA_PSS_SHA512] = { KEYPEM_RSA, WC_HASH_TYPE_SHA512,
                                     WC_MGF1SHA512 },
    };

    if ((size_t)alg >= sizeof(schemes) / sizeof(schemes[0]) ||
        (int)alg < KEYWIRE_ECDSA)
        return false;
    *out = schemes[alg];
    return true;
}

bool
keyfile_can(const struct keyfile *key, enum keywire_alg alg)
{
    struct scheme scheme;

    return scheme_of(alg, &scheme) && scheme.kind == key->kind;
}

/* sign_pkcs1 - over the DigestInfo of a digest; compares what the public key
 * makes of it */
static size_t
sign_pkcs1(RsaKey *key, const struct scheme *scheme, const uint8_t *digest,
           size_t len, uint8_t *sig)
{
    uint8_t info[MAX_DER_DIGEST_SZ], seen[KEYWIRE_SIG_MAX];
    int oid = wc_HashGetOID(scheme->hash);
    word32 info_len;
    int ret, got;

    if (oid < 0 || wc_HashGetDigestSize(scheme->hash) != (int)len)
        return 0;
    info_len = wc_EncodeSignature(info, digest, (word32)len, oid);
    ret = wc_RsaSSL_Sign(info, info_len, sig, KEYWIRE_SIG_MAX, key, rng);
    if (ret <= 0)
        return 0;
    got = wc_RsaSSL_Verify(sig, (word32)ret, seen, sizeof(seen), key);
    if (got != (int)info_len || memcmp(seen, info, info_len) != 0)
        return 0;
    return (size_t)ret;
}

/* sign_pss - the salt is as long as the digest, RFC 8446 4.2.3 */
static size_t
sign_pss(RsaKey *key, const struct scheme *scheme, const uint8_t *digest,
         size_t len, uint8_t *sig)
{
    uint8_t seen[KEYWIRE_SIG_MAX];
    int ret;

    ret = wc_RsaPSS_Sign(digest, (word32)len, sig, KEYWIRE_SIG_MAX,
                         scheme->hash, scheme->mgf, key, rng);
    if (ret <= 0 ||
        wc_RsaPSS_VerifyCheck(sig, (word32)ret, seen, sizeof(seen), digest,
                              (word32)len, scheme->hash, scheme->mgf, key) < 0)
        return 0;
    return (size_t)ret;
}

static size_t
sign_rsa(RsaKey *key, const struct scheme *scheme, const uint8_t *digest,
         size_t len, uint8_t *sig)
{
    return scheme->mgf == 0 ? sign_pkcs1(key, scheme, digest, len, sig)
                            : sign_pss(key, scheme, digest, len, sig);
}

size_t
keyfile_sign(struct keyfile *key, enum keywire_alg alg, const uint8_t *data,
             size_t len, uint8_t sig[KEYWIRE_SIG_MAX])
{
    struct scheme scheme;
    word32 sig_len = KEYWIRE_SIG_MAX;
    size_t done = 0;

    if (!scheme_of(alg, &scheme) || scheme.kind != key->kind)
        return 0;
    switch (key->kind) {
    case KEYPEM_RSA:
        done = sign_rsa(&key->as.rsa, &scheme, data, len, sig);
        break;
    case KEYPEM_EC: /* DER; a digest above the order is cut, FIPS 186-4 6.4 */
        if (wc_ecc_sign_hash(data, (word32)len, sig, &sig_len, rng,
                             &key->as.ec) == 0)
            done = sig_len;
        break;
    case KEYPEM_ED25519:
        if (wc_ed25519_sign_msg(data, (word32)len, sig, &sig_len,
                                &key->as.ed) == 0)
            done = sig_len;
        break;
    }
    if (done ==
        0) /* a wrong RSA signature must not even stay in the caller's packet */
        memset(sig, 0, KEYWIRE_SIG_MAX);
    return done;
}

/* --- the public key --- */

/* der_head - tag and length, at most four bytes; returns how many */
static size_t
der_head(uint8_t *at, uint8_t tag, size_t len)
{
    size_t used = 0;

    at[used++] = tag;
    if (len >= 0x100) {
        at[used++] = 0x82;
        at[used++] = (uint8_t)(len >> 8);
    } else if (len >= 0x80) {
        at[used++] = 0x81;
    }
    at[used++] = (uint8_t)len;
    return used;
}

/* der_number - an unsigned number as INTEGER; returns how many bytes */
static size_t
der_number(uint8_t *at, const uint8_t *value, size_t len)
{
    bool pad = len == 0 || value[0] >= 0x80;
    size_t used = der_head(at, 0x02, len + pad);

    if (pad)
        at[used++] = 0;
    memcpy(at + used, value, len);
    return used + len;
}

/*
 * public_rsa - SEQUENCE { rsaEncryption, NULL }, BIT STRING { n, e }: written
 * here because the library has its writer only in builds with key generation.
 */
static size_t
public_rsa(struct keyfile *key)
{
    static const uint8_t algorithm[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a,
                                         0x86, 0x48, 0x86, 0xf7, 0x0d,
                                         0x01, 0x01, 0x01, 0x05, 0x00 };
    uint8_t n[KEYWIRE_SIG_MAX], e[KEYWIRE_SIG_MAX];
    uint8_t body[KEYFILE_PUBLIC_MAX * 2], bits[16], list[16];
    word32 n_len = sizeof(n), e_len = sizeof(e);
    size_t body_len, list_len, bits_len, used;

    if (wc_RsaFlattenPublicKey(&key->as.rsa, e, &e_len, n, &n_len) != 0 ||
        e_len > 32)
        return 0;
    body_len = der_number(body, n, n_len);
    body_len += der_number(body + body_len, e, e_len);
    list_len = der_head(list, 0x30, body_len);
    bits_len = der_head(bits, 0x03, 1 + list_len + body_len);
    bits[bits_len++] = 0; /* unused bits */
    used = der_head(key->public_der, 0x30,
                    sizeof(algorithm) + bits_len + list_len + body_len);
    if (used + sizeof(algorithm) + bits_len + list_len + body_len >
        KEYFILE_PUBLIC_MAX)
        return 0;
    memcpy(key->public_der + used, algorithm, sizeof(algorithm));
    used += sizeof(algorithm);
    memcpy(key->public_der + used, bits, bits_len);
    used += bits_len;
    memcpy(key->public_der + used, list, list_len);
    used += list_len;
    memcpy(key->public_der + used, body, body_len);
    return used + body_len;
}

static bool
public_make(struct keyfile *key)
{
    int ret = 0;

    switch (key->kind) {
    case KEYPEM_RSA:
        ret = (int)public_rsa(key);
        break;
    case KEYPEM_EC:
        ret = wc_EccPublicKeyToDer(&key->as.ec, key->public_der,
                                   KEYFILE_PUBLIC_MAX, 1);
        break;
    case KEYPEM_ED25519:
        ret = wc_Ed25519PublicKeyToDer(&key->as.ed, key->public_der,
                                       KEYFILE_PUBLIC_MAX, 1);
        break;
    }
    key->public_len = ret > 0 ? (size_t)ret : 0;
    return ret > 0;
}

void
keyfile_public(const struct keyfile *key, const uint8_t **der, size_t *len)
{
    *der = key->public_der;
    *len = key->public_len;
}

/* --- parsing and checking --- */

static int
make_rsa(RsaKey *key, const uint8_t *der, word32 len)
{
    word32 at = 0;
    int ret = wc_RsaPrivateKeyDecode(der, &at, key, len);

    return ret != 0 ? ret
                    : wc_RsaSetRNG(key, rng); /* blinds private operations */
}

/* make_ec - a file without the public point is completed, one with it must
 * be right */
static int
make_ec(ecc_key *key, const uint8_t *der, word32 len)
{
    word32 at = 0;
    int ret = wc_EccPrivateKeyDecode(der, &at, key, len);

    if (ret == 0)
        ret = wc_ecc_set_rng(key, rng);
    if (ret == 0 && key->type == ECC_PRIVATEKEY_ONLY)
        ret = wc_ecc_make_pub_ex(key, NULL, rng);
    return ret != 0 ? ret : wc_ecc_check_key(key);
}

static int
make_ed25519(ed25519_key *key, const uint8_t *der, word32 len)
{
    uint8_t public_key[ED25519_PUB_KEY_SIZE];
    word32 at = 0;
    int ret = wc_Ed25519PrivateKeyDecode(der, &at, key, len);

    if (ret == 0 && !key->pubKeySet) {
        ret = wc_ed25519_make_public(key, public_key, sizeof(public_key));
        if (ret == 0)
            ret = wc_ed25519_import_public(public_key, sizeof(public_key), key);
    }
    return ret != 0 ? ret : wc_ed25519_check_key(key);
}

static int
make(struct keyfile *key, const uint8_t *der, word32 len)
{
    int ret = BAD_FUNC_ARG;

    switch (key->kind) {
    case KEYPEM_RSA:
        ret = wc_InitRsaKey(&key->as.rsa, NULL);
        key->made = ret == 0;
        return key->made ? make_rsa(&key->as.rsa, der, len) : ret;
    case KEYPEM_EC:
        ret = wc_ecc_init(&key->as.ec);
        key->made = ret == 0;
        return key->made ? make_ec(&key->as.ec, der, len) : ret;
    case KEYPEM_ED25519:
        ret = wc_ed25519_init(&key->as.ed);
        key->made = ret == 0;
        return key->made ? make_ed25519(&key->as.ed, der, len) : ret;
    }
    return ret;
}

/* proves - RSA signatures are verified as they are made (sign_pkcs1); the
 * others' public keys were computed from the private ones */
static bool
proves(struct keyfile *key)
{
    static const enum keywire_alg algs[] = {
        [KEYPEM_RSA] = KEYWIRE_RSA_PKCS1_SHA256,
        [KEYPEM_EC] = KEYWIRE_ECDSA,
        [KEYPEM_ED25519] = KEYWIRE_ED25519,
    };
    static const uint8_t digest[32] = { 0x6d, 0x74, 0x6c, 0x73, 0x64 };
    uint8_t sig[KEYWIRE_SIG_MAX];

    return keyfile_sign(key, algs[key->kind], digest, sizeof(digest), sig) > 0;
}

/* from_der - everything behind the encoding; why goes on after the path */
static enum err
from_der(const uint8_t *der, size_t len, struct keyfile **out, struct why *why)
{
    struct keypem look;
    struct keyfile *key;
    enum err err = keypem_look(der, len, &look, why);
    int ret;

    if (err != ERR_OK)
        return err;
    key = XMALLOC(sizeof(*key), NULL, DYNAMIC_TYPE_TMP_BUFFER);
    if (key == NULL)
        return why_set(why, ERR_NOMEM, "does not fit into the keeper's memory");
    memset(key, 0, sizeof(*key));
    key->kind = look.kind;
    ret = make(key, der, (word32)len);
    if (ret == MEMORY_E)
        err = why_set(why, ERR_NOMEM, "does not fit into the keeper's memory");
    else if (ret != 0)
        err = why_set(why, ERR_FORMAT, "does not parse: %s",
                      wc_GetErrorString(ret));
    else if (!proves(key))
        err = why_set(why, ERR_FORMAT,
                      "is damaged: what it signs does not verify");
    else if (!public_make(key))
        err = why_set(why, ERR_FORMAT, "has no public key that can be written");
    if (err != ERR_OK) {
        keyfile_free(key);
        return err;
    }
    *out = key;
    return ERR_OK;
}

static void
wipe_free(uint8_t *at, size_t len)
{
    if (at != NULL)
        explicit_bzero(at, len);
    XFREE(at, NULL, DYNAMIC_TYPE_TMP_BUFFER);
}

static enum err
from_pem(const uint8_t *text, size_t len, struct keyfile **out, struct why *why)
{
    const uint8_t *body;
    size_t body_len;
    uint8_t *der;
    word32 der_len;
    enum err err = keypem_find(text, len, &body, &body_len, why);

    if (err != ERR_OK)
        return err;
    der = XMALLOC(body_len + 1, NULL, DYNAMIC_TYPE_TMP_BUFFER);
    if (der == NULL)
        return why_set(why, ERR_NOMEM, "does not fit into the keeper's memory");
    der_len = (word32)body_len;
    if (Base64_Decode(body, (word32)body_len, der, &der_len) != 0)
        err = why_set(why, ERR_FORMAT,
                      "has a private key block that is not base64");
    else
        err = from_der(der, der_len, out, why);
    wipe_free(der, body_len + 1);
    return err;
}

enum err
keyfile_parse(const uint8_t *data, size_t len, const char *path,
              struct keyfile **out, struct why *why)
{
    struct why inner = { "" };
    enum err err;

    if (len > KEYFILE_MAX)
        return why_set(why, ERR_FILE, "%s is longer than %u KiB", path,
                       KEYFILE_MAX >> 10);
    err = keypem_is(data, len) ? from_pem(data, len, out, &inner)
                               : from_der(data, len, out, &inner);
    if (err == ERR_OK)
        return ERR_OK;
    return why_set(why, err == ERR_NOMEM ? ERR_NOMEM : ERR_FILE, "%.256s %s",
                   path, inner.text);
}

/* read_whole - into the arena, nowhere else; *len at most KEYFILE_MAX + 1 */
static enum err
read_whole(int fd, const char *path, uint8_t *data, size_t *len,
           struct why *why)
{
    ssize_t n;

    for (*len = 0; *len <= KEYFILE_MAX; *len += (size_t)n) {
        n = pread(fd, data + *len, KEYFILE_MAX + 1 - *len, (off_t)*len);
        if (n < 0 && errno == EINTR)
            n = 0;
        else if (n < 0)
            return why_errno(why, ERR_FILE, "%s", path);
        else if (n == 0)
            break;
    }
    return ERR_OK;
}

enum err
keyfile_read(int fd, const char *path, struct keyfile **out, struct why *why)
{
    uint8_t *data = XMALLOC(KEYFILE_MAX + 1, NULL, DYNAMIC_TYPE_TMP_BUFFER);
    size_t len = 0;
    enum err err;

    if (data == NULL)
        return why_set(why, ERR_NOMEM,
                       "%s does not fit into the keeper's memory", path);
    err = read_whole(fd, path, data, &len, why);
    if (err == ERR_OK)
        err = keyfile_parse(data, len, path, out, why);
    wipe_free(data, len);
    return err;
}

void
keyfile_free(struct keyfile *key)
{
    if (key == NULL)
        return;
    if (key->made && key->kind == KEYPEM_RSA)
        wc_FreeRsaKey(&key->as.rsa);
    else if (key->made && key->kind == KEYPEM_EC)
        wc_ecc_free(&key->as.ec);
    else if (key->made)
        wc_ed25519_free(&key->as.ed);
    explicit_bzero(key, sizeof(*key));
    XFREE(key, NULL, DYNAMIC_TYPE_TMP_BUFFER);
}
