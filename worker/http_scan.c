/*
 * http_scan.c - the first reader of a head
 *
 * Owns which bytes may stand where, and every limit on a head's size. What it
 * lets through has CRLF line ends only, no folded line, and names and values
 * without control bytes; llhttp reads it after that and must agree.
 * Pure; keeps no byte.
 *
 *   LEAD --CR--> LEAD_LF --LF--> LEAD       START --CR--> START_LF --LF--> LINE
 *   LINE --name--> NAME --':'--> VALUE --CR--> LF --LF--> LINE
 *   LINE --CR--> END_LF --LF--> DONE
 */
#include "worker/http_scan.h"
#include "worker/http_text.h"
#include <stdlib.h>

#define LEAD_MAX 64 /* bytes of empty lines before a request */

void
http_scan_begin(struct http_scan *scan, enum http_scan_state state,
                size_t head_max, size_t fields_max)
{
    scan->state = state;
    scan->lead = scan->len = scan->fields = 0;
    scan->head_max = head_max;
    scan->fields_max = fields_max;
}

/* text_byte - a byte of a line: may it stand there? tabs only in values */
static enum http_fault
text_byte(unsigned char byte, bool tab)
{
    if (byte == '\n')
        return HTTP_BARE_LF;
    if ((byte < 0x20 && !(tab && byte == '\t')) || byte == 0x7f)
        return HTTP_CONTROL_BYTE;
    return HTTP_NONE;
}

/* line_byte - the first byte of a field line */
static enum http_fault
line_byte(struct http_scan *scan, unsigned char byte)
{
    if (byte == '\r') {
        scan->state = HTTP_SCAN_END_LF;
        return HTTP_NONE;
    }
    if (byte == ' ' || byte == '\t')
        return HTTP_OBS_FOLD;
    if (++scan->fields > scan->fields_max)
        return HTTP_TOO_MANY_HEADERS;
    scan->state = HTTP_SCAN_NAME;
    if (http_tchar(byte))
        return HTTP_NONE;
    return text_byte(byte, false) != HTTP_NONE ? text_byte(byte, false)
                                               : HTTP_BAD_FIELD_NAME;
}

static enum http_fault
name_byte(struct http_scan *scan, unsigned char byte)
{
    if (byte == ':') {
        scan->state = HTTP_SCAN_VALUE;
        return HTTP_NONE;
    }
    if (http_tchar(byte))
        return HTTP_NONE;
    if (byte == ' ' || byte == '\t')
        return HTTP_SPACE_BEFORE_COLON;
    if (byte == '\r')
        return HTTP_BAD_FIELD_NAME;
    return text_byte(byte, false) != HTTP_NONE ? text_byte(byte, false)
                                               : HTTP_BAD_FIELD_NAME;
}

/* lf_byte - what must follow a CR */
static enum http_fault
lf_byte(struct http_scan *scan, unsigned char byte, enum http_scan_state next)
{
    scan->state = next;
    return byte == '\n' ? HTTP_NONE : HTTP_BARE_CR;
}

static enum http_fault
step(struct http_scan *scan, unsigned char byte)
{
    switch (scan->state) {
    case HTTP_SCAN_LEAD:
        if (byte == '\r') {
            scan->state = HTTP_SCAN_LEAD_LF;
            return HTTP_NONE;
        }
        scan->state = HTTP_SCAN_START;
        return text_byte(byte, false);
    case HTTP_SCAN_LEAD_LF:
        return lf_byte(scan, byte, HTTP_SCAN_LEAD);
    case HTTP_SCAN_START:
        if (byte != '\r')
            return text_byte(byte, false);
        scan->state = HTTP_SCAN_START_LF;
        return HTTP_NONE;
    case HTTP_SCAN_START_LF:
        return lf_byte(scan, byte, HTTP_SCAN_LINE);
    case HTTP_SCAN_LINE:
        return line_byte(scan, byte);
    case HTTP_SCAN_NAME:
        return name_byte(scan, byte);
    case HTTP_SCAN_VALUE:
        if (byte != '\r')
            return text_byte(byte, true);
        scan->state = HTTP_SCAN_LF;
        return HTTP_NONE;
    case HTTP_SCAN_LF:
        return lf_byte(scan, byte, HTTP_SCAN_LINE);
    case HTTP_SCAN_END_LF:
        return lf_byte(scan, byte, HTTP_SCAN_DONE);
    case HTTP_SCAN_DONE:
        break;
    }
    abort(); /* the caller stops at DONE; -Wswitch-enum keeps it so */
}

/* count - one byte more, of the head or before it */
static enum http_fault
count(struct http_scan *scan, bool line)
{
    if (scan->state == HTTP_SCAN_LEAD || scan->state == HTTP_SCAN_LEAD_LF)
        return ++scan->lead > LEAD_MAX ? HTTP_BAD_REQUEST_LINE : HTTP_NONE;
    if (++scan->len <= scan->head_max)
        return HTTP_NONE;
    return line ? HTTP_REQUEST_LINE_TOO_LONG : HTTP_HEAD_TOO_LONG;
}

enum http_fault
http_scan_feed(struct http_scan *scan, const char *at, size_t len, size_t *used)
{
    enum http_fault fault;

    for (*used = 0; *used < len && scan->state != HTTP_SCAN_DONE;) {
        bool line = scan->state == HTTP_SCAN_START;

        if ((fault = step(scan, (unsigned char)at[*used])) != HTTP_NONE)
            return fault;
        ++*used;
        if ((fault = count(scan, line)) != HTTP_NONE)
            return fault;
    }
    return HTTP_NONE;
}
