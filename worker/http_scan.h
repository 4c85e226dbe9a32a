/* http_scan.h - the first reader of a head: byte by byte, forgiving nothing */
#ifndef WORKER_HTTP_SCAN_H
#define WORKER_HTTP_SCAN_H
#include "worker/http_fault.h"
#include <stdbool.h>
#include <stddef.h>

enum http_scan_state {
    HTTP_SCAN_LEAD, /* empty lines before a request are skipped */
    HTTP_SCAN_LEAD_LF,
    HTTP_SCAN_START, /* in the request or status line */
    HTTP_SCAN_START_LF,
    HTTP_SCAN_LINE, /* at the start of a field line */
    HTTP_SCAN_NAME,
    HTTP_SCAN_VALUE,
    HTTP_SCAN_LF,
    HTTP_SCAN_END_LF,
    HTTP_SCAN_DONE
};

struct http_scan {
    enum http_scan_state state;
    size_t lead;   /* bytes of empty lines before it */
    size_t len;    /* bytes since: the head's length when done */
    size_t fields; /* field lines begun */
    size_t head_max, fields_max;
};

/* http_scan_begin - state: LEAD a request, START a response, LINE trailers */
void http_scan_begin(struct http_scan *scan, enum http_scan_state state,
                     size_t head_max, size_t fields_max);

/*
 * http_scan_feed - the next bytes; *used says how many belonged to the head.
 * HTTP_NONE: so far good; scan->state is DONE when the head is whole. Else
 * what is wrong; how the bytes were cut into pieces makes no difference.
 */
enum http_fault http_scan_feed(struct http_scan *scan, const char *at,
                               size_t len, size_t *used);
#endif
