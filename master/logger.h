/* logger.h - the process that writes logs, and the only one */
#ifndef MASTER_LOGGER_H
#define MASTER_LOGGER_H
#include "common/err.h"
#include "common/log.h"
#include "master/drop.h"
#include <sys/types.h>

/*
 * logger_start - fork the logger and point log_open at it
 * where   conf log: "stderr", "syslog[:facility]", "/path". The file is
 *         opened (created 0640, owner ids) before the drop, kept with its
 *         directory so that a reopen works after the drop and the fence.
 * *fd     the sending end that every process shares (close-on-exec, send
 *         timeout 100 ms), close in children that must not log.
 * *control the master's end: a packet "R" reopens, answered by one byte
 *         (0 done, else errno) so that a failed reopen can be told.
 * The logger ends when the last sender has closed, with 0. The master closes
 * control before or with its own fd: when the lines end but control stays open
 * for a second, a sender has shut the shared socket down for everyone, and the
 * logger says so and ends with 111. control stays in the master alone.
 * It stamps each line with the time and with the pid that the kernel names
 * (SO_PASSCRED). It ignores SIGHUP, SIGTERM, SIGINT (a terminal sends those to
 * everyone). Returns when it is confined.
 */
enum err logger_start(const char *where, enum log_format format,
                      enum log_level level, const struct drop_ids *ids, int *fd,
                      int *control, pid_t *pid, struct why *why);

/* logger_reopen - ask for it, wait for the answer (at most a second) */
enum err logger_reopen(int control, struct why *why);
#endif
