"""What a worker that was taken over can do: each attack of test/attack, how it must end, what was seen. Not among the tests
that run everywhere: `make attack`, as root, with the program that has these attacks in it"""

import itertools
import os
import re
import signal
from pathlib import Path

import pytest

from clients import Client, Truncated, connect, context
from daemon import NOBODY, SIGNALS_KILL
from waiting import DEADLINE, eventually
from web import Wire, tell

pytestmark = pytest.mark.root

SERVICES = ["web", "api", "run"]  # tcp, http, exec
WORKERS = 400  # a worker for each attack and some: who dies is not made again while the crashes go on
SIBLINGS = 3
PAGE = os.sysconf("SC_PAGESIZE")
CLAIMED = "203.0.113.9:1"  # whom nobody serves, whatever workers say
PROVOKED = {"SIGSYS", "worker_crashed", "worker_killed", "worker_misbehaved", "worker_exited", "crash_storm"}
# so many attackers that each comes from an address of its own: a crash has its source refused
SOURCES = (f"127.{16 + high}.{middle}.{low}" for high, middle, low in
           itertools.product(range(200), range(256), range(1, 255)))


class Sibling:
    """A session that an attack must not harm: an echo, or requests."""

    def __init__(self, address, tls, http=False):
        self.client = Client(address, tls).handshake()
        self.client.send(b"serve\n")
        self.wire = Wire(self.client.recv) if http else None
        self.sent = 0
        self.check()

    def check(self):
        """Bytes there and back, unchanged."""
        if self.wire:
            word = os.urandom(16).hex()
            self.client.send(f"GET /{word} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert word.encode() in self.wire.response().body
            return
        data = os.urandom(5000)
        self.client.exchange(data)
        self.sent += len(data)

    def close(self):
        self.client.sock.close()


class Field:
    """Where it happens: three services that are attacked, a fourth that has nothing to do with them."""

    def __init__(self, mtlsd, upstream, pki, ca, workers=WORKERS):
        self.tls = context(ca, pki.client())
        self.up, self.secret = upstream(), upstream()
        other = pki.server("rsa2048")
        own = {"listen": "127.0.0.1:0", "cert": "server.crt", "key": "server.key", "ca": "ca.crt", "workers": workers}
        self.daemon = mtlsd(
            env=SIGNALS_KILL, upstream=self.up, workers=workers, mtlsd={"drain_timeout": "1s"},
            files={"other.crt": other.chain_pem, "other.key": other.key_pem},
            sections={"service api": own | {"protocol": "http", "keepalive_timeout": "5m", "upstream": upstream(tell)},
                      "service run": own | {"upstream": "exec:/bin/cat", "exec_user": NOBODY, "exec_group": NOBODY},
                      "service other": own | {"cert": "other.crt", "key": "other.key", "workers": 4,
                                              "upstream": self.secret}})
        self.daemon.tolerated |= PROVOKED
        self.siblings = {name: [Sibling(self.address(name), self.tls, name == "api") for _ in range(SIBLINGS)]
                         for name in [*SERVICES, "other"]}
        self.links = len(self.secret.links)
        self.numbers = self.targets()

    def address(self, service):
        return self.daemon.addresses(service)[0]

    def targets(self):
        """What an attacker has found out: pids, and where the page of refused sources lies, the same in all workers."""
        sibling = self.daemon.worker_of(self.siblings["web"][0].client.local).pid
        maps = Path(f"/proc/{sibling}/maps").read_text()
        bans = int(re.search(r"^([0-9a-f]+)-\S+ r--s .*mtlsd-bans", maps, re.M)[1], 16)
        pids = [self.daemon.processes(role)[0].pid for role in ("master", "keeper", "connector", "logger")]
        return " ".join(map(str, [*pids, sibling, bans]))

    def unharmed(self):
        for sibling in itertools.chain(*self.siblings.values()):
            sibling.check()
        assert len(self.secret.links) == self.links, "somebody came to the upstream of another service"
        other = self.siblings["other"]
        eventually(lambda: sum(link.count for link in self.secret.links) == sum(one.sent for one in other),
                   "the other upstream got what its own clients sent, and no byte more")

    def close(self):
        for sibling in itertools.chain(*self.siblings.values()):
            sibling.close()

    def attacker(self, service):
        return Attacker(self.address(service), self.tls, next(SOURCES))


class Attacker:
    """A client that takes its worker over."""

    def __init__(self, address, tls, source):
        self.address, self.source = address, source
        self.client = Client(address, tls, source=source, timeout=5 * DEADLINE).handshake()  # a flood takes its time
        self.pid = None
        self.data = b""

    def line(self):
        """The next line, or None when the worker is gone without one."""
        try:
            while b"\n" not in self.data:
                more = self.client.recv()
                if not more:
                    return None
                self.data += more
        except (ConnectionResetError, BrokenPipeError, Truncated):
            return None
        line, _, self.data = self.data.partition(b"\n")
        return line.decode()

    def begin(self, name, numbers):
        self.client.send(f"attack {name} {numbers}\n".encode())
        self.pid = int(self.line() or 0)
        return self

    def attack(self, name, numbers):
        """How it ended, in a line or None."""
        return self.begin(name, numbers).line()

    def refused(self):
        """Is its source turned away before a byte is read?"""
        again = connect(self.address, source=self.source)
        try:
            again.sendall(b"\x16\x03\x01")
            return again.recv(100) == b""
        except (ConnectionResetError, BrokenPipeError):
            return True
        finally:
            again.close()

    def close(self):
        self.client.sock.close()


def listed(field):
    """Every attack: name, how it may end, the event that tells of it or -."""
    attacker = field.attacker("web")
    attacker.client.send(b"list\n")
    lines = attacker.client.recv_all().decode().splitlines()
    attacker.close()
    assert len(lines) > 100, lines
    return [line.split(" ") for line in lines]


def death(field, service, attacker, claimed=()):
    """The signal by which it ended, once the log has named worker and client, or what it claimed to be its client."""
    line = field.daemon.wait(re_event("worker_crashed", "worker_killed"), worker=attacker.pid)
    assert line["service"] == service and line["client"] in (attacker.client.local, *claimed), line.line
    if line.name == "worker_crashed":
        assert attacker.refused(), "its source is let in again"
    return line["signal"]


class re_event(str):
    """An event of either name, for Daemon.wait."""

    def __new__(cls, *names):
        made = super().__new__(cls, "|".join(names))
        made.names = names
        return made

    def __eq__(self, other):
        return other in self.names

    __hash__ = str.__hash__


def told(field, event, pid, mark):
    """The event is there, and says who it was where its sender is known."""
    line = field.daemon.wait(event, after=mark)
    if event == "worker_misbehaved":
        assert int(line["worker"]) == pid, line.line
    elif event == "log_bad":
        assert int(line["sender"]) == pid, line.line
    elif event == "forged":
        assert line.pid == pid, line.line


def expected(service, name, ends):
    """A service with a program has no pair to the connector, and only such a one has a pair to a runner."""
    missing = name.startswith(("connector-", "descriptors")) if service == "run" else name.startswith("runner-")
    return ["EBADF"] if missing else ends.split("|")


def tried(field, service, name, ends, event):
    """One attack: what was seen of it."""
    mark = field.daemon.mark()
    attacker = field.attacker(service)
    try:
        line = attacker.attack(name, field.numbers)
        claimed = (CLAIMED, None) if name == "report-flood" else ()
        seen = line.split(" ")[0] if line else death(field, service, attacker, claimed)
        if seen in ends.split("|") and event != "-":
            told(field, event, attacker.pid, mark)
        field.unharmed()
        return seen
    finally:
        attacker.close()


def held(*attack):
    """What was seen, be it that the attack did harm."""
    try:
        return tried(*attack)
    except Exception as fault:
        return f"{type(fault).__name__}: {(str(fault) or '?').splitlines()[0]}"


def show(capsys, rows):
    with capsys.disabled():
        print()
        for row in [("attack", "expected", "seen: tcp", "http", "exec"), *rows]:
            print("{:22}{:28}{:12}{:12}{}".format(*row))


def test_attacks(mtlsd, upstream, pki, ca, capsys):
    field = Field(mtlsd, upstream, pki, ca)
    rows, failed = [], []
    for name, ends, event in listed(field):
        if name.startswith("stay-"):
            continue  # these take long: together, in test_retirement and test_stop
        seen = [held(field, service, name, ends, event) for service in SERVICES]
        rows.append((name, ends, *seen))
        if any(one not in expected(service, name, ends) for service, one in zip(SERVICES, seen)):
            failed.append(rows[-1])
    show(capsys, rows)
    with capsys.disabled():
        print(f"{len(rows) - len(failed)} of {len(rows)} held")
    assert not failed
    assert not field.daemon.find("worker_crashed", client=CLAIMED), "a line was forged"
    field.close()


def test_retirement(mtlsd, upstream, pki, ca):
    """Who reports that it is free, or that it leaves, and stays, is ended soon after a reload, or at once; who has a session
    may keep it; whoever reads `reloaded` can rely on it."""
    field = Field(mtlsd, upstream, pki, ca, workers=8)
    mark = field.daemon.mark()
    free, last, busy = (field.attacker("web").begin(f"stay-{how}", field.numbers) for how in ("free", "last", "busy"))
    field.daemon.signal(signal.SIGHUP)
    for attacker in (free, last):
        line = field.daemon.wait("worker_misbehaved", after=mark, worker=attacker.pid)
        assert line["reason"] == "it was to retire, and stays"
        assert attacker.line() is None
    field.daemon.wait("reloaded", after=mark)
    field.unharmed()
    Sibling(field.address("web"), field.tls).close()
    assert field.daemon.worker_of(busy.client.local).pid == busy.pid
    busy.close()
    field.close()


def test_programs(mtlsd, upstream, pki, ca):
    """Programs whose sessions are over, and whose ends a worker keeps: twice as many as workers, and not for long."""
    field = Field(mtlsd, upstream, pki, ca, workers=8)
    runner, = field.daemon.processes("runner")
    attacker = field.attacker("run")
    assert attacker.attack("runner-flood", field.numbers) == "OK 5"  # RUNWIRE_TOO_MANY
    field.unharmed()
    children = Path(f"/proc/{runner.pid}/task/{runner.pid}/children")
    eventually(lambda: len(children.read_text().split()) == SIBLINGS, "programs without a client are ended")
    Sibling(field.address("run"), field.tls).close()
    attacker.close()
    field.close()


def test_stop(mtlsd, upstream, pki, ca):
    """One that hears no signal is killed when the drain is over; the line has its client."""
    field = Field(mtlsd, upstream, pki, ca, workers=8)
    busy = field.attacker("web").begin("stay-busy", field.numbers)
    field.close()
    assert field.daemon.stop() == 0
    line, = field.daemon.find("done", worker=busy.pid)
    assert (line["client"], line["signal"], line["end"]) == (busy.client.local, "KILL", "killed")
    busy.close()


def test_fault_among_a_hundred(mtlsd, upstream, pki, ca):
    """A hundred sessions with bytes on their way; one worker faults; the ninety-nine others get theirs, unchanged."""
    field = Field(mtlsd, upstream, pki, ca, workers=120)
    siblings = [Sibling(field.address("web"), field.tls) for _ in range(99)]
    data = [os.urandom(20000) for _ in siblings]
    attacker = field.attacker("web")
    for sibling, part in zip(siblings, data):
        sibling.client.send(part)
    assert attacker.attack("fault", field.numbers) is None
    for sibling, part in zip(siblings, data):
        assert sibling.client.recv_exactly(len(part)) == part
        sibling.check()
    assert death(field, "web", attacker) == "SEGV"
    assert len(field.daemon.find("worker_crashed")) == 1
    attacker.close()
    for sibling in siblings:
        sibling.close()
    field.close()
