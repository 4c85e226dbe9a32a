/* logtarget.h - where log lines go: stderr, the syslog daemon, or a file */
#ifndef MASTER_LOGTARGET_H
#define MASTER_LOGTARGET_H
#include "common/err.h"
#include "master/drop.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum logtarget_kind { LOGTARGET_STDERR, LOGTARGET_SYSLOG, LOGTARGET_FILE };

struct logtarget {
    enum logtarget_kind kind;
    int fd;
    int dir;                 /* FILE: its directory, until logtarget_settle */
    char base[NAME_MAX + 1]; /* FILE: the name within it */
    unsigned facility;       /* SYSLOG: its number */
    bool torn;               /* the last line went out in part */
};

/* logtarget_open - conf log: "stderr", "syslog[:facility]", "/path"; as root,
 * before the drop. A file is made 0640 when it is missing and given to ids.
 * ERR_CONF: where is none of these. ERR_SYS, ERR_FILE: it cannot be reached. */
enum err logtarget_open(struct logtarget *target, const char *where,
                        const struct drop_ids *ids, struct why *why);

/* logtarget_settle - make the file's directory the working directory (else /),
 * as root: the fence "." and every reopen then work even when its parents are
 * closed to our uid */
enum err logtarget_settle(struct logtarget *target, struct why *why);

/* logtarget_write - one line of at most LOG_LINE_MAX bytes, its newline at the
 * end (none for SYSLOG, where it is one datagram), in one write(2). Waits at
 * most 100 ms for a slow target. false: it is lost. */
bool logtarget_write(struct logtarget *target, const char *line, size_t len);

/* logtarget_reopen - the file under its name (made if we may), or the syslog
 * daemon's new socket. On an error errno is set and the old target stays. */
enum err logtarget_reopen(struct logtarget *target, struct why *why);

void logtarget_close(struct logtarget *target);
#endif
