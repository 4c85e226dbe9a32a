"""Those who would keep others out: each limit ends or refuses the right ones, says why, counts it, and others are served
meanwhile. The attack's connections stay open while a client that means well is served: no test measures time."""

import ctypes
import os
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from clients import DEADLINE, Client, Plain, attempt, connect, context
from daemon import NOBODY
from waiting import eventually

LIMITS = ["not_from", "crashed_source", "per_source", "per_source_handshaking", "per_source_rate", "per_source_penalty", "max_handshaking",
          "pool_full"]


@contextmanager
def crowd(address, count, first=b"\x16", sources=None):
    """So many open connections that have sent so much; from one address, or each from the next of sources."""
    made = []
    try:
        for number in range(count):
            made.append(connect(address, source=sources(number) if sources else "127.0.0.9"))
            made[-1].sendall(first)
        yield made
    finally:
        for sock in made:
            sock.close()


def many(number):
    return f"127.1.{number // 200}.{number % 200 + 1}"


def local(sock):
    return "%s:%d" % sock.getsockname()[:2]


def status(daemon):
    """The counters of the service."""
    mark = daemon.mark()
    daemon.signal(signal.SIGUSR1)
    return daemon.wait("status", after=mark, service="web")


def counted(daemon, **want):
    """Until the counters are at least so."""
    def enough():
        line = status(daemon)
        return line if all(int(line[key]) >= number for key, number in want.items()) else None
    return eventually(enough, lambda: f"{want}, but {status(daemon).line}", pause=0.05)


def over(sock):
    """Until the peer has ended it: what came before that."""
    data = b""
    try:
        while part := sock.recv(4096):
            data += part
    except (ConnectionResetError, BrokenPipeError):
        pass
    return data


def refused(address, source):
    """Closed without an answer."""
    try:
        sock = connect(address, source=source)
    except ConnectionResetError:
        return True
    with sock:
        try:
            sock.sendall(b"\x16\x03\x01")
        except (ConnectionResetError, BrokenPipeError):
            return True
        return over(sock) == b""


@pytest.fixture
def good(pki, ca):
    """good(daemon): a client that means well, served with an echo; open."""
    made = []

    def come(daemon, source="127.0.0.1"):
        made.append(Client(daemon.address, context(ca, pki.client()), source=source).handshake().exchange(b"hello"))
        return made[-1]
    yield come
    for client in made:
        client.sock.close()


# --- many who do not finish ------------------------------------------------------------------------------
@pytest.mark.parametrize("sources", [None, many], ids=["one", "many"])
def test_crowd_of_handshakes(mtlsd, upstream, good, sources):
    """Twice as many as there are workers begin a handshake and stop: the oldest go, each with an alert, until a worker is
    free, and who comes later is served while the rest is still open."""
    server = upstream()
    daemon = mtlsd(upstream=server, workers=32, handshake_timeout="1m")
    with crowd(daemon.address, 64, sources=sources) as attack:
        line = daemon.wait("refused", client=local(attack[0]))
        assert (line["stage"], line["reason"], line["alert"]) == ("handshake", "max_handshaking", "internal_error")
        assert line["hint"] == "max_handshaking"
        daemon.wait("refused", count=33, reason="max_handshaking")
        assert over(attack[0])[:1] == b"\x15"
        server.assert_untouched()
        good(daemon)
        line = counted(daemon, max_handshaking=33)
        assert int(line["max_handshaking"]) <= 50  # when the last worker is taken, all beyond the half have to go
        assert over(attack[32]) and not select.select(attack[50:], [], [], 0)[0]
    assert server.count == 1


