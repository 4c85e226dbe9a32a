"""mtlsd -i: under the three inetds that Debian ships, and under a socket of the test's own, where every byte can be seen"""

import os
import pty
import re
import shlex
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
from inetds import PROGRAMS, UNPACKED, Acceptor, Inetd, program, running
from peers import free_ports
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

    def write(self, mtlsd=None, name="web", **service):
        keys = {"cert": "server.crt", "key": "server.key", "ca": "ca.crt", "upstream": RESPOND} | service
        top = {"user": NOBODY, "group": NOBODY, "log": self.log} | (mtlsd or {})
        self.config = self.at.put("mtlsd.conf", render({"mtlsd": top, f"service {name}": keys}))
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

    def make(mtlsd_keys=None, uid=0, **service):
        made.append(Given(home(uid), binary, mtlsd.furnish, pki).write(mtlsd_keys, **service))
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
def acceptor(scratch):
    made = []

    def make(*args):
        made.append(Acceptor(*args, scratch=scratch))
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
        with Client(server.address, context(ca, pki.client())) as first:
            first.handshake()  # as long as it is there, the pool goes on
            assert ask(server.address, pki, ca).endswith(b"hello"), server.words
            first.send(REQUEST)
            assert first.recv_all().endswith(b"hello"), server.words
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
    one = given(upstream=upstream(), handshake_timeout="10m")
    server = inetd("openbsd-inetd", one.command)
    met, all_in = [], threading.Barrier(200, timeout=5 * DEADLINE)
    tls = context(ca, pki.client())

    def visit(number):
        with Client(server.address, tls, timeout=5 * DEADLINE) as client:
            client.handshake().exchange(b"%d" % number)
            all_in.wait()
            client.close()
            met.append(number)
    threads = [threading.Thread(target=visit, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(met) == list(range(200)), [event.line for event in one.events() if event.name != "done"] + [server.words]
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
                         "8443": str(port), "8079": str(free_ports(1)[0])}.items():
            assert old in out
            out = out.replace(old, new)
        return out
    server = inetd(name, None, text=place)
    assert ask(server.address, pki, ca).endswith(b"hello"), server.words
    one.wait("done")


# --- in front of a program ------------------------------------------------------------------------------

PROGRAM = {"upstream": None, "exec_user": NOBODY, "exec_group": NOBODY}
WHO = 'echo "$SSL_CLIENT_DN from $TCPREMOTEIP:$TCPREMOTEPORT"; id -u; cat'


@pytest.fixture
def old(scratch):
    """A program from before TLS: it says who the client is, who it runs as and what its words are, then echoes."""
    path = scratch / f"old{os.getpid()}"
    path.write_text(f'#!/bin/sh\nprintf "<%s>" "$@"\n{WHO}\n')
    path.chmod(0o755)
    return path


def met(address, pki, ca):
    """What the program has answered, and to whom: the client's words are its last line."""
    with Client(address, context(ca, pki.client())) as client:
        client.handshake().send(b"ping")
        local = client.local
        client.close_notify()
        return client.recv_all().decode(), local


def expected(words, pki, local, uid=NOBODY):
    told = "".join(f"<{word}>" for word in words)
    return re.compile(rf"{re.escape(told)}CN={pki.client().name},O=Example from {re.escape(local)}\n{uid}\nping")


WORDS = ["a b", "", 'say "it\'s"', "-x", "\\n", "ü\t"]


def handed(pair, one, *args, **kw):
    """mtlsd -i with a connection of ours: the process, and our end."""
    near, far = pair()
    daemon = one.start(far, *args, stderr=subprocess.PIPE, **kw)
    far.close()
    return daemon, near


def answer(near, pki, ca):
    """What comes behind the handshake until the end; "ping" is sent, and an end."""
    with context(ca, pki.client()).wrap_socket(near, server_hostname="localhost", suppress_ragged_eofs=False) as tls:
        local = "%s:%d" % tls.getsockname()
        tls.sendall(b"ping")
        got = b""
        while not got.endswith(b"ping"):
            got += tls.recv(4096)
        tls.unwrap()
    return got.decode(), local


@pytest.mark.parametrize("upstream_key", [None, RESPOND, "exec:/bin/false"])
def test_program(given, pair, old, pki, ca, upstream_key):
    """The program takes the place of whatever upstream there is; every word reaches it as it is."""
    one = given(**(PROGRAM | {"upstream": upstream_key}))
    daemon, near = handed(pair, one, "--", str(old), *WORDS)
    said, local = answer(near, pki, ca)
    assert expected(WORDS, pki, local).fullmatch(said), said
    assert daemon.wait(DEADLINE) == 0 and daemon.stderr.read() == b""
    done = one.wait("done")
    assert (done["exit"], done["end"], done["client"]) == ("0", "client_eof", local)


def test_program_of_an_ordinary_user(given, pair, old, pki, ca):
    one = given({"user": None, "group": None}, uid=NOBODY, upstream=None)
    daemon, near = handed(pair, one, "--", str(old), "x", user=NOBODY, group=NOBODY, extra_groups=[])
    said, local = answer(near, pki, ca)
    assert expected(["x"], pki, local).fullmatch(said), said
    assert daemon.wait(DEADLINE) == 0


@pytest.mark.parametrize("keys, code, sentence", [
    ({}, 96, "exec_user is missing"), ({"exec_user": NOBODY, "protocol": "http"}, 96, "exec: needs protocol = tcp"),
    ({"exec_user": NOBODY, "upstream": "tls://localhost:1", "upstream_ca": "ca.crt"}, 96, "upstream_ca has no meaning")])
def test_program_that_cannot_be(given, pair, old, keys, code, sentence):
    daemon, near = handed(pair, given(**({"upstream": None} | keys)), "--", str(old))
    assert daemon.wait(DEADLINE) == code and near.recv(100) == b""
    assert sentence in daemon.stderr.read().decode()


@pytest.mark.parametrize("args, sentence", [
    (["--"], "-- is for a program"), (["--", "cat"], "absolute path"), (["/bin/cat"], "arguments besides the options"),
    (["/bin/cat", "--", "/bin/cat"], "arguments besides the options"), (["-c", "--", "/bin/cat"], "does not go with that")])
def test_program_usage(given, pair, args, sentence):
    daemon, near = handed(pair, given(), *args)
    assert daemon.wait(DEADLINE) == 100 and near.recv(100) == b""
    assert sentence in daemon.stderr.read().decode()


@pytest.mark.parametrize("mode", [["-c", "-s", "web"], ["-t"], []])
def test_program_goes_with_inetd_alone(binary, mode):
    done = subprocess.run([str(binary), *mode, "--", "/bin/cat"], capture_output=True, check=False, timeout=DEADLINE)
    assert done.returncode == 100 and b"a program goes with -i alone" in done.stderr


def test_program_that_does_not_run(given, pair, pki, ca):
    """As any upstream that cannot be reached."""
    one = given(**PROGRAM)
    daemon, near = handed(pair, one, "--", "/nowhere/to/be/found")
    with pytest.raises(OSError):
        answer(near, pki, ca)
    assert daemon.wait(DEADLINE) == 111
    assert one.wait("refused")["reason"] == "exec_failed"


def test_no_program_for_strangers(given, pair, scratch, ca):
    """It does not run before the client is verified."""
    mark = scratch / f"ran{os.getpid()}"
    one = given(**(PROGRAM | {"exec_user": "root", "exec_group": None}))
    daemon, near = handed(pair, one, "--", "/bin/touch", str(mark))
    with pytest.raises(OSError):
        with context(ca).wrap_socket(near, server_hostname="localhost") as tls:
            tls.recv(1)
    assert daemon.wait(DEADLINE) == 98 and not mark.exists()


def test_pool_of_programs(given, inetd, old, pki, ca):
    """A listening socket (wait): a program for each client of the pool."""
    one = given({"inetd_timeout": "1s"}, workers=2, **PROGRAM)
    server = inetd("openbsd-inetd", [*one.command, "--", str(old), "w"], wait=True)
    with Client(server.address, context(ca, pki.client())) as other:
        other.handshake()  # as long as it is there, the pool goes on
        for _ in (1, 2):
            said, local = met(server.address, pki, ca)
            assert expected(["w"], pki, local).fullmatch(said), said
        assert len(one.events("start")) == 1
    one.wait("stopped")


def replaced(text, **by):
    """The file as it stands, with what its comments say is to be changed."""
    for was, new in by.items():
        assert was in text, was
        text = text.replace(was, str(new))
    return text


@pytest.mark.parametrize("name, example", [("openbsd-inetd", "inetd.conf.example"), ("xinetd", "xinetd.example")])
def test_example_of_an_old_program(given, inetd, old, pki, ca, name, example):
    """etc/'s own files: an old program behind TLS that finds the client's name in its environment."""
    one = given(name="finger", **PROGRAM)
    server = inetd(name, None, text=lambda port: replaced((ETC / example).read_text(), **{
        "/usr/sbin/mtlsd": one.binary, "/etc/mtlsd/mtlsd.conf": one.config, "/usr/sbin/in.fingerd": old,
        "8079": port, "8443": free_ports(1)[0]}))
    said, local = met(server.address, pki, ca)
    assert expected(["-l"], pki, local).fullmatch(said), server.words + said
    assert one.wait("done")["exit"] == "0"


@pytest.mark.parametrize("name, example", [("openbsd-inetd", "inetd.conf.example"), ("xinetd", "xinetd.example")])
def test_example_with_fingerd(given, inetd, scratch, pki, ca, name, example):
    """The same files with the program that they name, Debian's: it answers who has a certificate, and nobody else."""
    fingerd, finger = (shutil.copy(UNPACKED / place, scratch) for place in ("fingerd/usr/sbin/in.fingerd", "finger/usr/bin/finger"))
    one = given(name="finger", **PROGRAM)
    server = inetd(name, None, text=lambda port: replaced((ETC / example).read_text(), **{
        "/usr/sbin/mtlsd": one.binary, "/etc/mtlsd/mtlsd.conf": one.config,
        "/usr/sbin/in.fingerd -l": f"{fingerd} -l -p {finger}", "8079": port, "8443": free_ports(1)[0]}))
    with Client(server.address, context(ca, pki.client())) as client:
        client.handshake().send(b"root\r\n")
        said = client.recv_all()
        client.close_notify()
    assert re.match(rb"Login: root\s.*Directory: /root\s", said, re.S), server.words
    assert (one.wait("done")["exit"], one.wait("done")["end"]) == ("0", "upstream_eof")
    stranger = attempt(server.address, context(ca), b"root\r\n")
    assert (stranger.alert, stranger.data) == ("certificate_required", b"")


S6 = ["s6-tcpserver"] if shutil.which("s6-tcpserver") else []  # Debian has none


@pytest.fixture(params=["tcpserver", *S6])
def chain(request, acceptor, scratch, old):
    """chain(given): etc/examples/s6-run, for the old program with the words "a b" and "c"."""
    def make(one):
        run = scratch / f"run{os.getpid()}"
        name = {"tcpserver": "tcpserver -H -R -l 0"}.get(request.param, request.param)

        def place(port):
            run.write_text(replaced((ETC / "examples" / "s6-run").read_text(), **{
                "exec s6-tcpserver": f"exec {name}", "0.0.0.0": "127.0.0.1", "8443": port, "/usr/sbin/mtlsd": one.binary,
                "/etc/mtlsd/mtlsd.conf": one.config, "/usr/local/bin/greet": f"{old} 'a b' c"}))
            return ["/bin/sh", str(run)]
        return acceptor(request.param, place)
    return make


def test_run_script(given, chain, pki, ca):
    """A chain of three, of which mtlsd is the middle."""
    one = given(name="greet", **PROGRAM)
    server = chain(one)
    for count in (1, 2):
        said, local = met(server.address, pki, ca)
        assert expected(["a b", "c"], pki, local).fullmatch(said), server.words + said
        assert one.wait("done", count)["exit"] == "0"
    stranger = attempt(server.address, context(ca))
    assert stranger.alert == "certificate_required" and one.wait("refused")["reason"] == "no_certificate"
    one.gone()


def test_log_of_a_chain(given, chain, pki, ca):
    """Standard error is the super-server's own there: log = stderr is what it says."""
    one = given({"log": "stderr"}, name="greet", **PROGRAM)
    server = chain(one)
    said, local = met(server.address, pki, ca)
    assert expected(["a b", "c"], pki, local).fullmatch(said), server.words + said
    eventually(lambda: re.search(rf" done .*client={re.escape(local)} .*exit=0", server.words), lambda: server.words)


def test_unit_for_each_connection(given, acceptor, pki, ca):
    """The command line of etc/mtlsd@.service, under systemd's own accept."""
    one = given()
    unit = (ETC / "mtlsd@.service").read_text()
    assert "StandardInput=socket" in unit and "StandardOutput=socket" in unit
    command = shlex.split(re.search("^ExecStart=-(.*)$", unit, re.M)[1])
    assert command[0] == "/usr/sbin/mtlsd"
    command = [{"/usr/sbin/mtlsd": str(one.binary), "/etc/mtlsd/mtlsd.conf": str(one.config)}.get(word, word)
               for word in command]
    server = acceptor("systemd", lambda port: ["systemd-socket-activate", "--inetd", "--accept", "-l",
                                               f"127.0.0.1:{port}", *command])
    for count in (1, 2):
        assert ask(server.address, pki, ca).endswith(b"hello"), server.words
        assert one.wait("done", count)["end"] == "responded"
    one.gone()
