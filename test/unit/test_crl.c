/* test_crl.c - revocation lists: which are believed, and what they say of clients */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/mem.h"
#include "common/x509_crl.h"
#include "common/x509_signed.h"
#include "master/crlfile.h"
#include "master/keyring.h"
#include "test/unit/tls_serve.h"
#include "worker/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char warnings[4096];

static void
warn(void *ctx, const char *text)
{
    size_t len = strlen(warnings);

    (void)ctx;
    (void)snprintf(warnings + len, sizeof(warnings) - len, "%s\n", text);
}

/* ---- what is loaded ----------------------------------------------------- */

static const struct {
    const char *crl, *ca;
    const char *said;    /* NULL: a context */
    const char *warning; /* NULL: none */
    size_t entries;      /* of the first list */
    bool foreign;        /* by none of our CAs */
} files[] = {
    { "empty.crl", "ca.crt", NULL, NULL, 0, false },
    { "list.crl", "ca.crt", NULL, NULL, 2, false },
    { "list.der", "ca.crt", NULL, NULL, 2, false },
    { "v1.crl", "ca.crt", NULL, NULL, 1, false },
    { "harmless.crl", "ca.crt", NULL, NULL, 0, false },
    { "many.crl", "ca.crt", NULL, NULL, 10001, false },
    { "rsa.crl", "rsaca.crt", NULL, NULL, 1, false },
    { "ed25519.crl", "edca.crt", NULL, NULL, 0, false },
    { "pss.crl", "rsaca.crt", NULL, NULL, 0, false },
    { "inter.crl", "ca.crt", NULL, NULL, 1, true },
    { "nobody.crl", "ca.crt", NULL, NULL, 0, true },
    { "old.crl", "ca.crt", NULL,
      "revocation list 1 (CN=Root,O=Example) expired 2023-02-01", 1, false },
    { "late.crl", "ca.crt", NULL,
      "revocation list 1 (CN=Root,O=Example) expires ", 0, false },
    { "future.crl", "ca.crt", "is not valid yet", NULL, 0, false },
    { "wrong.crl", "ca.crt",
      "revocation list 1 (CN=Root,O=Example) is not signed by the CA of that "
      "name (crl_bad)",
      NULL, 0, false },
    { "nosign.crl", "nosignca.crt", "key usage does not allow cRLSign", NULL, 0,
      false },
    { "indirect.crl", "ca.crt", "indirect list", NULL, 0, false },
    { "delta.crl", "ca.crt", "is a delta list", NULL, 0, false },
    { "unknown.crl", "ca.crt", "critical extension that is not known", NULL, 0,
      false },
    { "sha1.crl", "ca.crt", "signed with a weak", NULL, 0, false },
    { "ca.crt", "ca.crt", "only X509 CRL belongs in this file", NULL, 0,
      false },
    { "ca.key", "ca.crt", "a private key must not be in this file", NULL, 0,
      false },
    { "nothing.crl", "ca.crt", "no revocation list in it", NULL, 0, false },
    { "flipped.der", "ca.crt", "is not signed by the CA", NULL, 0, false },
    { "short.der", "ca.crt", "neither PEM nor one DER revocation list", NULL, 0,
      false },
};

static enum err
load(const struct conf_service *service, const char *crl, const char *ca,
     struct tls_side **out, struct why *why)
{
    struct blob cert = tls_blob("server-P-256.crt"), anchors = tls_blob(ca),
                list = tls_blob(crl);
    struct context_files what = { .cert_count = 1,
                                  .cert = &cert,
                                  .ca = &anchors,
                                  .crl_count = 1,
                                  .crl = &list };
    enum err err;

    warnings[0] = why->text[0] = '\0';
    err = context_server(service, &what, warn, NULL, out, why);
    keyring_free(&cert);
    keyring_free(&anchors);
    keyring_free(&list);
    return err;
}

static void
every_list_has_its_answer(void **state)
{
    struct conf_service service = tls_service();
    struct tls_side *side;
    struct why why;
    size_t i;
    enum err err;

    (void)state;
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        err = load(&service, files[i].crl, files[i].ca, &side, &why);
        if ((err == ERR_OK) != (files[i].said == NULL) ||
            (files[i].said != NULL &&
             (strstr(why.text, files[i].said) == NULL ||
              strstr(why.text, files[i].crl) == NULL || err != ERR_FILE)) ||
            (files[i].warning == NULL) != (warnings[0] == '\0') ||
            (files[i].warning != NULL &&
             strstr(warnings, files[i].warning) == NULL))
            fail_msg("%s with %s: \"%s\", warnings: %s", files[i].crl,
                     files[i].ca, why.text, warnings);
        if (err == ERR_OK &&
            (side->crl_count != 1 ||
             side->crl[0].crl.count != files[i].entries ||
             (side->crl[0].signer == NULL) != files[i].foreign ||
             side->crl_next_update != side->crl[0].crl.next_update))
            fail_msg("%s: loaded otherwise", files[i].crl);
        context_free(side);
    }
}