def test_who_sent_nothing_goes_first(mtlsd, upstream, home):
    """A client that has begun outlives one that came later and says nothing. A unix socket: over TCP the kernel keeps the
    silent ones to itself for a while."""
    place = home()
    path = str(place.path / "web.sock")
    daemon = mtlsd(upstream=upstream(), workers=4, handshake_timeout="1m", max_handshaking=3, listen=f"unix:{path}", at=place)

    def busy():
        return [process for process in daemon.workers() if not process.title.endswith("idle")]
    with connect(path) as begun, connect(path) as silent, connect(path) as other:
        begun.sendall(b"\x16")
        other.sendall(b"\x16")
        eventually(lambda: len(busy()) == 3, "three workers with a client")
        until = time.monotonic() + 0.6  # nobody is ended before
        eventually(lambda: time.monotonic() > until, "their half second")
        with connect(path) as more:
            more.sendall(b"\x16")
            assert over(silent)[:1] == b"\x15"
            assert daemon.wait("refused")["reason"] == "max_handshaking"
            with connect(path) as last:
                last.sendall(b"\x16")
                assert over(begun)[:1] == b"\x15"  # all have begun, and no worker is free: the oldest
                assert not select.select([other, more, last], [], [], 0)[0]


def test_silence_over_tcp_costs_no_worker(mtlsd, upstream, good):
    """More clients that say nothing than there are workers: none of them is busy, others are served."""
    daemon = mtlsd(upstream=upstream(), workers=4, handshake_timeout="1m")
    with crowd(daemon.address, 64, b"", sources=many):
        good(daemon)
        assert len([process for process in daemon.workers() if process.title.endswith("idle")]) == 3
    assert not daemon.find("refused")


@pytest.mark.parametrize("sources", [None, many], ids=["one", "many"])
def test_silent_clients_end(mtlsd, upstream, good, sources):
    """Who says nothing is dropped in the end, and each has a line and is counted."""
    server = upstream()
    daemon = mtlsd(upstream=server, workers=16, max_handshaking="100%", handshake_timeout="1s")
    with crowd(daemon.address, 8, b"", sources) as attack:
        good(daemon)
        for sock in attack:
            line = daemon.wait("refused", client=local(sock))
            assert (line["stage"], line["reason"]) == ("handshake", "handshake_timeout")
            over(sock)
    assert counted(daemon, refused=8)["refused"] == "8"
    assert server.count == 1


@pytest.mark.parametrize("sources", [lambda _: "127.0.0.9", many], ids=["one", "many"])
def test_bad_handshakes(mtlsd, upstream, good, sources):
    """Plain HTTP and random bytes: an end at once, a line with the reason each, nothing for the upstream."""
    server = upstream()
    daemon = mtlsd(upstream=server, workers=4)
    for text in (b"GET / HTTP/1.1\r\n\r\n", bytes(range(200, 255)), b"\x16\x03\x01\x00\x05hello"):
        for source in map(sources, (1, 2)):
            mark = daemon.mark()
            with connect(daemon.address, source=source) as sock:
                sock.sendall(text)
                over(sock)
                line = daemon.wait("refused", after=mark, client=local(sock))
            assert (line["stage"], line["reason"]) in [("handshake", "not_tls"), ("handshake", "handshake_failed")]
    server.assert_untouched()
    assert counted(daemon, refused=6)["refused"] == "6"
    good(daemon)


@pytest.mark.parametrize("sources", [None, many], ids=["one", "many"])
def test_one_byte_at_a_time(mtlsd, upstream, good, sources):
    """The time is that of the whole handshake: bytes that keep coming do not make it longer."""
    server = upstream()
    daemon = mtlsd(upstream=server, workers=4, handshake_timeout="1s")
    with crowd(daemon.address, 2, b"\x16", sources) as slow:
        sent = 0
        while not daemon.find("refused", reason="handshake_timeout"):
            assert sent < 10000
            select.select([], [], [], 0.05)
            for sock in slow:
                try:
                    sock.sendall(b"\x03" if sent == 0 else b"\x00" if sent > 2 else b"\x01")
                except (ConnectionResetError, BrokenPipeError):
                    pass
            sent += 1
        for sock in slow:
            daemon.wait("refused", client=local(sock), reason="handshake_timeout")
    assert counted(daemon, refused=2)["refused"] == "2"
    server.assert_untouched()
    good(daemon)


