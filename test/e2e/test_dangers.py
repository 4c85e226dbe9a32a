"""The dangers of DESIGN.md section 6: what the library would let happen, and does not happen here."""

import concurrent.futures

import pytest

from clients import Client, attempt, context
from rawtls import (RETRY_RANDOM, SERVER_HELLO, SERVER_HELLO_DONE, SERVER_KEY_EXCHANGE, Hello, point_of, random_of,
                    server_flight, share_of)
from waiting import eventually


def outcome_in(daemon, ca, cert, version, **kw):
    """Reason or "ok", and the worker that said so."""
    outcome = attempt(daemon.address, context(ca, cert, version, **kw), early=b"hello")
    line = eventually(lambda: daemon.find("refused", client=outcome.local) + daemon.find("done", client=outcome.local),
                      "a line about the connection")[0]
    return line["reason"] or "ok", line.pid


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("before", ["client_of_intermediate", "client_expired_of_intermediate", "client_two_deep"])
def test_intermediates_are_forgotten(mtlsd, upstream, pki, ca, before, version):
    """An intermediate that one client has sent, successfully or not, does not help the next one in the same worker."""
    daemon = mtlsd(upstream=upstream(), workers=1)
    lonely = pki.client_of_intermediate(2)
    assert outcome_in(daemon, ca, lonely, version, chain=False)[0] == "unknown_ca"
    first, pid = outcome_in(daemon, ca, getattr(pki, before)(), version)
    assert first == ("expired" if "expired" in before else "ok")
    assert outcome_in(daemon, ca, lonely, version, chain=False) == ("unknown_ca", pid)
    assert outcome_in(daemon, ca, lonely, version) == ("ok", pid)
    assert outcome_in(daemon, ca, lonely, version, chain=False) == ("unknown_ca", pid)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_unknown_authority_is_not_learnt(mtlsd, upstream, pki, ca, version):
    """A stranger's whole chain, its self-signed root included, is refused again and again, whatever was sent before."""
    other = pki.issue("stranger-middle", pki.root("other-root"), ca=True, eku=None)
    cert = pki.issue("stranger-leaf", other)
    whole = cert.crt.with_suffix(".chain")
    whole.write_text(cert.pem + other.pem + pki.root("other-root").pem)
    daemon = mtlsd(upstream=upstream(), workers=1)
    for attempted in (cert, cert, other, pki.client_other_ca(), cert):
        assert outcome_in(daemon, ca, attempted, version)[0] in ("unknown_ca", "self_signed", "bad_purpose")
    assert outcome_in(daemon, ca, pki.client(), version)[0] == "ok"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_no_resumption(mtlsd, upstream, pki, ca, version):
    """No tickets are given, no session is resumed: every connection is verified anew."""
    daemon = mtlsd(upstream=upstream(), workers=1)
    tls = context(ca, pki.client(), version)
    with Client(daemon.address, tls) as client:
        client.handshake().exchange(b"hello")
        session = client.tls.session
        assert not session.has_ticket
        client.close()
    with Client(daemon.address, tls, session=session) as client:
        client.handshake().exchange(b"hello")
        assert not client.tls.session_reused
        client.close()
    assert daemon.wait("done", count=2)["resumed"] == "no"


def test_session_of_a_refused_client(mtlsd, upstream, pki, ca):
    """A TLS 1.2 session of a client without certificate (optional) is no way in either."""
    daemon = mtlsd(upstream=upstream(), workers=1, verify="optional")
    with Client(daemon.address, context(ca, None, "1.2")) as client:
        client.handshake().exchange(b"hello")
        assert not client.tls.session.has_ticket
        client.close()


@pytest.mark.slow
def test_server_randoms_are_unique(mtlsd, upstream, pki):
    """ServerHello randoms and key shares of 10,000 handshakes over many workers never repeat: siblings of one fork share
    no generator. The handshakes are not finished; what must be unique stands in clear."""
    workers, max_use, count, count_12 = 8, 50, 9000, 1000
    up = upstream()
    daemon = mtlsd(upstream=up, workers=workers, max_use=max_use)

    def shake_13(_):
        message = server_flight(daemon.address, Hello("1.3")).message(SERVER_HELLO)
        return random_of(message), share_of(message)[1]

    def shake_12(_):
        flight = server_flight(daemon.address, Hello("1.2"), SERVER_HELLO_DONE)
        assert flight.message(SERVER_HELLO_DONE) is not None
        return random_of(flight.message(SERVER_HELLO)), point_of(flight.message(SERVER_KEY_EXCHANGE))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(shake_13, range(count))) + list(pool.map(shake_12, range(count_12)))
    assert RETRY_RANDOM not in (random for random, _ in seen)
    assert len({random for random, _ in seen}) == count + count_12, "a random came twice"
    assert len({share for _, share in seen}) == count + count_12, "a key share came twice"
    # Prefixes too: a generator that two workers share would show there first.
    assert len({random[:8] for random, _ in seen}) == count + count_12
    pids = {event.pid for event in daemon.find("refused")}
    assert len(pids) >= (count + count_12) // max_use // 2, f"only {len(pids)} workers took part"
    up.assert_untouched()
