"""SIGHUP: a whole new generation or none, and nobody who is connected notices."""

import os
import re
import signal

import pytest

from clients import Client, attempt, context
from daemon import ROOT, parse
from load import Load
from procfs import anonymous, descriptors
from waiting import eventually

PAGE = os.sysconf("SC_PAGESIZE")


def give(daemon, cert):
    """A new certificate and key in place of the old ones."""
    daemon.home.put("server.crt", cert.chain_pem)
    daemon.home.put("server.key", cert.key_pem)


def reload(daemon):
    mark = daemon.mark()
    daemon.signal(signal.SIGHUP)
    return daemon.wait("reloaded", after=mark)


def served(daemon, ca, cert):
    """The certificate that a new connection sees."""
    with Client(daemon.address, context(ca, cert)) as client:
        client.handshake().exchange(b"hello")
        der = client.server_der
        client.close()
    return der


@pytest.mark.parametrize("kind", ["ec256", "rsa2048", "ed25519"])
def test_new_certificate(mtlsd, upstream, pki, ca, kind):
    """New connections see it, established ones go on with the old one; the kind of key may change."""
    daemon = mtlsd(upstream=upstream())
    after = pki.server(kind, 2)
    with Client(daemon.address, context(ca, pki.client())) as old:
        old.handshake().exchange(b"before")
        give(daemon, after)
        assert reload(daemon)["generation"] == "2"
        assert served(daemon, ca, pki.client()) == after.der
        old.exchange(b"after").close()
        assert old.server_der == pki.server().der
    daemon.settled(4)


def test_new_ca(mtlsd, upstream, pki, ca):
    """The old CA's clients are refused from then on, the new one's admitted."""
    up = upstream()
    daemon = mtlsd(upstream=up)
    served(daemon, ca, pki.client())
    daemon.home.put("ca.crt", pki.root("other-root").pem)
    reload(daemon)
    served(daemon, ca, pki.client_other_ca())
    outcome = attempt(daemon.address, context(ca, pki.client()), early=b"hello")
    assert outcome.alert == "unknown_ca"
    assert daemon.wait("refused", client=outcome.local)["reason"] == "unknown_ca"
    assert up.count == 2


def test_everything_else(mtlsd, upstream, pki, ca):
    """Upstream, number of workers, versions, log level: all from the new reading."""
    first, second = upstream(), upstream()
    daemon = mtlsd(upstream=first, workers=2)
    served(daemon, ca, pki.client())
    text = daemon.config.read_text().replace(str(first), str(second)).replace("workers = 2", "workers = 5")
    daemon.home.put("mtlsd.conf", text + "tls_max = 1.2\n")
    reload(daemon)
    with Client(daemon.address, context(ca, pki.client())) as client:
        client.handshake().exchange(b"hello")
        assert client.tls.version() == "TLSv1.2"
        client.close()
    assert (first.count, second.count) == (1, 1)
    daemon.settled(5)


@pytest.mark.parametrize("place", ["same", "outside"])
def test_key_behind_a_link(mtlsd, upstream, pki, ca, home, place):
    """As certbot lays it out: live/ links to archive/. The keys are root's and 0600, the master has left root, its
    children are jailed; a switch of the links is enough."""
    at = home()
    store = at if place == "same" else home()
    old, new = pki.server(), pki.server("ec256", 2)
    for number, cert in enumerate((old, new), 1):
        store.put(f"archive/cert{number}.crt", cert.chain_pem)
        store.put(f"archive/cert{number}.key", cert.key_pem)
    (at.path / "live").mkdir()

    def link(number):
        for end in ("crt", "key"):
            fresh = at.path / "live" / f"new.{end}"
            fresh.symlink_to(store.path / "archive" / f"cert{number}.{end}")
            fresh.rename(at.path / "live" / f"server.{end}")
    link(1)
    daemon = mtlsd(at=at, upstream=upstream(), cert="live/server.crt", key="live/server.key")
    assert served(daemon, ca, pki.client()) == old.der
    link(2)
    reload(daemon)
    assert served(daemon, ca, pki.client()) == new.der
    if ROOT:
        key = (store.path / "archive" / "cert2.key").stat()
        assert (key.st_uid, key.st_mode & 0o777) == (0, 0o600)
        assert "dac_read_search" in daemon.find("confinement")[0]["keeps"]


def broken(daemon, pki):
    daemon.home.put("server.crt", "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n")
    return "server.crt"


def truncated(daemon, pki):
    daemon.home.put("server.key", pki.server("ec256", 2).key_pem[:100])
    return "server.key"


def missing(daemon, pki):
    (daemon.home.path / "server.key").unlink()
    return r"server.key.*No such file"


def mismatched(daemon, pki):
    daemon.home.put("server.crt", pki.server("ec256", 2).pem)
    return r"server.key does not belong to the certificate in .*server.crt"


