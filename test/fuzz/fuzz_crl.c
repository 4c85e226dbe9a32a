/* fuzz_crl.c - any bytes as a revocation list: parsed, sorted, searched, judged by */
#include "common/x509_crl.h"
#include "worker/chain.h"
#include "worker/crl.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
anybody(const struct x509_crl *crl, struct span spki)
{
    return crl->tbs.len % 2 == spki.len % 2;
}

/* every entry must be found, whatever the order */
static void
search(const struct x509_crl *crl)
{
    struct span rest = crl->revoked, entry, serial;
    unsigned tag;
    size_t count = 0;

    while (der_take(&rest, TAG_SEQUENCE, &entry, NULL)) {
        if (!der_next(&entry, &tag, &serial, NULL) ||
            !x509_crl_lists(crl, serial))
            abort();
        count++;
    }
    if (count != crl->count)
        abort();
}

/* judge - the bytes behind the list as a chain of its issuer's */
static void
judge(struct tls_crl *list, struct span rest)
{
    struct tls_side side = { .crl_checked = true, .crl_count = 1, .crl = list };
    struct span chain[CHAIN_MAX];
    struct crl_case what = { .chain = chain,
                             .side = &side,
                             .scope_chain = true,
                             .now = 1700000000,
                             .signed_by = anybody };
    unsigned tag;
    int depth;

    while (what.count < CHAIN_MAX &&
           der_next(&rest, &tag, NULL, &chain[what.count]))
        what.count++;
    (void)crl_judge(&what, &depth);
    if (depth < 0 || depth >= CHAIN_MAX)
        abort();
    what.admit_missing = true;
    (void)crl_judge(&what, &depth);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = { data, size }, whole;
    struct tls_crl list = { 0 };
    uint32_t *offset;
    unsigned tag;

    if (!der_next(&rest, &tag, NULL, &whole) ||
        x509_crl_parse(whole.at, whole.len, &list.crl) != NULL)
        return 0;
    if ((offset = malloc(list.crl.count * sizeof(*offset) + 1)) == NULL)
        abort();
    x509_crl_sort(&list.crl, offset);
    search(&list.crl);
    judge(&list, rest);
    free(offset);
    return 0;
}
