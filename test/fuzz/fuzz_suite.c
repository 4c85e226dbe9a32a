/* fuzz_suite.c - no string breaks the lists of suites and groups, and what comes
 * out of one is understood to be the same */
#include "common/mem.h"
#include "common/suite.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ciphers(const char *text)
{
    char out[SUITE_LIST_MAX], again[SUITE_LIST_MAX], names[SUITE_LIST_MAX];
    struct why why;

    why.text[0] = '\0';
    if (suite_expand(text, out, sizeof(out), &why) != ERR_OK) {
        if (why.text[0] == '\0')
            abort();
        return;
    }
    if (suite_expand(out, again, sizeof(again), &why) != ERR_OK ||
        strcmp(out, again) != 0 ||
        suite_check(out, false, again, sizeof(again), &why) != ERR_OK ||
        suite_wolfssl(out, "", true, false, names, sizeof(names)) != ERR_OK)
        abort();
}

static void
groups(const char *text)
{
    char out[SUITE_LIST_MAX];
    struct why why;
    uint16_t ids[8];

    if (group_check(text, out, sizeof(out), &why) == ERR_OK &&
        group_ids(out, ids) == 0)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_new(size + 1), out[SUITE_LIST_MAX];
    struct why why;

    if (size > 0)
        memcpy(text, data, size);
    ciphers(text);
    groups(text);
    (void)suite_check(text, true, out, sizeof(out), &why);
    free(text);
    return 0;
}
