"""oldkernel.py - for a daemon's `prepare`: system calls that its kernel is to lack"""

import ctypes
import errno
import os
import struct

NR_SECCOMP = {"x86_64": 317}.get(os.uname().machine, 277)
NR_LANDLOCK = (444, 445, 446)
NR_MEMFD_SECRET = 447

LOAD, EQUAL, GIVE = 0x20, 0x15, 0x06  # BPF: the number of the call, a comparison, the verdict
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | errno.ENOSYS


def lacking(*numbers):
    """In the child, before exec: these calls say ENOSYS from now on."""
    code = [(LOAD, 0, 0, 0)]
    for number in numbers:
        code += [(EQUAL, 0, 1, number), (GIVE, 0, 0, FAIL)]
    code.append((GIVE, 0, 0, ALLOW))
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(filters)))

    def prepare():
        if ctypes.CDLL(None, use_errno=True).prctl(22, 2, program, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "seccomp")
    prepare.keep = filters  # the program points to it
    return prepare
