"""Several certificates in one service: by name, by kind; certificates of version 1"""

import re

import pytest

from clients import Client, attempt, context
from daemon import run
from test_originate import refused
from test_refusals import refused as client_refused
from tlsupstream import server_context

VERSIONS = pytest.mark.parametrize("version", ["1.2", "1.3"])


@pytest.fixture
def several(mtlsd, upstream, pki):
    """several(cert, ..., **service): the certificates in this order, the keys in the reverse one."""
    def make(*certs, **service):
        files = {}
        for cert in certs:
            files |= {f"{cert.name}.crt": cert.chain_pem, f"{cert.name}.key": cert.key_pem}
        names = [cert.name for cert in certs]
        up = upstream()
        return mtlsd(upstream=up, files=files, cert=", ".join(f"{name}.crt" for name in names),
                     key=", ".join(f"{name}.key" for name in reversed(names)), **service), up
    return make


def named(pki, san, kind="ec256"):
    name = re.sub(r"\W", "-", san.replace("*", "any"))
    return pki.issue(f"sni-{kind}-{name}", kind=kind, eku="serverAuth", san=san)


def shown(daemon, ca, pki, name, version=None, ciphers="DEFAULT"):
    tls = context(ca, pki.client(), version, ciphers)
    tls.check_hostname = False
    with Client(daemon.address, tls, name=name) as client:
        client.handshake().exchange(b"hello")
        der = client.server_der
        client.close()
    return der


@VERSIONS
def test_by_name(several, pki, ca, version):
    """Exactly, then by a wildcard, else the first; case does not matter; a wildcard is one label."""
    first, exact, wild = named(pki, "DNS:first.example"), named(pki, "DNS:www.b.example"), named(pki, "DNS:*.b.example,DNS:c.example")
    daemon, _ = several(first, wild, exact)
    for name, want in {"first.example": first, "www.b.example": exact, "WWW.B.example": exact, "a.b.example": wild, "c.example": wild,
                       "b.example": first, "a.a.b.example": first, "unknown.example": first, None: first}.items():
        assert shown(daemon, ca, pki, name, version) == want.der, name


@pytest.mark.parametrize("order", ["ec first", "rsa first"])
def test_ec_and_rsa(several, pki, ca, order):
    """Side by side: a client of TLS 1.2 that can verify one of them alone gets that."""
    ec, rsa = named(pki, "DNS:localhost"), named(pki, "DNS:localhost", "rsa2048")
    daemon, _ = several(*((ec, rsa) if order == "ec first" else (rsa, ec)))
    assert shown(daemon, ca, pki, "localhost", "1.2", "ECDHE-RSA-AES128-GCM-SHA256") == rsa.der
    assert shown(daemon, ca, pki, "localhost", "1.2", "ECDHE-ECDSA-AES128-GCM-SHA256") == ec.der
    for version in ("1.2", "1.3"):
        assert shown(daemon, ca, pki, "localhost", version) in (ec.der, rsa.der)


def test_both_by_name_and_kind(several, pki, ca):
    certs = {(host, kind): named(pki, f"DNS:{host}.example", kind) for host in "ab" for kind in ("ec256", "rsa2048")}
    daemon, _ = several(*certs.values())
    for (host, kind), cert in certs.items():
        suite = "ECDHE-RSA-AES128-GCM-SHA256" if kind == "rsa2048" else "ECDHE-ECDSA-AES128-GCM-SHA256"
        assert shown(daemon, ca, pki, f"{host}.example", "1.2", suite) == cert.der, (host, kind)


@VERSIONS
def test_strict(several, pki, ca, version):
    """A name that nobody has is refused; no name at all is not."""
    one, two = named(pki, "DNS:first.example"), named(pki, "DNS:*.b.example")
    daemon, up = several(one, two, sni_strict="yes")
    tls = context(ca, pki.client(), version)
    tls.check_hostname = False
    outcome = attempt(daemon.address, tls, name="unknown.example", early=b"not for the upstream")
    assert (outcome.kind, outcome.alert) == ("alert", "unrecognized_name")
    line = client_refused(daemon, up, outcome.local, "sni_unknown", "unrecognized_name", stage="handshake")
    assert line["hint"] == "sni_strict" and line["sni"] == "unknown.example"
    assert shown(daemon, ca, pki, None, version) == one.der
    assert shown(daemon, ca, pki, "x.b.example", version) == two.der


def test_reload_changes_them(several, pki, ca):
    one, two = named(pki, "DNS:first.example"), named(pki, "DNS:second.example")
    daemon, _ = several(one, two)
    new = pki.issue("sni-new", eku="serverAuth", san="DNS:second.example")
    daemon.home.put(f"{two.name}.crt", new.chain_pem)
    daemon.home.put(f"{two.name}.key", new.key_pem)
    daemon.signal(1)
    daemon.wait("reloaded")
    assert shown(daemon, ca, pki, "second.example") == new.der
    assert shown(daemon, ca, pki, "first.example") == one.der


# --- version 1 -----------------------------------------------------------------------------------------
@VERSIONS
def test_v1_client(mtlsd, upstream, pki, ca, version):
    """Refused with a hint; admitted with unsafe_x509v1, if it is its authority's all the same."""
    up, cert = upstream(), pki.client_v1()
    daemon = mtlsd(upstream=up)
    outcome = attempt(daemon.address, context(ca, cert, version), early=b"not for the upstream")
    assert client_refused(daemon, up, outcome.local, "x509_v1", "unsupported_certificate", 0)["hint"] == "unsafe_x509v1"
    admits = mtlsd(upstream=up, unsafe_x509v1="yes")
    assert attempt(admits.address, context(ca, cert, version), early=b"hello").data == b"hello"
    other = pki.issue("client-v1-other", pki.root("other-root"), v1=True)
    outcome = attempt(admits.address, context(ca, other, version), early=b"hello")
    assert (outcome.alert, admits.wait("refused", client=outcome.local)["reason"]) == ("unknown_ca", "unknown_ca")


@VERSIONS
def test_v1_upstream(joined, tls_upstream, pki, ca, version):
    cert = pki.issue("up-v1", subject="/CN=localhost", v1=True)
    up = tls_upstream(server_context(cert, ca, version))
    daemon, come = joined(up)
    refused(daemon, up, come, reason="x509_v1", hint="upstream_unsafe_x509v1")
    up.links.clear()
    _, come = joined(up, upstream_unsafe_x509v1="yes")
    with come() as client:
        client.exchange(b"hello").close()
    wrong = tls_upstream(server_context(pki.issue("up-v1-wrong", subject="/CN=other.example", v1=True), ca, version))
    daemon, come = joined(wrong, upstream_unsafe_x509v1="yes")
    refused(daemon, wrong, come, reason="bad_name")


def test_own_v1_is_warned_of(binary, home, pki):
    """mtlsd -t says so when our own certificate is one."""
    at, cert = home(), pki.issue("up-v1", subject="/CN=localhost", v1=True)
    at.put("server.crt", cert.pem)
    at.put("server.key", cert.key_pem)
    at.put("ca.crt", pki.root().pem)
    config = at.put("mtlsd.conf", "[mtlsd]\nuser = 65534\ngroup = 65534\n[service web]\nlisten = 127.0.0.1:0\ncert = server.crt\n"
                    "key = server.key\nca = ca.crt\nupstream = 127.0.0.1:1\n")
    done = run(binary, "-t", "-f", config)
    assert done.returncode == 0 and "server.crt" in done.stderr + done.stdout and "version 1" in done.stderr + done.stdout, done
