"""The pool: when every worker is busy, the log says so, and those who wait are served."""

import time

import pytest

from clients import Client, context
from waiting import eventually


@pytest.mark.parametrize("range_of", ["2", "1-2"])
def test_pool_full(mtlsd, upstream, pki, ca, range_of):
    """One warning however many wait, at most once in ten seconds; they are served as soon as a worker is free."""
    workers, clients = 2, 5
    daemon = mtlsd(upstream=upstream(), workers=range_of)
    tls = context(ca, pki.client())
    serving = [Client(daemon.address, tls).handshake().exchange(b"hello") for _ in range(workers)]
    waiting = [Client(daemon.address, tls) for _ in range(clients - workers)]
    for client in waiting:
        with pytest.raises(Exception):  # wants an answer, which does not come yet
            client.tls.do_handshake()
        client._flush()
    line, since = daemon.wait("pool_full"), time.monotonic()
    assert (line.level, line["service"], line["workers"], line["hint"]) == ("warn", "web", "2", "workers")
    assert int(line["waiting"]) >= 1
    for client in serving:
        client.close()
    for client in waiting:
        client.handshake().exchange(b"at last").close()
    assert len(daemon.find("pool_full")) <= 1 + (time.monotonic() - since) / 10
    daemon.wait("done", count=clients)


def test_no_false_alarm(mtlsd, upstream, pki, ca):
    """Workers that are all busy while nobody waits are no reason for a line."""
    daemon = mtlsd(upstream=upstream(), workers=2)
    tls = context(ca, pki.client())
    clients = [Client(daemon.address, tls).handshake().exchange(b"hello") for _ in range(2)]
    end = time.monotonic() + 0.5
    eventually(lambda: time.monotonic() > end, "half a second")
    assert not daemon.find("pool_full")
    for client in clients:
        client.close()


def test_many_at_once(mtlsd, upstream, pki, ca):
    """More clients than workers, all at the same moment: everyone is served."""
    daemon = mtlsd(upstream=upstream(), workers=8)
    tls = context(ca, pki.client())
    clients = [Client(daemon.address, tls) for _ in range(64)]
    for client in clients:
        client.handshake().exchange(b"hello").close()
    daemon.wait("done", count=64)
    assert not daemon.find("refused")
