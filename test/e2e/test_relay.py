"""The relay: every byte arrives, every kind of end is passed on as what it was."""

import hashlib
import itertools
import random
import threading
import time
from pathlib import Path

import pytest

from clients import Client, Truncated, context
from upstream import discard, echo, reply_at_eof, reset_after, source, talk_then_listen
from waiting import eventually

MIB = 1 << 20
SIZE = 64 * MIB
ODD = [1, 7, 16383, 16384, 16385, 1000, 65537, 3, 131071, 32768, 5, 262143]
VERSIONS = pytest.mark.parametrize("version", ["1.2", "1.3"])


def data(total, sizes=tuple(ODD), seed=7):
    """total bytes that do not repeat in step with any buffer, in chunks of odd sizes."""
    block = random.Random(seed).randbytes(MIB + 13)
    block += block[:max(sizes)]
    at, left = 0, total
    for size in itertools.cycle(sizes):
        if left <= 0:
            return
        size = min(size, left)
        yield block[at:at + size]
        at = (at + size) % (MIB + 13)
        left -= size


def digest(chunks):
    made = hashlib.sha256()
    for chunk in chunks:
        made.update(chunk)
    return made.hexdigest()


@pytest.fixture
def opened(mtlsd, upstream, pki, ca):
    """opened(handler, version, ...): daemon, upstream, a client after its handshake."""
    clients = []

    def make(handler=echo, version="1.3", where="127.0.0.1", client=None, **service):
        up = upstream(handler, where)
        daemon = mtlsd(upstream=up, **service)
        clients.append(Client(daemon.address, context(ca, pki.client(), version), **(client or {})))
        return daemon, up, clients[-1].handshake()
    yield make
    for client in clients:
        client.sock.close()


@VERSIONS
@pytest.mark.parametrize("where", ["127.0.0.1", "unix"])
def test_64_mib_to_the_upstream(opened, version, where):
    daemon, up, client = opened(discard, version, where)
    want = digest(data(SIZE))
    client.pump(data(SIZE), None, 0)
    client.close_notify()
    assert up.link().wait_end() == "eof"
    assert (up.link().count, up.link().hash.hexdigest()) == (SIZE, want)
    done = daemon.wait("done")
    assert (done["in"], done["out"], done["end"]) == (str(SIZE), "0", "client_eof")


@VERSIONS
@pytest.mark.parametrize("where", ["127.0.0.1", "unix"])
def test_64_mib_to_the_client(opened, version, where):
    daemon, _, client = opened(source(lambda: data(SIZE)), version, where)
    got = hashlib.sha256()
    client.pump([], got.update, SIZE)
    assert client.recv() == b""
    client.close()
    assert got.hexdigest() == digest(data(SIZE))
    done = daemon.wait("done")
    assert (done["in"], done["out"], done["end"]) == ("0", str(SIZE), "upstream_eof")


@VERSIONS
def test_64_mib_both_ways_at_once(opened, version):
    daemon, up, client = opened(echo, version)
    got = hashlib.sha256()
    client.pump(data(SIZE), got.update, SIZE)
    client.close()
    assert got.hexdigest() == digest(data(SIZE)) == up.link().hash.hexdigest()
    done = daemon.wait("done")
    assert (done["in"], done["out"]) == (str(SIZE), str(SIZE))


@VERSIONS
def test_single_bytes(opened, version):
    """Each byte is passed on without waiting for more."""
    _, _, client = opened(echo, version)
    for number in range(256):
        client.exchange(bytes([number]))
    client.close()


@VERSIONS
def test_upstream_speaks_first(opened, version):
    _, up, client = opened(talk_then_listen(b"220 ready\r\n"), version)
    assert client.recv_exactly(11) == b"220 ready\r\n"
    client.close()
    assert up.link().wait_end() == "eof"