# --- one who comes too often -----------------------------------------------------------------------------
def test_per_source(mtlsd, upstream, good):
    """So many at a time and no more; refused before the first byte, without a new process for each; others are served;
    when one leaves, the next may come."""
    server = upstream()
    daemon = mtlsd(upstream=server, workers=8, per_source=2)
    mine = [good(daemon, "127.0.0.5") for _ in range(2)]
    workers = {process.pid for process in daemon.workers()}
    for _ in range(50):
        assert refused(daemon.address, "127.0.0.5")
    line = daemon.wait("refused")
    assert (line["stage"], line["reason"], line["count"], line["hint"]) == ("accept", "per_source", "1", "per_source")
    assert line["client"].startswith("127.0.0.5:")
    counted(daemon, per_source=50)
    folded = lambda: sum(int(event["count"]) for event in daemon.find("refused")) == 50
    eventually(folded, "lines that are about 50 in all")
    assert len(daemon.find("refused")) < 25
    assert {process.pid for process in daemon.workers()} == workers
    good(daemon, "127.0.0.6")
    mine[0].close()
    daemon.wait("done")
    eventually(lambda: status(daemon)["busy"] == "2", "its worker is free again", pause=0.05)
    good(daemon, "127.0.0.5")
    assert server.count == 4


def test_per_source_that_came_at_once(mtlsd, upstream):
    """Connections that were taken before anybody could know are ended with the reason, and an alert."""
    server = upstream()
    daemon = mtlsd(upstream=server, workers=16, per_source_handshaking=1, handshake_timeout="1m", max_handshaking="100%")
    with crowd(daemon.address, 12) as attack:
        staying = list(attack)
        while len(staying) > 1:  # who is the first is chance
            ended = select.select(staying, [], [], DEADLINE)[0]
            assert ended, f"{len(staying)} connections stay"
            for sock in ended:
                over(sock)
                staying.remove(sock)
        counted(daemon, per_source_handshaking=11)
        assert not select.select(staying, [], [], 0)[0]
    server.assert_untouched()


def test_per_source_rate(mtlsd, upstream, good):
    """A reconnect flood of one source is cut to its rate; another source does not notice."""
    daemon = mtlsd(upstream=upstream(), workers=4, per_source_rate="5/h")
    for _ in range(5):
        good(daemon, "127.0.0.5").close()
    for _ in range(30):
        assert refused(daemon.address, "127.0.0.5")
    counted(daemon, per_source_rate=30)
    assert daemon.wait("refused")["reason"] == "per_source_rate"
    good(daemon, "127.0.0.6")


def test_reconnect_floods_of_many(mtlsd, upstream, good, ca):
    """Forty sources come again and again: each is cut to the rate, has its line and is counted; one more does not notice."""
    daemon = mtlsd(upstream=upstream(), workers=8, per_source_rate="2/h")
    tls, sources = context(ca), [many(number) for number in range(40)]
    for _ in range(2):
        for source in sources:
            assert attempt(daemon.address, tls, source=source).kind == "alert"
    counted(daemon, refused=80)
    for _ in range(3):
        assert all(refused(daemon.address, source) for source in sources)
    line = counted(daemon, per_source_rate=120)
    assert (line["per_source_rate"], line["refused"]) == ("120", "200")
    for source in sources:
        said = daemon.wait("refused", client=re.compile(re.escape(f"{source}:")), reason="per_source_rate")
        assert (said["stage"], said["hint"]) == ("accept", "per_source_rate")
    good(daemon, "127.0.0.6")
    assert int(status(daemon)["sources"]) == 41


def test_rate_comes_back(mtlsd, upstream, good):
    daemon = mtlsd(upstream=upstream(), workers=4, per_source_rate="1/s")
    good(daemon, "127.0.0.5").close()
    assert refused(daemon.address, "127.0.0.5")
    eventually(lambda: not refused(daemon.address, "127.0.0.5") or daemon.find("refused", stage="handshake"), "served again")


def test_penalty_and_its_end(mtlsd, upstream, good, pki, ca):
    """Three failures at once, and the source is refused unread; when the penalties have run out it is served."""
    server = upstream()
    daemon = mtlsd(upstream=server, workers=4, per_source_penalty="3s")
    for number in range(3):
        assert attempt(daemon.address, context(ca), source="127.0.0.5").kind == "alert"
        daemon.wait("refused", count=number + 1, reason="no_certificate")
    counted(daemon, refused=3)
    assert refused(daemon.address, "127.0.0.5")
    line = daemon.wait("refused", stage="accept")
    assert (line["reason"], line["hint"]) == ("per_source_penalty", "per_source_penalty")
    counted(daemon, per_source_penalty=1)
    good(daemon, "127.0.0.6")
    tls = context(ca, pki.client())

    def served():
        try:
            return attempt(daemon.address, tls, early=b"x", source="127.0.0.5").kind == "ok"
        except ConnectionResetError:
            return False
    eventually(served, "the end of the penalty", pause=0.1)


