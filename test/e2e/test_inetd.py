"""mtlsd -i: under the three inetds that Debian ships, and under a socket of the test's own, where every byte can be seen"""

import os
import pty
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from clients import Client, attempt, context
from daemon import ENVIRONMENT, NOBODY, parse, render
from inetds import PROGRAMS, Inetd, program, running
from upstream import discard
from waiting import DEADLINE, eventually

pytestmark = pytest.mark.root

ETC = Path(__file__).resolve().parents[2] / "etc"
RESPOND = 'respond:200 "hello"'
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


class Given:
    """A configuration for mtlsd -i in a directory of its own, with a copy of the program that no other test runs."""

    def __init__(self, at, binary, furnish, pki):
        self.path, self.pki = at.path, pki
        self.binary = at.path / "mtlsd"
        shutil.copy(binary, self.binary)
        self.binary.chmod(0o755)
        self.log = at.path / "log" / "mtlsd.log"
        self.log.parent.mkdir()
        os.chown(self.log.parent, NOBODY, NOBODY)
        self.at = furnish(at)

    def write(self, mtlsd=None, **service):
        keys = {"cert": "server.crt", "key": "server.key", "ca": "ca.crt", "upstream": RESPOND} | service
        top = {"user": NOBODY, "group": NOBODY, "log": self.log} | (mtlsd or {})
        self.config = self.at.put("mtlsd.conf", render({"mtlsd": top, "service web": keys}))
        return self

    @property
    def command(self):
        return [str(self.binary), "-i", "-s", "web", "-f", str(self.config)]

    def events(self, name=None):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [event for event in map(parse, lines) if event and name in (None, event.name)]

    def wait(self, name, count=1):
        return eventually(lambda: len(found := self.events(name)) >= count and found,
                          lambda: f"no {name}: {self.events()}")[count - 1]

    def gone(self):
        eventually(lambda: not running(self.binary), lambda: f"processes stay behind: {running(self.binary)}")

    def start(self, sock, *args, **kw):
        """As inetd does: 0, 1 and 2 are the socket."""
        return subprocess.Popen([*self.command, *args], stdin=sock, stdout=sock, stderr=kw.pop("stderr", sock), env=ENVIRONMENT,
                                cwd="/", **kw)


@pytest.fixture
def given(home, binary, mtlsd, pki):
    """given(**service): what is in Given; no process may be left of it."""
    made = []

    def make(mtlsd_keys=None, **service):
        made.append(Given(home(), binary, mtlsd.furnish, pki).write(mtlsd_keys, **service))
        return made[-1]
    yield make
    for one in made:
        one.gone()


@pytest.fixture
def inetd(scratch):
    made = []

    def make(name, *args, **kw):
        if not program(name):
            pytest.fail(f"{name} is not installed: etc/deps test")
        made.append(Inetd(name, *args, scratch=scratch, **kw))
        return made[-1]
    yield make
    for one in made:
        one.stop()


@pytest.fixture
def pair():
    """A client's socket on this machine and what inetd has accepted."""
    made = []

    def make():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            near = socket.create_connection(listener.getsockname(), timeout=DEADLINE)
            far, _ = listener.accept()
        made.extend((near, far))
        return near, far
    yield make
    for sock in made:
        sock.close()


def ask(address, pki, ca):
    """One good client: the body it got."""
    with Client(address, context(ca, pki.client())) as client:
        client.handshake().send(REQUEST)
        return client.recv_all()


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_nowait(given, inetd, pki, ca, name):
    """A process for each connection, and one line for each; a stranger is refused."""
    one = given()
    server = inetd(name, one.command)
    for count in (1, 2):
        assert ask(server.address, pki, ca).endswith(b"hello"), server.words
        done = one.wait("done", count)
        assert (done["end"], done["client"].rpartition(":")[0]) == ("responded", "127.0.0.1")
    met = attempt(server.address, context(ca))
    assert (met.kind, met.alert) == ("alert", "certificate_required"), met
    assert one.wait("refused")["reason"] == "no_certificate"
    one.gone()
    assert [event.name for event in one.events()] == ["done", "done", "refused"]


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_wait(given, inetd, pki, ca, name):
    """A pool serves the socket, ends when nobody comes, and is started again by the next connection."""
    one = given({"inetd_timeout": "1s"}, workers=2)
    server = inetd(name, one.command, wait=True)
    for count in (1, 2):
        assert ask(server.address, pki, ca).endswith(b"hello"), server.words
        assert ask(server.address, pki, ca).endswith(b"hello"), server.words
        assert len(one.events("start")) == count
        one.wait("stopped", count)
        one.gone()
    assert one.wait("stopping")["signal"] == "inetd_timeout"
    assert len(one.events("done")) == 4


