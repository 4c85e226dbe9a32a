/*
 * test_filters.c - the table: what a taken-over process of each kind would try
 */
#include "common/filter.h"
#include "master/filters.h"
#include "test/unit/child.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#define IO_URING_SETUP    425
#define IO_URING_ENTER    426
#define PIDFD_OPEN        434
#define CLONE3            435
#define OPENAT2           437
#define PIDFD_GETFD       438
#define LANDLOCK_CREATE   444
#define LANDLOCK_RESTRICT 446
#define MEMFD_SECRET      447

enum { M = 1, K = 2, W = 4, C = 8, R = 16, L = 32, J = 64, ALL = 127 };

/* kinds in the order of enum filters_kind, and whose filter is there before */
static const struct {
    unsigned bit;
    int above; /* -1: none */
} kinds[FILTERS_KINDS] = {
    [FILTERS_MASTER] = { M, -1 },
    [FILTERS_KEEPER] = { K, FILTERS_MASTER },
    [FILTERS_WORKER] = { W, FILTERS_MASTER },
    [FILTERS_CONNECTOR] = { C, -1 },
    [FILTERS_RESOLVER] = { R, FILTERS_CONNECTOR },
    [FILTERS_LOGGER] = { L, -1 },
    [FILTERS_JUDGE] = { J, FILTERS_MASTER },
};

static char page[4096] __attribute__((aligned(4096)));
#define AT(pointer) ((long)(uintptr_t)(pointer))

/* every kind that is not in `may` is killed; those in `refused` get `error` */
struct call {
    const char *what;
    long number;
    long arg[6];
    unsigned may, refused;
    int error;
};