static void
a_list_that_counts_for_nobody_is_warned_about(void **state)
{
    struct conf_service service = tls_service();
    struct tls_side *side;
    struct why why;

    (void)state;
    service.client.crl_missing = CONF_CRL_ADMIT;
    assert_int_equal(load(&service, "nobody.crl", "ca.crt", &side, &why),
                     ERR_OK);
    assert_non_null(strstr(warnings, "is by none of the CAs in ca"));
    context_free(side);
}

/* ---- the parser --------------------------------------------------------- */

static void
every_cut_and_flip_is_survived(void **state)
{
    struct blob blob = tls_blob("list.der");
    struct x509_crl crl;
    uint32_t *offset;
    size_t i;
    int bit;

    (void)state;
    for (i = 0; i < blob.len; i++) {
        uint8_t *cut = malloc(i + 1); /* the sanitizer watches its end */

        assert_non_null(cut);
        memcpy(cut, blob.data, i);
        assert_non_null(x509_crl_parse(cut, i, &crl));
        free(cut);
    }
    for (i = 0; i < blob.len; i++)
        for (bit = 0; bit < 8; bit++) {
            blob.data[i] ^= (uint8_t)(1 << bit);
            if (x509_crl_parse(blob.data, blob.len, &crl) == NULL) {
                offset = mem_array(NULL, crl.count, sizeof(*offset));
                x509_crl_sort(&crl, offset);
                (void)x509_crl_lists(&crl, crl.issuer);
                free(offset);
            }
            blob.data[i] ^= (uint8_t)(1 << bit);
        }
    keyring_free(&blob);
}

static void
ten_thousand_serials_are_found(void **state)
{
    struct blob blob = tls_blob("many.crl");
    struct crlfile file;
    struct why why;
    uint8_t serial[5] = { 0 };
    uint32_t *offset, i, value;

    (void)state;
    assert_int_equal(crlfile_read(&blob, "crl", &file, &why), ERR_OK);
    offset = mem_array(NULL, file.crl[0].count, sizeof(*offset));
    x509_crl_sort(&file.crl[0], offset);
    for (i = 0; i < 70000; i++) {
        value = 16777216 + i;
        serial[1] = (uint8_t)(value >> 24);
        serial[2] = (uint8_t)(value >> 16);
        serial[3] = (uint8_t)(value >> 8);
        serial[4] = (uint8_t)value;
        /* with and without a zero in front */
        assert_int_equal(
            x509_crl_lists(&file.crl[0], (struct span){ serial + 1, 4 }),
            i % 7 == 0);
        assert_int_equal(
            x509_crl_lists(&file.crl[0], (struct span){ serial, 5 }),
            i % 7 == 0);
    }
    free(offset);
    crlfile_free(&file);
    keyring_free(&blob);
}

/* ---- handshakes --------------------------------------------------------- */

#define LEAF   CONF_CRL_LEAF
#define CHAIN  CONF_CRL_CHAIN
#define REFUSE CONF_CRL_REFUSE
#define ADMIT  CONF_CRL_ADMIT

