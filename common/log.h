/* log.h - one event, one line: a builder that sends to the logger */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Severity by consequence, mtlsd(8):
 * error   the operator must act
 * warn    a request was refused, or something degraded
 * notice  the life of the daemon: ready, reloaded, stopping
 * info    the life of a connection
 * debug   probes, and what a developer asks for
 */
enum log_level {
    LOG_L_ERROR,
    LOG_L_WARN,
    LOG_L_NOTICE,
    LOG_L_INFO,
    LOG_L_DEBUG
};
enum log_format { LOG_F_LOGFMT, LOG_F_JSON };

#define LOG_RECORD_MAX 4096 /* longest record on the wire */
#define LOG_VALUE_MAX \
    512 /* longest value, escaped; longer ones are cut and
                             * "..." stands behind */
#define LOG_LINE_MAX \
    4096 /* longest line with its newline: at most PIPE_BUF,
                             * so that lines in a pipe never mix */

/*
 * The wire record: one byte level, the event word with its NUL, then fields.
 * A field: one byte type ('t' text, 'n' number), the key with its NUL, two
 * bytes length (host order: both ends are one program), that many bytes. Values
 * are raw here, NULs included; the logger checks, caps and escapes them, so
 * that no sender can write a line that it should not. Event and keys are words
 * [a-z0-9_]{1,32}. The key `cut` is a mark: something did not fit.
 */
struct log_line {
    bool on;  /* false: below the level, calls do nothing */
    bool cut; /* a field did not fit and was left out */
    size_t len;
    char data[LOG_RECORD_MAX];
};

/* log_open - descriptor of the logger (a SOCK_SEQPACKET end; borrowed, -1:
 * lines are rendered to stderr by this process) and the level to send */
void log_open(int fd, enum log_level level);
int log_fd(void);
enum log_level log_level(void);

/* log_begin - start a line; event is a word of ours: [a-z_]+ */
void log_begin(struct log_line *line, enum log_level level, const char *event);

/* fields; key is a word of ours; a NULL value leaves the field out */
void log_text(struct log_line *line, const char *key, const char *value);
void log_bytes(struct log_line *line, const char *key, const void *value,
               size_t len); /* peer text, may hold NUL: shown as \x00 */
void log_int(struct log_line *line, const char *key, long long value);
void log_time(struct log_line *line, const char *key, int64_t ms); /* 3.200s */

/*
 * log_send - hand it over. Blocks at most 100 ms (SO_SNDTIMEO on the pair);
 * a line that is lost is counted, and the count goes out with the next one
 * as lost=N. Keeps errno.
 */
void log_send(struct log_line *line);

/* log_simple - one event with one reason= sentence */
void log_simple(enum log_level level, const char *event, const char *reason);

/*
 * log_render - a wire record as one line of text without newline; pure.
 * when_us  wall clock in microseconds since the epoch, 0: leave time out.
 * pid      the sender as the kernel names it.
 * logfmt:  2026-11-21T18:12:04.123Z mtlsd[PID] info done service=web ...
 *          (without time: `mtlsd[PID] info done ...`)
 * json:    {"ts":"...","pid":1,"level":"info","event":"done","service":"web"}
 *          A number that is none, or has over 15 digits, is a string here. A
 *          field called ts, pid, level or event gets an underscore behind, so
 *          that no sender can write over a stamp.
 * logfmt escapes all but printable ASCII as \xNN; JSON keeps UTF-8 except what
 * is invalid, steers a terminal or reorders text (\u00NN and the like).
 * A field that does not fit is left out and the line ends with cut=yes.
 * ERR_FORMAT: not a record (unknown level, bad words, a broken field).
 * ERR_RANGE: out cannot hold even the event. out is "" then.
 */
enum err log_render(const void *record, size_t len, enum log_format format,
                    int64_t when_us, int pid, char *out, size_t size);

/* log_level_name - error, warn, notice, info, debug */
const char *log_level_name(enum log_level level);
#endif
