"""TLS towards the upstream: whose name and certificate it must have, what it sees of ours, how ends are passed on"""

import hashlib
import re
import threading

import pytest

from clients import Alert, Plain, Truncated, reset
from procfs import find
from test_keys import public_of, secrets_of
from test_relay import data, digest
from tlsupstream import server_context
from upstream import discard, echo, reply_at_eof, talk_then_listen
from waiting import eventually

MIB = 1 << 20
VERSIONS = pytest.mark.parametrize("version", ["1.2", "1.3"])
KINDS = ["ec256", "ec384", "ec521", "rsa2048", "rsa4096", "ed25519"]
SIDES = pytest.mark.parametrize("side", ["originate", "bridge"])


def turned_away(come):
    """A client that gets not a byte, however it ends; an unencrypted one may be reset before connect(2) returns."""
    try:
        with come() as client:
            client.send(b"not for the upstream")
            assert client.recv() == b""
    except (Alert, Truncated, ConnectionResetError, BrokenPipeError):
        pass


def refused(daemon, up, come, **fields):
    """The connection ends without a byte, the log says why in one line, the upstream has seen no payload."""
    turned_away(come)
    line = daemon.wait("refused")
    assert (line.level, line["stage"]) == ("warn", "upstream"), line.line
    for key, want in fields.items():
        assert line[key] == want, line.line
    assert len(daemon.find("refused")) == 1 and not daemon.find("done"), daemon.text
    up.assert_silent()
    return line


# --- our certificate -----------------------------------------------------------------------------------
@VERSIONS
@SIDES
@pytest.mark.parametrize("kind", KINDS)
def test_our_certificate(joined, tls_upstream, pki, ca, kind, side, version):
    """Of every kind, signed for by a keeper; the upstream demands it and sees it."""
    up = tls_upstream(server_context(pki.server(), ca, version))
    cert = pki.client(kind)
    daemon, come = joined(up, side, cert)
    with come() as client:
        client.exchange(b"hello").close()
    link = up.link()
    assert link.wait_end() == "eof"
    assert (link.peer_der, link.head, link.sni) == (cert.der, b"hello", "localhost")
    done = daemon.wait("done")
    assert (done["upstream_tls"], done["upstream_sha256"], done["end"]) == (version, pki.server().sha256, "client_eof")
    assert done["tls"] == ("no" if side == "originate" else "1.3")
    assert link.version == "TLSv" + version


@pytest.mark.parametrize("kind", ["rsa2048", "rsa4096", "ec384", "ed25519"])
@VERSIONS
def test_upstreams_certificate(joined, tls_upstream, pki, ca, kind, version):
    up = tls_upstream(server_context(pki.server(kind), ca, version))
    daemon, come = joined(up)
    with come() as client:
        client.exchange(b"hello").close()
    assert daemon.wait("done")["upstream_sha256"] == pki.server(kind).sha256


@VERSIONS
def test_our_intermediates_go_with_it(joined, tls_upstream, pki, ca, version):
    up = tls_upstream(server_context(pki.server(), ca, version))
    _, come = joined(up, our=pki.client_two_deep())
    with come() as client:
        client.exchange(b"hello").close()
    assert up.link().peer_der == pki.client_two_deep().der


@VERSIONS
@SIDES
def test_upstream_does_not_ask(joined, tls_upstream, pki, side, version):
    """Ours is shown to nobody who does not ask."""
    up = tls_upstream(server_context(pki.server(), None, version))
    _, come = joined(up, side)
    with come() as client:
        client.exchange(b"hello").close()
    assert up.link().peer_der is None


# --- whose certificate and name the upstream has -------------------------------------------------------
NAMES = {  # name: (SAN or None, CN), admitted
    "dns": ("DNS:localhost", "x", True),
    "dns, upper case": ("DNS:LOCALHOST", "x", True),
    "second dns": ("DNS:other.example,DNS:localhost", "x", True),
    "cn only": (None, "localhost", True),
    "cn besides another san": ("DNS:other.example", "localhost", False),
    "cn besides an address": ("IP:127.0.0.1", "localhost", False),
    "wrong san": ("DNS:other.example", "x", False),
    "wrong cn": (None, "other.example", False),
    "longer": ("DNS:localhost.example", "x", False),
    "wildcard alone": ("DNS:*", "x", False),
    "part of a wildcard": ("DNS:local*", "x", False),
    "address as dns": ("DNS:127.0.0.1", "x", False),
    "mail": ("email:a@localhost", "localhost", False),
}