def test_probes_cost_nothing(mtlsd, upstream, good):
    """Who connects and goes has not failed."""
    daemon = mtlsd(upstream=upstream(), workers=4, per_source_penalty="3m", mtlsd={"log_level": "debug"})
    for _ in range(6):
        connect(daemon.address, source="127.0.0.5").close()
    daemon.wait("probe", count=6)
    good(daemon, "127.0.0.5")
    assert not daemon.find("refused")


def test_sources_are_networks(mtlsd, upstream, good):
    """per_source_mask: a neighbour counts as the same."""
    daemon = mtlsd(upstream=upstream(), workers=4, per_source=1, per_source_mask="24/64")
    good(daemon, "127.3.3.1")
    assert refused(daemon.address, "127.3.3.200")
    good(daemon, "127.3.4.1")


# --- who may come ----------------------------------------------------------------------------------------
def test_from(mtlsd, upstream, good):
    server = upstream()
    daemon = mtlsd(upstream=server, **{"from": "127.0.0.0/28, ::1", "priority_from": "127.9.0.0/16"})
    good(daemon, "127.0.0.15")
    for source in ("127.0.0.16", "127.9.0.1"):
        assert refused(daemon.address, source)
        line = daemon.wait("refused", client=re.compile(re.escape(source)))
        assert (line["stage"], line["reason"], line["hint"]) == ("accept", "not_from", "from")
    counted(daemon, not_from=2)
    assert server.count == 1


def test_priority_when_the_pool_is_full(mtlsd, upstream, good):
    """The last worker is the operator's: others are refused, he is served, and no limit holds for him."""
    daemon = mtlsd(upstream=upstream(), workers=8, priority_from="127.0.0.7", per_source=7, per_source_rate="7/h",
                   max_handshaking=1)
    for number in range(7):
        good(daemon, many(number))
    assert refused(daemon.address, "127.0.0.6")
    line = daemon.wait("refused")
    assert (line["stage"], line["reason"], line["hint"]) == ("accept", "pool_full", "workers")
    for _ in range(9):
        good(daemon, "127.0.0.7").close()
    counted(daemon, pool_full=1)


def test_priority_is_never_chosen(mtlsd, upstream, good):
    """His unfinished handshake stays while others come and go."""
    daemon = mtlsd(upstream=upstream(), workers=16, priority_from="127.0.0.7", max_handshaking=2, handshake_timeout="1m")
    with connect(daemon.address, source="127.0.0.7") as his:
        his.sendall(b"\x16")
        daemon.worker_of(local(his))
        with crowd(daemon.address, 15, sources=many):  # the sixteenth worker is kept for him
            daemon.wait("refused", reason="max_handshaking")
            good(daemon)
            assert not select.select([his], [], [], 0)[0]
            assert not daemon.find("refused", client=local(his))


def test_limits_follow_a_reload(mtlsd, upstream, good):
    """What was posted before does not hold behind it, in both directions."""
    daemon = mtlsd(upstream=upstream(), workers=4, per_source=1, handshake_timeout="1m")
    good(daemon, "127.0.0.5")
    assert refused(daemon.address, "127.0.0.5")
    text = daemon.config.read_text()

    def reload(config):
        mark = daemon.mark()
        daemon.home.put("mtlsd.conf", config)
        daemon.wait("reloaded", after=mark)
    reload(text.replace("per_source = 1", "per_source = 2"))
    good(daemon, "127.0.0.5")
    assert refused(daemon.address, "127.0.0.5")
    reload(text.replace("per_source = 1\n", ""))
    good(daemon, "127.0.0.5")


