/* pidfile.h - one instance, and its number */
#ifndef MASTER_PIDFILE_H
#define MASTER_PIDFILE_H
#include "common/err.h"

/*
 * pidfile_open - open or create, lock, write our pid; keeps the descriptor.
 * The lock belongs to this process (fcntl F_SETLK), children do not have it.
 * Never unlinked: a second instance must find the lock, not a free name.
 * ERR_SYS: why names the file; "mtlsd runs already as pid N".
 */
enum err pidfile_open(const char *path, int *fd, struct why *why);
#endif