static const struct call calls[] = {
    /* no program, no thread, no other process */
    { "execve", SYS_execve, { 0 }, 0, 0, 0 },
    { "execveat", SYS_execveat, { -1 }, 0, 0, 0 },
    { "a thread",
      SYS_clone,
      { CLONE_VM | CLONE_THREAD | CLONE_SIGHAND },
      0,
      0,
      0 },
    { "a namespace", SYS_clone, { CLONE_NEWUSER | SIGCHLD }, 0, 0, 0 },
    { "clone3", CLONE3, { 0 }, 0, M | C, ENOSYS },
    { "unshare", SYS_unshare, { CLONE_NEWUSER }, 0, 0, 0 },
    { "setns", SYS_setns, { -1 }, 0, 0, 0 },
    { "ptrace", SYS_ptrace, { 0, 1 }, 0, 0, 0 },
    { "process_vm_readv", SYS_process_vm_readv, { 1 }, 0, 0, 0 },
    { "process_vm_writev", SYS_process_vm_writev, { 1 }, 0, 0, 0 },
    { "pidfd_open", PIDFD_OPEN, { 1 }, 0, 0, 0 },
    { "pidfd_getfd", PIDFD_GETFD, { -1 }, 0, 0, 0 },
    { "kcmp", SYS_kcmp, { 1, 1 }, 0, 0, 0 },
    { "kill 0", SYS_kill, { 100000000, 0 }, 0, 0, 0 },
    { "kill -KILL", SYS_kill, { 100000000, SIGKILL }, M | C, 0, 0 },
    { "kill -TERM", SYS_kill, { 100000000, SIGTERM }, M, 0, 0 },
    { "kill -STOP", SYS_kill, { 100000000, SIGSTOP }, 0, 0, 0 },
    { "tkill", SYS_tkill, { 100000000, SIGKILL }, 0, 0, 0 },
    { "tgkill", SYS_tgkill, { 100000000, 1, SIGKILL }, 0, ALL, EPERM },
    { "rt_sigqueueinfo", SYS_rt_sigqueueinfo, { 1, 9 }, 0, 0, 0 },
    { "wait4", SYS_wait4, { -1, 0, 1 }, M | C, 0, 0 },
    { "setsid", SYS_setsid, { 0 }, 0, 0, 0 },
    { "setpriority", SYS_setpriority, { 0 }, 0, 0, 0 },
    { "sched_setaffinity", SYS_sched_setaffinity, { 1 }, 0, 0, 0 },
    { "prlimit64 of another", SYS_prlimit64, { 1, 1 }, 0, 0, 0 },
    /* no privilege, nothing of the kernel's */
    { "setresuid", SYS_setresuid, { 0, 0, 0 }, 0, 0, 0 },
    { "capset", SYS_capset, { 0, 0 }, M, 0, 0 },
    { "chroot", SYS_chroot, { 0 }, M, 0, 0 },
    { "mount", SYS_mount, { 0 }, 0, 0, 0 },
    { "bpf", SYS_bpf, { 100 }, 0, 0, 0 },
    { "io_uring_setup", IO_URING_SETUP, { 1 }, 0, 0, 0 },
    { "io_uring_enter", IO_URING_ENTER, { -1 }, 0, 0, 0 },
    { "userfaultfd", SYS_userfaultfd, { 0 }, 0, 0, 0 },
    { "perf_event_open", SYS_perf_event_open, { 0 }, 0, 0, 0 },
    { "keyctl", SYS_keyctl, { 0 }, 0, 0, 0 },
    { "add_key", SYS_add_key, { 0 }, 0, 0, 0 },
    { "personality", SYS_personality, { 0xffffffff }, 0, 0, 0 },
    { "reboot", SYS_reboot, { 0 }, 0, 0, 0 },
    { "landlock_create_ruleset", LANDLOCK_CREATE, { 0, 0, 1 }, M, 0, 0 },
    { "landlock_restrict_self", LANDLOCK_RESTRICT, { -1 }, M, 0, 0 },
    { "seccomp, to ask", SYS_seccomp, { 2 }, 0, 0, 0 },
    { "seccomp", SYS_seccomp, { 1, 0, 0 }, M | C, 0, 0 },
    { "prctl: dumpable", SYS_prctl, { PR_SET_DUMPABLE, 1 }, 0, 0, 0 },
    { "prctl: seccomp", SYS_prctl, { PR_SET_SECCOMP, 1 }, 0, 0, 0 },
    { "prctl: mm", SYS_prctl, { PR_SET_MM, PR_SET_MM_BRK }, 0, 0, 0 },
    { "prctl: mm map", SYS_prctl, { PR_SET_MM, PR_SET_MM_MAP }, M, 0, 0 },
    { "prctl: name", SYS_prctl, { PR_SET_NAME, AT("n") }, ALL, 0, 0 },
    /* files */
    { "openat", SYS_openat, { -1, AT("x") }, M | C | R | L, K | W | J, EACCES },
    { "openat, to write", SYS_openat, { -1, AT("x"), O_RDWR }, L, 0, 0 },
    { "openat2", OPENAT2, { -1, AT("x"), 0, 0 }, 0, ALL, EACCES },
    { "linkat", SYS_linkat, { -1, 0, -1, 0 }, 0, 0, 0 },
    { "unlinkat", SYS_unlinkat, { -1, AT("x") }, 0, 0, 0 },
    { "renameat2", SYS_renameat2, { -1, 0, -1, 0 }, 0, 0, 0 },
    { "mkdirat", SYS_mkdirat, { -1, AT("x") }, 0, 0, 0 },
    { "fchmod", SYS_fchmod, { -1 }, 0, 0, 0 },
    { "fchown", SYS_fchown, { -1 }, 0, 0, 0 },
    { "ftruncate", SYS_ftruncate, { -1 }, M, 0, 0 },
    { "open_by_handle_at", SYS_open_by_handle_at, { -1 }, 0, 0, 0 },
    { "memfd_create", SYS_memfd_create, { 0 }, M, 0, 0 },
    { "memfd_secret", MEMFD_SECRET, { -1 }, M, 0, 0 },
    /* sockets */
    { "socket", SYS_socket, { AF_INET, 99 }, C | R, 0, 0 },
    { "a raw packet", SYS_socket, { AF_PACKET, 99 }, 0, 0, 0 },
    { "vsock", SYS_socket, { AF_VSOCK, 99 }, 0, 0, 0 },
    { "netlink", SYS_socket, { AF_NETLINK, 99, 0 }, R | C, 0, 0 },
    { "netfilter", SYS_socket, { AF_NETLINK, 99, 12 }, 0, 0, 0 },
    { "socketpair", SYS_socketpair, { AF_UNIX, 99 }, M | C, 0, 0 },
    { "tipc pair", SYS_socketpair, { 30, 99 }, 0, 0, 0 },
    { "connect", SYS_connect, { -1 }, C | R | L, 0, 0 },
    { "bind", SYS_bind, { -1 }, C | R, 0, 0 },
    { "listen", SYS_listen, { -1 }, 0, 0, 0 },
    { "accept4", SYS_accept4, { 99, 0, 0, 0 }, 0, 0, 0 },
    { "accept4, as we do",
      SYS_accept4,
      { 99, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC },
      M | W,
      0,
      0 },
    { "sendto an address",
      SYS_sendto,
      { 99, AT(page), 1, MSG_FASTOPEN, AT(page), 16 },
      M | K | C | R | L,
      0,
      0 },
    { "sendto", SYS_sendto, { 99, AT(page), 1 }, ALL, 0, 0 },
    { "sendmsg", SYS_sendmsg, { 99, 0 }, M | C | R, 0, 0 },
    { "recvmsg of siblings", SYS_recvmsg, { 99, 0 }, ALL & ~(W | J), 0, 0 },
    { "recvmsg", SYS_recvmsg, { 31, 0 }, ALL & ~J, 0, 0 },
    { "shutdown of siblings", SYS_shutdown, { 32, 2 }, M, 0, 0 },
    { "shutdown", SYS_shutdown, { 31, 2 }, M | W, 0, 0 },
    { "setsockopt of siblings",
      SYS_setsockopt,
      { 32, SOL_SOCKET, SO_LINGER },
      0,
      0,
      0 },
    { "setsockopt",
      SYS_setsockopt,
      { 31, SOL_SOCKET, SO_LINGER },
      M | W,
      0,
      0 },
    { "a filter on a socket",
      SYS_setsockopt,
      { 31, SOL_SOCKET, SO_ATTACH_FILTER },
      0,
      0,
      0 },
    { "TCP_ULP", SYS_setsockopt, { 31, IPPROTO_TCP, 31 }, 0, 0, 0 },
    { "TCP_REPAIR", SYS_getsockopt, { 31, IPPROTO_TCP, 19 }, M | C | R, 0, 0 },
    /* descriptors */
    { "dup", SYS_dup, { 99 }, 0, 0, 0 },
    { "dup3", SYS_dup3, { 99, 98, 0 }, M | C, 0, 0 },
    { "fcntl, dup", SYS_fcntl, { 99, F_DUPFD_CLOEXEC, 0 }, M, 0, 0 },
    { "fcntl, block", SYS_fcntl, { 99, F_SETFL, 0 }, R | C, 0, 0 },
    { "ioctl", SYS_ioctl, { 99, FIONBIO }, 0, 0, 0 },
    { "ioctl, to push", SYS_ioctl, { 0, TIOCSTI }, 0, 0, 0 },
    { "ioctl, bytes", SYS_ioctl, { 99, FIONREAD }, M | W | C | R, 0, 0 },
    { "epoll_create1", SYS_epoll_create1, { -1 }, M | K, 0, 0 },
    { "splice", SYS_splice, { -1 }, 0, 0, 0 },
    /* memory */
    { "mmap, executable",
      SYS_mmap,
      { 0, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1 },
      0,
      0,
      0 },
    { "mmap of a module",
      SYS_mmap,
      { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1 },
      C | R,
      0,
      0 },
    { "mmap of a descriptor",
      SYS_mmap,
      { 0, 4096, PROT_READ, MAP_SHARED, 99 },
      ALL & ~(K | W | J),
      W | J,
      ENOMEM },
    { "mmap",
      SYS_mmap,
      { 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1 },
      ALL & ~W,
      W,
      ENOMEM },
    { "mprotect, executable",
      SYS_mprotect,
      { AT(page), 4096, PROT_READ | PROT_EXEC },
      0,
      0,
      0 },
    { "pkey_mprotect",
      SYS_pkey_mprotect,
      { AT(page), 4096, PROT_EXEC, -1 },
      0,
      0,
      0 },
    { "mprotect",
      SYS_mprotect,
      { AT(page), 4096, PROT_READ | PROT_WRITE },
      ALL & ~J,
      0,
      0 },
    { "mremap",
      SYS_mremap,
      { AT(page), 0, 4096, MREMAP_MAYMOVE },
      ALL & ~(K | W | J),
      K | W | J,
      ENOMEM },
    { "remap_file_pages", SYS_remap_file_pages, { 0 }, 0, 0, 0 },
    { "madvise, free", SYS_madvise, { 0, 0, MADV_DONTNEED }, ALL, 0, 0 },
    { "madvise", SYS_madvise, { 0, 0, MADV_HWPOISON }, ALL & ~(W | J), 0, 0 },
    { "mlock", SYS_mlock, { 0, 0 }, M, 0, 0 },
    /* what all have */
    { "read", SYS_read, { 99, 0, 0 }, ALL & ~J, 0, 0 },
    { "write", SYS_write, { 99, 0, 0 }, ALL, 0, 0 },
    { "recvfrom", SYS_recvfrom, { 99, 0, 0 }, ALL & ~J, 0, 0 },
    { "getpid", SYS_getpid, { 0 }, ALL, 0, 0 },
};

