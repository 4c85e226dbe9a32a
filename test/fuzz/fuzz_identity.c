/* fuzz_identity.c - any bytes as a certificate: names, rules, and what must hold of them */
#include "worker/chain.h"
#include "worker/identity.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* plain - printable ASCII without a quote, terminated within its room */
static void
plain(const char *text, size_t room)
{
    size_t i;

    if (strnlen(text, room) == room)
        abort();
    for (i = 0; text[i] != '\0'; i++)
        if (text[i] < 0x20 || text[i] > 0x7e || text[i] == '"')
            abort();
}

static void
look(const uint8_t *data, size_t size)
{
    static const uint8_t sha256[32];
    struct identity id;

    if (!identity_from_der(data, size, sha256, &id)) {
        if (id.present)
            abort();
        return;
    }
    plain(id.subject, sizeof(id.subject));
    plain(id.issuer, sizeof(id.issuer));
    plain(id.cn, sizeof(id.cn));
    plain(id.serial, sizeof(id.serial));
    plain(id.san, sizeof(id.san));
}

/* judge - the input cut into a chain; an objection of the library always stands */
static void
judge(const uint8_t *data, size_t size)
{
    struct span chain[CHAIN_MAX], rest = { data, size };
    struct chain_case what = { .chain = chain, .verify_depth = 2 };
    unsigned tag;
    int depth;

    while (what.count < CHAIN_MAX &&
           der_next(&rest, &tag, NULL, &chain[what.count]))
        what.count++;
    (void)chain_judge(&what, &depth);
    what.objection = REASON_UNKNOWN_CA;
    if (chain_judge(&what, &depth) == REASON_NONE)
        abort();
    what.objection = REASON_BAD_CERTIFICATE;
    what.objection_depth = (int)what.count - 1;
    if (chain_judge(&what, &depth) == REASON_NONE)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    look(data, size);
    judge(data, size);
    return 0;
}
