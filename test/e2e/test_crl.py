"""Revoked certificates: on both sides, with the reason that it was, and a reload that picks up a new list"""

import shutil

import pytest

from clients import attempt, context
from daemon import render, run
from pki import PAST, openssl
from test_originate import refused
from test_refusals import refused as client_refused
from test_reload import reload
from tlsupstream import server_context

VERSIONS = pytest.mark.parametrize("version", ["1.2", "1.3"])

CONFIG = """\
[ca]
default_ca = one
[one]
database = {dir}/index
crlnumber = {dir}/number
default_md = {digest}
crl_extensions = ext
[ext]
authorityKeyIdentifier = keyid
"""


@pytest.fixture
def crl(scratch, pki):
    """crl(revoked..., issuer=, dates=, digest=): a list in PEM; der=True: in DER."""
    count = 0

    def make(*revoked, issuer=None, dates=None, digest="sha256", der=False):
        nonlocal count
        count += 1
        issuer = issuer or pki.root()
        where = scratch / f"crl-{id(make)}-{count}"
        where.mkdir()
        (where / "number").write_text("01\n")
        (where / "index").write_text("".join(
            f"R\t991231235959Z\t250101000000Z\t{cert.serial.zfill(len(cert.serial) + len(cert.serial) % 2)}\tunknown\t/CN={cert.name}\n"
            for cert in revoked))
        (where / "config").write_text(CONFIG.format(dir=where, digest=digest))
        times = ["-crl_lastupdate", dates[0], "-crl_nextupdate", dates[1]] if dates else ["-crldays", "30"]
        openssl("ca", "-gencrl", "-config", where / "config", "-cert", issuer.crt, "-keyfile", issuer.key, *times,
                "-out", where / "crl")
        out = openssl("crl", "-in", where / "crl", "-outform", "DER") if der else (where / "crl").read_bytes()
        shutil.rmtree(where)
        return out
    return make


def broken(pem):
    """One bit of its signature is another."""
    der = bytearray(openssl("crl", "-outform", "DER", stdin=pem))
    der[-1] ^= 1
    return bytes(der)


# how: what the list is; (reason, alert) of the good client and of the revoked one, None: admitted
LISTS = {
    "good": (None, ("revoked", "certificate_revoked")),
    "der": (None, ("revoked", "certificate_revoked")),
    "two in one file": (None, ("revoked", "certificate_revoked")),
    "empty": (None, None),
    "expired": (("crl_expired", "certificate_revoked"), ("revoked", "certificate_revoked")),
    "expired, admit": (None, ("revoked", "certificate_revoked")),
    "of another": (("crl_missing", "certificate_revoked"), ("crl_missing", "certificate_revoked")),
    "of another, admit": (None, None),
}


def list_of(crl, pki, how, bad):
    other = pki.root("other-root")
    return {
        "good": lambda: crl(bad), "der": lambda: crl(bad, der=True), "two in one file": lambda: crl(issuer=other) + crl(bad),
        "empty": crl, "expired": lambda: crl(bad, dates=PAST), "expired, admit": lambda: crl(bad, dates=PAST),
        "of another": lambda: crl(bad, issuer=other), "of another, admit": lambda: crl(bad, issuer=other),
    }[how]()


def put(home, name, data):
    """As Home.put, for bytes."""
    fresh = home.path / f"{name}.new"
    fresh.write_bytes(data)
    fresh.chmod(0o644)
    fresh.rename(home.path / name)


@VERSIONS
@pytest.mark.parametrize("how", LISTS)
def test_clients(mtlsd, upstream, home, pki, ca, crl, how, version):
    up, bad, at = upstream(), pki.client("ec256", 9), home()
    put(at, "clients.crl", list_of(crl, pki, how, bad))
    daemon = mtlsd(at=at, upstream=up, crl="clients.crl", crl_missing="admit" if "admit" in how else None)
    for cert, want in zip((pki.client(), bad), LISTS[how]):
        outcome = attempt(daemon.address, context(ca, cert, version), early=b"hello")
        if want is None:
            assert (outcome.kind, outcome.data) == ("ok", b"hello"), daemon.text
            daemon.wait("done", client=outcome.local)
            for link in up.links:
                link.wait_end()
            up.links.clear()
            continue
        assert (outcome.kind, outcome.alert) == ("alert", want[1]), (outcome, daemon.text)
        line = daemon.wait("refused", client=outcome.local)
        assert (line["reason"], line["stage"]) == (want[0], "verify"), line.line
        up.assert_untouched()


@VERSIONS
@pytest.mark.parametrize("how", LISTS)
def test_upstreams(joined, tls_upstream, home, pki, ca, crl, how, version):
    """The same words for the other side. A reason is ours, the alert the upstream's."""
    good, bad, at = pki.server(), pki.server("ec256", 9), home()
    put(at, "up.crl", list_of(crl, pki, how, bad))
    for cert, want in zip((good, bad), LISTS[how]):
        up = tls_upstream(server_context(cert, ca, version))
        daemon, come = joined(up, at=at, upstream_crl="up.crl", upstream_crl_missing="admit" if "admit" in how else None)
        if want is None:
            with come() as client:
                client.exchange(b"hello").close()
            continue
        line = refused(daemon, up, come, reason=want[0], alert=want[1])
        assert line["sha256"] == cert.sha256
        assert up.link().alert == want[1]


