/* watch.h - has one of the configured files changed? */
#ifndef MASTER_WATCH_H
#define MASTER_WATCH_H
#include <stdbool.h>
#include <stddef.h>

struct watch;

/*
 * watch_new - take a first look at these paths (copied; NULLs are skipped)
 * Call it before the files are read: what changes between the two is then
 * noticed, and not taken for what was read. A path that is not there is watched
 * for its appearance. Never NULL.
 */
struct watch *watch_new(const char *const *path, size_t count);

/*
 * watch_changed - look again, say once a second: does something differ from
 * what was last reported, and has it been like this for two looks? True once for
 * each change; a file that is being written is waited for, and the others wait
 * with it, because they may belong together (ten looks at most). path: out, may
 * be NULL: with true, the first path that differs, for the log; valid until
 * watch_free.
 *
 * Seen are: rename over, writing in place, a link that leads elsewhere, at the
 * path itself or in a directory above it, deletion, appearance, new owner or
 * mode. The master's CAP_DAC_READ_SEARCH is used for the look when it has it.
 */
bool watch_changed(struct watch *watch, const char **path);

void watch_free(struct watch *watch); /* NULL is fine */
#endif
