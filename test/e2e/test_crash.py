"""Processes that die: what is lost is one connection, and it is said."""

import os
import signal

import pytest

from clients import Client, attempt, connect, context
from daemon import SIGNALS_KILL
from upstream import Upstream
from waiting import eventually


@pytest.fixture
def opened(mtlsd, upstream, pki, ca):
    """opened(...): daemon, a client from 127.0.0.2, another from 127.0.0.1."""
    made = []

    def make(**kw):
        daemon = mtlsd(upstream=upstream(), env=SIGNALS_KILL, **kw)
        tls = context(ca, pki.client())
        for source in ("127.0.0.2", "127.0.0.1"):
            made.append(Client(daemon.address, tls, source=source).handshake().exchange(b"before"))
        return daemon, made[-2], made[-1]
    yield make
    for client in made:
        client.sock.close()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGSYS])
def test_worker_crash(opened, pki, ca, number):
    """One connection is lost; its source is refused for a while before a byte of it is parsed; others do not notice."""
    daemon, victim, other = opened(workers=3)
    daemon.tolerated |= {"worker_crashed", number.name}
    worker = daemon.worker_of(victim.local)
    os.kill(worker.pid, number)
    line = daemon.wait("worker_crashed")
    assert (line["service"], line["client"]) == ("web", victim.local)
    assert line["signal"] in (number.name, number.name.removeprefix("SIG"))
    with pytest.raises(Exception):
        victim.recv_exactly(1)
    other.exchange(b"after")
    again = connect(daemon.address, source="127.0.0.2")
    local = "{}:{}".format(*again.getsockname())
    try:
        again.sendall(b"\x16\x03\x01")
        assert again.recv(100) == b""
    except (ConnectionResetError, BrokenPipeError):
        pass
    again.close()
    line = daemon.wait("refused", client=local)
    assert (line["stage"], line["reason"]) == ("accept", "crashed_source")
    mark = daemon.mark()
    daemon.signal(signal.SIGUSR1)
    line = daemon.wait("status", after=mark)
    assert (line["crashed"], line["crashed_source"]) == ("1", "1")
    assert attempt(daemon.address, context(ca, pki.client()), early=b"hello").kind == "ok"
    other.exchange(b"after").close()
    daemon.settled(3)


def test_idle_worker_crash(mtlsd, upstream, pki, ca):
    """Nobody was connected: nobody is refused."""
    daemon = mtlsd(upstream=upstream(), workers=2, env=SIGNALS_KILL)
    daemon.tolerated.add("worker_crashed")
    attempt(daemon.address, context(ca, pki.client()), early=b"hello")
    daemon.wait("done")
    daemon.settled(2)
    os.kill(daemon.workers()[0].pid, signal.SIGSEGV)
    assert daemon.wait("worker_crashed")["client"] is None
    daemon.settled(2)
    assert attempt(daemon.address, context(ca, pki.client()), early=b"hello").kind == "ok"


def test_ban_outlives_a_reload(opened):
    daemon, victim, other = opened()
    daemon.tolerated.add("worker_crashed")
    os.kill(daemon.worker_of(victim.local).pid, signal.SIGSEGV)
    daemon.wait("worker_crashed")
    daemon.signal(signal.SIGHUP)
    daemon.wait("reloaded")
    connect(daemon.address, source="127.0.0.2").close()
    assert daemon.wait("refused")["reason"] == "crashed_source"
    other.close()


def test_worker_is_killed(opened):
    """SIGKILL is no crash: the line says who was connected, nobody is refused for it."""
    daemon, victim, other = opened(workers=3)
    daemon.tolerated.add("worker_killed")
    os.kill(daemon.worker_of(victim.local).pid, signal.SIGKILL)
    assert daemon.wait("worker_killed")["client"] == victim.local
    with Client(daemon.address, other.tls.context, source="127.0.0.2") as again:
        again.handshake().exchange(b"welcome").close()
    other.exchange(b"after").close()
    daemon.settled(3)


