/*
 * processes.c - attacks: another program, another process, other rights
 *
 * None of these has a line in a worker's filter but tgkill(2), which abort(3)
 * wants to fail.
 */
#include "test/attack/attack.h"

#include <linux/filter.h>
#include <linux/personality.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static char buffer[4096];
static const struct iovec vector = { buffer, sizeof(buffer) };
static const char *const none[] = { NULL };
#define NONE   TEXT(none)
#define VECTOR TEXT(&vector)

static long
fault(void)
{
    volatile int *volatile nowhere = NULL;

    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is to fault */
    *nowhere = 1;
    return 0;
}

static long
run_abort(void)
{
    abort();
}

static const struct attack attacks[] = {
    RUN("fault", "SEGV", NULL, fault),
    RUN("abort", "SEGV", NULL, run_abort),
    CALL("execve", "SYS", SYS_execve, TEXT("/bin/sh"), NONE, NONE),
    CALL("execveat", "SYS", SYS_execveat, LOG, TEXT(""), NONE, NONE, 0x1000),
    CALL("fork", "SYS", SYS_fork),
    CALL("vfork", "SYS", SYS_vfork),
    CALL("clone-fork", "SYS", SYS_clone, SIGCHLD, 0),
    CALL("clone-thread", "SYS", SYS_clone,
         CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD,
         TEXT(buffer + 2048)),
    CALL("clone-user", "SYS", SYS_clone, CLONE_NEWUSER | SIGCHLD, 0),
    CALL("clone3", "SYS", SYS_clone3, TEXT(buffer), 88),
    CALL("ptrace-master", "SYS", SYS_ptrace, PTRACE_ATTACH, MASTER, 0, 0),
    CALL("ptrace-keeper", "SYS", SYS_ptrace, PTRACE_SEIZE, KEEPER, 0, 0),
    CALL("ptrace-sibling", "SYS", SYS_ptrace, PTRACE_ATTACH, SIBLING, 0, 0),
    CALL("ptrace-me", "SYS", SYS_ptrace, PTRACE_TRACEME, 0, 0, 0),
    CALL("readv-master", "SYS", SYS_process_vm_readv, MASTER, VECTOR, 1, VECTOR,
         1, 0),
    CALL("readv-keeper", "SYS", SYS_process_vm_readv, KEEPER, VECTOR, 1, VECTOR,
         1, 0),
    CALL("readv-sibling", "SYS", SYS_process_vm_readv, SIBLING, VECTOR, 1,
         VECTOR, 1, 0),
    CALL("writev-sibling", "SYS", SYS_process_vm_writev, SIBLING, VECTOR, 1,
         VECTOR, 1, 0),
    CALL("kill-master", "SYS", SYS_kill, MASTER, SIGKILL),
    CALL("kill-keeper", "SYS", SYS_kill, KEEPER, SIGKILL),
    CALL("kill-connector", "SYS", SYS_kill, CONNECTOR, SIGTERM),
    CALL("kill-logger", "SYS", SYS_kill, LOGGER, SIGSTOP),
    CALL("kill-sibling", "SYS", SYS_kill, SIBLING, SIGTERM),
    CALL("kill-all", "SYS", SYS_kill, -1, SIGKILL),
    CALL("tkill", "SYS", SYS_tkill, SIBLING, SIGKILL),
    CALL("tgkill", "EPERM", SYS_tgkill, SIBLING, SIBLING, SIGKILL),
    CALL("sigqueue", "SYS", SYS_rt_sigqueueinfo, MASTER, SIGHUP, TEXT(buffer)),
    CALL("tgsigqueue", "SYS", SYS_rt_tgsigqueueinfo, MASTER, MASTER, SIGHUP,
         TEXT(buffer)),
    CALL("pidfd-open", "SYS", SYS_pidfd_open, MASTER, 0),
    CALL("pidfd-getfd", "SYS", SYS_pidfd_getfd, 3, 3, 0),
    CALL("pidfd-send-signal", "SYS", SYS_pidfd_send_signal, 3, SIGKILL, 0, 0),
    CALL("process-madvise", "SYS", SYS_process_madvise, 3, VECTOR, 1, 4, 0),
    CALL("kcmp", "SYS", SYS_kcmp, MASTER, SIBLING, 0, 3, 3),
    CALL("timer-signal", "SYS", SYS_timer_create, 0, TEXT(buffer),
         TEXT(buffer)),
    CALL("alarm", "SYS", SYS_alarm, 1),
    CALL("wait", "SYS", SYS_wait4, -1, 0, 0, 0),
    CALL("setsid", "SYS", SYS_setsid),
    CALL("setpgid", "SYS", SYS_setpgid, SIBLING, 0),
    CALL("setpriority", "SYS", SYS_setpriority, 0, MASTER, 19),
    CALL("sched-affinity", "SYS", SYS_sched_setaffinity, MASTER, 8,
         TEXT(buffer)),
    CALL("sched-scheduler", "SYS", SYS_sched_setscheduler, 0, 1, TEXT(buffer)),
    CALL("ioprio", "SYS", SYS_ioprio_set, 1, MASTER, 0),
    CALL("prlimit-master", "SYS", SYS_prlimit64, MASTER, RLIMIT_NOFILE,
         TEXT(buffer), 0),
    CALL("setrlimit", "SYS", SYS_setrlimit, RLIMIT_NOFILE, TEXT(buffer)),
    CALL("setuid", "SYS", SYS_setuid, 0),
    CALL("setresuid", "SYS", SYS_setresuid, 0, 0, 0),
    CALL("setresgid", "SYS", SYS_setresgid, 0, 0, 0),
    CALL("setgroups", "SYS", SYS_setgroups, 0, 0),
    CALL("setfsuid", "SYS", SYS_setfsuid, 0),
    CALL("capset", "SYS", SYS_capset, TEXT(buffer), TEXT(buffer)),
    CALL("dumpable", "SYS", SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0),
    CALL("ptracer", "SYS", SYS_prctl, PR_SET_PTRACER, -1, 0, 0, 0),
    CALL("set-mm", "SYS", SYS_prctl, PR_SET_MM, PR_SET_MM_START_CODE, 4096, 0,
         0),
    CALL("set-mm-map", "SYS", SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, TEXT(buffer),
         104, 0),
    CALL("subreaper", "SYS", SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0),
    CALL("pdeathsig", "SYS", SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0),
    CALL("keepcaps", "SYS", SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0),
    CALL("ambient", "SYS", SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 18,
         0, 0),
    CALL("seccomp-off", "SYS", SYS_prctl, PR_SET_SECCOMP, 0, 0, 0, 0),
    CALL("seccomp-listener", "SYS", SYS_seccomp, SECCOMP_SET_MODE_FILTER,
         SECCOMP_FILTER_FLAG_NEW_LISTENER, TEXT(buffer)),
    CALL("personality", "SYS", SYS_personality, READ_IMPLIES_EXEC),
    CALL("arch-prctl", "SYS", SYS_arch_prctl, 0x1002, TEXT(buffer)),
    CALL("name", "OK", SYS_prctl, PR_SET_NAME, TEXT("master"), 0, 0, 0),
};
const struct attack_theme attack_processes = THEME(attacks);
