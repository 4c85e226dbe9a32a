/*
 * http_fault.c - what can be wrong with a request or a response
 *
 * Owns the two columns of the table. Pure.
 */
#include "worker/http_fault.h"

int
http_fault_code(enum http_fault fault)
{
    static const int codes[] = {
#define FAULT(id, code, word) code,
        HTTP_FAULTS(FAULT)
#undef FAULT
    };

    return fault < HTTP_FAULT_COUNT ? codes[fault] : 500;
}

const char *
http_fault_word(enum http_fault fault)
{
    static const char *const words[] = {
#define FAULT(id, code, word) word,
        HTTP_FAULTS(FAULT)
#undef FAULT
    };

    return fault < HTTP_FAULT_COUNT ? words[fault] : "internal";
}