def named(pki, name):
    san, cn, _ = NAMES[name]
    return pki.issue("named-" + re.sub(r"\W", "-", name), eku="serverAuth", san=san, subject=f"/CN={cn}")


@VERSIONS
@pytest.mark.parametrize("name", NAMES)
def test_names(joined, tls_upstream, pki, ca, name, version):
    up = tls_upstream(server_context(named(pki, name), ca, version))
    daemon, come = joined(up)
    if NAMES[name][2]:
        with come() as client:
            client.exchange(b"hello").close()
        return
    line = refused(daemon, up, come, reason="bad_name", alert="bad_certificate", hint="upstream_name")
    assert up.link().alert == "bad_certificate"
    assert line["sha256"] == named(pki, name).sha256


@pytest.mark.parametrize("want,san,good", [
    ("127.0.0.1", "IP:127.0.0.1", True), ("127.0.0.1", "DNS:127.0.0.1", False), ("127.0.0.1", "IP:127.0.0.2", False),
    ("::1", "IP:::1", True), ("::1", "IP:::2", False),
    ("a.b.example", "DNS:*.b.example", True), ("b.example", "DNS:*.b.example", False), ("c.a.b.example", "DNS:*.b.example", False),
    ("a.example", "DNS:*.example", False), ("a.b.example", "DNS:a.*.example", False)])
def test_upstream_name(joined, tls_upstream, pki, ca, want, san, good):
    """upstream_name instead of the host: checked and, when it is a name, sent."""
    cert = pki.issue("called-" + re.sub(r"\W", "-", san), eku="serverAuth", san=san)
    up = tls_upstream(server_context(cert, ca))
    daemon, come = joined(up, upstream_name=want)
    if good:
        with come() as client:
            client.exchange(b"hello").close()
    else:
        refused(daemon, up, come, reason="bad_name")
    assert up.link().sni == (None if ":" in want or want[0].isdigit() else want)


def test_address_as_host(joined, tls_upstream, pki, ca):
    """The host is an address: its IP SAN must be there, no name is sent."""
    up = tls_upstream(server_context(pki.server(), ca))
    _, come = joined(f"tls://127.0.0.1:{up.port}")
    with come() as client:
        client.exchange(b"hello").close()
    assert up.link().sni is None


UPSTREAMS = {  # the upstream's certificate: reason, alert that it gets
    "server_expired": ("expired", "certificate_expired"),
    "other_ca": ("unknown_ca", "unknown_ca"),
    "self_signed": ("self_signed", "unknown_ca"),
    "client_only": ("bad_purpose", "unsupported_certificate"),
    "not_yet": ("not_yet_valid", "certificate_expired"),
    "sha1": ("weak_signature", "unsupported_certificate"),
    "rsa1024": ("weak_key", "unsupported_certificate"),
    "v1": ("x509_v1", "unsupported_certificate"),
    "three_deep": ("too_deep", "unknown_ca"),
}


def bad_upstream(pki, case):
    san = "DNS:localhost"
    return {
        "server_expired": pki.server_expired,
        "other_ca": lambda: pki.issue("up-other", pki.root("other-root"), eku="serverAuth", san=san),
        "self_signed": lambda: pki.issue("up-self", "self", eku="serverAuth", san=san),
        "client_only": lambda: pki.issue("up-client-only", eku="clientAuth", san=san),
        "not_yet": lambda: pki.issue("up-not-yet", eku="serverAuth", san=san, dates=("20990101000000Z", "20991231000000Z")),
        "sha1": lambda: pki.issue("up-sha1", eku="serverAuth", san=san, digest="sha1"),
        "rsa1024": lambda: pki.issue("up-rsa1024", kind="rsa1024", eku="serverAuth", san=san),
        "v1": lambda: pki.issue("up-v1", subject="/CN=localhost", v1=True),
        "three_deep": lambda: pki.issue("up-three-deep", pki.client_three_deep().issuer, eku="serverAuth", san=san),
    }[case]()


