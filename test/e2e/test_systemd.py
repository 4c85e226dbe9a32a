"""What a service manager does for mtlsd (LISTEN_FDS) and hears of it (NOTIFY_SOCKET), and the units in etc/: checked by
systemd-analyze, and lived in as far as that goes without systemd as process 1."""

import ctypes
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from clients import Client, Plain, context
from daemon import ENVIRONMENT
from load import Load
from manager import Holder, Manager, listening, script
from peers import free_ports
from waiting import DEADLINE, eventually

ETC = Path(__file__).resolve().parents[2] / "etc"
UNITS = ("mtlsd.service", "mtlsd.socket", "mtlsd@.service")
CONF, SYSTEM = 96, 111


@pytest.fixture
def holder(mtlsd):
    """holder(web=socket, ...): closed at the end."""
    made = []

    def make(other=0, **sockets):
        made.extend(sockets.values())
        return Holder(mtlsd, sockets, other)
    yield make
    for sock in made:
        sock.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request, scratch, tmp_path_factory):
    where = str(tmp_path_factory.mktemp("notify") / "n") if request.param == "path" else f"@mtlsd-{os.getpid()}-{id(request)}"
    made = Manager(where)
    yield made
    made.close()


# --- sockets that are passed -----------------------------------------------------------------------------
def test_socket_activate(mtlsd, upstream, pki, ca, home):
    """systemd's own program: it starts mtlsd when the first client is already there."""
    port = free_ports(1)[0]
    at = home()
    kept = " ".join(f"-E {name}" for name in ENVIRONMENT if name.startswith("ASAN"))
    run = script(at, "activate", f"#!/bin/sh\nexec systemd-socket-activate -l 127.0.0.1:{port} --fdname=https {kept} "
                                 f'{mtlsd.binary} "$@"\n')
    daemon = mtlsd(at=at, binary=run, listen="systemd:https", upstream=upstream(), wait=False)
    eventually(lambda: any("Listening on" in line for line in daemon.lines), "systemd-socket-activate listens")
    assert not daemon.find("start")
    with Client(("127.0.0.1", port), context(ca, pki.client())) as client:
        client.handshake().exchange(b"the first").close()
    daemon.ready()
    assert daemon.address == ("127.0.0.1", port)
    assert daemon.stop() == 0


def test_restart_under_load(holder, upstream, pki, ca):
    """The holder gives one socket to one mtlsd after the other; nobody who connects notices, neither while both run nor
    while none does."""
    sock = listening()
    up, hold = upstream(), holder(https=sock)
    first = hold.start(listen="systemd:https", upstream=up)
    with Load(sock.getsockname(), context(ca, pki.client()), rate=60, parallel=6) as load:
        first.wait("done", count=10)
        second = hold.start(listen="systemd:https", upstream=up)
        assert first.stop() == 0
        second.wait("done", count=10)
        assert second.stop() == 0
        count = load.count
        third = hold.start(listen="systemd:https", upstream=up)
        third.wait("done", count=20)
    assert not load.failures, load.failures
    assert load.count > count
    assert third.stop() == 0
    served = sum(len(daemon.find("done")) for daemon in (first, second, third))
    assert served == load.count == up.count


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_drain_leaves_the_socket_to_others(holder, upstream, pki, ca, how):
    """With a session that is still drained, and after the end: the socket listens, and who is in its queue waits there."""
    sock = listening()
    hold = holder(https=sock)
    daemon = hold.start(listen="systemd:https", upstream=upstream(), workers=2)
    with Client(sock.getsockname(), context(ca, pki.client())) as old:
        old.handshake().exchange(b"drained")
        daemon.signal(how)
        daemon.wait("stopping")
        waiting = socket.create_connection(sock.getsockname(), DEADLINE)
        if how == signal.SIGTERM:
            old.exchange(b"still").close()
        assert daemon.wait_exit() == 0
    daemon.wait_gone()
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    waiting.sendall(b"\x16")  # what waits is delivered with its first byte
    taken, _ = eventually(lambda: accepted(sock), "the connection is in the queue")
    taken.close()
    waiting.close()


def accepted(sock):
    try:
        return sock.accept()
    except BlockingIOError:
        return None


