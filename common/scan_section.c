/*
 * scan_section.c - a line that begins with [
 *
 * Owns what kinds and names look like, and that no section stands twice. Pure;
 * knows no kind.
 */
#include "common/mem.h"
#include "common/scan_line.h"
#include <string.h>
#include <strings.h>

static bool
is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

/* check_kind, check_name - told when the word is none */
static void
check_kind(struct scan_line *l, const char *kind, size_t len)
{
    char shown[SCAN_SHOWN_MAX], low[SCAN_KEY_MAX + 1];
    bool upper = false;
    size_t i;

    (void)scan_show(kind, kind + len, shown);
    if (len == 0)
        scan_tell(l, "the section has no name");
    if (len > SCAN_NAME_MAX)
        scan_tell(l, "[%s...]: a kind of section has at most %d bytes", shown,
                  SCAN_NAME_MAX);
    for (i = 0; i < len && !l->bad; i++) {
        bool big = kind[i] >= 'A' && kind[i] <= 'Z';

        upper |= big;
        if (!big && !(kind[i] >= 'a' && kind[i] <= 'z') && kind[i] != '_')
            scan_tell(l, "\"%s\" is no kind of section", shown);
    }
    if (upper)
        scan_tell(l, "[%s]: kinds of sections are written in lower case: %s",
                  shown, scan_lower(shown, low));
}

static void
check_name(struct scan_line *l, const char *name, size_t len)
{
    char shown[SCAN_SHOWN_MAX];
    size_t i;

    if (len > SCAN_NAME_MAX)
        scan_tell(l, "\"%s...\": a section's name has at most %d bytes",
                  scan_show(name, name + SCAN_NAME_MAX, shown), SCAN_NAME_MAX);
    for (i = 0; i < len && !l->bad; i++)
        if (!is_name_byte(name[i]))
            scan_tell(l,
                      "\"%s\": a section's name is made of A-Z a-z 0-9 _ . -",
                      scan_show(name, name + len, shown));
}

/* unique - iniparser knows no case in section names, so neither do we */
static void
unique(struct scan_line *l, const struct scan_section *section)
{
    const struct scan_section *other;

    for (other = l->scan->section; other < section; other++)
        if (strcmp(other->kind, section->kind) == 0 &&
            strcasecmp(other->name, section->name) == 0 &&
            section->kind[0] != '\0')
            scan_tell(l,
                      strcmp(other->name, section->name) == 0
                          ? "[%s%s%s]: stands twice, first on line %u"
                          : "[%s%s%s]: differs only in case from line %u",
                      section->kind, section->name[0] != '\0' ? " " : "",
                      section->name, other->line);
}

static struct scan_section *
add_section(struct scan_line *l)
{
    struct scan *scan = l->scan;
    struct scan_section *section;

    scan->section =
        mem_array(scan->section, scan->count + 1, sizeof(*scan->section));
    section = &scan->section[scan->count++];
    *section = (struct scan_section){ .line = l->number };
    return section;
}

/* header - KIND or KIND NAME between from and to; fills section, or tells */
static void
header(struct scan_line *l, const char *from, const char *to,
       struct scan_section *section)
{
    const char *kind_end, *name;

    while (from < to && scan_is_blank(*from))
        from++;
    while (to > from && scan_is_blank(to[-1]))
        to--;
    for (kind_end = from; kind_end < to && !scan_is_blank(*kind_end);)
        kind_end++;
    for (name = kind_end; name < to && scan_is_blank(*name);)
        name++;
    check_kind(l, from, (size_t)(kind_end - from));
    check_name(l, name, (size_t)(to - name));
    if (l->bad)
        return;
    memcpy(section->kind, from, (size_t)(kind_end - from));
    memcpy(section->name, name, (size_t)(to - name));
    unique(l, section);
    if (l->bad)
        section->kind[0] = '\0'; /* its keys were judged the first time */
}

void
scan_section(struct scan_line *l)
{
    const char *from = l->at + 1, *to;
    struct scan_section *section = add_section(l);

    to = memchr(from, ']', (size_t)(l->end - from));
    if (to == NULL) {
        scan_tell(l, "the ] of the section is missing");
        return;
    }
    header(l, from, to, section);
    l->at = to + 1;
    if (!scan_at_end(l, true))
        scan_tell(l, "text after ]; only a comment may follow");
    if (l->bad)
        return;
    scan_copy(l, "[");
    scan_copy(l, section->kind);
    /* iniparser 4.2.0 ends a section's name at a blank; no name holds a slash */
    scan_copy(l, section->name[0] != '\0' ? "/" : "");
    scan_copy(l, section->name);
    scan_copy(l, "]");
}