@VERSIONS
@pytest.mark.parametrize("case", UPSTREAMS)
def test_bad_upstream(joined, tls_upstream, pki, ca, case, version):
    reason, alert = UPSTREAMS[case]
    cert = bad_upstream(pki, case)
    up = tls_upstream(server_context(cert, ca, version))
    daemon, come = joined(up)
    refused(daemon, up, come, reason=reason, alert=alert)
    assert up.link().alert == alert


@VERSIONS
def test_bridge_tells_its_client(joined, tls_upstream, pki, ca, version):
    up = tls_upstream(server_context(pki.server_expired(), ca))
    daemon, come = joined(up, "bridge", version=version)
    refused(daemon, up, come, reason="expired")


@SIDES
def test_verify_none(joined, tls_upstream, pki, ca, side):
    """Everybody is taken for the upstream, and it is said: at start and in every status."""
    up = tls_upstream(server_context(bad_upstream(pki, "other_ca"), ca))
    daemon, come = joined(up, side, upstream_verify="none", upstream_ca=None)
    with come() as client:
        client.exchange(b"hello").close()
    warned = [event for event in daemon.events if event.level == "warn" and "upstream_verify" in event.line]
    assert warned and daemon.events.index(warned[0]) < daemon.events.index(daemon.find("ready")[0]), daemon.text
    mark = daemon.mark()
    daemon.signal(10)
    daemon.wait("status", after=mark)
    eventually(lambda: any("upstream_verify" in event.line for event in daemon.events[mark:]), lambda: daemon.text, 2)


# --- the upstream refuses ours -------------------------------------------------------------------------
@VERSIONS
@SIDES
def test_none_configured(joined, tls_upstream, pki, ca, side, version):
    """It demands one, we have none. In TLS 1.3 that is heard of after our handshake."""
    up = tls_upstream(server_context(pki.server(), ca, version))
    daemon, come = joined(up, side, None)
    alert = {"1.2": "handshake_failure", "1.3": "certificate_required"}[version]
    line = refused(daemon, up, come, reason="upstream_refused_our_certificate", alert_received=alert, hint="upstream_cert")
    assert "no upstream_cert" in line["detail"]


@VERSIONS
@SIDES
def test_ours_is_refused(joined, tls_upstream, pki, side, version):
    """By an upstream that knows another authority: whose ours is can be seen, and nobody behind it hears a word."""
    up = tls_upstream(server_context(pki.server(), pki.root("other-root").crt, version))
    daemon, come = joined(up, side)
    line = refused(daemon, up, come, reason="upstream_refused_our_certificate", alert_received="unknown_ca")
    assert "CN=root,O=Example" in line["detail"]


# --- ends ----------------------------------------------------------------------------------------------
def answer_at_eof(text):
    """As upstream.reply_at_eof, with close_notify."""
    def handler(link):
        reply_at_eof(text)(link)
        link.fin()
    return handler


@VERSIONS
@SIDES
def test_half_close_by_the_client(joined, tls_upstream, pki, ca, side, version):
    answer = b"".join(data(MIB + 1))
    up = tls_upstream(server_context(pki.server(), ca, version), answer_at_eof(answer))
    daemon, come = joined(up, side, version=version)
    with come() as client:
        client.send(b"the question")
        client.close_notify()
        assert client.recv_all() == answer
    assert up.link().wait_end() == "eof" and up.link().head == b"the question"
    assert daemon.wait("done")["end"] == "client_eof"


@VERSIONS
@SIDES
def test_half_close_by_the_upstream(joined, tls_upstream, pki, ca, side, version):
    """close_notify becomes FIN or close_notify; what the client says after that still arrives."""
    up = tls_upstream(server_context(pki.server(), ca, version), talk_then_listen(b"all that I have to say"))
    daemon, come = joined(up, side, version=version)
    late = b"".join(data(MIB + 1))
    with come() as client:
        assert client.recv_all() == b"all that I have to say"
        client.send(late)
        client.close_notify()
        assert up.link().wait_end() == "eof"
    assert up.link().hash.hexdigest() == hashlib.sha256(late).hexdigest()
    assert daemon.wait("done")["end"] == "upstream_eof"