def test_reload_keeps_the_socket(holder, upstream, pki, ca):
    sock = listening()
    daemon = holder(https=sock).start(listen="systemd:https", upstream=upstream())
    with Load(sock.getsockname(), context(ca, pki.client()), rate=40, parallel=4) as load:
        for generation in (2, 3):
            daemon.signal(signal.SIGHUP)
            daemon.wait("reloaded", generation=generation)
    assert not load.failures, load.failures


def test_a_name_for_several(holder, upstream, pki, ca, scratch):
    """IPv4, a port of our own, and a unix socket of a second name in one service."""
    path = str(scratch / f"passed-{os.getpid()}")
    one, two = listening(), listening(socket.AF_UNIX, path)
    os.chmod(path, 0o666)
    hold = holder(a=one, b=two)
    daemon = hold.start(listen="127.0.0.1:0, systemd:a, systemd:b", upstream=upstream())
    assert len(daemon.addresses()) == 3
    for address in daemon.addresses():
        with Client(address, context(ca, pki.client())) as client:
            client.handshake().exchange(b"hello").close()
    os.unlink(path)


def refused(daemon, code, pattern):
    assert daemon.wait_exit() == code, daemon.text
    assert re.search(pattern, daemon.text), daemon.text


def test_what_was_passed_must_fit(holder, upstream):
    up = upstream()
    stream = listening()
    refused(holder(a=stream).start(wait=False, listen="systemd:b", upstream=up), CONF,
            r"listen systemd:b: no socket of that name was passed \(LISTEN_FDS\), but a\b")
    refused(holder(a=stream, b=listening()).start(wait=False, listen="systemd:a", upstream=up), CONF,
            r"a socket was passed under the name b, and no service listens there")
    refused(holder(other=1, a=listening()).start(wait=False, listen="systemd:a", upstream=up), CONF, r"but nothing")
    refused(holder(a=socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).start(wait=False, listen="systemd:a", upstream=up),
            SYSTEM, "is no stream socket")
    connected, other = socket.socketpair()
    refused(holder(a=connected, b=other).start(wait=False, listen="systemd:a, systemd:b", upstream=up), SYSTEM,
            "not a listening socket")


PLAIN = {"listen_tls": "no", "cert": None, "key": None, "ca": None}


def test_plaintext_by_the_socket_itself(holder, upstream):
    """The configuration cannot know where a passed socket listens: the socket is asked."""
    up = upstream()
    everywhere = listening(where=("0.0.0.0", 0))
    refused(holder(a=everywhere).start(wait=False, listen="systemd:a", upstream=up, **PLAIN), CONF,
            r"\[service web\]: other machines can connect to 0\.0\.0\.0:\d+, and with listen_tls = no")
    holder(a=everywhere).start(listen="systemd:a", upstream=up, unsafe_plaintext="yes", **PLAIN)
    near = listening()
    holder(a=near).start(listen="systemd:a", upstream=up, **PLAIN)
    with Plain(near.getsockname()) as client:
        client.exchange(b"hello")


def test_plaintext_by_reload(mtlsd, upstream):
    """A listener for everybody does not become plain by a reload that writes loopback."""
    daemon = mtlsd(listen="0.0.0.0:0", upstream=upstream())
    text = daemon.config.read_text()
    keep = "\n".join(line for line in text.splitlines() if not re.match("(cert|key|ca) =", line))
    daemon.home.put("mtlsd.conf", keep.replace("listen = 0.0.0.0:0", "listen = 127.0.0.1:0\nlisten_tls = no") + "\n")
    daemon.tolerated = {"reload_failed", "reload_given_up"}
    daemon.signal(signal.SIGHUP)
    assert "other machines can connect to 0.0.0.0" in daemon.wait("reload_failed")["reason"]