def expired(daemon, pki):
    give(daemon, pki.server_expired())
    return r"server.crt.*(expired|ended)"


def encrypted(daemon, pki):
    daemon.home.put("server.key", pki.encrypted_key(pki.server()))
    return "server.key.*encrypted"


def open_to_all(daemon, pki):
    (daemon.home.path / "server.key").chmod(0o644)
    return r"server.key.*chmod 600"


def no_anchor(daemon, pki):
    daemon.home.put("ca.crt", "nothing\n")
    return "ca.crt"


def bad_line(daemon, pki):
    daemon.home.put("mtlsd.conf", daemon.config.read_text() + "workerz = 3\n")
    return r"mtlsd.conf:\d+: .*workerz"


FAULTS = {fault.__name__: fault for fault in
          (broken, truncated, missing, mismatched, expired, encrypted, open_to_all, no_anchor, bad_line)}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_keeps_the_old_generation(mtlsd, upstream, pki, ca, fault):
    """It says which file and why, once; and when the file is mended it is taken without another signal."""
    daemon = mtlsd(upstream=upstream(), mtlsd={"reload_retry": "30s"})
    daemon.tolerated.add("reload_failed")
    config = daemon.config.read_text()
    why = FAULTS[fault](daemon, pki)
    mark = daemon.mark()
    daemon.signal(signal.SIGHUP)
    line = daemon.wait("reload_failed", after=mark)
    assert re.search(why, line["reason"]), line.line
    assert line["retry"]
    assert served(daemon, ca, pki.client()) == pki.server().der
    new = pki.server("ec256", 3)
    give(daemon, new)
    daemon.home.put("ca.crt", pki.root().pem)
    daemon.home.put("mtlsd.conf", config)
    daemon.wait("reloaded", after=mark, generation=2)
    assert served(daemon, ca, pki.client()) == new.der
    assert len({event["reason"] for event in daemon.find("reload_failed")}) == len(daemon.find("reload_failed")), \
        "a reason was said twice"
    daemon.settled(4)


def test_retry_ends(mtlsd, upstream, pki, ca):
    daemon = mtlsd(upstream=upstream(), mtlsd={"reload_retry": "1s"})
    daemon.tolerated |= {"reload_failed", "reload_given_up"}
    broken(daemon, pki)
    daemon.signal(signal.SIGHUP)
    daemon.wait("reload_given_up")
    give(daemon, pki.server("ec256", 2))
    assert reload(daemon)["generation"] == "2"


def test_second_signal_is_not_lost(mtlsd, upstream, pki, ca):
    """Two SIGHUPs in a row: whatever was read first, what counts in the end is the last state of the files."""
    daemon = mtlsd(upstream=upstream())
    for number in (2, 3, 4):
        give(daemon, pki.server("ec256", number))
        daemon.signal(signal.SIGHUP)
        daemon.signal(signal.SIGHUP)
    daemon.tolerated.add("reload_failed")  # the pair may have been half written at the first look
    last = pki.server("ec256", 4).der
    eventually(lambda: served(daemon, ca, pki.client()) == last, "the last certificate is served")
    daemon.settled(4)


def test_needs_restart(mtlsd, upstream, pki, ca):
    """What a dropped and fenced master cannot change is named."""
    daemon = mtlsd(upstream=upstream())
    text = daemon.config.read_text()
    daemon.home.put("mtlsd.conf", text.replace("127.0.0.1:0", "127.0.0.1:1").replace("[mtlsd]", "[mtlsd]\nchroot = none\nconfine = degrade"))
    mark = daemon.mark()
    reload(daemon)
    whats = " ".join(daemon.wait("needs_restart", after=mark, count=number)["what"] for number in (1, 2, 3))
    assert "listen" in whats and "[service web]" in whats and "chroot" in whats
    served(daemon, ca, pki.client())


def test_outside_the_fence(mtlsd, upstream, pki, ca, home):
    """A file in a directory that was not named at start is out of reach, and that is what the line says."""
    elsewhere = home()
    elsewhere.put("server.crt", pki.server("ec256", 2).pem)
    elsewhere.put("server.key", pki.server("ec256", 2).key_pem)
    daemon = mtlsd(upstream=upstream(), mtlsd={"reload_retry": "1s"})
    daemon.tolerated |= {"reload_failed", "reload_given_up"}
    text = daemon.config.read_text()
    daemon.home.put("mtlsd.conf", re.sub(r"(cert|key) = ", rf"\1 = {elsewhere.path}/", text))
    daemon.signal(signal.SIGHUP)
    line = daemon.wait("reload_failed")
    assert str(elsewhere.path) in line["reason"] and "restart" in line["reason"], line.line
    assert served(daemon, ca, pki.client()) == pki.server().der


