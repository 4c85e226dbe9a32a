"""Live sessions: judged again by every reload, and ended when their certificate or their time runs out"""

import hashlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clients import Alert, Client, Truncated, context
from pki import openssl
from test_crl import crl, put  # pylint: disable=unused-import  # crl is a fixture
from test_reload import reload
from tlsupstream import server_context
from upstream import source
from waiting import DEADLINE, eventually
from web import Talk

SOON = DEADLINE  # a second is what is promised; on a busy machine only a hang can be told from it


def stamp(seconds):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))


def revoke(daemon, data):
    """A new list of revoked certificates; `reloaded` is not waited for: it may come after a verdict."""
    put(daemon.home, "clients.crl", data)
    mark = daemon.mark()
    daemon.signal(signal.SIGHUP)
    return mark, time.monotonic()


def falls(daemon, client, since, reason, mark=0):
    """The session ends with close_notify, soon, and its line has the reason."""
    rest = client.recv_all()
    assert time.monotonic() - since < SOON, "it took far longer than a second"
    line = daemon.wait("done", after=mark, client=client.local)
    assert line["end"] == reason, line.line
    return rest


@pytest.fixture
def guarded(mtlsd, home, crl):
    """guarded(upstream, ...): a daemon with an empty list of revoked certificates."""
    def make(up, **service):
        at = home()
        put(at, "clients.crl", crl())
        return mtlsd(at=at, upstream=up, crl="clients.crl", **service)
    return make


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_revoked(guarded, upstream, pki, ca, crl, version):
    """The revoked client's session ends, the other's goes on, and so does what it sends meanwhile."""
    daemon = guarded(upstream())
    bad = pki.client("ec256", 9)
    with Client(daemon.address, context(ca, bad, version)) as first, Client(daemon.address, context(ca, pki.client(), version)) as second:
        first.handshake().exchange(b"before")
        second.handshake().exchange(b"before")
        mark, since = revoke(daemon, crl(bad))
        falls(daemon, first, since, "revoked", mark)
        line = daemon.wait("judged", after=mark)
        assert (line["sessions"], line["ended"], line["generation"]) == ("2", "1", "2")
        name = second.local
        second.exchange(os.urandom(50000)).close()
    assert daemon.wait("done", client=name)["end"] == "client_eof"
    daemon.settled(4)


def test_watch(guarded, upstream, pki, ca, crl):
    """The new list is enough: it is found within a second."""
    daemon = guarded(upstream())
    with Client(daemon.address, context(ca, pki.client("ec256", 9))) as client:
        client.handshake().exchange(b"before")
        put(daemon.home, "clients.crl", crl(pki.client("ec256", 9)))
        assert client.recv_all() == b""
        assert daemon.wait("done", client=client.local)["end"] == "revoked"


def test_ca_removed(mtlsd, upstream, pki, ca):
    """Two authorities, one is taken away: with it its clients, and those below its intermediate."""
    other = pki.root("other-root")
    middle = pki.issue("other-intermediate", other, ca=True, eku=None)
    far = pki.issue("client-of-other-intermediate", middle)
    daemon = mtlsd(upstream=upstream(), anchors=[pki.root(), other])
    stay = [Client(daemon.address, context(ca, cert)) for cert in (pki.client(), pki.client_of_intermediate())]
    fall = [Client(daemon.address, context(ca, cert)) for cert in (pki.client_other_ca(), far)]
    for client in stay + fall:
        client.handshake().exchange(b"before")
    daemon.home.put("ca.crt", pki.root().pem)
    since, mark = time.monotonic(), daemon.mark()
    daemon.signal(signal.SIGHUP)
    for client in fall:
        falls(daemon, client, since, "unknown_ca", mark)
    assert daemon.wait("judged", after=mark)["ended"] == "2"
    for client in stay:
        client.exchange(b"after").close()