def test_wait_goes_on_while_somebody_is_served(given, inetd, upstream, pki, ca):
    one = given({"inetd_timeout": "1s"}, workers=2, upstream=upstream())
    server = inetd("openbsd-inetd", one.command, wait=True)
    with Client(server.address, context(ca, pki.client())) as client:
        client.handshake().exchange(b"first")
        master = int(one.wait("start").pid)
        with pytest.raises(subprocess.TimeoutExpired):  # longer than inetd_timeout
            subprocess.run(["sleep", "9"], timeout=2, check=False)
        os.kill(master, 0)
        client.exchange(b"second")
        client.close()
    one.wait("stopped")


@pytest.mark.slow
def test_two_hundred_at_once(given, inetd, upstream, pki, ca):
    """All are served, all together."""
    one = given(upstream=upstream(), handshake_timeout="60s")
    server = inetd("openbsd-inetd", one.command)
    met, all_in = [], threading.Barrier(200, timeout=120)
    tls = context(ca, pki.client())

    def visit(number):
        with Client(server.address, tls, timeout=120) as client:
            client.handshake().exchange(b"%d" % number)
            all_in.wait()
            client.close()
            met.append(number)
    threads = [threading.Thread(target=visit, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(met) == list(range(200))
    one.wait("done", 200)


def test_exit_codes(given, pair, upstream, pki, ca):
    """0 served, or nothing asked; 96 configuration; 97 confinement; 98 refused; 100 usage; 111 no upstream."""
    def outcome(one, client=None, talk=True):
        near, far = pair()
        daemon = one.start(far)
        far.close()
        if talk:
            try:
                with context(ca, client).wrap_socket(near, server_hostname="localhost") as tls:
                    tls.sendall(REQUEST)
                    while tls.recv(4096):
                        pass
            except OSError:
                pass
        near.close()
        return daemon.wait(DEADLINE)
    good = given()
    assert outcome(good, pki.client()) == 0
    assert outcome(good, talk=False) == 0
    assert outcome(good) == 98
    assert outcome(given(cert="absent.crt")) == 96
    assert outcome(given({"confine": "strict", "chroot": "none"})) == 96
    closed = upstream()
    closed.close()
    assert outcome(given(upstream=closed), pki.client()) == 111
    near, far = pair()
    wrong = subprocess.Popen([str(good.binary), "-i"], stdin=far, stdout=far, stderr=far)
    far.close()
    assert wrong.wait(DEADLINE) == 100 and near.recv(100) == b""


def test_without_confinement(given, pair, pki):
    """97: an ordinary user's start with confine = strict."""
    one = given({"confine": "strict", "user": None, "group": None})
    near, far = pair()
    daemon = one.start(far, user=NOBODY, group=NOBODY, extra_groups=[])
    far.close()
    assert daemon.wait(DEADLINE) == 97 and near.recv(100) == b""


@pytest.mark.parametrize("broken", ["[mtlsd]\nnonsense = 1\n", "[service web]\nupstream = 127.0.0.1:1\n", "no configuration"])
def test_no_word_on_the_socket(given, pair, broken):
    """What is wrong is not the client's to read."""
    one = given()
    one.config.write_text(broken)
    near, far = pair()
    daemon = one.start(far)
    far.close()
    assert (daemon.wait(DEADLINE), near.recv(100)) == (96, b"")


def test_log_on_standard_error_is_no_log_on_the_socket(given, pair):
    """log = stderr means syslog then; without a /dev/log nothing is served, and nothing said to the client."""
    one = given({"log": "stderr"})
    near, far = pair()
    daemon = one.start(far)
    far.close()
    if not Path("/dev/log").exists():
        assert (daemon.wait(DEADLINE), near.recv(100)) == (111, b"")
    near.close()
    daemon.wait(DEADLINE)


def test_the_stream_is_tls_alone(given, pair, pki, ca):
    """Byte for byte: records of TLS from the first to the last, and an end."""
    one = given({"log_level": "debug"})
    near, far = pair()
    daemon = one.start(far)
    far.close()
    seen = b""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(ca, pki.client()).wrap_bio(into, out, server_hostname="localhost")
    asked = body = b""
    while True:
        try:
            if not asked:
                tls.do_handshake()
                asked = REQUEST
                tls.write(asked)
            part = tls.read(4096)
            if not part:
                break
            body += part
        except ssl.SSLWantReadError:
            near.sendall(out.read())
            part = near.recv(4096)
            if not part:
                break
            seen += part
            into.write(part)
        except ssl.SSLZeroReturnError:
            break
    while part := near.recv(4096):
        seen += part
    assert body.endswith(b"hello") and daemon.wait(DEADLINE) == 0
    while seen:
        assert seen[0] in (20, 21, 22, 23) and seen[1] == 3, seen[:16]
        seen = seen[5 + int.from_bytes(seen[3:5], "big"):]
    assert one.events("done") and one.events("stopped")


def test_from_a_terminal(binary, home):
    """Usage, and exit code 100."""
    master, slave = pty.openpty()
    done = subprocess.run([str(binary), "-i", "-s", "web", "-f", "/dev/null"], stdin=slave, stdout=slave, stderr=subprocess.PIPE,
                          check=False, timeout=DEADLINE)
    os.close(master)
    os.close(slave)
    assert done.returncode == 100 and b"usage: mtlsd" in done.stderr and b"inetd" in done.stderr


@pytest.mark.parametrize("stage", ["connected", "hello", "verified", "relaying"])
def test_clients_that_vanish(given, pair, upstream, pki, ca, stage):
    """No process stays behind, at whatever stage the client has gone (given looks)."""
    one = given(upstream=upstream(discard))
    near, far = pair()
    daemon = one.start(far)
    far.close()
    if stage == "hello":
        near.sendall(b"\x16\x03\x01")
    elif stage != "connected":
        tls = context(ca, pki.client()).wrap_socket(near, server_hostname="localhost")
        if stage == "relaying":
            tls.sendall(b"x" * 100_000)
        near = tls
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    near.close()
    assert daemon.wait(DEADLINE) in (0, 98, 111)


def test_many_descriptors(given, pair, pki, ca):
    """What whoever starts us has left open is in nobody's way, also when it is more than a worker may have."""
    one = given()
    near, far = pair()
    leave = ("import os, sys\nfd = os.open('/dev/null', os.O_RDONLY)\nos.set_inheritable(fd, True)\n"
             "for at in range(3, 64):\n    os.dup2(fd, at)\nos.execv(sys.argv[1], sys.argv[1:])")
    daemon = subprocess.Popen([sys.executable, "-c", leave, *one.command], stdin=far, stdout=far, stderr=far, env=ENVIRONMENT, cwd="/")
    far.close()
    with context(ca, pki.client()).wrap_socket(near, server_hostname="localhost") as tls:
        tls.sendall(REQUEST)
        assert tls.recv(4096).startswith(b"HTTP/1.1 200")
    assert daemon.wait(DEADLINE) == 0


def test_sigterm_ends_it(given, pair, upstream, pki, ca):
    one = given(upstream=upstream())
    near, far = pair()
    daemon = one.start(far)
    far.close()
    with context(ca, pki.client()).wrap_socket(near, server_hostname="localhost") as tls:
        tls.sendall(b"here")
        assert tls.recv(4) == b"here"
        daemon.send_signal(signal.SIGTERM)
        assert tls.recv(1) == b""
    assert daemon.wait(DEADLINE) == 111
    assert one.wait("done")["end"] == "stopped"


@pytest.mark.parametrize("name, example", [("openbsd-inetd", "inetd.conf.example"), ("xinetd", "xinetd.example")])
def test_examples(given, inetd, pki, ca, name, example):
    """etc/'s own files, with the substitutions that their comments name."""
    one = given()
    text = (ETC / example).read_text()

    def place(port):
        out = text
        for old, new in {"/usr/sbin/mtlsd": str(one.binary), "/etc/mtlsd/mtlsd.conf": str(one.config),
                         "8443": str(port)}.items():
            assert old in out
            out = out.replace(old, new)
        return out
    server = inetd(name, None, text=place)
    assert ask(server.address, pki, ca).endswith(b"hello"), server.words
    one.wait("done")