def test_crash_storm_is_throttled(mtlsd, upstream):
    """Workers that die as soon as they are made are not made again as fast as the machine can."""
    daemon = mtlsd(upstream=upstream(), workers=4, env=SIGNALS_KILL)
    daemon.tolerated |= {"worker_crashed", "crash_storm"}
    killed = set()

    def storm():
        for worker in daemon.workers():
            if worker.pid not in killed:
                killed.add(worker.pid)
                os.kill(worker.pid, signal.SIGSEGV)
        return daemon.find("crash_storm")
    line = eventually(storm, "a line about the storm")[0]
    assert line["service"] == "web"
    daemon.settled(4)


@pytest.mark.parametrize("keepers", [1, 2])
def test_keeper_is_killed(opened, pki, ca, keepers):
    """Its workers retire, sessions go on, a reload makes new ones."""
    daemon, first, second = opened(mtlsd={"keepers": keepers})
    daemon.tolerated.add("keeper_lost")
    assert len(daemon.processes("keeper")) == keepers
    os.kill(daemon.processes("keeper")[0].pid, signal.SIGKILL)
    assert daemon.wait("keeper_lost")["signal"] == "KILL"
    daemon.wait("reloaded", generation=2)
    first.exchange(b"after")
    assert attempt(daemon.address, context(ca, pki.client()), early=b"hello").kind == "ok"
    first.close()
    second.exchange(b"after").close()
    daemon.settled(4)
    eventually(lambda: len(daemon.processes("keeper")) == keepers, "as many keepers as before")


def test_keeper_of_an_older_generation_crashes(opened):
    """It has a line, and harms nobody: its sessions need no more signatures."""
    daemon, first, second = opened()
    daemon.tolerated.add("process_crashed")
    old = {process.pid for process in daemon.processes("keeper")}
    for pid in old:
        os.kill(pid, signal.SIGSTOP)  # or it ends in good order as soon as its last worker has left it
    daemon.signal(signal.SIGHUP)
    daemon.wait("reloaded")
    served = [daemon.worker_of(client.local).pid for client in (first, second)]
    for pid in old:
        os.kill(pid, signal.SIGSEGV)
        os.kill(pid, signal.SIGCONT)
    daemon.wait("process_crashed", count=len(old))
    lines = daemon.find("process_crashed")
    assert ({int(line["process"]) for line in lines}, {line["signal"] for line in lines}) == (old, {"SEGV"})
    for client in (first, second):
        client.exchange(b"after")
    assert [daemon.worker_of(client.local).pid for client in (first, second)] == served
    first.close()
    second.close()
    assert not daemon.find("reloaded", generation=3)


@pytest.mark.parametrize("role", ["connector", "logger"])
def test_helper_is_killed(opened, role):
    """It cannot be made again without root: that is said, sessions finish, and the supervisor gets 111."""
    daemon, first, second = opened()
    daemon.tolerated.add(f"{role}_lost")
    first.close()
    eventually(lambda: sum(p.title.endswith("idle") for p in daemon.workers()) == 3, "the first session is over")
    os.kill(daemon.processes(role)[0].pid, signal.SIGKILL)
    daemon.wait(f"{role}_lost")
    with pytest.raises(ConnectionRefusedError):
        eventually(lambda: connect(daemon.address).close(), "the listener is closed")
    second.exchange(b"the drain lets me finish").close()
    assert daemon.wait_exit() == 111
    daemon.wait_gone()


def test_helper_dies_while_idle(mtlsd, upstream):
    daemon = mtlsd(upstream=upstream())
    daemon.tolerated.add("connector_lost")
    os.kill(daemon.processes("connector")[0].pid, signal.SIGKILL)
    assert daemon.wait_exit() == 111
    daemon.wait_gone()


def test_upstream_comes_back(mtlsd, upstream, pki, ca):
    """An upstream that was down is tried again for the next connection, by the same workers."""
    first = upstream()
    daemon = mtlsd(upstream=first, workers=1)
    tls = context(ca, pki.client())
    assert attempt(daemon.address, tls, early=b"hello").kind == "ok"
    port = first.port
    first.close()
    assert attempt(daemon.address, tls, early=b"hello").alert == "internal_error"
    second = Upstream(port=port)
    try:
        assert attempt(daemon.address, tls, early=b"hello").kind == "ok"
    finally:
        second.close()
