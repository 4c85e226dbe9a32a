/*
 * jail.c - attacks: out of the empty directory, into the kernel
 *
 * The classic ways, none of which has a line in a worker's filter.
 */
#include "test/attack/attack.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char buffer[4096];

#ifdef __x86_64__
/* getpid(2) by the numbers of another architecture */
static long
int80(void)
{
    long result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
    return result;
}
#endif

static const struct attack attacks[] = {
    CALL("chroot", "SYS", SYS_chroot, TEXT("..")),
    CALL("chdir", "SYS", SYS_chdir, TEXT("../../../..")),
    CALL("fchdir", "SYS", SYS_fchdir, LOG),
    CALL("mknod", "SYS", SYS_mknod, TEXT("mem"), S_IFCHR | 0600, 0x101),
    CALL("mknodat", "SYS", SYS_mknodat, AT_FDCWD, TEXT("mem"), S_IFCHR | 0600,
         0x101),
    CALL("mount", "SYS", SYS_mount, TEXT("proc"), TEXT("/"), TEXT("proc"), 0,
         0),
    CALL("umount", "SYS", SYS_umount2, TEXT("/"), MNT_DETACH),
    CALL("pivot-root", "SYS", SYS_pivot_root, TEXT("."), TEXT(".")),
    CALL("unshare-user", "SYS", SYS_unshare, CLONE_NEWUSER),
    CALL("unshare-mount", "SYS", SYS_unshare, CLONE_NEWNS),
    CALL("setns", "SYS", SYS_setns, LOG, 0),
    CALL("open-tree", "SYS", SYS_open_tree, AT_FDCWD, TEXT("/"), 1),
    CALL("move-mount", "SYS", SYS_move_mount, 3, TEXT(""), AT_FDCWD, TEXT("/"),
         4),
    CALL("fsopen", "SYS", SYS_fsopen, TEXT("tmpfs"), 0),
    CALL("mount-setattr", "SYS", SYS_mount_setattr, AT_FDCWD, TEXT("/"), 0,
         TEXT(buffer), 32),
    CALL("landlock", "SYS", SYS_landlock_restrict_self, 3, 0),
    CALL("add-key", "SYS", SYS_add_key, TEXT("user"), TEXT("x"), TEXT("x"), 1,
         -3),
    CALL("request-key", "SYS", SYS_request_key, TEXT("user"), TEXT("x"), 0, 0),
    CALL("keyctl", "SYS", SYS_keyctl, 0, -3, 0, 0, 0),
    CALL("bpf", "SYS", SYS_bpf, 0, TEXT(buffer), 64),
    CALL("perf-event-open", "SYS", SYS_perf_event_open, TEXT(buffer), 0, -1, -1,
         0),
    CALL("kexec-load", "SYS", SYS_kexec_load, 0, 0, 0, 0),
    CALL("init-module", "SYS", SYS_init_module, TEXT(buffer), 64, TEXT("")),
    CALL("finit-module", "SYS", SYS_finit_module, LOG, TEXT(""), 0),
    CALL("delete-module", "SYS", SYS_delete_module, TEXT("x"), 0),
    CALL("reboot", "SYS", SYS_reboot, 0, 0, 0, 0),
    CALL("swapon", "SYS", SYS_swapon, TEXT("/"), 0),
    CALL("acct", "SYS", SYS_acct, TEXT("/")),
    CALL("quotactl", "SYS", SYS_quotactl, 0, 0, 0, 0),
    CALL("syslog", "SYS", SYS_syslog, 3, TEXT(buffer), sizeof(buffer)),
    CALL("sethostname", "SYS", SYS_sethostname, TEXT("x"), 1),
    CALL("clock-settime", "SYS", SYS_clock_settime, 0, TEXT(buffer)),
    CALL("adjtimex", "SYS", SYS_adjtimex, TEXT(buffer)),
    CALL("uname", "SYS", SYS_uname, TEXT(buffer)),
    CALL("no-such-call", "SYS", 9999),
#ifdef __x86_64__
    CALL("iopl", "SYS", SYS_iopl, 3),
    CALL("ioperm", "SYS", SYS_ioperm, 0, 1, 1),
    CALL("modify-ldt", "SYS", SYS_modify_ldt, 0, TEXT(buffer), 16),
    CALL("x32", "SYS", 0x40000000 + SYS_getpid),
    /* a kernel that knows no such numbers takes it for a fault */
    RUN("int80", "SYS|SEGV", NULL, int80),
#endif
};
const struct attack_theme attack_jail = THEME(attacks);
