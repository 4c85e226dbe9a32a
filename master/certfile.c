/*
 * certfile.c - take a file of certificates apart, and refuse what is odd
 *
 * Owns the reading of PEM. Strict where the usual readers are not: they stop at
 * the first block that they like and never see the private key, the broken
 * block or the rubbish behind it. Pure: bytes in, certificates or one sentence
 * out.
 */
#include "master/certfile.h"

#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* one pass over a PEM file */
struct scan {
    const struct blob *blob;
    const char *what;
    size_t at; /* where the next line starts */
    unsigned line;
    struct certfile *out;
    struct why *why;
};

char *
certfile_date(time_t at, char *out)
{
    struct tm tm;

    if (gmtime_r(&at, &tm) == NULL ||
        strftime(out, CERTFILE_DATE_MAX, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        (void)snprintf(out, CERTFILE_DATE_MAX, "%lld", (long long)at);
    return out;
}

/* bad - "PATH:LINE: sentence" */
static enum err
bad(const struct scan *scan, const char *sentence)
{
    return why_set(scan->why, ERR_FILE, "%s = %s: line %u: %s", scan->what,
                   scan->blob->path, scan->line, sentence);
}

/* line_next - the next line without its end; false at the end of the file */
static bool
line_next(struct scan *scan, struct span *line)
{
    const uint8_t *start = scan->blob->data + scan->at;
    size_t left = scan->blob->len - scan->at;
    const uint8_t *end;

    if (left == 0)
        return false;
    end = memchr(start, '\n', left);
    line->at = start;
    line->len = end != NULL ? (size_t)(end - start) : left;
    scan->at += line->len + (end != NULL ? 1 : 0);
    scan->line++;
    while (line->len > 0 &&
           (line->at[line->len - 1] == '\r' || line->at[line->len - 1] == ' ' ||
            line->at[line->len - 1] == '\t'))
        line->len--;
    return true;
}

static bool
line_is_text(struct span line)
{
    size_t i;

    for (i = 0; i < line.len; i++)
        if ((line.at[i] < 0x20 && line.at[i] != '\t') || line.at[i] == 0x7f)
            return false;
    return true;
}

/* label_of - is this line -----BEGIN x----- (or END)? x goes to label */
static bool
label_of(struct span line, const char *word, struct span *label)
{
    size_t head = strlen(word);

    if (line.len < head + 5 || memcmp(line.at, word, head) != 0 ||
        memcmp(line.at + line.len - 5, "-----", 5) != 0)
        return false;
    *label = (struct span){ line.at + head, line.len - head - 5 };
    return true;
}

static bool
label_is(struct span label, const char *text)
{
    return label.len == strlen(text) && memcmp(label.at, text, label.len) == 0;
}

static bool
label_ends(struct span label, const char *text)
{
    size_t len = strlen(text);

    return label.len >= len &&
           memcmp(label.at + label.len - len, text, len) == 0;
}

/* bad_block - a block that does not belong here */
static enum err
bad_block(const struct scan *scan, struct span label)
{
    const char *path = scan->blob->path;

    if (label_ends(label, "PRIVATE KEY"))
        return why_set(scan->why, ERR_FILE,
                       "%s = %s: line %u: a private key must not be in this "
                       "file; split it: openssl pkey -in %s -out NEW.key; "
                       "openssl x509 -in %s -out NEW.crt (further "
                       "certificates go behind it)",
                       scan->what, path, scan->line, path, path);
    return why_set(scan->why, ERR_FILE,
                   "%s = %s: line %u: a block of %.*s; only CERTIFICATE "
                   "belongs in this file",
                   scan->what, path, scan->line,
                   label.len > 40 ? 40 : (int)label.len,
                   (const char *)label.at);
}

/* base64_value - 0 to 63, -1: not in the alphabet */
static int
base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* base64 across lines: RFC 4648 4, padding only at the end, no spare bits */
struct base64 {
    uint32_t bits;
    unsigned count; /* characters of the open group */
    unsigned pads;
};

static bool
base64_line(struct base64 *state, struct span line, struct certfile *out)
{
    size_t i;
    int value;

    for (i = 0; i < line.len; i++) {
        value = base64_value(line.at[i]);
        if (line.at[i] == '=' && state->count >= 2)
            state->pads++;
        else if (value < 0 || state->pads > 0)
            return false;
        state->bits = state->bits << 6 | (value < 0 ? 0 : (uint32_t)value);
        if (++state->count < 4)
            continue;
        if ((state->pads == 1 && (state->bits & 0xff) != 0) ||
            (state->pads == 2 && (state->bits & 0xffff) != 0))
            return false;
        out->bytes[out->len++] = (uint8_t)(state->bits >> 16);
        if (state->pads < 2)
            out->bytes[out->len++] = (uint8_t)(state->bits >> 8);
        if (state->pads < 1)
            out->bytes[out->len++] = (uint8_t)state->bits;
        state->bits = 0;
        state->count = 0;
    }
    return true;
}

/* add - the DER from `start` on is one more certificate */
static bool
add(struct certfile *out, size_t start)
{
    if (out->count % 16 == 0)
        out->cert = mem_array(out->cert, out->count + 16, sizeof(*out->cert));
    if (!x509_parse(out->bytes + start, out->len - start,
                    &out->cert[out->count]))
        return false;
    out->count++;
    return true;
}

/* block - from the line after BEGIN to its END */
static enum err
block(struct scan *scan)
{
    struct base64 state = { 0 };
    size_t start = scan->out->len;
    struct span line, label;
    unsigned begin = scan->line;

    while (line_next(scan, &line)) {
        if (label_of(line, "-----END ", &label)) {
            if (!label_is(label, "CERTIFICATE"))
                return bad(scan, "END does not fit its BEGIN CERTIFICATE");
            if (state.count != 0)
                return bad(scan, "the base64 above ends too early");
            if (scan->out->count == CERTFILE_CERTS_MAX)
                return bad(scan, "too many certificates");
            if (!add(scan->out, start))
                return bad(scan, "the block above is no certificate that can "
                                 "be understood");
            return ERR_OK;
        }
        if (!base64_line(&state, line, scan->out))
            return bad(scan, "not base64");
    }
    scan->line = begin;
    return bad(scan, "BEGIN CERTIFICATE without an END");
}

static enum err
read_pem(struct scan *scan)
{
    struct span line, label;
    enum err err;

    while (line_next(scan, &line)) {
        if (label_of(line, "-----BEGIN ", &label)) {
            if (!label_is(label, "CERTIFICATE"))
                return bad_block(scan, label);
            if ((err = block(scan)) != ERR_OK)
                return err;
        } else if (!line_is_text(line)) {
            return bad(scan, "bytes outside a block that are no text");
        } else if (line.len >= 5 && memcmp(line.at, "-----", 5) == 0) {
            return bad(scan, "a broken BEGIN or END line");
        }
    }
    if (scan->out->count == 0)
        return why_set(scan->why, ERR_FILE, "%s = %s: no certificate in it",
                       scan->what, scan->blob->path);
    return ERR_OK;
}

static enum err
read_der(struct scan *scan)
{
    memcpy(scan->out->bytes, scan->blob->data, scan->blob->len);
    scan->out->len = scan->blob->len;
    if (!add(scan->out, 0))
        return why_set(scan->why, ERR_FILE,
                       "%s = %s: neither PEM nor one DER certificate",
                       scan->what, scan->blob->path);
    return ERR_OK;
}

static enum err
read_any(struct scan *scan)
{
    if (scan->blob->len == 0)
        return why_set(scan->why, ERR_FILE, "%s = %s: the file is empty",
                       scan->what, scan->blob->path);
    if (scan->blob->data[0] == 0x30 &&
        memmem(scan->blob->data, scan->blob->len, "-----BEGIN ", 11) == NULL)
        return read_der(scan);
    return read_pem(scan);
}

enum err
certfile_read(const struct blob *blob, const char *what, struct certfile *out,
              struct why *why)
{
    struct scan scan = { .blob = blob, .what = what, .out = out, .why = why };
    enum err err;

    memset(out, 0, sizeof(*out));
    out->bytes = mem_new(blob->len + 1);
    if ((err = read_any(&scan)) != ERR_OK)
        certfile_free(out);
    return err;
}

void
certfile_free(struct certfile *file)
{
    free(file->cert);
    free(file->bytes);
    memset(file, 0, sizeof(*file));
}