def test_revoked_intermediate(guarded, upstream, pki, ca, crl):
    """crl_scope = chain: whoever stands below it falls."""
    daemon = guarded(upstream(), crl_scope="chain", crl_missing="admit")
    with Client(daemon.address, context(ca, pki.client_of_intermediate())) as low, \
            Client(daemon.address, context(ca, pki.client())) as high:
        low.handshake().exchange(b"before")
        high.handshake().exchange(b"before")
        mark, since = revoke(daemon, crl(pki.intermediate()))
        falls(daemon, low, since, "revoked", mark)
        high.exchange(b"after").close()


def short_lived(daemon, pki, ca, name):
    """A client whose certificate ends soon, and the certificate: it lives as long as this machine needs to let it in."""
    for seconds in (3, 15, 75):
        cert = pki.issue(f"{name}-{seconds}", dates=(stamp(-60), stamp(seconds)))
        client = Client(daemon.address, context(ca, cert))
        try:
            return client.handshake().exchange(b"before"), cert
        except (Alert, Truncated, OSError, AssertionError):
            client.sock.close()
    raise AssertionError("no certificate outlived its own handshake")


def test_expired(mtlsd, upstream, pki, ca):
    """session_end = never: a certificate that has run out ends nothing, until a reload looks at it."""
    daemon = mtlsd(upstream=upstream())
    client, cert = short_lived(daemon, pki, ca, "client-judged-short")
    with client:
        eventually(lambda: time.time() > float(openssl_end(cert)) + 1, "the end of the certificate", 100)
        client.exchange(b"still")
        mark, since = daemon.mark(), time.monotonic()
        daemon.signal(signal.SIGHUP)
        falls(daemon, client, since, "expired", mark)


def openssl_end(cert):
    text = openssl("x509", "-in", cert.crt, "-noout", "-enddate").decode().strip().split("=")[1]
    return time.mktime(time.strptime(text, "%b %d %H:%M:%S %Y %Z")) - time.timezone


@pytest.mark.parametrize("after, ended", [("require", 1), ("none", 0)])
def test_verify_changes(mtlsd, upstream, pki, ca, after, ended):
    """optional becomes require: who showed no certificate falls. It becomes none: nobody does."""
    daemon = mtlsd(upstream=upstream(), verify="optional")
    with Client(daemon.address, context(ca)) as bare, Client(daemon.address, context(ca, pki.client())) as known:
        bare.handshake().exchange(b"before")
        known.handshake().exchange(b"before")
        daemon.home.put("mtlsd.conf", daemon.config.read_text().replace("verify = optional", f"verify = {after}"))
        since, mark = time.monotonic(), daemon.mark()
        daemon.signal(signal.SIGHUP)
        line = daemon.wait("judged", after=mark)
        assert (line["sessions"], line["ended"]) == ("2", str(ended))
        known.exchange(b"after").close()
        if ended:
            falls(daemon, bare, since, "no_certificate", mark)
        else:
            bare.exchange(b"after").close()