# --- what is told ----------------------------------------------------------------------------------------
def test_messages(mtlsd, upstream, manager):
    """Start, reload, a reload that fails, the retry that works, stop; from the master alone."""
    daemon = mtlsd(upstream=upstream(), mtlsd={"watch": "no"}, env=ENVIRONMENT | {"NOTIFY_SOCKET": manager.where})
    daemon.tolerated = {"reload_failed", "reload_given_up"}
    assert manager.wait("READY") == {"READY": "1", "MAINPID": str(daemon.pid), "STATUS": "serving, generation 1"}
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    daemon.signal(signal.SIGHUP)
    reloading = manager.wait("RELOADING")
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert manager.wait("READY", 2)["STATUS"] == "serving, generation 2"
    daemon.wait("reloaded", generation=2)
    good = (daemon.home.path / "server.crt").read_text()
    daemon.home.put("server.crt", "broken\n")
    daemon.signal(signal.SIGHUP)
    status = manager.wait("READY", 3)["STATUS"]
    assert status.startswith("serving, generation 2; reload failed: ") and "server.crt" in status
    daemon.home.put("server.crt", good)
    eventually(lambda: manager.said("READY")[-1]["STATUS"] == "serving, generation 3", lambda: manager.messages)
    assert daemon.stop() == 0
    assert manager.wait("STOPPING") == {"STOPPING": "1", "STATUS": "stopping, 0 sessions left"}
    order = [next(iter(message)) for message in manager.said("READY", "RELOADING", "STOPPING")]
    assert " ".join(order) == "READY RELOADING READY RELOADING READY READY STOPPING"  # the last but one: a retry worked
    assert manager.senders == {daemon.pid}
    assert not manager.said("WATCHDOG")


def test_watchdog(mtlsd, upstream, manager):
    """Twice in the interval, without a client and without a signal; nothing when the loop stands still."""
    start = time.monotonic()
    daemon = mtlsd(upstream=upstream(), env=ENVIRONMENT | {"NOTIFY_SOCKET": manager.where, "WATCHDOG_USEC": "400000"})
    manager.wait("WATCHDOG", 6)
    assert len(manager.said("WATCHDOG")) <= 1 + (time.monotonic() - start) / 0.18
    daemon.signal(signal.SIGSTOP)
    eventually(lambda: [p.state for p in daemon.processes("master")] == ["T"], "the master stands still")
    with manager.news:  # what was on its way comes first
        eventually(lambda: not manager.news.wait(1), "silence")
    count = len(manager.said("WATCHDOG"))
    daemon.signal(signal.SIGCONT)
    manager.wait("WATCHDOG", count + 2)
    daemon.stop()


@pytest.mark.parametrize("manager", ["path"], indirect=True)
def test_background(mtlsd, upstream, manager, home):
    """-d: the process that serves is another one, and says so."""
    at = home()
    log = at.path / "log"
    log.touch()
    log.chmod(0o666)
    daemon = mtlsd(at=at, upstream=upstream(), args=["-d"], wait=False, mtlsd={"log": str(log)},
                   env=ENVIRONMENT | {"NOTIFY_SOCKET": manager.where})
    assert daemon.popen.wait(DEADLINE) == 0
    main = int(manager.wait("READY")["MAINPID"])
    assert main != daemon.pid and manager.senders == {main}
    os.kill(main, signal.SIGTERM)
    manager.wait("STOPPING")
    eventually(lambda: not os.path.exists(f"/proc/{main}"), "it has ended")


def test_nobody_listens_at_the_socket(mtlsd, upstream):
    refused(mtlsd(upstream=upstream(), wait=False, env=ENVIRONMENT | {"NOTIFY_SOCKET": "/nowhere/notify"}), SYSTEM,
            "NOTIFY_SOCKET=/nowhere/notify: No such file")


# --- the units -------------------------------------------------------------------------------------------
def analyze(*args, cwd=None):
    done = subprocess.run(["systemd-analyze", *args], cwd=cwd, capture_output=True, text=True, timeout=DEADLINE, check=False,
                          env=os.environ | {"SYSTEMD_COLORS": "0"})
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def units(tmp_path, binary):
    """The units with the program where it is."""
    for name in UNITS:
        text = (ETC / name).read_text()
        (tmp_path / name).write_text(text.replace("/usr/sbin/mtlsd", str(binary)))
    return tmp_path


def said(output):
    """Without what a machine that systemd does not run says of itself."""
    return [line for line in output.splitlines() if line.strip() and "kernel system call list" not in line]


def test_units_verify(units):
    code, words = analyze("verify", "--man=no", "./mtlsd.service", "./mtlsd.socket", cwd=units)
    assert (code, said(words)) == (0, [])
    socket_unit = units / "mtlsd.socket"
    socket_unit.write_text(socket_unit.read_text().replace("[Socket]", "[Socket]\nAccept=yes"))
    code, words = analyze("verify", "--man=no", "./mtlsd@.service", "./mtlsd.socket", cwd=units)
    assert (code, said(words)) == (0, [])


