"""OpenSSL 3.5 or newer, its own program at either end: X25519MLKEM768 with client certificates. Not among the tests that run
everywhere: `make interop`, with OPENSSL35=/path/of/openssl unless the system's is new enough"""

import os
import re
import shutil
import subprocess

import pytest

from peers import free_ports
from waiting import DEADLINE, eventually

GROUP = "X25519MLKEM768"
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


@pytest.fixture(scope="session")
def openssl35():
    """The program. An older one fails every test here, in one sentence."""
    named = os.environ.get("OPENSSL35")
    path = shutil.which(named or "openssl")
    if not path:
        pytest.fail(f"OPENSSL35={named}: no such program" if named else "no program openssl", pytrace=False)
    words = subprocess.run([path, "version"], capture_output=True, text=True, timeout=DEADLINE, check=False).stdout
    found = re.match(r"OpenSSL (\d+)\.(\d+)", words)
    if not found or (int(found[1]), int(found[2])) < (3, 5):
        pytest.fail(f"{path} is {words.strip() or 'no OpenSSL'}; X25519MLKEM768 needs 3.5: OPENSSL35=/path/of/openssl",
                    pytrace=False)
    print(words.strip())
    return path


def ask(program, daemon, pki, *args):
    """s_client with a client certificate: what it printed."""
    cert = pki.client()
    host, port = daemon.address
    done = subprocess.run([program, "s_client", "-connect", f"{host}:{port}", "-CAfile", pki.root().crt, "-verify_return_error",
                           "-verify_hostname", "localhost", "-cert", cert.crt, "-key", cert.key, "-ign_eof", *args],
                          input=REQUEST, capture_output=True, timeout=DEADLINE, check=False)
    return done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


@pytest.mark.parametrize("args,group,hellos", [
    ([], GROUP, 1),
    (["-groups", GROUP], GROUP, 1),
    (["-groups", f"X25519:{GROUP}"], "X25519", 1),  # a share of X25519 alone: good enough, no second round trip
    (["-groups", f"secp521r1:{GROUP}"], GROUP, 2),  # HelloRetryRequest
    (["-groups", f"{GROUP}:X25519", "-tls1_2"], "X25519", 1),
])
@pytest.mark.parametrize("kind", ["ec256", "rsa2048"])
def test_s_client(openssl35, mtlsd, pki, kind, args, group, hellos):
    service = {"groups": f"{GROUP}:X25519"} if hellos == 2 else {}
    if "-tls1_2" in args:
        args = ["-groups", f"{args[1]}:P-256", "-tls1_2"]  # TLS 1.2: the curve of an EC key needs to be listed
    daemon = mtlsd(upstream='respond:200 "let in"', server=pki.server(kind), **service)
    said = ask(openssl35, daemon, pki, "-msg", *args)
    assert "let in" in said and len(re.findall("<<< .*ServerHello$", said, re.M)) == hellos, said
    done = daemon.wait("done")
    assert (done["group"], done["sha256"]) == (group, pki.client().sha256)


def test_s_client_has_not_this_group(openssl35, mtlsd, pki):
    """Its first share is the hybrid one, and the service is one without."""
    daemon = mtlsd(upstream='respond:200 "let in"', groups="X25519")
    assert "let in" in ask(openssl35, daemon, pki)
    assert daemon.wait("done")["group"] == "X25519"


@pytest.mark.parametrize("groups,group", [(GROUP, GROUP), (None, GROUP), ("X25519", "X25519")])
def test_s_server(openssl35, joined, pki, scratch, groups, group):
    """client -> mtlsd originate -> s_server, which demands a certificate and answers with its status page."""
    port, = free_ports(1)
    server, log = pki.server(), scratch / f"s_server.{port}"
    command = [openssl35, "s_server", "-accept", f"127.0.0.1:{port}", "-cert", server.crt, "-key", server.key,
               "-CAfile", pki.root().crt, "-Verify", "2", "-verify_return_error", "-www", *(["-groups", groups] if groups else [])]
    with open(log, "wb") as words:
        running = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=words, stderr=words)
    try:
        eventually(lambda: "ACCEPT" in log.read_text() or running.poll() is not None, "s_server listens")
        daemon, come = joined(f"tls://localhost:{port}")
        with come() as client:
            client.send(REQUEST)
            assert b"200 ok" in client.recv_all(), log.read_text()
        done = daemon.wait("done")
        assert (done["upstream_group"], done["upstream_tls"]) == (group, "1.3")
    finally:
        running.kill()
        running.wait()