@pytest.mark.root
def test_ipv6_counts_by_prefix(mtlsd, upstream, pki, ca):
    """In a network namespace of its own: two addresses of one /64 are one source, of two they are not."""
    code = ("import ctypes, os, sys\n"
            "ctypes.CDLL(None, use_errno=True).unshare(0x40000000) and sys.exit(1)\n"
            "os.execvp('sh', ['sh', '-c', 'ip link set lo up && for a in 1:1 1:2 2:1; do "
            "ip addr add fd00:0:0:${a%:*}::${a#*:}/128 dev lo nodad || exit 1; done; exec sleep 60'])\n")
    space = subprocess.Popen([sys.executable, "-c", code])
    try:
        eventually(lambda: os.readlink(f"/proc/{space.pid}/ns/net") != os.readlink("/proc/self/ns/net")
                   and open(f"/proc/{space.pid}/cmdline").read().startswith("sleep"), "the namespace")
        ours = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        theirs = os.open(f"/proc/{space.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.setns(theirs, 0x40000000) == 0
        try:
            daemon = mtlsd(upstream='respond:200 "hello"', listen="[::]:0", workers=4, per_source=1, unsafe_plaintext=None)
            port = daemon.address[1]
            tls = context(ca, pki.client())

            def come(source):
                return Client(("::1", port), tls, source=source).handshake()
            one = come("fd00:0:0:1::1")
            daemon.worker_of(one.local)
            eventually(lambda: refused(("::1", port), "fd00:0:0:1::2"), "the /64 is full")
            two = come("fd00:0:0:2::1")
            daemon.worker_of(two.local)
            one.sock.close()
            two.sock.close()
        finally:
            assert libc.setns(ours, 0x40000000) == 0
            os.close(ours)
            os.close(theirs)
    finally:
        space.kill()
        space.wait()


# --- the machine has no more -----------------------------------------------------------------------------
@pytest.mark.root
def test_no_descriptor_left(mtlsd, upstream, pki, ca):
    """A worker that has no descriptor for who waits says so once and rests between two tries; as soon as it has one, the
    client is served."""
    daemon = mtlsd(upstream=upstream(), workers=1)
    worker, = daemon.workers()
    has = {int(name) for name in os.listdir(f"/proc/{worker.pid}/fd")}
    free = min(set(range(max(has) + 2)) - has)

    def may_have(count):  # of the same ids: a container's root may lack CAP_SYS_RESOURCE
        subprocess.run(["prlimit", "--pid", str(worker.pid), f"--nofile={count}:"], user=NOBODY, group=NOBODY, extra_groups=[],
                       check=True)

    def ran():
        return int(open(f"/proc/{worker.pid}/schedstat").read().split()[0]) / 1e9
    may_have(free)
    with Client(daemon.address, context(ca, pki.client())).hello() as client:
        line = daemon.wait("accept_failed")
        assert (line.level, line["reason"]) == ("warn", "accept: Too many open files")
        before, since = ran(), time.monotonic()
        eventually(lambda: time.monotonic() > since + 0.5, "several tries")
        assert ran() - before < (time.monotonic() - since) / 5
        may_have(max(has) + 1)
        client.handshake().exchange(b"hello").close()
    assert len(daemon.find("accept_failed")) == 1
    assert daemon.workers()[0].pid == worker.pid


# --- the end ---------------------------------------------------------------------------------------------
def test_counters_are_written_at_the_end(mtlsd, upstream):
    daemon = mtlsd(upstream=upstream(), **{"from": "127.0.0.1"})
    assert refused(daemon.address, "127.0.0.2")
    daemon.wait("refused")
    daemon.stop()
    line = daemon.find("status")[-1]
    assert line["not_from"] == "1" and all(line[word] == "0" for word in LIMITS[1:])
    assert daemon.events[-1].name == "stopped"


def test_a_plain_listener_is_not_deferred(mtlsd, upstream):
    """The upstream may be the one who speaks first."""
    def greet(link):
        link.send(b"220 ready\r\n")
        while link.recv():
            pass
    daemon = mtlsd(upstream=upstream(greet), listen_tls="no", cert=None, key=None, ca=None)
    with Plain(daemon.address) as client:
        assert client.recv() == b"220 ready\r\n"
