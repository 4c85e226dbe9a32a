/* conf_ini.h - iniparser's reading of a file that the scanner has accepted */
#ifndef COMMON_CONF_INI_H
#define COMMON_CONF_INI_H
#include "common/scan.h"
#include <stdbool.h>

/* conf_ini_can - iniparser loads from a path alone, and only /proc has one for
 * what is in memory: can it read? */
bool conf_ini_can(void);

/*
 * conf_ini_check - let iniparser load the cleaned copy; everything that it
 * reads must equal what the scanner read. Nothing to check without
 * conf_ini_can.
 * scan  without errors.
 * line  out: where they differ, 0 when no line is to blame.
 * ERR_OK; ERR_CONF: they differ; ERR_SYS: no memory file, or not readable.
 */
enum err conf_ini_check(const struct scan *scan, unsigned *line,
                        struct why *why);
#endif