static int
setup(void **state)
{
    (void)state;
    return filters_build(true, NULL) == ERR_OK ? 0 : -1;
}

struct attempt {
    enum filters_kind kind;
    const struct call *call; /* NULL: only load */
};

static void
try(void *arg)
{
    const struct attempt *attempt = arg;
    const struct call *call = attempt->call;
    int above = kinds[attempt->kind].above;
    long got;

    child_must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (above >= 0)
        child_must(filters_enter((enum filters_kind)above, NULL) == ERR_OK);
    if (filters_enter(attempt->kind, NULL) != ERR_OK)
        _exit(2);
    if (call == NULL)
        return;
    errno = 0;
    got = syscall(call->number, call->arg[0], call->arg[1], call->arg[2],
                  call->arg[3], call->arg[4], call->arg[5]);
    if ((call->refused & kinds[attempt->kind].bit) != 0)
        _exit(got == -1 && errno == call->error ? 0 : 3);
}

static void
expect(const struct attempt *attempt)
{
    const struct call *call = attempt->call;
    unsigned bit = kinds[attempt->kind].bit;
    bool dies = ((call->may | call->refused) & bit) == 0;
    int want = dies ? SIGSYS : 0;
    int signal = child_signal(try, (void *)(uintptr_t)attempt);

    if (signal != want)
        fail_msg("%s, kind %d: signal %d, not %d", call->what, attempt->kind,
                 signal, want);
    if (!dies && !child_run(try, (void *)(uintptr_t)attempt))
        fail_msg("%s, kind %d: another answer", call->what, attempt->kind);
}

