"""host.py - the machine: a network of our own, CPUs, limits, and what it is"""
import os
import platform
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = os.geteuid() == 0
INSIDE = "MTLSD_BENCH_INSIDE"
# Ports of servers lie below the range from which the kernel takes those of clients.
SYSCTLS = {"ipv4/ip_local_port_range": "10000 65535", "ipv4/tcp_tw_reuse": "1", "ipv4/tcp_max_syn_backlog": "8192",
           "core/somaxconn": "8192"}


def enter():
    """As root: run again in a network namespace of our own, so that ports and TIME_WAIT do not run out."""
    if not ROOT:
        return
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--net", "--", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for name, value in SYSCTLS.items():
        Path("/proc/sys/net", name).write_text(value)


def congestion(name):
    """The TCP of all connections in our network, so that figures of machines compare; what is in use afterwards. A kernel
    that does not allow it keeps its own."""
    setting = Path("/proc/sys/net/ipv4/tcp_congestion_control")
    if ROOT:
        try:
            setting.write_text(name)
        except OSError:
            pass
    return setting.read_text().strip()


def raise_limits():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def cpus(how_many):
    """Those of the server, those of generator and upstream: apart, where there are enough."""
    every = sorted(os.sched_getaffinity(0))
    servers = set(every[:how_many])
    return servers, set(every) - servers or set(every)


def shortage(sessions):
    """What the machine lacks for so many sessions at once, in words; None when nothing is missing."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files < sessions + 200:
        return f"{sessions} sessions need {sessions + 200} descriptors (ulimit -n), there are {files}"
    wanted = sessions * 128 // 1024 + 200
    free = int(re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) // 1024
    if free < wanted:
        return f"{sessions} sessions need {wanted} MiB of memory, there are {free}"
    pids = min(resource.getrlimit(resource.RLIMIT_NPROC)[0] % (1 << 63), int(Path("/proc/sys/kernel/pid_max").read_text()))
    pids = pids if pids > 0 else 1 << 31
    if pids < sessions + 300:
        return f"{sessions} sessions need {sessions + 300} processes, there may be {pids}"
    return None


def version(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return ""
    found = re.search(r"\d+\.\d+[\w.]*", done.stdout + done.stderr)
    return found[0] if found else ""


def description():
    """The machine and the versions, for whoever reads the figures later."""
    info = Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*:\s*(.*)", info)
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 1024 / 1024
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cpu": f"{os.cpu_count()} x {name[1] if name else platform.machine()}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load": f"{os.getloadavg()[0]:.1f} before the run",
        "versions": {"nginx": version("nginx", "-v"), "haproxy": version("haproxy", "-v"),
                     "stunnel": version("stunnel4", "-version"), "hitch": version("hitch", "--version"),
                     "openssl": version("openssl", "version")},
    }