def cut(text):
    """FIN without close_notify."""
    def handler(link):
        link.send(text)
        link.truncate()
        while link.recv():
            pass
    return handler


@VERSIONS
@SIDES
def test_truncation_by_the_upstream(joined, tls_upstream, pki, ca, side, version):
    """Is no end: the client is reset, or does not get close_notify."""
    up = tls_upstream(server_context(pki.server(), ca, version), cut(b"the first half"))
    daemon, come = joined(up, side, version=version)
    with come() as client:
        with pytest.raises((ConnectionResetError, Truncated)):
            client.recv_all()
    assert daemon.wait("done")["end"] == "upstream_truncated"


@VERSIONS
@SIDES
def test_reset_by_the_upstream(joined, tls_upstream, pki, ca, side, version):
    def handler(link):
        link.recv()
        link.reset()
    up = tls_upstream(server_context(pki.server(), ca, version), handler)
    daemon, come = joined(up, side, version=version)
    with come() as client:
        client.send(b"hello")
        with pytest.raises((ConnectionResetError, Truncated)):
            client.recv_all()
    assert daemon.wait("done")["end"] == "upstream_reset"


@VERSIONS
@SIDES
def test_loss_of_the_client(joined, tls_upstream, pki, ca, side, version):
    """A client that is reset, or of a bridge that ends without close_notify: the upstream gets no close_notify."""
    up = tls_upstream(server_context(pki.server(), ca, version), discard)
    daemon, come = joined(up, side, version=version)
    with come() as client:
        client.send(b"the first half")
        eventually(lambda: up.links and up.link().count == 14, "the first half")
        reset(client.sock)
    assert up.link().wait_end() in ("reset", "truncated")
    assert daemon.wait("done")["end"] == "client_reset"


def test_cut_client_of_a_bridge(joined, tls_upstream, pki, ca):
    up = tls_upstream(server_context(pki.server(), ca), discard)
    daemon, come = joined(up, "bridge")
    with come() as client:
        client.send(b"the first half")
        client.fin()
        assert up.link().wait_end() in ("reset", "truncated")
    assert daemon.wait("done")["end"] == "client_truncated"


@VERSIONS
@SIDES
def test_8_mib(joined, tls_upstream, pki, ca, side, version):
    """Both ways at once."""
    size = 8 * MIB
    up = tls_upstream(server_context(pki.server(), ca, version), echo)
    daemon, come = joined(up, side, version=version)
    got, want = hashlib.sha256(), digest(data(size))
    with come() as client:
        if side == "bridge":
            client.pump(data(size), got.update, size)
            client.close()
        else:
            def feed():
                for chunk in data(size):
                    client.send(chunk)
                client.close_notify()
            sender = threading.Thread(target=feed, daemon=True)
            sender.start()
            while part := client.recv():
                got.update(part)
            sender.join(20)
    assert got.hexdigest() == want == up.link().hash.hexdigest()
    done = daemon.wait("done")
    assert (done["in"], done["out"]) == (str(size), str(size))


