"""watch = yes: whatever a renewer does to the files takes effect by itself, and nobody who connects meanwhile notices"""

import itertools
import time

import pytest

from clients import Client, Plain, context
from load import Load
from pki import Cert
from test_recipes import mkpki
from waiting import eventually

ROUNDS = 50


def in_place(path, text):
    """As `cat new >file` does: the old file, empty for a moment, then written."""
    with open(path, "w", encoding="ascii") as out:
        out.write(text[:len(text) // 2])
        out.flush()
        out.write(text[len(text) // 2:])


class Renewer:
    """Puts one pair after the other into live/ in the named way; certificate and key are never replaced together, but for
    the switch of a directory as Kubernetes does it."""

    def __init__(self, home, how, first):
        self.live, self.home, self.how, self.number = home.path / "live", home, how, 0
        self.live.mkdir()
        self.put(first)

    def put(self, cert):
        self.number += 1
        pair = {"crt": cert.chain_pem, "key": cert.key_pem}
        if self.how == "rename":
            for end, text in pair.items():
                self.home.put(f"live/server.{end}", text)
        elif self.how == "in place":
            for end, text in pair.items():
                path = self.live / f"server.{end}"
                path.touch(mode=0o600)
                in_place(path, text)
        elif self.how == "links":  # certbot: one link for each
            for end, text in pair.items():
                self.home.put(f"archive/server{self.number}.{end}", text, 0o600)
            for end in pair:
                self.link(f"../archive/server{self.number}.{end}", f"server.{end}")
        else:  # Kubernetes: ..data leads to the directory of today
            for end, text in pair.items():
                self.home.put(f"live/..{self.number}/server.{end}", text, 0o600)
            self.link(f"..{self.number}", "..data")
            for end in pair:
                if not (self.live / f"server.{end}").is_symlink():
                    self.link(f"..data/server.{end}", f"server.{end}")

    def link(self, target, name):
        fresh = self.live / f"{name}.new"
        fresh.symlink_to(target)
        fresh.rename(self.live / name)


def pairs(pki):
    return [pki.server("ec256", number) for number in range(1, 5)]


def now_shown(daemon, ca, pki):
    with Client(daemon.address, context(ca, pki.client())) as client:
        client.handshake()
        der = client.server_der
        client.close()
    return der


HOWS = pytest.mark.parametrize("how", ["rename", "in place", "links", "directory"])


@HOWS
def test_change_is_seen(mtlsd, upstream, home, pki, ca, how):
    """Without any signal; and a second time, from the new place."""
    at, certs = home(), pairs(pki)
    renewer = Renewer(at, how, certs[0])
    daemon = mtlsd(at=at, upstream=upstream(), cert="live/server.crt", key="live/server.key", mtlsd={"watch": "yes"})
    daemon.tolerated.add("reload_failed")  # between certificate and key
    for cert in (certs[1], certs[2]):
        renewer.put(cert)
        eventually(lambda want=cert.der: now_shown(daemon, ca, pki) == want, lambda: daemon.text)
    assert daemon.find("changed")


def test_no_watch(mtlsd, upstream, pki, ca):
    """watch = no: nothing but a signal."""
    daemon = mtlsd(upstream=upstream(), mtlsd={"watch": "no"})
    daemon.home.put("server.crt", pki.server("ec256", 2).chain_pem)
    daemon.home.put("server.key", pki.server("ec256", 2).key_pem)
    # As long as watching would have taken, measured by one that watches.
    other = mtlsd(upstream=upstream(), mtlsd={"watch": "yes"})
    other.home.put("server.key", pki.server("ec256", 2).key_pem)
    other.tolerated.add("reload_failed")
    other.home.put("server.crt", pki.server("ec256", 2).chain_pem)
    other.wait("reloaded")
    assert not daemon.find("changed") and not daemon.find("reloaded")
    assert now_shown(daemon, ca, pki) == pki.server().der


def after(load, count):
    """Until so many more connections have been made."""
    want = load.count + count
    eventually(lambda: load.count >= want, lambda: f"the load stands still at {load.count}: {load.failures[:3]}")


@pytest.mark.slow
@HOWS
def test_50_times_under_load(mtlsd, upstream, home, pki, ca, how):
    """Eight in parallel, 50 a second; the files are replaced faster than they are looked at. Not one connection fails."""
    at, certs = home(), pairs(pki)
    renewer = Renewer(at, how, certs[0])
    daemon = mtlsd(at=at, upstream=upstream(), cert="live/server.crt", key="live/server.key", workers=24, mtlsd={"watch": "yes"})
    daemon.tolerated.add("reload_failed")  # when it looks between certificate and key
    with Load(daemon.address, context(ca, pki.client())) as load:
        for number in range(1, ROUNDS + 1):
            mark = daemon.mark()
            renewer.put(certs[number % len(certs)])
            if number % 10 == 0:
                daemon.wait("reloaded", after=mark)
            after(load, 6)
        eventually(lambda: now_shown(daemon, ca, pki) == certs[ROUNDS % len(certs)].der, lambda: daemon.text)
    assert not load.failures, f"{len(load.failures)} of {load.count}: {load.failures[:5]}"
    assert load.count > 6 * ROUNDS and len(daemon.find("reloaded")) >= ROUNDS // 10
    print(f"{load.count} connections, {len(daemon.find('reloaded'))} reloads, {len(daemon.find('reload_failed'))} put off")


class PlainLoad(Load):
    """Through a service whose clients are not encrypted."""

    def _once(self, text):
        with Plain(self.address) as client:
            client.exchange(text)
            assert client.close() == b""


def moment(seconds):
    """So many seconds from now, as openssl ca wants it."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))


LIFETIME = 20  # seconds: a day of a certificate that is renewed each third of it
DAYS = 1.5


@pytest.mark.slow
def test_days_in_seconds(joined, mtlsd, upstream, home, pki):
    """client -> mtlsd originate -> mtlsd terminate -> echo. Both certificates live for seconds, are renewed like those of an
    authority that gives them a day, certificate first, and every one of the first days has expired at the end."""
    made = itertools.count()

    def fresh(eku):
        number = next(made)
        return pki.issue(f"day-{number}", eku=eku, san="DNS:localhost", dates=(moment(-1), moment(LIFETIME)))
    far_home, near_home = home(), home()
    servers, clients = Renewer(far_home, "rename", fresh("serverAuth")), Renewer(near_home, "in place", fresh("clientAuth"))
    far = mtlsd(at=far_home, upstream=upstream(), cert="live/server.crt", key="live/server.key", workers=24, mtlsd={"watch": "yes"})
    near, _ = joined(f"tls://localhost:{far.address[1]}", at=near_home, upstream_cert="live/server.crt", workers=24,
                     upstream_key="live/server.key", mtlsd={"watch": "yes"})
    for daemon in (far, near):
        daemon.tolerated.add("reload_failed")
    end = time.monotonic() + DAYS * LIFETIME
    with PlainLoad(near.address, None) as load:
        while time.monotonic() < end:
            marks = far.mark(), near.mark()
            servers.put(fresh("serverAuth"))
            clients.put(fresh("clientAuth"))
            for daemon, mark in zip((far, near), marks):
                daemon.wait("reloaded", after=mark)
            after(load, 25)
    assert not load.failures, f"{len(load.failures)} of {load.count}: {load.failures[:5]}\n{near.text}"
    print(f"{load.count} connections, {next(made)} certificates")


@pytest.mark.slow
def test_mkpki_renews(mtlsd, upstream, home):
    """mkpki -m 1 and -r, as a renewer calls them, with load."""
    at = home()
    where = mkpki(at.path / "pki", "-m", "1")
    where.chmod(0o755)
    daemon = mtlsd(at=at, upstream=upstream(), cert="pki/server.crt", key="pki/server.key", ca="pki/root.crt", workers=24,
                   mtlsd={"watch": "yes"})
    daemon.tolerated.add("reload_failed")
    mkpki(where, "-m", "1440", "-o", "client:client")
    client = Cert("client", where / "client.crt", where / "client.key", None)
    with Load(daemon.address, context(where / "root.crt", client)) as load:
        seen = set()
        for _ in range(3):
            mark = daemon.mark()
            mkpki(where, "-m", "1", "-r", "server")
            daemon.wait("reloaded", after=mark)
            with Client(daemon.address, context(where / "root.crt", client)) as one:
                one.handshake().exchange(b"hello")
                seen.add(one.server_der)
                one.close()
            after(load, 10)
    assert not load.failures, f"{len(load.failures)} of {load.count}: {load.failures[:5]}"
    assert len(seen) == 3


@pytest.mark.parametrize("left,warns", [(10, True), (50, False)])
def test_warning_before_expiry(mtlsd, upstream, home, left, warns):
    """From a third of the lifetime before the end on: here of an hour."""
    at = home()
    where = mkpki(at.path / "pki", "-a", str(left - 60), "-m", "60")
    where.chmod(0o755)
    daemon = mtlsd(at=at, upstream=upstream(), cert="pki/server.crt", key="pki/server.key", ca="pki/root.crt")
    said = [event for event in daemon.events if event.level == "warn" and "server.crt" in event.line]
    assert bool(said) == warns, daemon.text
