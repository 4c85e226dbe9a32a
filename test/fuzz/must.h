/* must.h - a fuzzer's entry, and what must hold in it */
#ifndef TEST_FUZZ_MUST_H
#define TEST_FUZZ_MUST_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)
#endif
