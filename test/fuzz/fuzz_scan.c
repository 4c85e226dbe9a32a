/* fuzz_scan.c - whatever the scanner takes, iniparser reads the same */
#include "common/conf_ini.h"
#include "common/scan.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scan scan;
    struct why why;
    unsigned line;

    scan_run(data, size, &scan);
    if (scan.error_count == 0 && conf_ini_check(&scan, &line, &why) != ERR_OK) {
        (void)fprintf(stderr, "line %u: %s\ncopy:\n%s\n", line, why.text,
                      scan.copy);
        abort();
    }
    scan_free(&scan);
    return 0;
}