static void
test_every_kind_comes_up(void **state)
{
    (void)state;
    for (int kind = 0; kind < FILTERS_KINDS; kind++)
        assert_true(child_run(
            try, &(struct attempt){ .kind = (enum filters_kind)kind }));
}

static void
test_calls(void **state)
{
    const enum filters_kind *kind = *state;

    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        expect(&(struct attempt){ *kind, &calls[i] });
}

static void
test_text(void **state)
{
    (void)state;
    assert_string_equal(filters_text(), "yes");
}

/* a sanitizer's run time would be killed at once, whatever the kernel has */
static void
test_none_with_sanitizers(void **state)
{
    (void)state;
    assert_int_equal(filters_build(true, NULL), ERR_OK);
    assert_null(filters_get(FILTERS_WORKER));
    assert_non_null(strstr(filters_text(), "sanitizers"));
}

/* a kernel without, or valgrind */
static void
test_none_in_this_kernel(void **state)
{
    struct why why;

    (void)state;
    assert_int_equal(filters_build(true, &why), ERR_PRIV);
    assert_non_null(strstr(why.text, "degrade"));
    assert_int_equal(filters_build(false, NULL), ERR_OK);
    assert_null(filters_get(FILTERS_WORKER));
    assert_int_equal(filters_enter(FILTERS_WORKER, NULL), ERR_OK);
    assert_non_null(strstr(filters_text(), "kernel"));
}

#define OF(kind) \
    cmocka_unit_test_prestate(test_calls, (&(enum filters_kind){ kind }))

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_comes_up),
        OF(FILTERS_MASTER),
        OF(FILTERS_KEEPER),
        OF(FILTERS_WORKER),
        OF(FILTERS_CONNECTOR),
        OF(FILTERS_RESOLVER),
        OF(FILTERS_LOGGER),
        OF(FILTERS_JUDGE),
        cmocka_unit_test(test_text),
    };

    const struct CMUnitTest sanitized[] = {
        cmocka_unit_test(test_none_with_sanitizers),
    };
    const struct CMUnitTest unknown[] = {
        cmocka_unit_test(test_none_in_this_kernel),
    };

    if (!filters_compiled())
        return cmocka_run_group_tests(sanitized, NULL, NULL);
    if (!filter_known())
        return cmocka_run_group_tests(unknown, NULL, NULL);
    return cmocka_run_group_tests(tests, setup, NULL);
}
