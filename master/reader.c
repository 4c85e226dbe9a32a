/*
 * reader.c - the drop of the master, and what it keeps to read keys later
 *
 * Owns the decision about the one dangerous capability, CAP_DAC_READ_SEARCH.
 * Runs once, between the last fork that needs more and the first look at a
 * key. Never reads a file itself.
 */
#include "master/reader.h"
#include "common/conf_files.h"
#include "common/landlock.h"
#include "common/log.h"
#include "master/confinement.h"
#include "master/drop.h"
#include "master/extras.h"
#include "master/fence.h"
#include "master/filters.h"
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* closed_to_us - for conf_files_each: can this file not be opened by our ids
 * alone? The first one that cannot goes to *ctx. */
static int
closed_to_us(void *ctx, const char *path)
{
    const char **closed = ctx;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0)
        close(fd);
    else if (errno == EACCES)
        *closed = path;
    return *closed != NULL;
}

/* first_closed - a file that needs the capability, NULL: none does */
static const char *
first_closed(const struct conf *conf)
{
    const char *closed = NULL;

    conf_files_each(conf, closed_to_us, &closed);
    return closed;
}

/* enter_fence - with a kernel that has none, only what needs it is refused */
static enum err
enter_fence(const struct master *master, const struct conf *conf,
            const char *closed, bool *fenced, struct why *why)
{
    enum err err;

    *fenced = false;
    if (master->fence != NULL && landlock_abi() > 0) {
        if ((err = fence_enter(master->fence, why)) == ERR_OK)
            *fenced = true;
        return err;
    }
    if (closed == NULL || !master->ids.root || conf->global.unsafe_reader)
        return ERR_OK;
    return why_set(why, ERR_CONF,
                   "%s can be read by root alone, and this kernel has no "
                   "Landlock to hold a master that may read everything: make "
                   "it readable by a group of the master (groups = GROUP), or "
                   "set unsafe_reader = yes",
                   closed);
}

static void
say(const struct master *master, const struct conf *conf, const char *closed,
    bool fenced)
{
    struct log_line line;
    bool reads = drop_has(DROP_CAP_READ), jails = drop_has(DROP_CAP_CHROOT);
    bool filtered = filters_get(FILTERS_MASTER) != NULL;
    bool weak = (reads && !fenced) || (filters_compiled() && !filtered) ||
                (master->ids.root && master->jail.fd < 0) ||
                landlock_abi() == 0;

    log_begin(&line, weak ? LOG_L_WARN : LOG_L_NOTICE, "confinement");
    log_int(&line, "user", master->ids.uid);
    log_int(&line, "group", master->ids.gid);
    log_text(&line, "jail",
             master->jail.fd >= 0 ? conf->global.chroot : "none");
    log_text(&line, "keeps",
             reads && jails ? "sys_chroot,dac_read_search"
             : reads        ? "dac_read_search"
             : jails        ? "sys_chroot"
                            : "nothing");
    if (reads)
        log_text(&line, "because", closed);
    log_text(&line, "fence", fenced ? "landlock" : "none");
    log_int(&line, "landlock", landlock_abi());
    log_text(&line, "seccomp", filters_text());
    log_text(&line, "lacks", extras_lacking());
    log_text(&line, "processes",
             confinement_kinds(master->jail.fd >= 0, fenced, filtered,
                               master->runner_count > 0));
    if (master->degraded.text[0] != '\0')
        log_text(&line, "reason", master->degraded.text);
    else if (!master->ids.root)
        log_text(&line, "reason",
                 "started as an ordinary user: no jail, no change of ids");
    log_send(&line);
}

enum err
reader_drop(struct master *master, const struct conf *conf, struct why *why)
{
    unsigned caps = master->jail.fd >= 0 ? DROP_CAP_CHROOT : 0;
    const char *closed;
    bool fenced;
    enum err err;

    err = drop_now(&master->ids, master->ids.root ? caps | DROP_CAP_READ : 0,
                   true, why);
    if (err != ERR_OK)
        return err;
    closed = first_closed(conf);
    if (master->ids.root && closed == NULL &&
        (err = drop_caps_keep(caps, why)) != ERR_OK)
        return err;
    if ((err = enter_fence(master, conf, closed, &fenced, why)) == ERR_OK &&
        (err = filters_enter(FILTERS_MASTER, why)) == ERR_OK)
        say(master, conf, closed, fenced);
    return err;
}
