"""Many at once: as many sessions as there may be workers, through a reload and a drain; a pool that breathes.

MTLSD_SCALE sets how many: 1000, or ten thousand with `make scale`.
"""

import os
import re
import resource
import signal
import time
from pathlib import Path

import pytest

from clients import Client, context
from conftest import ROOT
from crowd import Crowds, Helper
from daemon import NOBODY
from procfs import private
from waiting import DEADLINE, eventually

COUNT = int(os.environ.get("MTLSD_SCALE", "1000"))
LONG = 120 + COUNT / 20  # seconds for what takes two milliseconds a session, on a machine that is busy
PER_SESSION = 600 << 10  # bytes, on both sides of mtlsd and in it


@pytest.fixture
def helpers():
    made = []

    def make(one):
        made.extend(one.helpers if isinstance(one, Crowds) else [one])
        return one
    yield make
    for one in made:
        one.kill()


def number_in(path):
    text = Path(path).read_text().strip() if Path(path).exists() else "max"
    return int(text) if text.isdigit() else None


def must_have(count):
    """What this machine must give; the test is no good without, and says what is missing."""
    memory = int(re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) << 10
    assert memory >= count * PER_SESSION, f"{count} sessions need {count * PER_SESSION >> 20} MiB of memory: {memory >> 20}"
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert files >= count + 200, f"{count} sessions need {count + 200} descriptors in one process: the hard limit is {files}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))  # for the helpers
    for path in ("/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max", "/sys/fs/cgroup/pids.max"):
        most = number_in(path)
        assert most is None or most >= count + 2000, f"{count} sessions need {count + 2000} processes: {path} is {most}"


def status(daemon, service="web"):
    """The answer to SIGUSR1, as numbers."""
    mark = daemon.mark()
    daemon.signal(signal.SIGUSR1)
    line = daemon.wait("status", after=mark, service=service)
    return {key: int(value) for key, value in line.fields.items() if value.isdigit()}


def workers_of(daemon):
    return status(daemon)["workers"]


def give(daemon, cert):
    daemon.home.put("server.key", cert.key_pem)
    daemon.home.put("server.crt", cert.chain_pem)


