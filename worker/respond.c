/*
 * respond.c - the built-in answer: respond:CODE "text"
 *
 * Owns the reading of one HTTP/1.x request head (llhttp, strict) and the one
 * answer to it.
 * Must never answer twice, read a body, keep more of a request than llhttp's
 * own state, or trust a word of it beyond method and version.
 */
#include "worker/respond.h"
#include "common/clock.h"
#include "common/mem.h"
#include "worker/http_answer.h"
#include "worker/pages.h"
#include "worker/stream.h"
#include "worker/wait.h"
#include <llhttp.h>
#include <stdalign.h>
#include <stdbool.h>
#include <string.h>

#define HEAD_MAX 16384
#define CHUNK \
    4096 /* of reading, and room for the whole answer of most services */

struct head { /* what we keep of a request */
    bool complete;
    bool matches;   /* the current field's name is a prefix of "host" so far */
    size_t at;      /* bytes of the current field's name */
    unsigned hosts; /* Host fields */
};

struct talk { /* one connection's exchange */
    struct stream *client;
    int64_t deadline;
    uint64_t *in, *out;
};

/* --- reading the head ----------------------------------------------------- */

static int
on_field(llhttp_t *parser, const char *at, size_t len)
{
    static const char host[] = "host";
    struct head *head = parser->data;

    for (size_t i = 0; i < len; i++, head->at++) /* | 0x20: lower case */
        if (head->at >= sizeof(host) - 1 || (at[i] | 0x20) != host[head->at])
            head->matches = false;
    return 0;
}

static int
on_field_end(llhttp_t *parser)
{
    struct head *head = parser->data;

    if (head->matches && head->at == 4)
        head->hosts++;
    head->matches = true;
    head->at = 0;
    return 0;
}

static int
on_head_end(llhttp_t *parser)
{
    struct head *head = parser->data;

    head->complete = true;
    return HPE_PAUSED; /* the body is nobody's business here */
}

static const llhttp_settings_t settings = {
    .on_header_field = on_field,
    .on_header_field_complete = on_field_end,
    .on_headers_complete = on_head_end,
};

/* head_judge - 0: answer as configured; else the code of the refusal */
static int
head_judge(const llhttp_t *parser, const struct head *head)
{
    if (parser->http_major > 1)
        return 505;
    if (parser->http_major != 1 || parser->http_minor > 1)
        return 400;
    if (head->hosts > 1 || (head->hosts == 0 && parser->http_minor == 1))
        return 400; /* RFC 9112 3.2 */
    if (parser->method == HTTP_CONNECT)
        return 501; /* a 2xx would turn the connection into a tunnel */
    return 0;
}

/* read_reason - the word for a read or write that failed */
static enum reason
read_reason(ssize_t error)
{
    if (error == -ERR_RESET)
        return REASON_CLIENT_RESET;
    if (error == -ERR_TRUNCATED)
        return REASON_CLIENT_TRUNCATED;
    return REASON_CLIENT_ERROR;
}

/* pause_for - REASON_NONE: the client is ready */
static enum reason
pause_for(const struct talk *talk, short events)
{
    struct pollfd item = { .fd = talk->client->fd, .events = events };
    enum err err = wait_for(&item, 1, talk->deadline);

    if (err == ERR_OK)
        return REASON_NONE;
    if (err == ERR_TIMEOUT)
        return REASON_IDLE_TIMEOUT;
    return err == ERR_STOP ? REASON_STOPPED : REASON_INTERNAL;
}

/* read_head - until the head is whole or is none. *refuse: the code, 0 to
 * answer as configured. REASON_NONE: answer; else the end. */