def test_service_comes_and_goes(mtlsd, upstream, pki, ca):
    """A service that is no longer configured accepts no more; a new one waits for a restart, and that is said."""
    extra = {"listen": "127.0.0.1:0", "cert": "server.crt", "key": "server.key", "ca": "ca.crt", "workers": 2}
    up = upstream()
    daemon = mtlsd(upstream=up, sections={"service b": {**extra, "upstream": up}})
    with Client(daemon.addresses("b")[0], context(ca, pki.client())) as old:
        old.handshake().exchange(b"before")
        text = daemon.config.read_text()
        daemon.home.put("mtlsd.conf", text.replace("[service b]", "[service c]"))
        mark = daemon.mark()
        reload(daemon)
        assert "service" in daemon.wait("needs_restart", after=mark)["what"]
        old.exchange(b"after").close()
    eventually(lambda: not daemon.workers("b"), "the end of service b")
    with pytest.raises(ConnectionRefusedError):
        Client(daemon.addresses("b")[0], context(ca, pki.client()))
    served(daemon, ca, pki.client())


def test_log_file_is_reopened(mtlsd, upstream, pki, ca, home):
    """logrotate renames, signals, and the next line is in a new file; as the ordinary uid that we have become."""
    at = home()
    logs = at.path / "logs"
    logs.mkdir()
    if ROOT:
        os.chown(logs, 65534, 65534)
    log = logs / "mtlsd.log"

    def lines(path):
        return [event for event in map(parse, path.read_text().splitlines()) if event] if path.exists() else []
    daemon = mtlsd(at=at, upstream=upstream(), mtlsd={"log": log}, wait=False)
    eventually(lambda: [event for event in lines(log) if event.name == "ready"], "ready in the file")
    assert log.stat().st_mode & 0o777 == 0o640
    log.rename(logs / "mtlsd.log.1")
    daemon.signal(signal.SIGHUP)
    eventually(lambda: [event for event in lines(log) if event.name == "reloaded"], "reloaded in the new file")
    assert not [event for event in lines(logs / "mtlsd.log.1") if event.name == "reloaded"]
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert lines(log)[-1].name == "stopped"


def test_traffic_during_reload(mtlsd, upstream, pki, ca):
    """50 new connections a second, eight in parallel, none fails, while certificates change under them."""
    daemon = mtlsd(upstream=upstream(), workers=16)
    certs = [pki.server(kind, 2) for kind in ("ec256", "rsa2048", "ec384")]
    with Load(daemon.address, context(ca, pki.client())) as load:
        for cert in certs * 2:
            before = load.count
            give(daemon, cert)
            reload(daemon)
            eventually(lambda: load.count > before + 10, "traffic")
    assert load.failures == []
    assert not daemon.find("refused")
    daemon.settled(16)


@pytest.mark.slow
def test_hundred_reloads(mtlsd, upstream, pki, ca, sanitized):
    """Under traffic: no failed connection, descriptors and processes as before, and the master's own memory after reload
    100 within six pages of what it was after reload 20 (its heap settles until about 150)."""
    workers = 8
    daemon = mtlsd(upstream=upstream(), workers=workers)

    def still():
        """Processes and, as root, descriptors and memory of the master, when nothing is under way."""
        everybody = daemon.settled(workers)
        eventually(lambda: len(daemon.processes("keeper")) == keepers, "old keepers have ended")
        roles = sorted(process.role for process in everybody if process.role != "keeper")
        return (roles, descriptors(daemon.pid), anonymous(daemon.pid)) if ROOT else (roles, None, 0)
    keepers = len(daemon.processes("keeper"))
    roles, fds, _ = still()
    tls = context(ca, pki.client())

    def reloads(numbers):
        with Load(daemon.address, tls) as load:
            for _ in numbers:
                reload(daemon)
                before = load.count  # 50 a second: each generation gets its share before the next one comes
                eventually(lambda: load.count >= before + 5, "traffic")
        assert load.failures == []
        return load.count
    def least(numbers):
        """What is under way when we look may have taken a page: the least of some reloads."""
        looks = []
        for number in numbers:
            count = reloads([number])
            looks.append(still())
        return looks[-1][0], looks[-1][1], min(look[2] for look in looks), count
    reloads(range(17))
    _, _, dirty_20, _ = least(range(17, 20))
    count = reloads(range(20, 97))
    roles_100, fds_100, dirty_100, _ = least(range(97, 100))
    assert daemon.find("reloaded")[-1]["generation"] == "101"
    assert roles_100 == roles
    assert fds_100 == fds
    print(f"master's anonymous memory: {dirty_20} after 20 reloads, {dirty_100} after 100; {count} connections")
    assert sanitized or abs(dirty_100 - dirty_20) <= 6 * PAGE, f"{dirty_20} bytes after 20 reloads, {dirty_100} after 100"
    assert not daemon.find("refused")
