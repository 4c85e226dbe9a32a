/* fence.h - the directories that the running master may still read */
#ifndef MASTER_FENCE_H
#define MASTER_FENCE_H
#include "common/conf.h"
#include "common/err.h"

struct fence; /* a list of directories */

/*
 * fence_plan - before the drop: the directories of the configuration's files
 * and of every certificate, key and CA file that it names, of what their
 * symbolic links point to (each link of the chain and the final target, as
 * certbot's live and archive), and reader_dirs.
 * A file that is missing adds nothing. A directory that is reached through a
 * link adds the directory of its target (unless wide), so that the link may be
 * switched to a sibling later.
 * ERR_CONF: a directory is one of / /etc /usr /var /home /root /run (or
 * /tmp /proc /sys /dev /boot /lib /bin /sbin): why names the file that led to
 * it and says to give the file a directory of its own.
 */
enum err fence_plan(const struct conf *conf, struct fence **out,
                    struct why *why);

/* fence_enter - Landlock: read these and nothing else (landlock.h) */
enum err fence_enter(const struct fence *fence, struct why *why);

/* fence_holds - is path, followed through its links, inside the fence? For a
 * warning at reload: "directory outside the fence: restart". A missing file is
 * judged by the directory it would be in. */
enum err fence_holds(const struct fence *fence, const char *path,
                     struct why *why);
void fence_free(struct fence *fence);
#endif
