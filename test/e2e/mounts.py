"""mounts.py - for a daemon's `prepare`: a view of the file system of its own, as root"""

import ctypes
import os

NEWNS = 0x20000
REC, PRIVATE, REMOUNT, READ_ONLY, BIND = 0x4000, 1 << 18, 32, 1, 4096
NR_MOUNT_SETATTR = 442
HERE, RECURSIVE = -100, 0x8000

libc = ctypes.CDLL(None, use_errno=True)


def must(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def private():
    """In the child: what is mounted from now on, nobody else sees."""
    must(libc.unshare(NEWNS), "unshare")
    must(libc.mount(b"none", b"/", None, REC | PRIVATE, None), "mount --make-rprivate /")


def read_only():
    """Every file system, whatever is mounted where."""
    attributes = (ctypes.c_uint64 * 4)(1, 0, 0, 0)
    must(libc.syscall(NR_MOUNT_SETATTR, HERE, b"/", RECURSIVE, attributes, ctypes.c_size_t(32)), "mount_setattr")


def tmpfs(where):
    must(libc.mount(b"tmpfs", os.fsencode(where), b"tmpfs", 0, b"mode=755"), f"mount {where}")


def image(*directories, writable=()):
    """prepare(): everything read-only, with these directories made, on a tmpfs each of their own parents; but for the
    writable ones, a tmpfs each."""
    def prepare():
        private()
        for directory in directories:
            tmpfs(os.path.dirname(directory))
            os.mkdir(directory, 0o755)
            os.chmod(directory, 0o755)
        read_only()
        for directory in writable:
            tmpfs(directory)
    return prepare
