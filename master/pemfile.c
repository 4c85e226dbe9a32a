/*
 * pemfile.c - take a file of PEM blocks apart, and refuse what is odd
 *
 * Owns the reading of PEM. Strict where the usual readers are not: they stop at
 * the first block that they like and never see the private key, the broken
 * block or the rubbish behind it. Pure: bytes in, DER or one sentence out.
 */
#include "master/pemfile.h"

#include <stdbool.h>
#include <string.h>

/* one pass over a PEM file */
struct scan {
    struct pemfile *file;
    size_t at; /* where the next line starts */
    unsigned line;
    struct why *why;
};

/* bad - "PATH:LINE: sentence" */
static enum err
bad(const struct scan *scan, const char *sentence)
{
    return why_set(scan->why, ERR_FILE, "%s = %s: line %u: %s",
                   scan->file->what, scan->file->blob->path, scan->line,
                   sentence);
}

/* line_next - the next line without its end; false at the end of the file */
static bool
line_next(struct scan *scan, struct span *line)
{
    const uint8_t *start = scan->file->blob->data + scan->at;
    size_t left = scan->file->blob->len - scan->at;
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
    const char *path = scan->file->blob->path;

    if (label_ends(label, "PRIVATE KEY"))
        return why_set(scan->why, ERR_FILE,
                       "%s = %s: line %u: a private key must not be in this "
                       "file; split it: openssl pkey -in %s -out NEW.key; "
                       "openssl x509 -in %s -out NEW.crt (further "
                       "certificates go behind it)",
                       scan->file->what, path, scan->line, path, path);
    return why_set(scan->why, ERR_FILE,
                   "%s = %s: line %u: a block of %.*s; only %s belongs in this "
                   "file",
                   scan->file->what, path, scan->line,
                   label.len > 40 ? 40 : (int)label.len, (const char *)label.at,
                   scan->file->label);
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
base64_line(struct base64 *state, struct span line, struct pemfile *out)
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

/* block_end - at the END line: what stands above is one more */
static enum err
block_end(struct scan *scan, const struct base64 *state, size_t start)
{
    struct pemfile *file = scan->file;
    const char *flaw;

    if (state->count != 0)
        return bad(scan, "the base64 above ends too early");
    flaw = file->take(file->ctx,
                      (struct span){ file->bytes + start, file->len - start });
    if (flaw == NULL)
        return ERR_OK;
    return why_set(scan->why, ERR_FILE, "%s = %s: line %u: the block above %s",
                   file->what, file->blob->path, scan->line, flaw);
}

/* block - from the line after BEGIN to its END */
static enum err
block(struct scan *scan)
{
    struct base64 state = { 0 };
    size_t start = scan->file->len;
    struct span line, label;
    unsigned begin = scan->line;

    while (line_next(scan, &line)) {
        if (label_of(line, "-----END ", &label)) {
            if (!label_is(label, scan->file->label))
                return why_set(scan->why, ERR_FILE,
                               "%s = %s: line %u: END does not fit its BEGIN "
                               "%s",
                               scan->file->what, scan->file->blob->path,
                               scan->line, scan->file->label);
            return block_end(scan, &state, start);
        }
        if (!base64_line(&state, line, scan->file))
            return bad(scan, "not base64");
    }
    scan->line = begin;
    return why_set(
        scan->why, ERR_FILE, "%s = %s: line %u: BEGIN %s without an END",
        scan->file->what, scan->file->blob->path, begin, scan->file->label);
}

static enum err
read_pem(struct scan *scan)
{
    struct span line, label;
    bool any = false;
    enum err err;

    while (line_next(scan, &line)) {
        if (label_of(line, "-----BEGIN ", &label)) {
            if (!label_is(label, scan->file->label))
                return bad_block(scan, label);
            if ((err = block(scan)) != ERR_OK)
                return err;
            any = true;
        } else if (!line_is_text(line)) {
            return bad(scan, "bytes outside a block that are no text");
        } else if (line.len >= 5 && memcmp(line.at, "-----", 5) == 0) {
            return bad(scan, "a broken BEGIN or END line");
        }
    }
    if (!any)
        return why_set(scan->why, ERR_FILE, "%s = %s: no %s in it",
                       scan->file->what, scan->file->blob->path,
                       scan->file->noun);
    return ERR_OK;
}

static enum err
read_der(struct scan *scan)
{
    struct pemfile *file = scan->file;
    struct span rest = { file->blob->data, file->blob->len }, whole;
    const char *flaw;

    if (!der_take(&rest, TAG_SEQUENCE, NULL, &whole) || rest.len != 0)
        return why_set(scan->why, ERR_FILE,
                       "%s = %s: neither PEM nor one DER "
                       "%s",
                       file->what, file->blob->path, file->noun);
    memcpy(file->bytes, whole.at, whole.len);
    file->len = whole.len;
    flaw = file->take(file->ctx, (struct span){ file->bytes, file->len });
    if (flaw == NULL)
        return ERR_OK;
    return why_set(scan->why, ERR_FILE, "%s = %s: the DER %s %s", file->what,
                   file->blob->path, file->noun, flaw);
}

enum err
pemfile_read(struct pemfile *file, struct why *why)
{
    const struct blob *blob = file->blob;
    struct scan scan = { .file = file, .why = why };

    if (blob->len == 0)
        return why_set(why, ERR_FILE, "%s = %s: the file is empty", file->what,
                       blob->path);
    if (blob->data[0] == TAG_SEQUENCE &&
        memmem(blob->data, blob->len, "-----BEGIN ", 11) == NULL)
        return read_der(&scan);
    return read_pem(&scan);
}
