/*
 * fuzz_log.c - log_render over any bytes: no control byte, whole JSON, in
 * bounds
 */
#include "common/log.h"
#include "test/unit/json.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* check - one format, one size of the output */
static void
check(const uint8_t *data, size_t len, enum log_format format, size_t size)
{
    char *out = malloc(size);
    enum err err =
        log_render(data, len, format, 1234567890123456, 42, out, size);

    if (err != ERR_OK && out[0] != '\0')
        abort();
    for (const char *c = out; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            abort();
    if (err == ERR_OK && format == LOG_F_JSON && !json_flat(out))
        abort();
    for (const char *c = out; format == LOG_F_LOGFMT && *c != '\0'; c++)
        if ((unsigned char)*c > 0x7e)
            abort();
    free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t small = len > 0 ? 1 + data[len - 1] : 1;

    for (int format = LOG_F_LOGFMT; format <= LOG_F_JSON; format++) {
        check(data, len, (enum log_format)format, LOG_LINE_MAX);
        check(data, len, (enum log_format)format, small);
    }
    return 0;
}