# --- half-close ----------------------------------------------------------------------------------------
@VERSIONS
@pytest.mark.parametrize("fin", [False, True])
def test_half_close_by_the_client(opened, version, fin):
    """close_notify, with or without FIN, becomes FIN at the upstream; its answer still arrives."""
    answer = b"".join(data(3 * MIB + 1))
    daemon, up, client = opened(reply_at_eof(answer), version)
    client.send(b"the question")
    client.close_notify()
    if fin:
        client.fin()
    assert client.recv_all() == answer
    assert up.link().wait_end() == "eof" and up.link().head == b"the question"
    assert daemon.wait("done")["end"] == "client_eof"


@VERSIONS
def test_a_client_need_not_wait_for_our_close_notify(opened, version):
    """It ends in order and closes, as most do: that is no reset, though our close_notify meets a closed socket."""
    daemon, _, client = opened(version=version)
    client.exchange(b"all there is to say")
    client.close_notify()
    client.sock.close()
    assert daemon.wait("done")["end"] == "client_eof"


@VERSIONS
def test_half_close_by_the_upstream(opened, version):
    """FIN becomes close_notify; what the client says after that still arrives."""
    daemon, up, client = opened(talk_then_listen(b"all that I have to say"), version)
    assert client.recv_all() == b"all that I have to say"
    late = b"".join(data(3 * MIB + 1))
    client.send(late)
    client.close_notify()
    assert up.link().wait_end() == "eof"
    assert up.link().hash.hexdigest() == hashlib.sha256(late).hexdigest()
    done = daemon.wait("done")
    assert (done["end"], done["in"]) == ("upstream_eof", str(len(late)))


def test_half_close_of_nothing(opened):
    """A client that says nothing at all and closes."""
    daemon, up, client = opened(echo)
    client.close()
    assert up.link().wait_end() == "eof"
    assert daemon.wait("done")["in"] == "0"


# --- ends that are no ends -----------------------------------------------------------------------------
@VERSIONS
def test_truncation_by_the_client(opened, version):
    """FIN without close_notify may be an attacker's: the upstream sees a reset, never an orderly end."""
    daemon, up, client = opened(echo, version)
    client.exchange(b"hello")
    client.fin()
    assert up.link().wait_end() == "reset"
    assert daemon.wait("done")["end"] == "client_truncated"


@VERSIONS
def test_reset_by_the_client(opened, version):
    daemon, up, client = opened(echo, version)
    client.exchange(b"hello")
    client.reset()
    assert up.link().wait_end() == "reset"
    assert daemon.wait("done")["end"] == "client_reset"


@VERSIONS
def test_reset_by_the_upstream(opened, version):
    daemon, _, client = opened(reset_after(b"hello"), version)
    client.send(b"hello")
    with pytest.raises(ConnectionResetError):
        client.recv()
    assert daemon.wait("done")["end"] == "upstream_reset"


@VERSIONS
def test_data_before_a_reset_arrives(opened, version):
    """What the upstream sent before its reset and mtlsd has read is not thrown away; what comes after is a reset, no
    orderly end."""
    gate = threading.Event()

    def handler(link):
        link.send(b"last words")
        gate.wait(20)
        link.reset()
    _, _, client = opened(handler, version)
    assert client.recv_exactly(10) == b"last words"
    gate.set()
    with pytest.raises((ConnectionResetError, Truncated)):
        client.recv()


@VERSIONS
def test_garbage_in_the_stream(opened, version):
    """A record that does not decrypt ends the session with an alert; the upstream sees a reset."""
    daemon, up, client = opened(echo, version)
    client.exchange(b"hello")
    client.sock.sendall(b"\x17\x03\x03\x00\x40" + b"x" * 64)
    with pytest.raises(Exception, match="bad_record_mac"):
        client.recv()
    assert up.link().wait_end() == "reset"
    assert daemon.wait("done")["end"] == "client_error"


