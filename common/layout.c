/*
 * layout.c - where the kernel has this process's arguments, heap and stack
 *
 * Owns PR_SET_MM_MAP, which sets all at once: so what is not to change must be
 * known. It takes no capability.
 */
#include "common/layout.h"
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif

static struct prctl_mm_map map; /* as the kernel has it; no brk: not known */

/* field - of /proc/PID/stat, counted as proc(5) does, from 3; at: the bracket
 * that closes the second. 0: there are not so many. */
static unsigned long long
field(const char *at, int number)
{
    for (int i = 2; at != NULL && i < number; i++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoull(at, NULL, 10) : 0;
}

/* look - the heap must not begin yet: no stdio */
static void
look(void)
{
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    char line[2048];
    ssize_t len = fd >= 0 ? read(fd, line, sizeof(line) - 1) : -1;
    const char *at;

    if (fd >= 0)
        close(fd);
    line[len > 0 ? len : 0] = '\0';
    at = strrchr(line, ')');
    map.start_code = field(at, 26);
    map.end_code = field(at, 27);
    map.start_stack = field(at, 28);
    map.start_data = field(at, 45);
    map.end_data = field(at, 46);
    map.start_brk = field(at, 47);
    map.arg_start = field(at, 48);
    map.arg_end = field(at, 49);
    map.env_start = field(at, 50);
    map.env_end = field(at, 51);
    map.exe_fd = (uint32_t)-1;
}

static bool
tell(const struct prctl_mm_map *now)
{
    /* start_brk: there were fields enough */
    return now->start_brk != 0 &&
           prctl(PR_SET_MM, PR_SET_MM_MAP, now, sizeof(*now), 0) == 0;
}

#ifndef MTLSD_SANITIZE
/* move_heap - while there is none */
static void
move_heap(void)
{
    extern char end[]; /* end(3) */
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct prctl_mm_map now = map;

    if ((uintptr_t)sbrk(0) != map.start_brk)
        return; /* a static program's thread stands there */
    /* a page between: the heap does not grow together with the variables */
    now.start_brk = now.brk = ((uintptr_t)end + page - 1) / page * page + page;
    if (tell(&now) && brk((void *)(uintptr_t)now.brk) == 0)
        map.start_brk = now.start_brk;
}
#endif

/* forgo_rseq - the kernel would write the CPU's number into the thread's block,
 * and so into a page of each worker, for nobody (rseq(2), glibc 2.35) */
static void
forgo_rseq(void)
{
#ifdef RSEQ_SIG
    char *self = __builtin_thread_pointer();

    if (__rseq_size > 0)
        (void)syscall(SYS_rseq, self + __rseq_offset, sizeof(struct rseq),
                      RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
#endif
}

void
layout_init(void)
{
    forgo_rseq();
    look();
#ifndef MTLSD_SANITIZE
    move_heap();
#endif
}

bool
layout_title(const char *to, size_t room)
{
    struct prctl_mm_map now = map;

    now.brk = (uintptr_t)sbrk(0);
    now.arg_start = (uintptr_t)to;
    now.arg_end = now.env_start = now.env_end = (uintptr_t)to + room;
    return tell(&now);
}
