"""Groups of the key exchange: X25519MLKEM768 unless somebody cannot, HelloRetryRequest both ways, key shares that are none,
ClientHellos that come in pieces"""

import pytest

from clients import Client, connect, context, reset, s_client
from rawtls import HANDSHAKE, SERVER_HELLO, Hello, hybrid_key, public_key, read_flight, record, server_flight, share_of
from test_originate import turned_away
from waiting import eventually

HYBRID, X25519 = 0x11EC, 0x001D
SHARE_SIZE = 1088 + 32  # of a server: ciphertext and X25519


def hello(shares=None, groups=(HYBRID, X25519), **kw):
    return Hello("1.3", groups=groups, shares=[(HYBRID, hybrid_key())] if shares is None else shares, **kw)


# --- ours with ours ------------------------------------------------------------------------------------
@pytest.mark.parametrize("near,far,group", [
    (None, None, "X25519MLKEM768"),
    ("X25519", None, "X25519"),
    (None, "X25519", "X25519"),  # HelloRetryRequest: the first share is one of X25519MLKEM768
    ("X25519:X25519MLKEM768", "X25519MLKEM768", "X25519MLKEM768"),  # and the other way round
    ("P-256:X25519MLKEM768", "X25519MLKEM768:X25519", "X25519MLKEM768"),
    (None, "P-384", "P-384"),
])
def test_ours_with_ours(joined, mtlsd, upstream, near, far, group):
    """client -> mtlsd originate -> mtlsd terminate -> echo: both logs say what they agreed on."""
    last = mtlsd(upstream=upstream(), groups=far)
    first, come = joined(f"tls://localhost:{last.address[1]}", upstream_groups=near)
    with come() as client:
        client.exchange(b"hello" * 10000).close()
    done = last.wait("done")
    assert (done["tls"], done["group"], done["end"]) == ("1.3", group, "client_eof")
    assert first.wait("done")["upstream_group"] == group


def test_ours_with_tls12(joined, mtlsd, upstream):
    """The default is for TLS 1.3 alone and harms no other."""
    last = mtlsd(upstream=upstream(), tls_max="1.2")
    first, come = joined(f"tls://localhost:{last.address[1]}")
    with come() as client:
        client.exchange(b"hello").close()
    assert (last.wait("done")["tls"], first.wait("done")["upstream_group"]) == ("1.2", "X25519")


def test_no_group_in_common(joined, mtlsd, upstream):
    """The library then asks for a group that the client has not offered, and the client says what that is."""
    up = upstream()
    last = mtlsd(upstream=up, groups="X25519MLKEM768", tls_min="1.3")
    first, come = joined(f"tls://localhost:{last.address[1]}", upstream_groups="X25519")
    turned_away(come)
    line = last.wait("refused")
    assert (line["reason"], line["alert_received"]) == ("client_alert", "illegal_parameter")
    assert first.wait("refused")["reason"] == "upstream_tls"
    up.assert_untouched()


# --- clients without it --------------------------------------------------------------------------------
@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("group", ["X25519", "P-256", "P-521"])
def test_classical_client(mtlsd, pki, ca, version, group):
    daemon = mtlsd(upstream='respond:200 "in"', server=pki.server("rsa2048"))  # TLS 1.2: an EC key needs its curve listed
    done = s_client(daemon.address, ca, pki.client("rsa2048"), "-tls" + version.replace(".", "_"), "-groups", group,
                    text=b"GET / HTTP/1.0\r\n\r\n")
    assert b"200" in done.stdout, done.stderr
    done = daemon.wait("done")
    assert (done["tls"], done["group"]) == (version, group)


def test_classical_client_is_asked_again(mtlsd, pki, ca):
    """Its share is one of P-521, which the service does not take, and its list has X25519: HelloRetryRequest."""
    daemon = mtlsd(upstream='respond:200 "in"', groups="X25519MLKEM768:X25519")
    done = s_client(daemon.address, ca, pki.client(), "-tls1_3", "-groups", "P-521:X25519", "-msg",
                    text=b"GET / HTTP/1.0\r\n\r\n")
    assert b"200" in done.stdout and done.stdout.count(b"ServerHello") == 2, done.stdout
    assert daemon.wait("done")["group"] == "X25519"


# --- what the server says to a share -------------------------------------------------------------------
@pytest.mark.parametrize("shares,group,size", [
    (lambda: None, HYBRID, SHARE_SIZE),
    (lambda: [X25519, (HYBRID, hybrid_key())], HYBRID, SHARE_SIZE),
    (lambda: [X25519], X25519, 32),  # no second round trip for a client that has sent another good share
    (lambda: [], HYBRID, 0),  # HelloRetryRequest
])
def test_answer_to_shares(mtlsd, upstream, shares, group, size):
    daemon = mtlsd(upstream=upstream())
    found, key = share_of(server_flight(daemon.address, hello(shares())).message(SERVER_HELLO))
    assert (found, len(key)) == (group, size)


