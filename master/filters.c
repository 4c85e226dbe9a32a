/*
 * filters.c - which system calls each kind of process may make
 *
 * Owns the table, and the programs made of it. Every call has its line, with
 * the kinds of process that make it and what must hold of its arguments; what
 * has no line kills. The kernel tries all filters of a process and the
 * strictest answer counts, so children may only ever do what the master's own
 * filter lets through: it is the union of its lines, of what its children do on
 * the way to their own (START), and of theirs.
 *
 * Hot calls have no tests: the kernel (5.11) remembers that they pass whatever
 * the arguments are, and runs no program for them. Must never test what a
 * pointer points to: another thread, or a shared page, could change it.
 */
#include "master/filters.h"
#include "common/filter.h"
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum {
    MASTER = 1,
    START = 2, /* from fork to the own filter: keepers, workers, judge */
    KEEPER = 4,
    WORKER = 8,
    CONNECTOR = 16, /* and its resolvers until they have their own */
    RESOLVER = 32,
    LOGGER = 64,
    JUDGE = 128,

    ANY = MASTER | KEEPER | WORKER | CONNECTOR | RESOLVER | LOGGER | JUDGE,
    READS = CONNECTOR | RESOLVER, /* what a resolver reads */
    TUNES = MASTER | CONNECTOR,   /* sockets towards the network */
    EXPOSED = WORKER | JUDGE,     /* they parse what clients sent */
    OTHERS = ANY & ~EXPOSED,
    FORKED = MASTER | START | KEEPER | EXPOSED, /* by the master, when fenced */
};

/* who has which program */
static const unsigned programs[FILTERS_KINDS] = {
    [FILTERS_MASTER] = FORKED,     [FILTERS_KEEPER] = KEEPER,
    [FILTERS_WORKER] = WORKER,     [FILTERS_CONNECTOR] = CONNECTOR | RESOLVER,
    [FILTERS_RESOLVER] = RESOLVER, [FILTERS_LOGGER] = LOGGER,
    [FILTERS_JUDGE] = JUDGE,
};

/* numbers of our own, the same on all machines: headers and libseccomp of the
 * build machine may be older than the kernel that runs us */
#define LANDLOCK_CREATE   444
#define LANDLOCK_ADD      445
#define LANDLOCK_RESTRICT 446
#define MEMFD_SECRET      447

/* clang-format off */
#define YES(name, who)       { SCMP_SYS(name), who, 0, { { 0 } } }
#define IF(name, who, ...)   { SCMP_SYS(name), who, 0, { __VA_ARGS__ } }
#define NO(name, who, error) { SCMP_SYS(name), who, error, { { 0 } } }
#define NUMBER(number, who)  { number, who, 0, { { 0 } } }

#define IS(arg, value)     { arg, FILTER_INT, value }
#define WITHOUT(arg, bits) { arg, bits, 0 }
#define NULL_IN(arg)       { arg, FILTER_LONG, 0 }
#define NO_FD_IN(arg)      { arg, FILTER_INT, FILTER_INT } /* -1 */
/* a descriptor below FILTERS_SHARED_FD, which is a power of two */
#define OWN(arg)           { arg, FILTER_INT & ~(FILTERS_SHARED_FD - 1u), 0 }

/* what open(2) may not do: write, create */
#define WRITES (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))
/* fork(2) alone: no thread, no namespace, and SIGCHLD at the end */
#define FORK_FREE (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)
#define FORKS(arg)         { arg, FILTER_LONG & ~(uint64_t)FORK_FREE, SIGCHLD }