@pytest.mark.slow
def test_many_sessions(mtlsd, helpers, pki, ca, sanitized):
    """As many sessions as MAX allows are held; who comes then waits until a reload makes room; all go on through that
    reload and through a drain, and new ones get the new certificate."""
    must_have(COUNT)
    up = helpers(Helper("upstream"))
    daemon = mtlsd(upstream=f"127.0.0.1:{up.answer()}", workers=f"4-{COUNT}", idle_timeout="never",
                   handshake_timeout=f"{LONG:.0f}s", mtlsd={"drain_timeout": f"{LONG:.0f}s", "watch": "no"})
    crowds = helpers(Crowds(1 + COUNT // 2500, daemon.address, ca, pki.client()))
    began = time.monotonic()
    assert crowds.open(COUNT) == COUNT
    took = time.monotonic() - began
    look = status(daemon)
    assert (look["workers"], look["busy"], look["idle"]) == (COUNT, COUNT, 0)
    if ROOT:
        some = [private(worker.pid) for worker in daemon.workers()[::max(1, COUNT // 20)]]
        print(f"{COUNT} sessions in {took:.1f} s; a worker's private dirty memory {sum(some) // len(some) >> 10} KiB")

    late = Client(daemon.address, context(ca, pki.client()), timeout=LONG).hello()
    full = daemon.wait("pool_full")
    assert (full["workers"], full["retiring"], full["waiting"]) == (str(COUNT), None, "1")

    cert = pki.server("ec256", 2)
    give(daemon, cert)
    daemon.signal(signal.SIGHUP)
    daemon.wait("reloaded", timeout=LONG)
    late.handshake().exchange(b"late")
    assert late.tls.getpeercert(True) == cert.der
    look = status(daemon)
    assert (look["retiring"], look["busy"]) == (COUNT, COUNT + 1) and look["workers"] < 20
    assert crowds.all("echo") == COUNT

    daemon.signal(signal.SIGTERM)
    assert daemon.wait("stopping")["sessions"] == str(COUNT + 1)
    assert crowds.all("echo") == COUNT
    late.exchange(b"still here").close()
    assert crowds.all("close") == COUNT
    assert daemon.wait_exit(LONG) == 0
    assert not daemon.find("worker_killed") and not daemon.find("done", end="killed")
    # so many ends at once may be too much for the log, which holds up no worker for long; with sanitizers it is slow
    assert COUNT // (10 if sanitized else 2) < len(daemon.find("done", end="client_eof")) <= COUNT + 1
    for helper in crowds.helpers + [up]:
        helper.end()


@pytest.mark.slow
def test_breathing(mtlsd, helpers, pki, ca):
    """A burst of 300 finds four workers and is served whole; afterwards they are given back bit by bit, none of which is
    taken for a failure."""
    up = helpers(Helper("upstream"))
    daemon = mtlsd(upstream=f"127.0.0.1:{up.answer()}", workers="4-400", mtlsd={"log_level": "debug"})
    assert workers_of(daemon) == 4
    crowds = helpers(Crowds(10, daemon.address, ca, pki.client()))
    assert crowds.open(300) == 300
    look = eventually(lambda: (now := status(daemon))["idle"] >= 4 and now, lambda: f"no spare ones: {status(daemon)}", pause=0.1)
    assert look["busy"] == 300 and 304 <= look["workers"] <= 340
    assert crowds.all("close") == 300
    eventually(lambda: workers_of(daemon) <= 75, lambda: f"{workers_of(daemon)} workers stay", timeout=5 * DEADLINE, pause=0.5)
    steps = [(int(line["workers"]), int(line["count"])) for line in daemon.find("retire")]
    assert all(before > after for (before, _), (after, _) in zip(steps, steps[1:])), steps
    assert all(count <= workers // 4 + 1 for workers, count in steps), steps
    assert not daemon.find("pool_full") and not daemon.find("crash_storm")
    Client(daemon.address, context(ca, pki.client())).handshake().exchange(b"hello").close()


def few_files(count):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def test_old_generations_have_an_allowance(mtlsd, helpers, pki, ca):
    """Descriptors are the bound: sessions of an older generation count, and who waits for their end is named."""
    up = helpers(Helper("upstream"))
    daemon = mtlsd(upstream=f"127.0.0.1:{up.answer()}", user=NOBODY if ROOT else None, workers="2-40", workers_spare=1,
                   prepare=few_files(132 + 50), mtlsd={"watch": "no"})
    low = daemon.wait("limit_low", limit="LimitNOFILE")
    assert (low.level, low["is"], low["needs"]) == ("warn", "182", "212")
    old, new = (helpers(Crowds(1, daemon.address, ca, pki.client())) for _ in range(2))
    assert old.open(40) == 40
    daemon.signal(signal.SIGHUP)
    daemon.wait("reloaded")
    assert new.open(10) == 10
    late = Client(daemon.address, context(ca, pki.client())).hello()
    full = daemon.wait("pool_full")
    assert (full["workers"], full["retiring"]) == ("10", "40")
    assert old.all("close") == 40
    late.handshake().exchange(b"at last").close()
    assert new.all("echo") == 10 and new.all("close") == 10


def test_too_few_descriptors(mtlsd):
    """For one generation they must suffice."""
    daemon = mtlsd(upstream="127.0.0.1:9", user=NOBODY if ROOT else None, workers="2-40", prepare=few_files(132 + 39),
                   wait=False)
    assert daemon.wait_exit() == 111
    assert re.search(r"open files: the limit is 171, the configuration needs 172; set LimitNOFILE=", daemon.text)


def test_too_few_processes(mtlsd, upstream, pki, ca):
    """Only said: others may end in time."""
    daemon = mtlsd(upstream=upstream(), workers="2-7000", wait=False,
                   prepare=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (3000, 3000)),
                   user=NOBODY if ROOT else None)
    low = daemon.wait("limit_low", limit="LimitNPROC")
    assert (low.level, low["is"]) == ("warn", "3000")
    daemon.ready()
    Client(daemon.address, context(ca, pki.client())).handshake().exchange(b"hello").close()
