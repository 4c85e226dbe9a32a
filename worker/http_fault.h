/* http_fault.h - what can be wrong with a request or a response: code and word
 */
#ifndef WORKER_HTTP_FAULT_H
#define WORKER_HTTP_FAULT_H

/* FAULT(enumerator, status that the client is answered with, reason= word) */
#define HTTP_FAULTS(FAULT)                                     \
    FAULT(NONE, 0, "none")                                     \
    FAULT(BARE_CR, 400, "bare_cr")                             \
    FAULT(BARE_LF, 400, "bare_lf")                             \
    FAULT(OBS_FOLD, 400, "obs_fold")                           \
    FAULT(SPACE_BEFORE_COLON, 400, "space_before_colon")       \
    FAULT(CONTROL_BYTE, 400, "control_byte")                   \
    FAULT(BAD_FIELD_NAME, 400, "bad_field_name")               \
    FAULT(BAD_REQUEST_LINE, 400, "bad_request_line")           \
    FAULT(BAD_HEAD, 400, "bad_head")                           \
    FAULT(METHOD, 501, "method")                               \
    FAULT(VERSION, 505, "version")                             \
    FAULT(REQUEST_LINE_TOO_LONG, 414, "request_line_too_long") \
    FAULT(HEAD_TOO_LONG, 431, "head_max")                      \
    FAULT(TOO_MANY_HEADERS, 431, "headers_max")                \
    FAULT(LENGTH_AND_ENCODING, 400, "length_and_encoding")     \
    FAULT(TWO_LENGTHS, 400, "two_lengths")                     \
    FAULT(BAD_LENGTH, 400, "bad_length")                       \
    FAULT(TRANSFER_ENCODING, 400, "transfer_encoding")         \
    FAULT(NO_HOST, 400, "no_host")                             \
    FAULT(TWO_HOSTS, 400, "two_hosts")                         \
    FAULT(BAD_HOST, 400, "bad_host")                           \
    FAULT(OTHER_HOST, 400, "other_host")                       \
    FAULT(BAD_TARGET, 400, "bad_target")                       \
    FAULT(DOT_SEGMENT, 400, "dot_segment")                     \
    FAULT(PATH_PARAMETER, 400, "path_parameter")               \
    FAULT(ENCODED_SLASH, 400, "encoded_slash")                 \
    FAULT(BACKSLASH, 400, "backslash")                         \
    FAULT(ENCODED_NUL, 400, "encoded_nul")                     \
    FAULT(BAD_ESCAPE, 400, "bad_escape")                       \
    FAULT(EXPECT, 417, "expect")                               \
    FAULT(BAD_CHUNK, 400, "bad_chunk")                         \
    FAULT(BODY_CUT, 400, "body_cut")                           \
    FAULT(HEAD_CUT, 400, "head_cut")                           \
    FAULT(HEAD_TIMEOUT, 408, "head_timeout")                   \
    FAULT(BODY_TIMEOUT, 408, "body_timeout")                   \
    FAULT(NO_ROUTE, 404, "no_route")                           \
    FAULT(HEADER_ROOM, 500, "header_room")                     \
    FAULT(BAD_RESPONSE, 502, "bad_response")                   \
    FAULT(UPSTREAM_EOF, 502, "upstream_eof")                   \
    FAULT(UPSTREAM_RESET, 502, "upstream_reset")               \
    FAULT(UPSTREAM_ERROR, 502, "upstream_error")               \
    FAULT(UPSTREAM_OPEN, 502, "upstream_refused")              \
    FAULT(UPSTREAM_OPEN_TIMEOUT, 504, "upstream_timeout")      \
    FAULT(RESPONSE_TIMEOUT, 504, "response_timeout")           \
    FAULT(STOPPED, 503, "stopped")                             \
    FAULT(CLIENT_GONE, 0, "client_gone")                       \
    FAULT(CLIENT_STUCK, 0, "client_stuck")

enum http_fault {
#define FAULT(id, code, word) HTTP_##id,
    HTTP_FAULTS(FAULT)
#undef FAULT
        HTTP_FAULT_COUNT
};

/* http_fault_code - the status to answer with; 0: nobody to answer */
int http_fault_code(enum http_fault fault);
/* http_fault_word - for reason= in the log */
const char *http_fault_word(enum http_fault fault);
#endif
