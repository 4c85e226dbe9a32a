"""The end: SIGTERM drains, a second one or SIGINT does not wait, and nothing ever stays behind."""

import os
import signal
import time

import pytest

from clients import Client, connect, context
from waiting import eventually

PATIENT = {"drain_timeout": "1h"}  # who does not wait for a drain ends long before


@pytest.fixture
def session(mtlsd, upstream, pki, ca):
    """session(...): a daemon with one session that is open."""
    made = []

    def make(**kw):
        daemon = mtlsd(upstream=upstream(), **kw)
        client = Client(daemon.address, context(ca, pki.client())).handshake().exchange(b"before")
        made.append(client)
        daemon.worker_of(client.local)
        return daemon, client
    yield make
    for client in made:
        client.sock.close()


def refuses(daemon):
    """Nobody listens any more."""
    def look():
        try:
            connect(daemon.address).close()
        except ConnectionRefusedError:
            return True
        return False
    eventually(look, "the listener is closed")


def test_idle(mtlsd, upstream):
    daemon = mtlsd(upstream=upstream(), mtlsd=PATIENT)
    assert daemon.stop() == 0
    stopping = daemon.find("stopping")[0]
    assert (stopping["signal"], stopping["sessions"]) == ("SIGTERM", "0")
    assert daemon.events[-1].name == "stopped"


def test_drain(session):
    """A session goes on as long as it needs; then exit code 0."""
    daemon, client = session()
    daemon.signal(signal.SIGTERM)
    assert daemon.wait("stopping")["sessions"] == "1"
    refuses(daemon)
    for _ in range(3):
        client.exchange(b"during the drain")
    client.close()
    assert daemon.wait_exit() == 0
    daemon.wait_gone()
    assert daemon.find("done")[0]["end"] == "client_eof"
    assert daemon.find("stopped")


def test_drain_of_a_handshake(mtlsd, upstream, pki, ca):
    """A client in the middle of its handshake is served too."""
    daemon = mtlsd(upstream=upstream())
    with Client(daemon.address, context(ca, pki.client())) as client:
        try:
            client.tls.do_handshake()
        except Exception:  # wants the server's answer
            pass
        hello = client.outgoing.read()
        client.sock.sendall(hello[:50])
        daemon.worker_of(client.local)
        daemon.signal(signal.SIGTERM)
        daemon.wait("stopping")
        client.sock.sendall(hello[50:])
        client.handshake().exchange(b"hello").close()
    assert daemon.wait_exit() == 0
    daemon.wait_gone()


def test_drain_timeout(session):
    daemon, client = session(mtlsd={"drain_timeout": "1s"})
    start = time.monotonic()
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert time.monotonic() - start > 0.9
    daemon.wait_gone()
    assert daemon.find("done")[0]["end"] == "drain_timeout"
    with pytest.raises(Exception):
        client.exchange(b"too late")


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_second_signal(session, second):
    daemon, _ = session(mtlsd=PATIENT)
    daemon.signal(signal.SIGTERM)
    daemon.wait("stopping")
    daemon.signal(second)
    assert daemon.wait_exit() == 0
    daemon.wait_gone()
    assert daemon.find("done")[0]["end"] == "stopped"


def test_interrupt(session):
    """SIGINT alone: at once."""
    daemon, _ = session(mtlsd=PATIENT)
    daemon.signal(signal.SIGINT)
    assert daemon.wait_exit() == 0
    daemon.wait_gone()
    assert daemon.find("done")[0]["end"] == "stopped"


def test_interrupt_from_a_terminal(session):
    """Ctrl-C reaches every process at once; the log is whole all the same."""
    daemon, _ = session()
    for process in daemon.processes():
        if process.pid != daemon.pid:
            os.kill(process.pid, signal.SIGINT)
    daemon.signal(signal.SIGINT)
    assert daemon.wait_exit() == 0
    daemon.wait_gone()
    assert daemon.events[-1].name == "stopped"


def test_master_is_killed(session):
    """kill -9: workers finish their connection and end, and so does everybody else."""
    daemon, client = session()
    daemon.signal(signal.SIGKILL)
    daemon.popen.wait()
    eventually(lambda: len(daemon.processes("worker")) == 1, lambda: f"idle workers stay: {daemon.processes()}")
    for _ in range(3):
        client.exchange(b"the master is dead")
    client.close()
    daemon.wait_gone()
    assert daemon.find("done")[0]["end"] == "client_eof"


def test_master_is_killed_while_idle(mtlsd, upstream):
    daemon = mtlsd(upstream=upstream())
    daemon.signal(signal.SIGKILL)
    daemon.popen.wait()
    daemon.wait_gone()


def test_status(session, pki, ca):
    daemon, client = session(workers=3)
    with Client(daemon.address, context(ca, None, "1.2")) as stranger:
        with pytest.raises(Exception):
            stranger.handshake()
    daemon.wait("refused")

    def status():
        mark = daemon.mark()
        daemon.signal(signal.SIGUSR1)
        return daemon.wait("status", after=mark)
    line = eventually(lambda: (found := status())["idle"] == "2" and found, "the second worker is idle again")
    want = {"service": "web", "workers": "3", "busy": "1", "generation": "1", "connections": "2", "refused": "1"}
    assert {key: line[key] for key in want} == want
    client.close()


def test_status_and_reload_while_draining(session):
    """Other signals do no harm then."""
    daemon, client = session()
    daemon.signal(signal.SIGTERM)
    daemon.wait("stopping")
    daemon.signal(signal.SIGUSR1)
    daemon.wait("status")
    daemon.signal(signal.SIGHUP)
    client.exchange(b"still here").close()
    assert daemon.wait_exit() == 0
    daemon.wait_gone()


def test_process_titles(session):
    daemon, client = session(workers=2)
    titles = sorted(process.title for process in daemon.processes())
    assert "mtlsd: master" in titles and "mtlsd: connector" in titles and "mtlsd: logger" in titles
    assert any(title.startswith("mtlsd: keeper") for title in titles)
    assert f"mtlsd: worker web {client.local}" in titles
    assert "mtlsd: worker web idle" in titles
    client.close()
    eventually(lambda: sum(title.title == "mtlsd: worker web idle" for title in daemon.workers()) == 2, "both are idle")
