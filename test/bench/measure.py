"""measure.py - a server under measurement: its CPU time and memory, with all processes that belong to it

As root each server has a control group (version 2): the kernel adds up what its processes use, those that have ended
included. Otherwise the tree of processes is read; what has ended is in its parent's count, in ticks.
"""
import os
import re
import signal
import subprocess
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
STACK_KIB = 16


def group_root():
    """Where control groups of version 2 are, or None."""
    for line in Path("/proc/mounts").read_text().splitlines():
        fields = line.split()
        if fields[2] == "cgroup2" and os.access(fields[1], os.W_OK):
            return Path(fields[1])
    return None


def stat(pid):
    """The fields of /proc/PID/stat behind the name, or None."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None


def tree(pid):
    """pid and all its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        fields = stat(entry) if entry.isdigit() else None
        if fields:
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def process_cpu(pid):
    """Seconds of a process and of those that it has waited for. The scheduler's nanoseconds are of threads that live; the
    ticks have those that have ended, too, but are rounded down: the larger is nearer."""
    fields = stat(pid)
    if not fields:
        return 0.0
    lived = 0.0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            lived += int(task.read_text().split()[0]) / 1e9
        except OSError:
            pass
    own, ended = (sum(int(field) for field in fields[at:at + 2]) / TICK for at in (11, 13))
    return max(lived, own) + ended


def kib(name, text):
    found = re.search(rf"^{name}:\s+(\d+)", text, re.M)
    return int(found[1]) if found else 0


def slab():
    """KiB of the kernel's own objects on the whole machine, without what it could give back."""
    return kib("SUnreclaim", Path("/proc/meminfo").read_text())


class Server:
    number = 0

    def __init__(self, argv, cpus, log):
        Server.number += 1
        self.group = None
        root = group_root() if os.geteuid() == 0 else None
        if root:
            self.group = root / f"mtlsd-bench-{os.getpid()}-{Server.number}"
            self.group.mkdir()
        with open(log, "ab") as out:
            self.process = subprocess.Popen(argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                            preexec_fn=lambda: self.enter(cpus))

    def enter(self, cpus):
        """In the child, before exec."""
        os.sched_setaffinity(0, cpus)
        if self.group:
            (self.group / "cgroup.procs").write_text("0")

    def pids(self):
        if self.group:
            return [int(pid) for pid in (self.group / "cgroup.procs").read_text().split()]
        return tree(self.process.pid)

    def cpu(self):
        """Seconds so far."""
        if self.group:
            return int(re.search(r"usage_usec (\d+)", (self.group / "cpu.stat").read_text())[1]) / 1e6
        return sum(process_cpu(pid) for pid in self.pids())

    def memory(self):
        """KiB of all processes: their own part (PSS), page tables, kernel stacks; needs root for other users'."""
        own = tables = threads = 0
        for pid in self.pids():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
                own += kib("Pss", Path(f"/proc/{pid}/smaps_rollup").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue
            tables += kib("VmPTE", status)
            threads += kib("Threads", status)
        return own, tables, threads * STACK_KIB

    def alive(self):
        return self.process.poll() is None

    def stop(self, how=signal.SIGTERM):
        """End it, and whatever it has left; none of ours survives."""
        left = self.pids()
        if self.alive():
            self.process.send_signal(how)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            pass
        left = self.pids() if self.group else [pid for pid in left if stat(pid) and stat(pid)[0] != "Z"]
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        deadline = time.monotonic() + 30
        while self.group and self.pids() and time.monotonic() < deadline:
            time.sleep(0.02)
        if self.group:
            self.group.rmdir()
