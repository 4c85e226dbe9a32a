/*
 * files.c - attacks: reach a file, or turn a descriptor into another one
 *
 * open(2) and its kin answer EACCES, because the C library likes to open files
 * of its own, but kill who wants to write; all else has no line in the filter.
 */
#include "test/attack/attack.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct open_how how = { .flags = O_RDONLY };
static char buffer[4096];

/* the memory of another, by way of /proc */
static long
open_master(void)
{
    long call[7] = { SYS_openat, AT_FDCWD, 0, O_RDWR };
    char path[64];

    snprintf(path, sizeof(path), "/proc/%ld/mem", attack_held(MASTER));
    call[2] = TEXT(path);
    return attack_call(call);
}

static const struct attack attacks[] = {
    CALL("open", "EACCES", SYS_open, TEXT("/etc/passwd"), O_RDONLY),
    CALL("open-relative", "EACCES", SYS_openat, AT_FDCWD,
         TEXT("../../../etc/passwd"), O_RDONLY),
    CALL("open-absolute", "EACCES", SYS_openat, AT_FDCWD, TEXT("/etc/passwd"),
         O_RDONLY),
    CALL("open-create", "SYS", SYS_openat, AT_FDCWD, TEXT("mine"),
         O_CREAT | O_RDWR, 0600),
    CALL("open-tmpfile", "SYS", SYS_openat, AT_FDCWD, TEXT("."),
         O_TMPFILE | O_RDWR, 0600),
    CALL("open-path", "EACCES", SYS_openat, AT_FDCWD, TEXT(".."),
         O_PATH | O_DIRECTORY),
    CALL("open-proc-root", "EACCES", SYS_openat, AT_FDCWD,
         TEXT("/proc/self/root/etc/passwd"), O_RDONLY),
    CALL("open-at-listener", "EACCES", SYS_openat, LISTENER, TEXT(".."),
         O_RDONLY),
    RUN("open-master-memory", "SYS", NULL, open_master),
    CALL("creat", "EACCES", SYS_creat, TEXT("/tmp/mine"), 0600),
    CALL("openat2", "EACCES", SYS_openat2, AT_FDCWD, TEXT("/etc/passwd"),
         TEXT(&how), sizeof(how)),
    CALL("name-to-handle", "SYS", SYS_name_to_handle_at, AT_FDCWD, TEXT("/"),
         TEXT(buffer), TEXT(buffer), 0),
    CALL("open-by-handle", "SYS", SYS_open_by_handle_at, AT_FDCWD, TEXT(buffer),
         O_RDONLY),
    CALL("io-uring-setup", "SYS", SYS_io_uring_setup, 8, TEXT(buffer)),
    CALL("io-uring-enter", "SYS", SYS_io_uring_enter, 3, 1, 0, 0, 0),
    CALL("io-uring-register", "SYS", SYS_io_uring_register, 3, 0, 0, 0),
    CALL("aio-setup", "SYS", SYS_io_setup, 8, TEXT(buffer)),
    CALL("stat", "SYS", SYS_newfstatat, AT_FDCWD, TEXT("/"), TEXT(buffer), 0),
    CALL("statx", "SYS", SYS_statx, AT_FDCWD, TEXT("/"), 0, 0, TEXT(buffer)),
    CALL("access", "SYS", SYS_access, TEXT("/etc/passwd"), 4),
    CALL("readlink", "SYS", SYS_readlink, TEXT("/proc/self/exe"), TEXT(buffer),
         sizeof(buffer)),
    CALL("getdents", "SYS", SYS_getdents64, LISTENER, TEXT(buffer),
         sizeof(buffer)),
    CALL("getcwd", "SYS", SYS_getcwd, TEXT(buffer), sizeof(buffer)),
    CALL("unlink", "SYS", SYS_unlink, TEXT("/etc/passwd")),
    CALL("rename", "SYS", SYS_rename, TEXT("/a"), TEXT("/b")),
    CALL("link", "SYS", SYS_link, TEXT("/a"), TEXT("/b")),
    CALL("symlink", "SYS", SYS_symlink, TEXT("/a"), TEXT("/b")),
    CALL("mkdir", "SYS", SYS_mkdir, TEXT("mine"), 0700),
    CALL("chmod", "SYS", SYS_chmod, TEXT("/"), 0777),
    CALL("fchmod", "SYS", SYS_fchmod, LOG, 0777),
    CALL("chown", "SYS", SYS_chown, TEXT("/"), 0, 0),
    CALL("truncate", "SYS", SYS_truncate, TEXT("/etc/passwd"), 0),
    CALL("memfd-create", "SYS", SYS_memfd_create, TEXT("mine"), 0),
    CALL("inotify", "SYS", SYS_inotify_init1, 0),
    CALL("fanotify", "SYS", SYS_fanotify_init, 0, 0),
    /* descriptors: another number for one, or another way to its bytes */
    CALL("dup", "SYS", SYS_dup, LISTENER),
    CALL("dup2", "SYS", SYS_dup2, LISTENER, 3),
    CALL("dup3", "SYS", SYS_dup3, LISTENER, 3, 0),
    CALL("fcntl-dup", "SYS", SYS_fcntl, LISTENER, F_DUPFD, 0),
    CALL("fcntl-setfl", "SYS", SYS_fcntl, REPORT, F_SETFL,
         O_NONBLOCK | O_ASYNC),
    CALL("fcntl-setown", "SYS", SYS_fcntl, REPORT, F_SETOWN, MASTER),
    CALL("fcntl-setsig", "SYS", SYS_fcntl, REPORT, F_SETSIG, 9),
    CALL("fcntl-lease", "SYS", SYS_fcntl, LEASH, F_SETLEASE, 0),
    CALL("fcntl-pipe-size", "SYS", SYS_fcntl, LEASH, F_SETPIPE_SZ, 1 << 20),
    CALL("flock", "SYS", SYS_flock, LOG, 2),
    CALL("close-range", "SYS", SYS_close_range, 3, ~0u, 0),
    CALL("sendfile", "SYS", SYS_sendfile, CLIENT, LEASH, 0, 100),
    CALL("splice", "SYS", SYS_splice, LEASH, 0, CLIENT, 0, 100, 0),
    CALL("vmsplice", "SYS", SYS_vmsplice, LEASH, TEXT(buffer), 1, 0),
    CALL("tee", "SYS", SYS_tee, LEASH, LEASH, 100, 0),
    CALL("copy-file-range", "SYS", SYS_copy_file_range, LEASH, 0, CLIENT, 0, 1,
         0),
    CALL("ioctl-tiocsti", "SYS", SYS_ioctl, 2, TIOCSTI, TEXT("x")),
    CALL("ioctl-fionbio", "SYS", SYS_ioctl, REPORT, FIONBIO, TEXT(buffer)),
    CALL("ioctl-fioasync", "SYS", SYS_ioctl, REPORT, FIOASYNC, TEXT(buffer)),
    CALL("ioctl-fiosetown", "SYS", SYS_ioctl, REPORT, 0x8901, TEXT(buffer)),
    CALL("ioctl-ficlone", "SYS", SYS_ioctl, LOG, FICLONE, LEASH),
    CALL("pread-leash", "SYS", SYS_pread64, LEASH, TEXT(buffer), 1, 0),
    CALL("lseek", "SYS", SYS_lseek, LOG, 0, 0),
    CALL("epoll-create", "SYS", SYS_epoll_create1, 0),
    CALL("eventfd", "SYS", SYS_eventfd2, 0, 0),
    CALL("signalfd", "SYS", SYS_signalfd4, -1, TEXT(buffer), 8, 0),
    CALL("timerfd", "SYS", SYS_timerfd_create, 0, 0),
    CALL("pipe", "SYS", SYS_pipe2, TEXT(buffer), 0),
};
const struct attack_theme attack_files = THEME(attacks);