def test_notify_reload_is_a_drop_in(units):
    """systemd 253 and newer take it whole; an older one stumbles over the type and nothing else."""
    version = int(re.search(r"systemd (\d+)", subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True,
                                                             timeout=DEADLINE, check=True).stdout)[1])
    (units / "mtlsd.service.d").mkdir()
    shutil.copy(ETC / "examples" / "notify-reload.conf", units / "mtlsd.service.d")
    _, words = analyze("verify", "--man=no", "./mtlsd.service", cwd=units)
    unknown = [line for line in said(words) if "notify-reload.conf" in line]
    assert said(words) == unknown and len(unknown) == (0 if version >= 253 else 1), words
    assert all("service type" in line for line in unknown)


@pytest.mark.parametrize("name,most", [("mtlsd.service", 3.1), ("mtlsd@.service", 2.8)])
def test_units_security(units, name, most):
    """What is left is what mtlsd is for: the network, and root for a moment, to leave it."""
    code, words = analyze("security", "--offline=yes", f"--threshold={int(most * 10)}", f"./{name}", cwd=units)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", words)
    assert code == 0 and float(found[1]) <= most, words


@functools.lru_cache(maxsize=None)
def group(name):
    """The calls of a group of systemd's."""
    out = set()
    for word in analyze("syscall-filter", name)[1].splitlines()[1:]:
        word = word.strip()
        if word.startswith("@"):
            out |= group(word)
        elif word and not word.startswith("#"):
            out.add(word)
    return out


def settings(name, key):
    return [line.partition("=")[2] for line in (ETC / name).read_text().splitlines() if line.startswith(key + "=")]


def allowed(name):
    """The calls that the unit's lines leave, systemd.exec(5)."""
    calls = set(group("@default"))
    for value in settings(name, "SystemCallFilter"):
        words = value.removeprefix("~").split()
        named = set().union(*(group(word) if word.startswith("@") else {word} for word in words))
        calls = calls - named if value.startswith("~") else calls | named
    return calls


def confined(name):
    """For a daemon's `prepare`: the unit's capabilities and its filter, as systemd would load it."""
    library, libc = ctypes.CDLL("libseccomp.so.2"), ctypes.CDLL(None, use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    filter_ = ctypes.c_void_p(library.seccomp_init(0x00050001))  # EPERM
    library.seccomp_attr_set(filter_, 3, 0)  # without no_new_privs
    for call in allowed(name):
        number = library.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:
            assert library.seccomp_rule_add(filter_, 0x7FFF0000, number, 0) == 0, call
    caps = capability_numbers()
    kept = {caps[word] for value in settings(name, "CapabilityBoundingSet") for word in value.split()}
    dropped = [number for number in range(max(caps.values()) + 1) if number not in kept]

    def prepare():
        for number in dropped:
            libc.prctl(24, number, 0, 0, 0)
        if library.seccomp_load(filter_) != 0:
            os._exit(99)
    return prepare


def capability_numbers():
    text = Path("/usr/include/linux/capability.h").read_text()
    return {name: int(number) for name, number in re.findall(r"#define (CAP_\w+)\s+(\d+)\n", text)}


@pytest.mark.root
def test_units_leave_mtlsd_what_it_needs(mtlsd, upstream, pki, ca):
    """In the unit's filter and with its capabilities mtlsd holds itself as well as without, serves and reloads."""
    service = {"upstream": upstream()}
    free = mtlsd(**service)
    inside = mtlsd(prepare=confined("mtlsd.service"), **service)
    for event, key in [("confinement", "keeps"), ("confinement", "lacks"), ("confinement", "processes"), ("ready", "key_memory")]:
        assert inside.find(event)[0][key] == free.find(event)[0][key]
    with Client(inside.address, context(ca, pki.client())) as client:
        client.handshake().exchange(b"hello").close()
    inside.signal(signal.SIGHUP)
    inside.wait("reloaded")
    with Client(inside.address, context(ca, pki.client())) as client:
        client.handshake().exchange(b"hello").close()


def test_the_filter_holds_every_call_of_ours():
    """Each line of the table in master/filters.c that is not a refusal."""
    text = (ETC.parent / "master" / "filters.c").read_text()
    calls = set(re.findall(r"^    (?:YES|IF)\((\w+),", text, re.M))
    assert len(calls) > 80
    for name in ("mtlsd.service", "mtlsd@.service"):
        assert calls <= allowed(name), calls - allowed(name)