@pytest.mark.parametrize("scope,lists,good", [
    ("leaf", "intermediate", True), ("leaf", "root", False), ("chain", "both", True), ("chain", "intermediate", False),
    ("chain", "revoked intermediate", False), ("leaf", "revoked intermediate", True), ("leaf", "revoked leaf", False)])
def test_scope(mtlsd, upstream, home, pki, ca, crl, scope, lists, good):
    """A client of an intermediate that comes with the chain: its list is the intermediate's, not the root's."""
    up, at, cert, middle = upstream(), home(), pki.client_of_intermediate(), pki.intermediate()
    put(at, "clients.crl", {
        "intermediate": lambda: crl(issuer=middle), "root": crl, "both": lambda: crl() + crl(issuer=middle),
        "revoked intermediate": lambda: crl(middle) + crl(issuer=middle),
        "revoked leaf": lambda: crl() + crl(cert, issuer=middle)}[lists]())
    daemon = mtlsd(at=at, upstream=up, crl="clients.crl", crl_scope=scope)
    outcome = attempt(daemon.address, context(ca, cert), early=b"hello")
    if good:
        assert outcome.data == b"hello", daemon.text
    else:
        assert outcome.alert == "certificate_revoked", outcome
        reason = "revoked" if "revoked" in lists else "crl_missing"
        client_refused(daemon, up, outcome.local, reason, "certificate_revoked", 1 if scope == "chain" else 0)


@pytest.mark.parametrize("side", ["", "upstream_"])
def test_bad_list(binary, home, pki, crl, side):
    """A list that its authority has not signed: nothing starts with it."""
    at = home()
    at.put("both.crt", pki.server().pem)
    at.put("both.key", pki.server().key_pem)
    at.put("ca.crt", pki.root().pem)
    put(at, "bad.crl", broken(crl()))
    config = at.put("mtlsd.conf", render({
        "mtlsd": {"user": 65534, "group": 65534},
        "service web": {"listen": "127.0.0.1:0", "cert": "both.crt", "key": "both.key", "ca": "ca.crt",
                        "upstream": "tls://localhost:1", "upstream_ca": "ca.crt", f"{side}crl": "bad.crl"}}))
    done = run(binary, "-f", config)
    assert done.returncode == 96 and "bad.crl" in done.stderr and "crl_bad" in done.stderr, done.stderr


def test_bad_list_of_an_intermediate(mtlsd, upstream, home, pki, ca, crl):
    """Whose certificate comes with the chain, so that nobody could know before."""
    up, at, cert, middle = upstream(), home(), pki.client_of_intermediate(), pki.intermediate()
    put(at, "clients.crl", broken(crl(issuer=middle)))
    daemon = mtlsd(at=at, upstream=up, crl="clients.crl")
    outcome = attempt(daemon.address, context(ca, cert), early=b"hello")
    assert outcome.alert == "certificate_revoked"
    client_refused(daemon, up, outcome.local, "crl_bad", "certificate_revoked", 0)


def test_several_files(mtlsd, upstream, home, pki, ca, crl):
    up, at, bad, middle = upstream(), home(), pki.client("ec256", 9), pki.intermediate()
    put(at, "one.crl", crl(bad))
    put(at, "two.crl", crl(pki.client_of_intermediate(2), issuer=middle, der=True))
    daemon = mtlsd(at=at, upstream=up, crl="one.crl, two.crl")
    for cert, good in ((bad, False), (pki.client(), True), (pki.client_of_intermediate(), True),
                       (pki.client_of_intermediate(2), False)):
        outcome = attempt(daemon.address, context(ca, cert), early=b"hello")
        assert (outcome.data == b"hello") == good, (cert.name, daemon.text)
        if not good:
            assert daemon.wait("refused", client=outcome.local)["reason"] == "revoked"


def test_reload(mtlsd, upstream, home, pki, ca, crl):
    """A new list takes effect with the next reload, for whom it revokes and for whom it no longer does; a list that
    cannot be read keeps the old one."""
    up, at, cert = upstream(), home(), pki.client("ec256", 9)
    put(at, "clients.crl", crl())
    daemon = mtlsd(at=at, upstream=up, crl="clients.crl")

    def reason():
        outcome = attempt(daemon.address, context(ca, cert), early=b"hello")
        return None if outcome.data == b"hello" else daemon.wait("refused", client=outcome.local)["reason"]
    assert reason() is None
    put(at, "clients.crl", crl(cert))
    reload(daemon)
    assert reason() == "revoked"
    put(at, "clients.crl", crl(cert)[:200])
    daemon.tolerated.add("reload_failed")
    mark = daemon.mark()
    daemon.signal(1)
    assert "clients.crl" in daemon.wait("reload_failed", after=mark)["reason"]
    assert reason() == "revoked"
    put(at, "clients.crl", crl())
    reload(daemon)
    assert reason() is None
