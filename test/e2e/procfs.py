"""procfs.py - what root can see of other processes: descriptors, identities, memory"""

import collections
import os
import re
from dataclasses import dataclass
from pathlib import Path


def _sockets():
    """inode -> kind of every socket of this network namespace."""
    kinds = {}
    for name, column in (("tcp", 9), ("tcp6", 9)):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            parts = line.split()
            kinds[parts[column]] = "listener" if parts[3] == "0A" else "tcp"
    for name in ("udp", "udp6", "raw", "raw6", "packet", "netlink"):
        path = Path(f"/proc/net/{name}")
        if path.exists():
            for line in path.read_text().splitlines()[1:]:
                kinds[line.split()[9 if name.startswith(("udp", "raw")) else -1]] = name
    types = {"0001": "stream", "0002": "dgram", "0005": "seqpacket"}
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        parts = line.split()
        listening = int(parts[3], 16) & 0x10000
        kinds[parts[6]] = "listener" if listening else "unix-" + types[parts[4]]
    return kinds


def descriptors(pid):
    """How many descriptors of each kind from 3 up: listener, tcp, unix-seqpacket, pipe, eventpoll, signalfd, memfd, path
    of anything else."""
    kinds, count = _sockets(), collections.Counter()
    for name in os.listdir(f"/proc/{pid}/fd"):
        if int(name) < 3:
            continue
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
        count[_kind(target, kinds)] += 1
    return dict(count)


def standard(pid):
    """What 0, 1 and 2 are."""
    kinds = _sockets()
    return [_kind(os.readlink(f"/proc/{pid}/fd/{number}"), kinds) for number in range(3)]


def _kind(target, kinds):
    if match := re.fullmatch(r"socket:\[(\d+)\]", target):
        return kinds.get(match[1], "socket of another kind")
    if target.startswith("pipe:"):
        return "pipe"
    if match := re.fullmatch(r"anon_inode:\[?(\w+)\]?", target):
        return match[1]
    if target.startswith("/memfd:"):
        return "memfd"
    return target


def status(pid):
    """/proc/PID/status as a dictionary of words."""
    pairs = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {key: value.split() for key, _, value in pairs}


def dirty(pid):
    """Bytes in pages that were written to. Those that a forked process still has in common with it are shared: which of
    them these are is chance."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(re.search(rf"^{kind}_Dirty:\s+(\d+) kB", text, re.M)[1]) * 1024 for kind in ("Private", "Shared"))


@dataclass(frozen=True)
class Region:
    """A mapping; readable: did reading its memory work?"""

    start: int
    end: int
    flags: str
    name: str
    readable: bool
    data: bytes


def memory(pid):
    """Every mapping of a process that it can read itself, with its bytes. secretmem cannot be read by anybody else: such
    a region comes with readable False."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
            start, end, flags, name = int(match[1], 16), int(match[2], 16), match[3], match[4]
            if name in ("[vvar]", "[vsyscall]", "[vvar_vclock]") or "r" not in flags:
                continue
            data, readable = _read(mem, start, end)
            yield Region(start, end, flags, name, readable, data)


def _read(mem, start, end):
    """Whole, or page by page where some pages cannot be read."""
    try:
        mem.seek(start)
        data = mem.read(end - start)
        if len(data) == end - start:
            return data, True
    except OSError:
        data = b""
    page, out, any_read = os.sysconf("SC_PAGESIZE"), bytearray(), False
    for at in range(start, end, page):
        try:
            mem.seek(at)
            part = mem.read(page)
            any_read = True
        except OSError:
            part = b""
        out += part.ljust(page, b"\0")
    return bytes(out), any_read


def find(pid, patterns):
    """patterns: {name: bytes}. [(name of the pattern, region)] for every hit; regions that cannot be read."""
    hits, closed = [], []
    for region in memory(pid):
        if not region.readable:
            closed.append(region)
        hits += [(name, region) for name, pattern in patterns.items() if pattern in region.data]
    return hits, closed
