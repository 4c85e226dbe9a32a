/*
 * conf_ini.c - iniparser's reading of a file that the scanner has accepted
 *
 * The only file that includes iniparser. iniparser loads from a path alone, so
 * the cleaned copy goes into a memfd and is loaded through /proc/self/fd.
 * Two readers that agree on every value: neither can fail open by itself.
 */
#include "common/conf_ini.h"
#include <errno.h>
#include <iniparser.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

/* iniparser's callback has no argument of ours */
static char complaint[256];

/* collect - keep iniparser's first complaint instead of printing it */
__attribute__((format(printf, 1, 2))) static int
collect(const char *format, ...)
{
    va_list args;
    int n;

    if (complaint[0] != '\0')
        return 0;
    va_start(args, format);
    n = vsnprintf(complaint, sizeof(complaint), format, args);
    va_end(args);
    complaint[strcspn(complaint, "\n")] = '\0';
    return n;
}

static enum err
write_all(int fd, const char *text, size_t len, struct why *why)
{
    ssize_t n;

    for (; len > 0; text += n, len -= (size_t)n) {
        n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            n = 0;
        if (n < 0)
            return why_errno(why, ERR_SYS, "write to a memory file");
    }
    return ERR_OK;
}

static enum err
load(const struct scan *scan, dictionary **out, struct why *why)
{
    enum err code;
    char path[32];
    int fd;

    if ((fd = memfd_create("mtlsd.conf", MFD_CLOEXEC)) < 0)
        return why_errno(why, ERR_SYS, "memfd_create");
    code = write_all(fd, scan->copy, scan->copy_len, why);
    if (code == ERR_OK) {
        complaint[0] = '\0';
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        iniparser_set_error_callback(collect);
        *out = iniparser_load(path);
        iniparser_set_error_callback(NULL);
        if (*out == NULL)
            code = why_set(why, ERR_SYS, "iniparser: %s", complaint);
        else if (complaint[0] != '\0') {
            iniparser_freedict(*out);
            *out = NULL;
            code = why_set(why, ERR_CONF, "iniparser: %s", complaint);
        }
    }
    (void)close(fd);
    return code;
}

/* section_name - as iniparser keeps it, but for the case */
static void
section_name(const struct scan_section *section, char *out, size_t size)
{
    (void)snprintf(out, size, "%s%s%s", section->kind,
                   section->name[0] != '\0' ? "/" : "", section->name);
}

/* same_section - section stands at *at in the dictionary, its keys behind it;
 * moves *at on. Otherwise *line says where they differ. */
static bool
same_section(const dictionary *ini, int *at, const struct scan_section *section,
             unsigned *line)
{
    char name[2 * SCAN_NAME_MAX + 2];
    size_t i, len;

    section_name(section, name, sizeof(name));
    len = strlen(name);
    *line = section->line;
    if (*at >= ini->n || strcasecmp(ini->key[*at], name) != 0 ||
        ini->val[*at] != NULL)
        return false;
    ++*at;
    for (i = 0; i < section->count; i++, ++*at) {
        const struct scan_entry *entry = &section->entry[i];

        *line = entry->line;
        if (*at >= ini->n || strncasecmp(ini->key[*at], name, len) != 0 ||
            ini->key[*at][len] != ':' ||
            strcmp(ini->key[*at] + len + 1, entry->key) != 0 ||
            ini->val[*at] == NULL || strcmp(ini->val[*at], entry->value) != 0)
            return false;
    }
    return true;
}

bool
conf_ini_can(void)
{
    return access("/proc/self/fd", F_OK) == 0;
}

enum err
conf_ini_check(const struct scan *scan, unsigned *line, struct why *why)
{
    static const char differ[] = "internal error: iniparser reads this line "
                                 "differently; please report it";
    dictionary *ini = NULL;
    enum err code;
    size_t i;
    int at = 0; /* the dictionary keeps the order of the file */

    *line = 0;
    if (!conf_ini_can())
        return ERR_OK;
    code = load(scan, &ini, why);
    if (ini == NULL)
        return code;
    for (i = 0; i < scan->count && code == ERR_OK; i++)
        if (!same_section(ini, &at, &scan->section[i], line))
            code = why_set(why, ERR_CONF, differ);
    if (code == ERR_OK && at != ini->n) {
        *line = 0;
        code = why_set(why, ERR_CONF, differ);
    }
    iniparser_freedict(ini);
    return code;
}
