/*
 * log.c - build one event as a wire record and hand it to the logger
 *
 * Owns the process's logging state: the logger's descriptor, the level, and
 * the number of lines that were lost.
 * Never waits longer than the descriptor's own send timeout, never changes
 * errno, never ends the process: a lost line must not cost a connection.
 */
#include "common/log.h"
#include "common/mem.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* room behind the last field for lost=N and cut=yes */
#define LOG_TAIL_ROOM 64

static MEM_TOUCHED int log_to = -1;
static MEM_TOUCHED enum log_level log_most = LOG_L_INFO;
static MEM_TOUCHED unsigned long log_lost;

void
log_open(int fd, enum log_level level)
{
    log_to = fd;
    log_most = level;
    log_lost = 0;
}

int
log_fd(void)
{
    return log_to;
}

enum log_level
log_level(void)
{
    return log_most;
}

void
log_begin(struct log_line *line, enum log_level level, const char *event)
{
    size_t len = strlen(event) + 1;

    line->on = level <= log_most && len < LOG_VALUE_MAX;
    line->cut = false;
    line->len = 0;
    if (!line->on)
        return;
    line->data[0] = (char)level;
    memcpy(line->data + 1, event, len);
    line->len = 1 + len;
}

/* log_field - append one field; limit is where the record must end */
static void
log_field(struct log_line *line, char type, const char *key, const void *value,
          size_t len, size_t limit)
{
    size_t key_len = strlen(key) + 1;
    uint16_t wire_len;
    char *at = line->data + line->len;

    if (len > LOG_VALUE_MAX + 1)
        len = LOG_VALUE_MAX + 1; /* one more than is shown: the cut is seen */
    wire_len = (uint16_t)len;
    if (key_len > LOG_VALUE_MAX ||
        line->len + 1 + key_len + sizeof(wire_len) + len > limit) {
        line->cut = true;
        return;
    }
    *at++ = type;
    memcpy(at, key, key_len);
    at += key_len;
    memcpy(at, &wire_len, sizeof(wire_len));
    at += sizeof(wire_len);
    if (len > 0)
        memcpy(at, value, len);
    line->len += 1 + key_len + sizeof(wire_len) + len;
}

void
log_text(struct log_line *line, const char *key, const char *value)
{
    if (value != NULL)
        log_bytes(line, key, value, strnlen(value, LOG_VALUE_MAX + 1));
}

void
log_bytes(struct log_line *line, const char *key, const void *value, size_t len)
{
    if (line->on && value != NULL)
        log_field(line, 't', key, value, len, LOG_RECORD_MAX - LOG_TAIL_ROOM);
}

/* log_number - an integer, up to the given end of the record */
static void
log_number(struct log_line *line, const char *key, long long value,
           size_t limit)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", value);

    if (len > 0)
        log_field(line, 'n', key, text, (size_t)len, limit);
}

void
log_int(struct log_line *line, const char *key, long long value)
{
    if (line->on)
        log_number(line, key, value, LOG_RECORD_MAX - LOG_TAIL_ROOM);
}

void
log_time(struct log_line *line, const char *key, int64_t ms)
{
    char text[32];

    if (!line->on)
        return;
    if (ms < 0)
        ms = 0;
    snprintf(text, sizeof(text), "%lld.%03llds", (long long)(ms / 1000),
             (long long)(ms % 1000));
    log_text(line, key, text);
}

/* log_direct - before there is a logger: one line, one write, on stderr */
static void
log_direct(const struct log_line *line)
{
    char out[LOG_LINE_MAX];
    size_t len;

    if (log_render(line->data, line->len, LOG_F_LOGFMT, 0, (int)getpid(), out,
                   sizeof(out)) != ERR_OK)
        return;
    len = strlen(out);
    out[len] = '\n';
    if (write(STDERR_FILENO, out, len + 1) < 0)
        return; /* there is nowhere to say so */
}

void
log_send(struct log_line *line)
{
    int saved = errno;
    ssize_t n;

    if (!line->on)
        return;
    if (log_lost > 0)
        log_number(line, "lost", (long long)log_lost, LOG_RECORD_MAX);
    if (line->cut)
        log_field(line, 't', "cut", "yes", 3, LOG_RECORD_MAX);
    line->on = false;
    if (log_to < 0) {
        log_direct(line);
    } else {
        do {
            n = send(log_to, line->data, line->len, MSG_NOSIGNAL);
        } while (n < 0 && errno == EINTR);
        log_lost = n < 0 ? log_lost + 1 : 0;
    }
    errno = saved;
}

void
log_simple(enum log_level level, const char *event, const char *reason)
{
    struct log_line line;

    log_begin(&line, level, event);
    log_text(&line, "reason", reason);
    log_send(&line);
}