@pytest.mark.parametrize("case,alert", [
    ("empty", "decode_error"), ("one byte", "handshake_failure"), ("X25519 alone", "handshake_failure"),
    ("ML-KEM alone", "handshake_failure"), ("one byte short", "handshake_failure"), ("one byte more", "handshake_failure"),
    ("number over the modulus", "handshake_failure"), ("zero point", "illegal_parameter"), ("twice", "illegal_parameter")])
def test_bogus_share(mtlsd, upstream, pki, ca, case, alert):
    """Refused with a reason and an alert, by a worker that goes on."""
    key = hybrid_key()
    share = {"empty": b"", "one byte": key[:1], "X25519 alone": public_key(), "ML-KEM alone": key[:1184],
             "one byte short": key[:-1], "one byte more": key + b"\0", "number over the modulus": hybrid_key(4096),
             "zero point": key[:1184] + bytes(32), "twice": key}[case]
    up = upstream()
    daemon = mtlsd(upstream=up, workers=1)
    flight = server_flight(daemon.address, hello([(HYBRID, share)] * (2 if case == "twice" else 1)))
    line = daemon.wait("refused")
    assert (line["stage"], line["reason"], line["alert"]) == ("handshake", "handshake_failed", alert), line.line
    assert flight.alert is not None and flight.message(SERVER_HELLO) is None
    up.assert_untouched()
    with Client(daemon.address, context(ca, pki.client())) as client:
        client.handshake().exchange(b"hello").close()
    assert daemon.wait("done").pid == line.pid


# --- a ClientHello that comes in pieces ----------------------------------------------------------------
def ask(daemon, *parts):
    """Send each part when the one before it was read; what the server says."""
    sock = connect(daemon.address)
    try:
        for part in parts:
            sock.sendall(part)
            drained(sock)
        return read_flight(sock)
    finally:
        reset(sock)


def drained(sock):
    """Until the other end of a loopback connection has read all that was sent."""
    ours, theirs = sock.getsockname()[1], sock.getpeername()[1]

    def empty():
        with open("/proc/net/tcp", encoding="ascii") as table:
            for line in table.readlines()[1:]:
                parts = line.split()
                if (int(parts[1].split(":")[1], 16), int(parts[2].split(":")[1], 16)) == (theirs, ours):
                    return parts[4].split(":")[1] == "00000000"
        return False
    eventually(empty, "the server reads what was sent", pause=0)


def places(text):
    """Of the record's head, the handshake's, the fields before the extensions, each extension, the segment, the end."""
    yield from (*range(1, 13), 43, 44, 45, 46, 48, 50, 52)
    at = 5 + 4 + 2 + 32 + 1 + 4 + 2 + 2
    while at < len(text):
        yield from (at + 1, at + 2, at + 4, at + 6)
        at += 4 + int.from_bytes(text[at + 2:at + 4], "big")
    yield from (1184, 1460, len(text) - 33, len(text) - 32, len(text) - 1)


def test_split_between_segments(mtlsd, upstream):
    """At each place where a field ends, the second part when the first was read."""
    daemon = mtlsd(upstream=upstream())
    text = hello(padding=300).encode()
    assert len(text) > 1460
    for at in sorted(set(places(text))):
        flight = ask(daemon, text[:at], text[at:])
        assert share_of(flight.message(SERVER_HELLO))[0] == HYBRID, f"split at {at} of {len(text)}"


def test_bit_by_bit(mtlsd, upstream):
    daemon = mtlsd(upstream=upstream(), handshake_timeout="10m")  # a busy machine takes its time over each bit
    text = hello().encode()
    flight = ask(daemon, *(text[at:at + 50] for at in range(0, len(text), 50)))
    assert share_of(flight.message(SERVER_HELLO))[0] == HYBRID


def test_split_between_records(mtlsd, upstream):
    """From behind the message's own head; the library wants that in one record."""
    daemon = mtlsd(upstream=upstream())
    text = hello().message()
    for at in (4, 5, 6, 38, 39, 40, 50, 100, len(text) // 2, len(text) - 1):
        flight = ask(daemon, record(HANDSHAKE, text[:at]) + record(HANDSHAKE, text[at:]))
        assert share_of(flight.message(SERVER_HELLO))[0] == HYBRID, f"split at {at} of {len(text)}"


@pytest.mark.parametrize("padding,good", [(4000, True), (15000, True), (40000, False)])
def test_large(mtlsd, upstream, padding, good):
    """One record, nearly; over the library's limit it ends with an alert and a reason, not in silence."""
    daemon = mtlsd(upstream=upstream())
    text = hello(padding=padding).message()
    flight = ask(daemon, b"".join(record(HANDSHAKE, text[at:at + 16384]) for at in range(0, len(text), 16384)))
    assert (flight.message(SERVER_HELLO) is not None, flight.alert is None) == (good, good)
    assert daemon.wait("refused")["reason"] == ("client_gone" if good else "handshake_failed")
