"""oldkernel.py - for a daemon's `prepare`: system calls that its kernel is to lack"""

import ctypes
import errno
import os
import struct

# by number on x86-64 and on 64-bit ARM
NR_SECCOMP, NR_CHROOT, NR_SETRESUID, NR_CAPSET, NR_PRCTL = (
    (317, 161, 117, 126, 157) if os.uname().machine == "x86_64" else (277, 51, 147, 91, 167))
NR_LANDLOCK = (444, 445, 446)
NR_MEMFD_SECRET = 447
NO_NEW_PRIVS = (NR_PRCTL, 38)
CAP_SYS_CHROOT = 18

LOAD, EQUAL, GIVE = 0x20, 0x15, 0x06  # BPF: the number of the call, a comparison, the verdict
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | errno.ENOSYS


def lacking(*calls):
    """In the child, before exec: these say ENOSYS from now on; a call is its number, or that and its first argument."""
    code = []
    for call in calls:
        number, *argument = call if isinstance(call, tuple) else (call,)
        code += [(LOAD, 0, 0, 0), (EQUAL, 0, 1 + 2 * len(argument), number)]
        code += [step for value in argument for step in ((LOAD, 0, 0, 16), (EQUAL, 0, 1, value))]
        code.append((GIVE, 0, 0, FAIL))
    code.append((GIVE, 0, 0, ALLOW))
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(filters)))

    def prepare():
        if ctypes.CDLL(None, use_errno=True).prctl(22, 2, program, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "seccomp")
    prepare.keep = filters  # the program points to it
    return prepare


def without(capability):
    """In the child, before exec: a container whose root has it not."""
    def prepare():
        if ctypes.CDLL(None, use_errno=True).prctl(24, capability, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "PR_CAPBSET_DROP")
    return prepare
