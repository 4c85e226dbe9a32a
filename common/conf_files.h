/* conf_files.h - every file that a configuration names */
#ifndef COMMON_CONF_FILES_H
#define COMMON_CONF_FILES_H
struct conf;

/*
 * conf_files_each - call visit for each: the configuration and its includes,
 * then certificates, keys, authorities and CRLs of both sides of every service
 * and route. A file that stands in several places is visited several times.
 * Stops early when visit returns non-zero, and returns that.
 */
int conf_files_each(const struct conf *conf,
                    int (*visit)(void *ctx, const char *path), void *ctx);
#endif