static const struct filter_rule rules[] = {
    /* --- data: hot, and harmless on what a process holds --- */
    YES(read,          ANY & ~JUDGE),
    YES(pread64,       MASTER | KEEPER | RESOLVER), /* key files */
    YES(write,         ANY),                   /* "out of memory", on 2 */
    YES(writev,        ANY),                   /* the C library's last words */
    YES(recvfrom,      ANY & ~JUDGE),
    YES(close,         ANY),
    YES(poll,          ANY),
    YES(ppoll,         ANY),
    YES(epoll_wait,    MASTER | KEEPER | CONNECTOR),
    YES(epoll_pwait,   ANY & ~(LOGGER | RESOLVER | JUDGE)),
    YES(lseek,         MASTER | RESOLVER | LOGGER),

    /* --- packets --- */
    YES(sendto,        OTHERS),
    /* with an address MSG_FASTOPEN connects a socket whose connecting failed */
    IF(sendto,         EXPOSED, NULL_IN(4)),
    YES(sendmsg,       MASTER | CONNECTOR | RESOLVER), /* descriptors */
    YES(sendmmsg,      RESOLVER),
    YES(recvmsg,       OTHERS),
    IF(recvmsg,        WORKER, OWN(0)),        /* keeper, connector */

    /* --- sockets --- */
    IF(accept4,        WORKER, IS(3, SOCK_NONBLOCK | SOCK_CLOEXEC)),
    IF(socketpair,     MASTER | CONNECTOR, IS(0, AF_UNIX)),
    IF(socket,         CONNECTOR | RESOLVER, IS(0, AF_INET)),
    IF(socket,         CONNECTOR | RESOLVER, IS(0, AF_INET6)),
    IF(socket,         CONNECTOR | RESOLVER, IS(0, AF_UNIX)),
    IF(socket,         RESOLVER, IS(0, AF_NETLINK), IS(2, NETLINK_ROUTE)),
    YES(connect,       CONNECTOR | RESOLVER | LOGGER), /* syslog comes back */
    YES(bind,          RESOLVER),              /* netlink */
    YES(getsockname,   MASTER | WORKER | RESOLVER),
    YES(getpeername,   RESOLVER),
    YES(getsockopt,    MASTER | CONNECTOR | RESOLVER),
    IF(getsockopt,     WORKER, IS(1, SOL_SOCKET)), /* SO_ERROR, SO_DOMAIN */
    /* a worker: on its own descriptors. With options of a listener or of the
     * log's socket it could stop its siblings. */
    IF(setsockopt,     WORKER, OWN(0), IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)),
    IF(setsockopt,     WORKER, OWN(0), IS(1, IPPROTO_TCP), IS(2, TCP_QUICKACK)),
    IF(setsockopt,     WORKER, OWN(0), IS(1, SOL_SOCKET), IS(2, SO_LINGER)),
    IF(setsockopt,     WORKER, OWN(0), IS(1, SOL_SOCKET), IS(2, SO_RCVTIMEO)),
    IF(setsockopt,     WORKER, OWN(0), IS(1, SOL_SOCKET), IS(2, SO_SNDTIMEO)),
    IF(setsockopt,     MASTER, IS(1, SOL_SOCKET), IS(2, SO_SNDTIMEO)),
    IF(setsockopt,     MASTER, IS(1, SOL_SOCKET), IS(2, SO_RCVTIMEO)),
    IF(setsockopt,     MASTER, IS(1, SOL_SOCKET), IS(2, SO_PASSCRED)),
    /* tcp.h: of listeners, of connections to upstreams */
    IF(setsockopt,     MASTER, IS(1, IPPROTO_TCP), IS(2, TCP_DEFER_ACCEPT)),
    IF(setsockopt,     TUNES, IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)),
    IF(setsockopt,     TUNES, IS(1, IPPROTO_TCP), IS(2, TCP_USER_TIMEOUT)),
    IF(setsockopt,     TUNES, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPIDLE)),
    IF(setsockopt,     TUNES, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPINTVL)),
    IF(setsockopt,     TUNES, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPCNT)),
    IF(setsockopt,     TUNES, IS(1, SOL_SOCKET), IS(2, SO_KEEPALIVE)),
    IF(setsockopt,     RESOLVER, IS(1, IPPROTO_IP)),   /* IP_RECVERR */
    IF(setsockopt,     RESOLVER, IS(1, IPPROTO_IPV6)),
    YES(shutdown,      MASTER),                /* listeners, at the end */
    IF(shutdown,       WORKER, OWN(0)),        /* not the log for everybody */
    IF(ioctl,          WORKER | RESOLVER, IS(1, FIONREAD)),
    IF(ioctl,          WORKER, IS(1, SIOCOUTQ)),

    /* --- descriptors --- */
    YES(epoll_ctl,     MASTER | START | KEEPER | WORKER | CONNECTOR),
    YES(epoll_create1, MASTER | START | KEEPER),
    YES(pipe2,         MASTER),                /* leashes */
    IF(fcntl,          START | MASTER, IS(1, F_DUPFD_CLOEXEC)),
    IF(fcntl,          MASTER | RESOLVER, IS(1, F_GETFL)), /* fdopendir */
    IF(fcntl,          MASTER | RESOLVER, IS(1, F_GETFD)),
    IF(fcntl,          MASTER | RESOLVER, IS(1, F_SETFD)),
    IF(fcntl,          RESOLVER, IS(1, F_SETFL)),
    YES(dup2,          MASTER | START | CONNECTOR), /* /dev/null onto 0, 1, 2 */
    YES(dup3,          MASTER | START | CONNECTOR),
    YES(close_range,   START | CONNECTOR),

    /* --- files: the fence (Landlock) says which --- */
    IF(openat,         MASTER | START | READS, WITHOUT(2, WRITES)),
    YES(openat,        LOGGER),                /* its file, when reopened */
    NO(open,           ANY | START, EACCES),
    NO(openat,         KEEPER | EXPOSED, EACCES),
    NO(openat2,        ANY | START, EACCES),
    NO(creat,          ANY | START, EACCES),
    YES(fstat,         OTHERS | START),
    YES(newfstatat,    OTHERS | START), /* fstat(3), too */
    YES(stat,          MASTER | START | RESOLVER),
    YES(lstat,         MASTER | RESOLVER),
    YES(statx,         MASTER | RESOLVER),
    YES(access,        MASTER | RESOLVER),
    YES(faccessat,     MASTER | RESOLVER),
    YES(faccessat2,    MASTER | RESOLVER),
    YES(readlink,      MASTER | RESOLVER),
    YES(readlinkat,    MASTER | RESOLVER),
    YES(getdents64,    MASTER | START | READS),
    YES(getcwd,        MASTER),
    YES(umask,         LOGGER),
    YES(memfd_create,  MASTER),                /* for iniparser */
    NUMBER(MEMFD_SECRET, START),               /* keepers */
    YES(ftruncate,     MASTER | START),        /* pid file, secret memory */
    YES(chroot,        START),
    YES(fchdir,        START),
    YES(chdir,         START),

    /* --- memory: nothing that can be executed --- */
    YES(brk,           ANY),
    YES(munmap,        ANY),
    IF(mmap,           MASTER | START | CONNECTOR, WITHOUT(2, PROT_EXEC)),
    IF(mmap,           LOGGER, WITHOUT(2, PROT_EXEC)),
    /* no file, and no page of a neighbour's, can be mapped */
    IF(mmap,           KEEPER, WITHOUT(2, PROT_EXEC), NO_FD_IN(4)),
    /* malloc(3) takes brk(2) then, which RLIMIT_DATA bounds; shared memory,
     * stacks and page tables of what is only read have no such bound */
    NO(mmap,           EXPOSED, ENOMEM),
    /* modules of the resolver: executable, then not writable */
    IF(mmap,           RESOLVER, WITHOUT(2, PROT_EXEC)),
    IF(mmap,           RESOLVER, WITHOUT(2, PROT_WRITE)),
    IF(mprotect,       (ANY & ~JUDGE) | START, WITHOUT(2, PROT_EXEC)),
    IF(mprotect,       JUDGE, WITHOUT(2, PROT_EXEC | PROT_WRITE)), /* slots */
    YES(madvise,       OTHERS | START),
    IF(madvise,        EXPOSED, IS(2, MADV_DONTNEED)),
    IF(madvise,        EXPOSED, IS(2, MADV_FREE)),
    YES(mremap,        ANY & ~(KEEPER | EXPOSED)),
    NO(mremap,         KEEPER | EXPOSED, ENOMEM), /* realloc(3) copies then */
    YES(mlock,         START),
    YES(mlock2,        START),

    /* --- processes --- */
    IF(clone,          MASTER | CONNECTOR, FORKS(0)),
    NO(clone3,         MASTER | CONNECTOR, ENOSYS), /* clone(2) then */
    YES(set_robust_list, START | CONNECTOR),   /* a forked C library */
    YES(rseq,          START | CONNECTOR),
    IF(kill,           MASTER, IS(1, SIGTERM)),
    IF(kill,           MASTER | CONNECTOR, IS(1, SIGKILL)),
    YES(wait4,         MASTER | CONNECTOR),
    NO(tgkill,         ANY | START, EPERM),    /* abort(3) goes on to a fault */
    YES(getpid,        ANY),
    YES(gettid,        ANY),
    YES(getppid,       CONNECTOR),
    YES(exit,          ANY),
    YES(exit_group,    ANY),

    /* --- signals --- */
    YES(rt_sigaction,  ANY | START),
    YES(rt_sigprocmask, ANY | START),
    YES(rt_sigpending, WORKER),
    YES(rt_sigreturn,  ANY),
    YES(restart_syscall, ANY),

    /* --- what a process is --- */
    IF(prctl,          ANY | START, IS(0, PR_SET_NAME)),
    IF(prctl,          MASTER | START, IS(0, PR_GET_NO_NEW_PRIVS)),
    IF(prctl,          START, IS(0, PR_SET_DUMPABLE), IS(1, 0)),
    IF(prctl,          START, IS(0, PR_GET_DUMPABLE)),
    IF(prctl,          START, IS(0, PR_CAP_AMBIENT)),
    IF(prctl,          START, IS(0, PR_SET_MM), IS(1, PR_SET_MM_MAP)),
    IF(prctl,          CONNECTOR, IS(0, PR_SET_PDEATHSIG)),
    YES(capget,        MASTER | START),
    YES(capset,        MASTER | START),        /* around what needs it */
    NUMBER(LANDLOCK_CREATE, MASTER | START),
    NUMBER(LANDLOCK_ADD, START),
    NUMBER(LANDLOCK_RESTRICT, START),
    IF(seccomp,        START | CONNECTOR, IS(0, SECCOMP_SET_MODE_FILTER)),
    IF(prlimit64,      MASTER | START | READS, IS(0, 0)), /* its own */
    YES(getrlimit,     MASTER | START | READS),
    YES(setrlimit,     START),
    YES(getuid,        MASTER | RESOLVER),
    YES(geteuid,       MASTER | START | RESOLVER),
    YES(getgid,        MASTER | RESOLVER),
    YES(getegid,       MASTER | RESOLVER),
    YES(getgroups,     MASTER),

    /* --- the C library's needs --- */
    YES(clock_gettime, ANY),                   /* where the vDSO cannot */
    YES(gettimeofday,  ANY),
    YES(time,          ANY),
    YES(clock_nanosleep, RESOLVER),
    YES(getrandom,     ANY | START),
    YES(futex,         ANY),
    YES(sysinfo,       MASTER | KEEPER | RESOLVER), /* qsort(3) */
    YES(uname,         RESOLVER),
    YES(sched_getaffinity, MASTER | RESOLVER), /* the number of CPUs */
    YES(sched_yield,   WORKER | RESOLVER),     /* yield.c */
};
/* clang-format on */

static struct filter *built[FILTERS_KINDS];

bool
filters_compiled(void)
{
#ifdef MTLSD_SANITIZE
    return false;
#else
    return true;
#endif
}

enum err
filters_build(bool strict, struct why *why)
{
    _Static_assert(FILTERS_KINDS <= FILTER_PROGRAMS, "all in one go");

    if (!filters_compiled())
        return ERR_OK;
    if (!filter_known() && strict)
        return why_set(why, ERR_PRIV,
                       "this kernel has no system call filters (seccomp); "
                       "confine = degrade does without");
    if (!filter_known())
        return ERR_OK;
    return filter_build(rules, sizeof(rules) / sizeof(rules[0]), programs,
                        FILTERS_KINDS, built, why);
}

enum err
filters_enter(enum filters_kind kind, struct why *why)
{
    return filter_load(built[kind], why);
}

const struct filter *
filters_get(enum filters_kind kind)
{
    return built[kind];
}

const char *
filters_text(void)
{
    if (!filters_compiled())
        return "none: a build with sanitizers";
    return built[FILTERS_MASTER] != NULL ? "yes" : "none: not in this kernel";
}
