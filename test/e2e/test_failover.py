"""Several upstreams in a list: in order or in turn; what cannot be connected to is left alone for a while"""

import pytest

from clients import Client, attempt, context
from peers import free_ports
from test_originate import refused
from tlsupstream import server_context
from upstream import Upstream, echo
from waiting import eventually
from web import Talk, tell


@pytest.fixture
def visit(pki, ca):
    """One connection; the upstream that has served it."""
    def make(daemon):
        with Client(daemon.address, context(ca, pki.client())) as client:
            local = client.local
            client.handshake().exchange(b"hello").close()
        return daemon.wait("done", client=local)["upstream"]
    return make


def dead():
    return f"127.0.0.1:{free_ports(1)[0]}"


def test_order(mtlsd, upstream, visit):
    """Always the first that works."""
    one, two = upstream(), upstream()
    daemon = mtlsd(upstream=f"{one}, {two}")
    assert [visit(daemon) for _ in range(6)] == [str(one)] * 6
    assert (one.count, two.count) == (6, 0)


def test_robin(mtlsd, upstream, visit):
    ups = [upstream() for _ in range(3)]
    daemon = mtlsd(upstream=", ".join(map(str, ups)), upstream_policy="robin")
    for _ in range(9):
        visit(daemon)
    assert [up.count for up in ups] == [3, 3, 3]


@pytest.mark.parametrize("policy", ["order", "robin"])
def test_dead_one_is_skipped(mtlsd, upstream, visit, policy):
    """Nobody notices, and it is tried once, not each time."""
    one, two = dead(), upstream()
    daemon = mtlsd(upstream=f"{one}, {two}", upstream_policy=policy)
    assert [visit(daemon) for _ in range(6)] == [str(two)] * 6
    def warned():
        return [event for event in daemon.events if one in event.line and event.level == "warn"]
    eventually(warned, "a warning about the dead one")
    assert len(warned()) == 1, daemon.text
    assert not daemon.find("refused")


def test_all_dead(mtlsd, ca, pki):
    one, two = dead(), dead()
    daemon = mtlsd(upstream=f"{one}, {two}")
    outcome = attempt(daemon.address, context(ca, pki.client()), early=b"hello")
    assert outcome.kind != "ok"
    assert daemon.wait("refused", client=outcome.local)["reason"] == "upstream_refused"


def test_one_that_dies_and_comes_back(mtlsd, upstream, visit):
    one, two = upstream(), upstream()
    port = one.port
    daemon = mtlsd(upstream=f"{one}, {two}")
    assert visit(daemon) == str(one)
    one.close()
    assert [visit(daemon) for _ in range(3)] == [str(two)] * 3
    two.close()
    # All are down now as far as we remember: the first is tried in spite of its penalty.
    back = Upstream(echo, port=port)
    try:
        assert visit(daemon) == str(back)
    finally:
        back.close()


def test_unix_and_tcp(mtlsd, upstream, visit):
    one, two = upstream(where="unix"), upstream()
    daemon = mtlsd(upstream=f"{one}, {two}", upstream_policy="robin")
    seen = [visit(daemon) for _ in range(4)]
    assert sorted(seen) == sorted([str(one), str(two)] * 2)


def test_tls(joined, tls_upstream, pki, ca):
    """The first is dead, the second serves; its name is checked as its own host's."""
    up = tls_upstream(server_context(pki.server(), ca))
    daemon, enter = joined(f"tls://other.invalid:1, tls://localhost:{free_ports(1)[0]}, tls://localhost:{up.port}")
    for _ in range(3):
        with enter() as client:
            client.exchange(b"hello").close()
    assert up.count == 3 and up.link().sni == "localhost"
    assert not daemon.find("refused")


def test_tls_refusal_is_no_failover(joined, tls_upstream, pki, ca):
    """A certificate that is not good is no reason to go somewhere else: it is refused and said."""
    bad, good = tls_upstream(server_context(pki.server_expired(), ca)), tls_upstream(server_context(pki.server(), ca))
    daemon, enter = joined(f"tls://localhost:{bad.port}, tls://localhost:{good.port}")
    refused(daemon, bad, enter, reason="expired")
    assert good.count == 0


def test_http(mtlsd, upstream):
    one, two = dead(), upstream(tell)
    daemon = mtlsd(upstream=f"{one}, {two}", protocol="http", listen_tls="no", cert=None, key=None, ca=None)
    with Talk(daemon.address) as client:
        assert [client.get("/").status for _ in range(3)] == [200] * 3
    assert len(two.requests) == 3