static const struct row {
    const char *crls[4];
    enum conf_crl_scope scope;
    enum conf_crl_missing missing;
    const char *client;
    enum reason reason;
    int depth;
} rows[] = {
    { { "list.crl" }, LEAF, REFUSE, "good-P-256", REASON_NONE, 0 },
    { { "list.crl" }, LEAF, REFUSE, "revoked", REASON_REVOKED, 0 },
    { { "list.crl" }, LEAF, ADMIT, "revoked", REASON_REVOKED, 0 },
    { { "list.crl" }, CHAIN, REFUSE, "revoked", REASON_REVOKED, 0 },
    { { "list.der" }, LEAF, REFUSE, "revoked", REASON_REVOKED, 0 },
    { { "v1.crl" }, LEAF, REFUSE, "revoked", REASON_REVOKED, 0 },
    { { "many.crl" }, LEAF, REFUSE, "revoked", REASON_REVOKED, 0 },
    { { "many.crl" }, LEAF, REFUSE, "good-P-256", REASON_NONE, 0 },
    /* the newest counts, wherever it stands */
    { { "old.crl", "empty.crl" }, LEAF, REFUSE, "revoked", REASON_NONE, 0 },
    { { "empty.crl", "old.crl" }, LEAF, REFUSE, "revoked", REASON_NONE, 0 },
    /* expired */
    { { "old.crl" }, LEAF, REFUSE, "revoked", REASON_REVOKED, 0 },
    { { "old.crl" }, LEAF, ADMIT, "revoked", REASON_REVOKED, 0 },
    { { "old.crl" }, LEAF, REFUSE, "good-P-256", REASON_CRL_EXPIRED, 0 },
    { { "old.crl" }, LEAF, ADMIT, "good-P-256", REASON_NONE, 0 },
    /* two CAs, and one list for one of them */
    { { "two.crl" }, LEAF, REFUSE, "good-rsaca", REASON_REVOKED, 0 },
    { { "two.crl" }, LEAF, REFUSE, "good-pss", REASON_NONE, 0 },
    { { "two.crl" }, LEAF, REFUSE, "revoked", REASON_REVOKED, 0 },
    { { "list.crl", "rsa.crl" },
      LEAF,
      REFUSE,
      "good-rsaca",
      REASON_REVOKED,
      0 },
    { { "list.crl" }, LEAF, REFUSE, "good-rsaca", REASON_CRL_MISSING, 0 },
    { { "list.crl" }, LEAF, ADMIT, "good-rsaca", REASON_NONE, 0 },
    /* the list of an intermediate that comes with the chain */
    { { "list.crl" }, LEAF, REFUSE, "leaf1", REASON_CRL_MISSING, 0 },
    { { "list.crl" }, LEAF, ADMIT, "leaf1", REASON_NONE, 0 },
    { { "inter.crl" }, LEAF, REFUSE, "leaf1", REASON_NONE, 0 },
    { { "inter.crl" }, LEAF, REFUSE, "revoked1", REASON_REVOKED, 0 },
    { { "inter.crl" }, LEAF, REFUSE, "revoked1", REASON_REVOKED, 0 },
    { { "inter.crl" }, LEAF, ADMIT, "revoked1", REASON_REVOKED, 0 },
    { { "inter.crl" }, CHAIN, REFUSE, "leaf1", REASON_CRL_MISSING, 1 },
    { { "inter.crl", "list.crl" }, CHAIN, REFUSE, "leaf1", REASON_NONE, 0 },
    { { "interwrong.crl" }, LEAF, REFUSE, "leaf1", REASON_CRL_BAD, 0 },
    { { "interwrong.crl" }, LEAF, ADMIT, "leaf1", REASON_CRL_BAD, 0 },
    { { "interwrong.crl", "inter.crl" },
      LEAF,
      REFUSE,
      "leaf1",
      REASON_NONE,
      0 },
    { { "interwrong.crl", "inter.crl" },
      LEAF,
      REFUSE,
      "revoked1",
      REASON_REVOKED,
      0 },
    /* a revoked intermediate */
    { { "list.crl", "interempty.crl" },
      LEAF,
      REFUSE,
      "leafinterrevoked",
      REASON_NONE,
      0 },
    { { "list.crl", "interempty.crl" },
      CHAIN,
      REFUSE,
      "leafinterrevoked",
      REASON_REVOKED,
      1 },
    /* other flaws come first */
    { { "list.crl" }, LEAF, REFUSE, "expired", REASON_EXPIRED, 0 },
    { { "list.crl" }, LEAF, REFUSE, "otherca", REASON_UNKNOWN_CA, 0 },
};

static bool
same_crls(const struct row *a, const struct row *b)
{
    size_t i;

    for (i = 0; i < 4 && a->crls[i] != NULL && b->crls[i] != NULL; i++)
        if (strcmp(a->crls[i], b->crls[i]) != 0)
            return false;
    return i == 4 || a->crls[i] == b->crls[i];
}

static bool
check_row(struct server *server, const struct row *row, bool tls13)
{
    static struct result r;
    bool in = row->reason == REASON_NONE;
    int alert = reason_alert(row->reason);

    server->service.client.crl_scope = row->scope;
    server->service.client.crl_missing = row->missing;
    connect_as(server, row->client, tls13, &r);
    show(row->client, tls13, &r);
    if (r.reason == row->reason && r.session.depth == row->depth &&
        r.session.verified == in && r.alert == alert &&
        r.session.alert_sent == alert &&
        (strstr(r.output, "HELLO") != NULL) == in)
        return true;
    print_error("%s (row %td, TLS 1.%d): %s at depth %d, alert %d seen; wanted "
                "%s at %d\n",
                row->client, row - rows, tls13 ? 3 : 2, reason_word(r.reason),
                r.session.depth, r.alert, reason_word(row->reason), row->depth);
    return false;
}

static void
every_client_gets_its_word(void **state)
{
    struct server server = { .service = tls_service() };
    const char *const names[] = { "server-P-256", NULL };
    bool good = true;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (i == 0 || !same_crls(&rows[i - 1], &rows[i])) {
            if (i > 0)
                server_end(&server);
            server_start_many(&server, names, "both.crt", rows[i].crls);
        }
        good &= check_row(&server, &rows[i], true);
        good &= check_row(&server, &rows[i], false);
    }
    server_end(&server);
    assert_true(good);
}

static int
setup(void **state)
{
    struct why why;

    (void)state;
    if (context_library(&why) != ERR_OK || wait_init(&why) != ERR_OK ||
        setenv("PKI", tls_pki(), 1) != 0)
        return -1;
    return system(
        "cd \"$PKI\" && cat ca.crt rsaca.crt >both.crt && echo >nothing.crl && "
        "head -c 200 list.der >short.der && "
        "{ head -c -1 list.der; printf '\\377'; } >flipped.der");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_list_has_its_answer),
        cmocka_unit_test(a_list_that_counts_for_nobody_is_warned_about),
        cmocka_unit_test(every_cut_and_flip_is_survived),
        cmocka_unit_test(ten_thousand_serials_are_found),
        cmocka_unit_test(every_client_gets_its_word),
    };

    return cmocka_run_group_tests(tests, setup, tls_serve_teardown);
}