# --- the key -------------------------------------------------------------------------------------------
@pytest.mark.root
@pytest.mark.parametrize("kind", ["ec256", "rsa2048", "ed25519"])
@SIDES
def test_key_bytes(joined, tls_upstream, pki, ca, sanitized, kind, side):
    """After handshakes in both versions and a reload the key for the upstream is in no process but the keepers."""
    if sanitized:
        pytest.skip("AddressSanitizer keeps what was freed, and its shadow cannot be read whole")
    cert = pki.client(kind, 3)
    ups = [tls_upstream(server_context(pki.server(), ca, version)) for version in ("1.2", "1.3")]
    daemon, come = joined(", ".join(f"tls://localhost:{up.port}" for up in ups), side, cert, upstream_policy="robin",
                          workers=2, mtlsd={"keepers": 2})
    for round_ in range(2):
        for _ in range(6):
            with come() as client:
                client.exchange(b"hello").close()
        if round_ == 0:
            daemon.signal(1)
            daemon.wait("reloaded")
            daemon.settled(2)
    assert all(up.count >= 2 for up in ups)
    secrets, public = secrets_of(cert), public_of(cert)
    roles = set()
    with come() as client:
        client.exchange(b"hello")
        for process in daemon.processes():
            roles.add(process.role)
            hits, _ = find(process.pid, secrets | public)
            names = {name for name, _ in hits}
            if process.role == "keeper":
                if daemon.find("ready")[0]["key_memory"] == "locked":
                    assert names & set(secrets), "the scanner does not find the key where it must be"
                continue
            found = [(name, region.name, hex(region.start)) for name, region in hits if name in secrets]
            assert not found, f"{process.role} holds key bytes: {found}"
            if process.role == "worker":
                assert names >= set(public), "the scanner does not find what is there"
        client.close()
    assert roles >= {"master", "worker", "connector", "keeper", "logger"}


# --- others at the other end ---------------------------------------------------------------------------
def laid(path, pki, server="server"):
    """Certificates as files of the peer's own directory."""
    cert, client = pki.server(), pki.client()
    for name, text in {"server.crt": cert.chain_pem, "server.key": cert.key_pem, "client.crt": client.chain_pem,
                       "client.key": client.key_pem, "both.pem": cert.chain_pem + cert.key_pem,
                       "client.pem": client.chain_pem + client.key_pem, "ca.crt": pki.root().pem}.items():
        (path / name).write_text(text)
        (path / name).chmod(0o600 if "key" in name or "pem" in name else 0o644)


def terminator(name, pki, to, version):
    """A configuration that demands a certificate and passes the bytes on."""
    def write(ports, path):
        laid(path, pki)
        if name == "nginx":
            return (f"stream {{\n  server {{\n"
                    f"    listen 127.0.0.1:{ports[0]} ssl;\n    ssl_certificate {path}/server.crt;\n"
                    f"    ssl_certificate_key {path}/server.key;\n    ssl_client_certificate {path}/ca.crt;\n"
                    f"    ssl_verify_client on;\n    ssl_protocols TLSv{version if version == '1.3' else '1.2'};\n"
                    f"    proxy_pass {to};\n  }}\n}}\n")
        if name == "haproxy":
            return ("defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
                    f"listen l\n  bind 127.0.0.1:{ports[0]} ssl crt {path}/both.pem ca-file {path}/ca.crt verify required "
                    f"ssl-min-ver TLSv{version} ssl-max-ver TLSv{version}\n  server s {to}\n")
        return (f"foreground = yes\npid =\n[s]\naccept = 127.0.0.1:{ports[0]}\nconnect = {to}\ncert = {path}/both.pem\n"
                f"CAfile = {path}/ca.crt\nverifyChain = yes\nrequireCert = yes\nsslVersion = TLSv{version}\n")
    return write


def originator(name, pki, to, version):
    """A configuration that takes plain connections to a server that demands a certificate."""
    def write(ports, path):
        laid(path, pki)
        if name == "nginx":
            return (f"stream {{\n  server {{\n"
                    f"    listen 127.0.0.1:{ports[0]};\n    proxy_pass {to};\n    proxy_ssl on;\n"
                    f"    proxy_ssl_certificate {path}/client.crt;\n    proxy_ssl_certificate_key {path}/client.key;\n"
                    f"    proxy_ssl_trusted_certificate {path}/ca.crt;\n    proxy_ssl_verify on;\n    proxy_ssl_name localhost;\n"
                    f"    proxy_ssl_server_name on;\n    proxy_ssl_protocols TLSv{version};\n  }}\n}}\n")
        if name == "haproxy":
            return ("defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
                    f"listen l\n  bind 127.0.0.1:{ports[0]}\n  server s {to} ssl crt {path}/client.pem ca-file {path}/ca.crt "
                    f"verify required verifyhost localhost sni str(localhost) ssl-min-ver TLSv{version} ssl-max-ver TLSv{version}\n")
        return (f"foreground = yes\npid =\n[s]\nclient = yes\naccept = 127.0.0.1:{ports[0]}\nconnect = {to}\n"
                f"cert = {path}/client.pem\nCAfile = {path}/ca.crt\nverifyChain = yes\ncheckHost = localhost\n"
                f"sni = localhost\nsslVersion = TLSv{version}\n")
    return write


