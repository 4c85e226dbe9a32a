/* reader.h - the drop of the master, and what it keeps to read keys later */
#ifndef MASTER_READER_H
#define MASTER_READER_H
#include "common/err.h"

struct conf;
struct master;

/*
 * reader_drop - drop_now for the master, then keep CAP_DAC_READ_SEARCH only if
 * a configured file cannot be opened without it, and only behind a fence
 * (Landlock) or with unsafe_reader = yes; CAP_SYS_CHROOT only with a jail.
 * Writes the `confinement` line: what is kept, and why.
 * ERR_PRIV: the drop or the fence failed. ERR_CONF: root-only keys and no
 * fence; why says the two ways out.
 */
enum err reader_drop(struct master *master, const struct conf *conf,
                     struct why *why);
#endif