static enum reason
read_head(const struct talk *talk, llhttp_t *parser, struct head *head,
          int *refuse)
{
    static alignas(PAGES_SIZE) char chunk[CHUNK];
    enum reason reason;

    while (!head->complete) {
        size_t room = HEAD_MAX - (size_t)*talk->in;
        ssize_t n =
            stream_read(talk->client, chunk, room < CHUNK ? room : CHUNK);
        llhttp_errno_t result;

        if (n == -ERR_AGAIN) {
            if ((reason = pause_for(talk, talk->client->read_events)) !=
                REASON_NONE)
                return reason;
            if (clock_left(talk->deadline) == 0)
                return REASON_IDLE_TIMEOUT; /* dripping does not help */
            continue;
        }
        if (n < 0)
            return read_reason(n);
        if (n == 0 && *talk->in == 0)
            return REASON_CLIENT_EOF;
        *refuse = 400;
        if (n == 0)
            return REASON_NONE;
        *talk->in += (uint64_t)n;
        result = llhttp_execute(parser, chunk, (size_t)n);
        mem_wipe(chunk, (size_t)n);
        if (!head->complete && result != HPE_OK) {
            *refuse = parser->http_major > 1 ? 505 : 400;
            return REASON_NONE;
        }
        *refuse = 431;
        if (!head->complete && *talk->in >= HEAD_MAX)
            return REASON_NONE;
    }
    *refuse = head_judge(parser, head);
    return REASON_NONE;
}

/* --- the answer ----------------------------------------------------------- */

/* send_all - REASON_NONE: everything is out */
static enum reason
send_all(const struct talk *talk, const char *data, size_t len)
{
    enum reason reason;

    while (len > 0) {
        ssize_t n = stream_write(talk->client, data, len);

        if (n == -ERR_AGAIN) {
            if ((reason = pause_for(talk, talk->client->write_events)) !=
                REASON_NONE)
                return reason;
            continue;
        }
        if (n < 0)
            return read_reason(n);
        data += n;
        len -= (size_t)n;
        *talk->out += (uint64_t)n;
    }
    return REASON_NONE;
}

/* send_end - pass on that the answer was all */
static enum reason
send_end(const struct talk *talk)
{
    enum reason reason;
    int result;

    while ((result = stream_shut(talk->client)) == -ERR_AGAIN)
        if ((reason = pause_for(talk, talk->client->write_events)) !=
            REASON_NONE)
            return reason;
    return result == 0 ? REASON_NONE : read_reason(result);
}

/* answer - head and body as one write, so that they travel as one record */
static enum reason
answer(const struct talk *talk, int code, const char *body, bool head_only)
{
    static alignas(PAGES_SIZE) char text[CHUNK];
    size_t body_len = strlen(body), len, first = 0;
    enum reason reason;

    len = http_answer_head(code, body_len, "close", text, sizeof(text));
    if (head_only || http_answer_bodiless(code))
        body_len = 0;
    if (body_len > 0) {
        first = body_len < sizeof(text) - len ? body_len : sizeof(text) - len;
        memcpy(text + len, body, first);
    }
    if ((reason = send_all(talk, text, len + first)) != REASON_NONE)
        return reason;
    if ((reason = send_all(talk, body + first, body_len - first)) !=
        REASON_NONE)
        return reason;
    /* all of it is out: a client that leaves without our close_notify, as
     * curl does, has been answered all the same */
    reason = send_end(talk);
    return reason == REASON_CLIENT_RESET || reason == REASON_CLIENT_ERROR
               ? REASON_NONE
               : reason;
}

enum reason
respond_run(struct stream *client, int code, const char *body, int64_t head_ms,
            uint64_t *in, uint64_t *out)
{
    struct talk talk = { client, clock_deadline(head_ms), in, out };
    struct head head = { .matches = true };
    enum reason reason;
    llhttp_t parser;
    int refuse = 0;

    *in = *out = 0;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = &head;
    if ((reason = read_head(&talk, &parser, &head, &refuse)) != REASON_NONE)
        return reason;
    talk.deadline = clock_deadline(head_ms);
    if (refuse != 0)
        reason = answer(&talk, refuse, http_phrase(refuse),
                        head.complete && parser.method == HTTP_HEAD);
    else
        reason = answer(&talk, code, body, parser.method == HTTP_HEAD);
    if (reason != REASON_NONE)
        return reason;
    return refuse != 0 ? REASON_BAD_REQUEST : REASON_RESPONDED;
}