# --- time ----------------------------------------------------------------------------------------------
def test_back_pressure(opened, sanitized):
    """An upstream that does not read stops the client; the worker does not hoard; all arrives when it reads on."""
    gate = threading.Event()

    def handler(link):
        gate.wait(60)
        discard(link)
    daemon, up, client = opened(handler)
    worker = daemon.worker_of(client.local)

    def resident():
        return int(next(line for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines()
                        if line.startswith("VmRSS:")).split()[1])
    before = resident()
    sent = client.send_until_blocked(b"x" * 65536)
    assert sent < 64 * MIB, "nobody stopped the client"
    assert sanitized or resident() - before < 1024, "KiB of the worker grew with what it could not pass on"
    gate.set()
    client.resume()
    client.close_notify()
    assert up.link().wait_end() == "eof"
    assert up.link().count == sent


@VERSIONS
def test_slow_reader_gets_the_tail(opened, version):
    """The upstream has long gone when a slow client reads the last bytes."""
    total = 6 * MIB + 11
    daemon, up, client = opened(source(lambda: data(total)), version, close_timeout="4s", client={"rcvbuf": 16384})
    client.close_notify()  # we have nothing to say: after the upstream's end both halves are closed
    assert up.link().wait_end() == "eof"
    got, size, rests = hashlib.sha256(), 0, iter([0.8] * 6)
    while part := client.recv():
        got.update(part)
        if size // MIB != (size + len(part)) // MIB:
            time.sleep(next(rests, 0))  # a slow reader is what this is about
        size += len(part)
    assert (size, got.hexdigest()) == (total, digest(data(total)))
    assert daemon.wait("done")["out"] == str(total)


@VERSIONS
def test_farewell_is_no_reset(opened, version):
    """A client that still sends while the upstream has finished and gone reads everything, close_notify included,
    before it hears of a reset."""
    text = b"".join(data(MIB))

    def handler(link):
        link.recv()
        link.send(text)
        link.fin()
        while link.recv():
            pass
    daemon, _, client = opened(handler, version)
    client.send(b"x")
    client.send(b"y" * 200000)
    assert client.recv_all() == text
    client.close()
    assert daemon.wait("done")["end"] == "upstream_eof"


@VERSIONS
def test_idle_timeout(opened, version):
    daemon, up, client = opened(echo, version, idle_timeout="1s")
    start = time.monotonic()
    client.exchange(b"hello")
    try:
        assert client.recv() == b""
    except (Truncated, ConnectionResetError):
        pass
    assert time.monotonic() - start > 0.9
    up.link().wait_end()
    line = daemon.wait("done")
    assert line["end"] == "idle_timeout"


def test_one_direction_is_not_idle(opened):
    """Silence counts on both ends together: a download is not idle because the client says nothing."""
    def handler(link):
        for _ in range(15):
            link.send(b"tick")
            time.sleep(0.4)  # a slow sender is what this is about
        link.fin()
        while link.recv():
            pass
    daemon, _, client = opened(handler, idle_timeout="5s")
    assert client.recv_all() == b"tick" * 15
    client.close()
    assert daemon.wait("done")["end"] == "upstream_eof"


def test_workers_serve_one_after_the_other(opened, pki, ca):
    """What one connection left does not reach the next in the same worker."""
    daemon, _, client = opened(echo, workers=1)
    client.exchange(b"secret of the first" * 1000).close()
    for number in range(20):
        with Client(daemon.address, context(ca, pki.client(), "1.2" if number % 2 else "1.3")) as following:
            following.handshake().exchange(f"number {number}".encode()).close()
    pids = {event.pid for event in [daemon.wait("done", count=21)] + daemon.find("done")}
    assert len(pids) == 1
    eventually(lambda: len(daemon.find("done")) == 21, "21 lines")


def test_worker_retires_after_max_use(opened, pki, ca):
    """max_use = 1: every connection has an address space of its own."""
    daemon, _, client = opened(echo, workers=2, max_use=1)
    client.exchange(b"hello").close()
    for _ in range(9):
        with Client(daemon.address, context(ca, pki.client())) as following:
            following.handshake().exchange(b"hello").close()
    daemon.wait("done", count=10)
    assert len({event.pid for event in daemon.find("done")}) == 10
    daemon.settled(2)