def test_bulk(guarded, upstream, pki, ca, crl):
    """In the middle of a transfer: what came is a piece of what was sent, and it ends with close_notify; another transfer
    loses no byte."""
    size = 48 << 20
    chunk = os.urandom(1 << 20)
    daemon = guarded(upstream(source(lambda: [chunk] * (size >> 20))))
    bad = pki.client("ec256", 9)

    def digest(client):
        got, total = hashlib.sha256(), 0
        while part := client.recv(1 << 17):
            got.update(part)
            total += len(part)
        return total, got.hexdigest()
    with Client(daemon.address, context(ca, bad)) as first, Client(daemon.address, context(ca, pki.client())) as second:
        first.handshake()
        second.handshake()
        assert first.recv_exactly(1 << 20) == chunk
        mark, since = revoke(daemon, crl(bad))
        with ThreadPoolExecutor(1) as pool:
            whole = pool.submit(digest, second)
            rest = falls(daemon, first, since - 1, "revoked", mark)  # it reads what is on its way, too
            assert whole.result(DEADLINE) == (size, hashlib.sha256(chunk * (size >> 20)).hexdigest())
        assert len(rest) < size and (chunk * (len(rest) // len(chunk) + 1)).startswith(rest)


def test_http(guarded, upstream, pki, ca, crl):
    """Between two requests."""
    daemon = guarded('respond:200 "hello"', protocol="http", keepalive_timeout="60s")
    bad = pki.client("ec256", 9)
    with Talk(daemon.address, context(ca, bad)) as first, Talk(daemon.address, context(ca, pki.client())) as second:
        assert first.get().status == second.get().status == 200
        mark, since = revoke(daemon, crl(bad))
        falls(daemon, first.client, since, "revoked", mark)
        assert second.get().body == b"hello"


def test_respond(guarded, pki, ca, crl):
    daemon = guarded('respond:200 "hello"')
    bad = pki.client("ec256", 9)
    with Client(daemon.address, context(ca, bad)) as client:
        client.handshake().send(b"GET / HTTP/1.1\r\n")
        daemon.worker_of(client.local)
        mark, since = revoke(daemon, crl(bad))
        falls(daemon, client, since, "revoked", mark)


def test_bridge(joined, tls_upstream, pki):
    """TLS on both sides; the upstream's own certificate is not asked about."""
    up = tls_upstream(server_context(pki.server()))
    daemon, come = joined(up, "bridge")
    with come() as client:
        client.exchange(b"before")
        daemon.home.put("ca.crt", pki.root("other-root").pem)
        since, mark = time.monotonic(), daemon.mark()
        daemon.signal(signal.SIGHUP)
        falls(daemon, client, since, "unknown_ca", mark)


@pytest.mark.slow
def test_many(guarded, upstream, pki, ca, crl):
    """200 sessions, every other one falls, within a second of the reload; the others' bytes are intact."""
    daemon = guarded(upstream(), workers="4-220")
    bad = pki.client("ec256", 9)
    clients = [Client(daemon.address, context(ca, (pki.client(), bad)[number % 2])) for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda client: client.handshake().exchange(b"before"), clients))
        mark, since = revoke(daemon, crl(bad))
        for client in clients[1::2]:
            assert client.recv_all() == b""
        took = time.monotonic() - since
        line = daemon.wait("judged", after=mark)
        assert (line["sessions"], line["ended"]) == ("200", "100")
        list(pool.map(lambda client: client.exchange(os.urandom(5000)).close(), clients[::2]))
    print(f"100 of 200 ended after {took:.2f} s")
    assert took < SOON
    for end in ("revoked", "client_eof"):
        eventually(lambda end=end: len(daemon.find("done", after=mark, end=end)) == 100, lambda end=end: end)
    daemon.settled(4)


def test_handshaking_during_a_reload(guarded, upstream, pki, ca, crl):
    """A client whose handshake began before and ends after it is admitted by the old rules; then it is judged, perhaps while
    the worker still connects to the upstream."""
    bad = pki.client("ec256", 9)
    daemon = guarded(upstream())
    with Client(daemon.address, context(ca, bad, "1.2")) as client:
        client.hello()
        daemon.worker_of(client.local)
        mark, _ = revoke(daemon, crl(bad))
        daemon.wait("reloaded", after=mark)
        since = time.monotonic()
        try:
            client.handshake()
            falls(daemon, client, since, "revoked", mark)
        except Alert as alert:
            assert str(alert) == "certificate_revoked"
            line = daemon.wait("refused", client=client.local)
            assert (line["stage"], line["reason"]) == ("upstream", "revoked"), line.line


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


ONE = {min(os.sched_getaffinity(0))}


def one_processor():
    """For Daemon's prepare: the whole of it on the processor from which catch() looks."""
    os.sched_setaffinity(0, ONE)


def catch(daemon, number, known, mark):
    """Signal the judge as soon as it is there. It lives for some milliseconds: we take turns with it on one processor. Its pid,
    or None: it was over before."""
    ours, end = os.sched_getaffinity(0), time.monotonic() + DEADLINE
    one_processor()
    try:
        while time.monotonic() < end and not daemon.find("judged", after=mark):
            for _ in range(20):
                for pid in children(daemon.pid):
                    if pid in known:
                        continue
                    try:
                        if b"judge" in Path(f"/proc/{pid}/cmdline").read_bytes():
                            os.kill(pid, number)
                            return pid
                    except (FileNotFoundError, ProcessLookupError):
                        continue
        return None
    finally:
        os.sched_setaffinity(0, ours)


@pytest.mark.slow
@pytest.mark.parametrize("number, why", [(signal.SIGKILL, "signal 9"), (signal.SIGSTOP, "too long")])
def test_judge_fails(mtlsd, upstream, home, pki, ca, crl, number, why):
    """It is killed, or hangs: it is said, sessions stay, and another judge does its work."""
    bad = pki.client("ec256", 9)
    for _ in range(8):  # the judge may be faster than we
        at = home()
        put(at, "clients.crl", crl())
        daemon = mtlsd(at=at, upstream=upstream(), crl="clients.crl", crl_missing="admit", workers="4-120", prepare=one_processor)
        daemon.tolerated.add("judge_failed")
        clients = [Client(daemon.address, context(ca, (bad, pki.client_two_deep())[count % 2])).handshake().exchange(b"x")
                   for count in range(100)]  # each chain is another one than the one before: that takes its time
        known = set(children(daemon.pid))
        mark, _ = revoke(daemon, crl(bad))
        caught = catch(daemon, number, known, mark)
        daemon.wait("judged", after=mark)
        said = daemon.find("judge_failed", after=mark)
        assert caught or not said
        for client in clients[0::2]:
            assert client.recv_all() == b""
        for client in clients[1::2]:
            client.exchange(b"after").close()
        assert not daemon.processes("judge")
        if said:  # else it had said all when the signal came
            assert said[0]["retry"] == "yes" and why in said[0]["reason"], said[0].line
            return
        daemon.stop()
    pytest.fail("no judge could be caught")


def test_session_end(mtlsd, upstream, pki, ca):
    """session_end = certificate: with its last second, without a reload, idle or not; who has more time goes on."""
    daemon = mtlsd(upstream=upstream(), session_end="certificate")
    with Client(daemon.address, context(ca, pki.client())) as long:
        long.handshake().exchange(b"before")
        client, cert = short_lived(daemon, pki, ca, "client-ends-soon")
        with client:
            client.sock.settimeout(100)
            assert client.recv_all() == b""
            assert 0 < time.time() - openssl_end(cert) < 1 + SOON
            line = daemon.wait("done", client=client.local)
        assert line["end"] == "expired", line.line
        long.exchange(b"after").close()
    daemon.settled(4)


@pytest.mark.parametrize("protocol", ["tcp", "http"])
def test_session_timeout(mtlsd, upstream, pki, ca, protocol):
    """However busy it is, and the worker serves the next client."""
    service = {"upstream": upstream()} if protocol == "tcp" else {"upstream": 'respond:200 "x"', "protocol": "http"}
    daemon = mtlsd(session_timeout="1s", workers=1, **service)
    pids = set()
    for _ in range(2):
        with Client(daemon.address, context(ca, pki.client())) as client:
            since, text = time.monotonic(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
            client.handshake()
            pids.add(daemon.worker_of(client.local).pid)
            try:
                while time.monotonic() - since < DEADLINE:
                    client.send(text)
                    if not client.recv():
                        break
            except ConnectionError:
                pass  # it sent when all was over
            assert 1 <= time.monotonic() - since < 1 + SOON
            line = daemon.wait("done", client=client.local)
        assert line["end"] == "session_timeout" and float(line["time"].rstrip("s")) >= 1, line.line
    assert len(pids) == 1


def test_nobody_to_judge(guarded, upstream, pki, ca, crl):
    """No session: no judge, no line."""
    daemon = guarded(upstream())
    mark, _ = revoke(daemon, crl(pki.client("ec256", 9)))
    daemon.wait("reloaded", after=mark)
    reload(daemon)
    assert not daemon.find("judged")
