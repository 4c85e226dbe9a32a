"""etc/stunnel2mtlsd: lines of a stunnel.conf and what becomes of them, and files that a real stunnel and mtlsd serve alike."""

import re
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from clients import Plain, attempt, context
from daemon import NOBODY, ROOT, run
from peers import free_ports
from tlsupstream import server_context
from waiting import DEADLINE

ETC = Path(__file__).resolve().parents[2] / "etc"
AWKS = ("mawk", "gawk", "busybox awk")


def convert(path, awk=None, scratch=None):
    """(exit status, the configuration, what was said)"""
    env = None
    if awk:
        tools = scratch / ("awk-" + awk.split()[0])
        tools.mkdir(exist_ok=True)
        (tools / "awk").write_text(f'#!/bin/sh\nexec {awk} "$@"\n')
        (tools / "awk").chmod(0o755)
        env = {"PATH": f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run([str(ETC / "stunnel2mtlsd"), str(path)], capture_output=True, text=True, timeout=DEADLINE, check=False,
                          env=env)
    return done.returncode, done.stdout, done.stderr


def lines(tmp_path, text):
    """A stunnel.conf: (exit status, lines of the configuration without the comment above it, what was said)."""
    path = tmp_path / "stunnel.conf"
    path.write_text(text)
    code, out, err = convert(path)
    said = [line.removeprefix("stunnel2mtlsd: ") for line in err.splitlines()]
    shown = [re.sub("^(; )?; (?=LOOK|REFUSED)", "", line) for line in out.splitlines() if re.match("(; )?; (LOOK|REFUSED)", line)]
    assert sorted(re.sub(r"^\[[^]]*\] ", "", line) for line in said) == sorted(shown), "said and shown differ"
    return code, out.splitlines()[1:], said


# a server and a client that leave nothing to be said
SERVER = "cert = /s.crt\nkey = /s.key\nCAfile = /ca\nverify = 2\n"
CLIENT = "client = yes\nCAfile = /ca\nverifyChain = yes\ncheckHost = a.example\n"

SILENT = [  # what stands in [s], what must stand in the output, without anything said
    (SERVER + "accept = 443\nconnect = 80", ["listen = 0.0.0.0:443", "upstream = localhost:80", "cert = /s.crt", "key = /s.key",
                                             "ca = /ca", "idle_timeout = 12h"]),
    (SERVER + "accept = https\nconnect = localhost:http", ["listen = 0.0.0.0:443", "upstream = localhost:80"]),
    (SERVER + "accept = :::443\nconnect = ::1:80", ["listen = [::]:443", "upstream = [::1]:80"]),
    (SERVER + "accept = 127.0.0.1:1\nconnect = /run/a", ["listen = 127.0.0.1:1", "upstream = unix:/run/a"]),
    (SERVER + "accept = /run/b\nsetuid = a\nsetgid = b\nconnect = 1", ["listen = unix:/run/b", "listen_owner = a:b"]),
    (SERVER + "accept = 1\nconnect = 1\nconnect = 2", ["upstream = localhost:1, localhost:2"]),
    (SERVER + "accept = 1\nconnect = 1\nconnect = 2\nfailover = rr", ["upstream_policy = robin"]),
    (SERVER + "accept = 1\nconnect = 1\nCRLfile = /crl", ["crl = /crl"]),
    (SERVER + "accept = 1\nconnect = 1\nciphers = A:B\nciphersuites = C\ncurves = prime256v1:X25519",
     ["ciphers = A:B", "ciphersuites = C", "groups = P-256:X25519"]),
    (SERVER + "accept = 1\nconnect = 1\nsslVersionMin = TLSv1.2\nsslVersionMax = TLSv1.3", ["tls_min = 1.2", "tls_max = 1.3"]),
    (SERVER + "accept = 1\nconnect = 1\nsslVersion = TLSv1.3", ["tls_min = 1.3", "tls_max = 1.3"]),
    (SERVER + "accept = 1\nconnect = 1\nsslVersion = all\nrenegotiation = no\ncompression =", []),
    (SERVER + "accept = 1\nconnect = 1\noptions = NO_SSLv2\noptions = NO_SSLv3\noptions = NO_TLSv1.3", ["tls_max = 1.2"]),
    (SERVER + "accept = 1\nconnect = 1\nTIMEOUTbusy = 10\nTIMEOUTidle = 60\nTIMEOUTclose = 0\nTIMEOUTconnect = 07",
     ["handshake_timeout = 10s", "idle_timeout = 60s", "close_timeout = 1ms", "connect_timeout = 7s"]),
    (SERVER + "accept = 1\nconnect = 1\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\ndelay = yes\nlogId = unique", []),
    (SERVER + "accept = 1\nexec = /bin/cat\nexecArgs = cat -n x\nsetuid = joe", ["upstream = exec:/bin/cat -n x", "exec_user = joe"]),
    (CLIENT + "accept = localhost:1\nconnect = a.example:2", ["listen_tls = no", "listen = localhost:1", "upstream_ca = /ca",
                                                              "upstream_name = a.example", "upstream = tls://a.example:2"]),
    (CLIENT + "accept = 127.0.0.1:1\nconnect = b:2\nconnect = c:2\ncert = /c\nkey = /k\nsslVersionMin = TLSv1.3",
     ["upstream = tls://b:2, tls://c:2", "upstream_cert = /c", "upstream_key = /k", "upstream_tls_min = 1.3"]),
    (CLIENT.replace("verifyChain = yes", "verify = 2") + "accept = /run/x\nconnect = b:2\nsni = a.example", ["listen = unix:/run/x"]),
    (SERVER.replace("/ca", "/c;a") + "accept = 1\nconnect = 1", ['ca = "/c;a"']),
    (SERVER + "; a comment\n\n# another\r\n   ACCEPT   =   1  \r\nconnect=1", ["listen = 0.0.0.0:1"]),
]

SAID = [  # what stands in [s], what must be said of it, what must stand in the output
    ("accept = 1\nconnect = 1\ncert = /s\nkey = /k", "REFUSED: stunnel verified no client here; mtlsd does: name the authority", []),
    ("accept = 1\nconnect = 1\ncert = /s\nkey = /k\nCAfile = /ca\nverify = 0", "REFUSED: stunnel verified no client", ["ca = /ca"]),
    (SERVER.replace("2", "1") + "accept = 1\nconnect = 1", "Clients without a certificate are still admitted", ["verify = optional"]),
    (SERVER.replace("verify = 2", "verifyChain = yes\nrequireCert = no") + "accept = 1\nconnect = 1", "without a certificate",
     ["verify = optional"]),
    (SERVER.replace("2", "4") + "accept = 1\nconnect = 1", "The certificate of the peer itself", []),
    (SERVER.replace("verify = 2", "verifyPeer = yes") + "accept = 1\nconnect = 1", "The certificate of the peer itself", []),
    (SERVER + "accept = 1\nconnect = 1\ncheckHost = x\ncheckHost = y", r"Clients had to be called x, y \(checkhost\)", []),
    (SERVER.replace("key = /s.key\n", "") + "accept = 1\nconnect = 1", "in one file, which mtlsd refuses", ["key = /s.crt"]),
    (SERVER.replace("/s.crt", "s.crt") + "accept = 1\nconnect = 1", "cert = s.crt starts at the directory of", ["cert = s.crt"]),
    (SERVER + "accept = 1\nconnect = 1\nCApath = /d", "cat /d/\\*.0 >ca.crt", []),
    (SERVER + "accept = 1\nconnect = 1\nCRLpath = /d", "CRLpath = /d", []),
    (SERVER + "accept = 1\nconnect = 192.0.2.1:1", "REFUSED: Plain text beyond this machine to 192.0.2.1:1", []),
    (SERVER + "accept = 1\nconnect = 1\nsslVersion = TLSv1", "REFUSED: TLSv1 is older", []),
    (SERVER + "accept = 1\nconnect = 1\noptions = -NO_SSLv3", "REFUSED: options = -NO_SSLv3", []),
    (SERVER + "accept = 1\nconnect = 1\nrenegotiation = yes", "REFUSED: renegotiation", []),
    (SERVER + "accept = 1\nconnect = 1\ncompression = zlib", "REFUSED: compression = zlib", []),
    (SERVER + "accept = 1\nconnect = 1\nPSKsecrets = /p", "REFUSED: PSKsecrets = /p", []),
    (SERVER + "accept = 1\nconnect = 1\ncurves = secp256k1:P-384", "The curve secp256k1", ["groups = P-384"]),
    (SERVER + "accept = 1\nconnect = 1\nTIMEOUTbusy = 99999", "more than handshake_timeout may be, 3600s", []),
    (SERVER + "accept = 1\nconnect = 1\nsocket = l:SO_BINDTODEVICE=eth0", "not to devices", []),
    (SERVER + "accept = 1\nconnect = 1\nredirect = 2", "redirect = 2: mtlsd has nothing like it", []),
    (SERVER + "accept = 1\nconnect = 1\nlocal = 192.0.2.9", "local = 192.0.2.9", []),
    (SERVER + "accept = 1\nconnect = 1\nOCSP = http://x", "OCSP = http://x", []),
    (SERVER + "accept = 1\nconnect = 1\nwhatever = 2", "whatever = 2: mtlsd has nothing like it", []),
    (SERVER + "accept = 1\nconnect = 1\nno option", "line 9 is no option: no option", []),
    (SERVER + "accept = host.example:1\nconnect = 1", "The name host.example is not looked up", []),
    (SERVER + "accept = gopher\nconnect = 1", "The port gopher", []),
    (SERVER + "accept = 1\nconnect = 1\nprotocol = smtp", "speaks no STARTTLS", []),
    (SERVER + "accept = 1\nexec = /bin/cat", "exec_user = NAME", ["upstream = exec:/bin/cat"]),
    (SERVER + "connect = 1", r"mtlsd -i -s s -f FILE", []),
    (SERVER + "sni = other:*.example\nconnect = 1", "with one upstream; this one is left out", ["; [service s]", "; cert = /s.crt"]),
    (CLIENT + "accept = 1\nconnect = a:1", "REFUSED: stunnel took plain text from every network at 1;", ["listen = 127.0.0.1:1"]),
    (CLIENT + "accept = 192.0.2.1:1\nconnect = a:1", "REFUSED: Plain text from other machines", ["listen = 192.0.2.1:1"]),
    ("client = yes\naccept = localhost:1\nconnect = a:1\ncheckHost = a", "REFUSED: stunnel verified no server", []),
    (CLIENT.replace("checkHost = a.example\n", "") + "accept = localhost:1\nconnect = b:1",
     "REFUSED: stunnel took any certificate of the authority, for whatever name; mtlsd asks for the host", []),
    (CLIENT + "checkHost = b.example\naccept = localhost:1\nconnect = a:1", "Any of several names", ["upstream_name = a.example"]),
    (CLIENT + "sni = z\naccept = localhost:1\nconnect = a:1", "the two are one, upstream_name", ["upstream_name = a.example"]),
]

GLOBAL = [  # above all services; what must stand in [mtlsd]; what is said, None: nothing
    ("setuid = stunnel\nsetgid = stunnel\npid = /run/x.pid\nforeground = no", ["user = stunnel", "group = stunnel",
                                                                               "pid_file = /run/x.pid", "log = syslog"], None),
    ("foreground = yes\ndebug = 7", ["log = stderr", "log_level = debug"], None),
    ("debug = local3.err", ["log = syslog:local3", "log_level = error"], None),
    ("output = /var/log/x\nsyslog = no\ndebug = warning\npid =", ["log = /var/log/x", "log_level = warn"], None),
    ("output = /dev/stdout\nfips = no", ["log = stderr"], None),
    ("chroot = /var/lib/stunnel", [], "LOOK: chroot = /var/lib/stunnel: chroot = auto"),
    ("fips = yes", [], "LOOK: fips = yes"),
    ("engine = pkcs11", [], "LOOK: engine = pkcs11"),
]


@pytest.mark.parametrize("text,want", SILENT)
def test_carried_over(tmp_path, text, want):
    code, out, said = lines(tmp_path, "pid =\n[s]\n" + text + "\n")
    assert (code, said) == (0, [])
    assert not [line for line in want if line not in out], out


@pytest.mark.parametrize("text,sentence,want", SAID)
def test_named(tmp_path, text, sentence, want):
    code, out, said = lines(tmp_path, "pid =\n[s]\n" + text + "\n")
    assert code == 1 and len(said) == 1, said
    assert re.match(r"\[s\] ", said[0]) and re.search(sentence, said[0]), said
    assert not [line for line in want if line not in out], out


@pytest.mark.parametrize("text,want,sentence", GLOBAL)
def test_above_all_services(tmp_path, text, want, sentence):
    code, out, said = lines(tmp_path, text + "\n[s]\naccept = 1\nconnect = 1\n" + SERVER)
    assert code == (1 if sentence else 0) and len(said) == code
    assert not sentence or sentence in said[0]
    assert not [line for line in want if line not in out], out


def test_defaults_of_services(tmp_path):
    """What stands above the services is their default, and does not count as lost when all have their own."""
    code, out, said = lines(tmp_path, SERVER + "TIMEOUTidle = 9\nconnect = 1\n[a]\naccept = 1\n[b]\naccept = 2\ncert = /b\nkey = /b.key\n"
                                      "CAfile = /b.ca\nverify = 2\nTIMEOUTidle = 8\nconnect = 2\n")
    assert (code, said) == (0, [])
    first, second = "\n".join(out).split("[service b]")
    assert "cert = /s.crt" in first and "idle_timeout = 9s" in first and "upstream = localhost:1" in first
    assert "cert = /b\n" in second and "idle_timeout = 8s" in second and "upstream = localhost:2" in second


def test_inetd(tmp_path):
    """Without a section: what mtlsd -i needs."""
    code, out, said = lines(tmp_path, SERVER + "connect = 80\n")
    assert code == 1 and "[service stunnel]" in out and "upstream = localhost:80" in out
    assert said == ["[stunnel] LOOK: There is no accept: inetd started this one, and starts it with: mtlsd -i -s stunnel -f FILE."]


def test_names(tmp_path):
    body = SERVER + "connect = 1\naccept = "
    code, out, said = lines(tmp_path, f"[my service]\n{body}1\n[My-Service]\n{body}2\n[{'x' * 40}]\n{body}3\n[]\n{body}4\n")
    assert [line for line in out if line.startswith("[service")] == [
        "[service my-service]", "[service My-Service-2]", f"[service {'x' * 32}]", "[service service]"]
    assert code == 1 and len(said) == 4


def test_include(tmp_path):
    """All files of the directory, in the order of their names, with services that go on in them; it's no shell."""
    more = tmp_path / "con'f $(touch x).d"
    (more / "deeper").mkdir(parents=True)
    (more / "20-b.conf").write_text(f"[b]\naccept = 2\nconnect = 2\n{SERVER}")
    (more / "10-a.conf").write_text(f"accept = 1\n[a]\naccept = 3\nconnect = 3\n{SERVER}")
    (more / "deeper" / "c").write_text("[c]\n")
    code, out, said = lines(tmp_path, f"[s]\n{SERVER}connect = 1\ninclude = {more}\n")
    assert (code, said) == (0, [])
    assert [line for line in out if line.startswith(("[", "listen"))] == [
        "[mtlsd]", "[service s]", "listen = 0.0.0.0:1", "[service a]", "listen = 0.0.0.0:3", "[service b]", "listen = 0.0.0.0:2"]
    code, _, said = lines(tmp_path, f"include = {tmp_path}/none\n[s]\naccept = 1\nconnect = 1\n{SERVER}")
    assert code == 1 and "holds no file" in said[0]
    (more / "30-again").write_text(f"include = {more}\n")  # ends, too
    assert convert(tmp_path / "stunnel.conf")[0] in (0, 1)


def test_a_comment_stays_one(tmp_path):
    _, out, _ = lines(tmp_path, f"[s]\naccept = 1\nconnect = 1\n{SERVER}bad = a\x0b\x1b[2Jb\nlong = {'y' * 5000}\n")
    assert max(map(len, out)) < 1000 and not re.search("[\x00-\x08\x0b-\x1f]", "".join(out))


def test_usage(tmp_path):
    for args in ([], ["a", "b"], [str(tmp_path)], [str(tmp_path / "none")]):
        done = subprocess.run([str(ETC / "stunnel2mtlsd"), *args], capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert (done.returncode, done.stdout) == (2, "") and done.stderr


# --- the same file for both --------------------------------------------------------------------------------
COMMON = """
; the 25 options that public files have most often, in server and client mode
foreground = yes
pid = {dir}/stunnel.pid
debug = notice
output = {dir}/stunnel.log
syslog = no
{ids}
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
options = NO_SSLv2
options = NO_SSLv3
fips = no
delay = no
TIMEOUTbusy = 20
TIMEOUTclose = 0
TIMEOUTconnect = 5
TIMEOUTidle = 600

[in]
accept = 127.0.0.1:{ports[0]}
connect = 127.0.0.1:{plain}
cert = {dir}/server.crt
key = {dir}/server.key
CAfile = {dir}/ca.crt
verify = 2
sslVersionMin = TLSv1.2
ciphers = ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256
curves = P-256:P-384
renegotiation = no
retry = no

[out]
client = yes
accept = 127.0.0.1:{ports[1]}
connect = 127.0.0.1:{tls}
cert = {dir}/client.crt
key = {dir}/client.key
CAfile = {dir}/ca.crt
verifyChain = yes
checkHost = {name}
sni = {name}
"""


@pytest.fixture
def same(mtlsd, peer, upstream, tls_upstream, pki, home):
    """same(name): a real stunnel and an mtlsd, each with the same file; {"stunnel": (in, out), "mtlsd": (in, out)}"""
    def make(name):
        up, tls = upstream(), tls_upstream(server_context(pki.server(), pki.root().crt))
        ids = f"setuid = {NOBODY}\nsetgid = {NOBODY}" if ROOT else ""
        made = {}

        def write(ports, at):
            at = Path(at)
            for file, cert in (("server", pki.server()), ("client", pki.client())):
                (at / f"{file}.crt").write_text(cert.chain_pem)
                (at / f"{file}.key").write_text(cert.key_pem)
                (at / f"{file}.key").chmod(0o600)
            (at / "ca.crt").write_text(pki.root().pem)
            return COMMON.format(dir=at, ports=ports, plain=up.port, tls=tls.port, name=name, ids=ids)

        def write_open(ports, at):
            Path(at).chmod(0o777)  # stunnel opens its log and writes its pid when it has left root
            return write(ports, at)
        first = peer("stunnel", write_open, ports=2)
        made["stunnel"] = [("127.0.0.1", port) for port in first.ports]
        at = home()
        ports = free_ports(2)
        (at.path / "stunnel.conf").write_text(write(ports, at.path))
        code, text, said = convert(at.path / "stunnel.conf")
        assert (code, said) == (0, "")
        path = at.put("converted.conf", text)
        done = run(mtlsd.binary, "-t", "-f", path)
        assert done.returncode == 0, done.stderr
        text = re.sub("^log = .*", "log = stderr", text, flags=re.M).replace("log_level = notice", "log_level = info")
        mtlsd(at=at, text=re.sub("^pid_file.*\n", "", text, flags=re.M))
        made["mtlsd"] = [("127.0.0.1", port) for port in ports]
        return made
    return make


def answers(places, pki, ca):
    """What clients of both services get."""
    inside, outside = places
    out = {}
    for name, cert in (("client", pki.client()), ("nobody", None), ("stranger", pki.issue("stranger", pki.root("other-root"),
                                                                                          eku="clientAuth"))):
        for version in ("1.2", "1.3"):
            out[name, version] = attempt(inside, context(ca, cert, version), b"hello").kind == "ok"
    try:  # a reset may come as early as in connect(2)
        with Plain(outside) as client:
            client.sock.sendall(b"hello")
            out["out"] = client.recv()
    except ConnectionError:
        out["out"] = b""
    return out


@pytest.mark.parametrize("name,reached", [("localhost", b"hello"), ("elsewhere.example", b"")])
def test_both_answer_the_same(same, pki, ca, name, reached):
    made = same(name)
    want = {("client", "1.2"): True, ("client", "1.3"): True, ("nobody", "1.2"): False, ("nobody", "1.3"): False,
            ("stranger", "1.2"): False, ("stranger", "1.3"): False, "out": reached}
    assert {who: answers(places, pki, ca) for who, places in made.items()} == {"stunnel": want, "mtlsd": want}


# --- the script itself -----------------------------------------------------------------------------------
def test_shellcheck():
    done = subprocess.run(["shellcheck", str(ETC / "stunnel2mtlsd")], capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_awk_says_the_same(tmp_path):
    text = "".join(f"[s{number}]\n{row[0]}\n" for number, row in enumerate(SILENT + SAID))
    (tmp_path / "stunnel.conf").write_text(text)
    said = {awk: convert(tmp_path / "stunnel.conf", awk, tmp_path) for awk in AWKS}
    assert all(shutil.which(awk.split()[0]) for awk in AWKS)
    assert said["mawk"][0] == 1 and said["mawk"][1].count("[service") > 50
    assert said["gawk"] == said["mawk"] and said["busybox awk"] == said["mawk"]