def both_ways(client, block):
    """Through a program that may know no half-close: the end comes when all of it is back."""
    sender = threading.Thread(target=client.send, args=(block,), daemon=True)
    sender.start()
    got = bytearray()
    while len(got) < len(block):
        part = client.recv()
        assert part, f"the end after {len(got)} bytes"
        got += part
    sender.join(20)
    assert bytes(got) == block


# How the end that the client began comes back: nginx closes without a close_notify of its own once it has ours.
ENDS = {"nginx": "upstream_truncated", "haproxy": "client_eof", "stunnel": "client_eof"}
PEERS = pytest.mark.parametrize("name", ["nginx", "haproxy", "stunnel"])


@VERSIONS
@PEERS
def test_originate_to(joined, peer, upstream, pki, name, version):
    """mtlsd -> TLS -> the other program -> echo: 1 MiB; without a certificate of ours nobody hears a byte."""
    up = upstream()
    other = peer(name, terminator(name, pki, up, version))
    daemon, come = joined(f"tls://localhost:{other.ports[0]}")
    block = b"".join(data(MIB))
    with come() as client:
        both_ways(client, block)
    done = daemon.wait("done")
    assert (done["upstream_tls"], done["in"], done["out"], done["end"]) == (version, str(MIB), str(MIB), ENDS[name])
    before = up.bytes
    bare, come = joined(f"tls://localhost:{other.ports[0]}", our=None)
    turned_away(come)
    if name == "nginx":  # lets us finish the handshake and hangs up without an alert
        assert bare.wait("done")["out"] == "0"
    else:
        assert bare.wait("refused")["reason"] == "upstream_refused_our_certificate"
    assert up.bytes == before


@VERSIONS
@PEERS
def test_terminate_for(mtlsd, peer, upstream, pki, name, version):
    """client -> the other program -> TLS -> mtlsd -> echo."""
    up = upstream()
    daemon = mtlsd(upstream=up)
    other = peer(name, originator(name, pki, f"127.0.0.1:{daemon.address[1]}", version))
    block = b"".join(data(MIB))
    with Plain(other.address) as client:
        both_ways(client, block)
    done = daemon.wait("done")
    assert (done["tls"], done["in"], done["out"], done["sha256"]) == (version, str(MIB), str(MIB), pki.client().sha256)


# --- a chain of ours -----------------------------------------------------------------------------------
@VERSIONS
def test_chain_of_ours(joined, mtlsd, upstream, pki, version):
    """client -> mtlsd originate -> mtlsd terminate -> echo: half-close, 8 MiB, and a refusal at the end of it."""
    up = upstream()
    far = mtlsd(upstream=up, tls_min=version, tls_max=version)
    near, come = joined(f"tls://localhost:{far.address[1]}")
    size, got = 8 * MIB, hashlib.sha256()
    with come() as client:
        def feed():
            for chunk in data(size):
                client.send(chunk)
            client.close_notify()
        sender = threading.Thread(target=feed, daemon=True)
        sender.start()
        while part := client.recv():
            got.update(part)
        sender.join(20)
    assert got.hexdigest() == digest(data(size))
    assert far.wait("done")["sha256"] == pki.client().sha256
    assert near.wait("done")["upstream_tls"] == version
    count = up.count
    wrong, come = joined(f"tls://localhost:{far.address[1]}", our=pki.client_other_ca())
    turned_away(come)
    line = wrong.wait("refused")
    assert (line["reason"], line["alert_received"]) == ("upstream_refused_our_certificate", "unknown_ca")
    assert far.wait("refused")["reason"] == "unknown_ca"
    assert up.count == count
