"""Programs as upstreams: what they are given, how they end, and that none is left behind."""

import calendar
import hashlib
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from clients import Client, Plain, attempt, connect, context
from daemon import ENVIRONMENT, NOBODY, ROOT
from pki import openssl
from test_relay import SIZE, data, digest
from waiting import DEADLINE, eventually

BOTH = pytest.mark.parametrize("started_as", ["root", "user"] if ROOT else ["user"])


def script(text):
    """A line of a shell, in quotes because of its semicolons."""
    return f"'exec:/bin/sh -c \"{text}\"'"


@pytest.fixture
def program(scratch):
    """program(text): a file that can be run, as an upstream."""
    made = []

    def make(text, interpreter="/bin/sh"):
        path = scratch / f"program{os.getpid()}-{len(list(scratch.iterdir()))}"
        path.write_text(f"#!{interpreter}\n{text}\n")
        path.chmod(0o755)
        made.append(path)
        return f"exec:{path}"
    return make


@pytest.fixture
def served(mtlsd, pki, ca):
    """served(command, ...): the daemon, and come() for clients after their handshake."""
    clients = []

    def make(command, version="1.3", client=None, started_as=None, **service):
        unprivileged = started_as == "user" or not ROOT
        ids = {} if unprivileged else {"exec_user": NOBODY, "exec_group": NOBODY}
        user = NOBODY if unprivileged and ROOT else None
        daemon = mtlsd(upstream=command, user=user, **(ids | service))

        def come():
            clients.append(Client(daemon.address, context(ca, client or pki.client(), version)).handshake())
            return clients[-1]
        return daemon, come
    yield make
    for client in clients:
        client.sock.close()


def with_mark(mark):
    """Processes that have the mark among their arguments."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if mark.encode() in words and b"pytest" not in b" ".join(words):
                found.append(int(name))
    return found


def nobody_left(mark):
    eventually(lambda: not with_mark(mark), lambda: f"still there: {with_mark(mark)}")


@BOTH
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_echo(served, version, started_as):
    daemon, come = served("exec:/bin/cat", version, started_as=started_as)
    client = come().exchange(b"hello\n")
    assert client.close() == b""
    done = daemon.wait("done")
    assert (done["upstream"], done["in"], done["out"], done["exit"], done["end"]) == ("exec:/bin/cat", "6", "6", "0", "client_eof")


def test_plain_listener(served):
    daemon, _ = served("exec:/bin/cat", listen_tls="no", cert=None, key=None, ca=None)
    client = Plain(daemon.address).exchange(b"hello\n")
    assert client.close() == b""
    assert daemon.wait("done")["exit"] == "0"


def test_quotes_within_quotes(served):
    _, come = served('\'exec:/bin/sh -c "printf ""<%s>"" ""$@""" sh "a b" """" "" x\'')
    client = come()
    client.close_notify()
    assert client.recv_all() == b'<a b><"><><x>'


# --- the environment ----------------------------------------------------------

def environment(come):
    client = come()
    client.close_notify()
    return dict(line.split("=", 1) for line in client.recv_all().decode().splitlines())


SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def told(cert):
    """What a certificate makes of the environment, as openssl reads it."""
    words = dict(line.split("=", 1) for line in openssl(
        "x509", "-in", cert.crt, "-noout", "-serial", "-subject", "-issuer", "-fingerprint", "-sha256", "-enddate", "-dateopt",
        "iso_8601", "-nameopt", "RFC2253").decode().splitlines())
    sha256 = words["sha256 Fingerprint"].replace(":", "").lower()
    return {"SSL_PEER_CERT_HASH": f"SHA256:{sha256}", "SSL_PEER_CERT_SUBJECT": words["subject"], "SSL_CLIENT_DN": words["subject"],
            "SSL_CLIENT_I_DN": words["issuer"], "MTLSD_SUBJECT": words["subject"], "MTLSD_ISSUER": words["issuer"],
            "MTLSD_CN": cert.name, "MTLSD_SERIAL": words["serial"], "MTLSD_SHA256": sha256,
            "MTLSD_NOT_AFTER": str(calendar.timegm(time.strptime(words["notAfter"], "%Y-%m-%d %H:%M:%SZ")))}


def golden(daemon, client):
    """What every client over TCP has, in clear or not."""
    ip, port = client.local.split(":")
    return {"PATH": SAFE_PATH, "PROTO": "TCP",
            "TCPREMOTEIP": ip, "TCPREMOTEPORT": port, "REMOTE_HOST": ip, "REMOTE_PORT": port,
            "TCPLOCALIP": daemon.address[0], "TCPLOCALPORT": str(daemon.address[1]), "MTLSD_SERVICE": "web"}


@pytest.mark.parametrize("version, cipher, group", [
    ("1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "X25519"), ("1.3", "TLS_AES_128_GCM_SHA256", "X25519")])
def test_environment(served, pki, ca, version, cipher, group):
    """Every variable and its value, and no other."""
    cert = pki.issue("client-of-env", san="DNS:a.example,URI:spiffe://x/y,IP:192.0.2.7,IP:2001:db8::1,email:who@example.org")
    daemon, _ = served("exec:/usr/bin/env", version, alpn="other, greet/1", groups=group)
    tls = context(ca, cert, version)
    tls.set_alpn_protocols(["greet/1"])
    with Client(daemon.address, tls).handshake() as client:
        assert environment(lambda: client) == golden(daemon, client) | told(cert) | {
            "SSL_PROTOCOL": f"TLSv{version}", "MTLSD_TLS": version, "SSL_CIPHER": cipher, "MTLSD_CIPHER": cipher, "MTLSD_GROUP": group,
            "MTLSD_ALPN": "greet/1", "SSL_TLS_SNI_SERVERNAME": "localhost", "MTLSD_SNI": "localhost",
            "MTLSD_SANS": "dns:a.example,uri:spiffe://x/y,ip:192.0.2.7,ip:2001:db8::1,email:who@example.org"}


def test_environment_of_nobody(served, ca):
    """A client that shows no certificate and asks for no name: what is not known is not set."""
    daemon, _ = served("exec:/usr/bin/env", verify="optional", groups="P-256")
    tls = context(ca)
    tls.check_hostname = False
    with Client(daemon.address, tls, name=None).handshake() as client:
        cipher = "TLS_AES_128_GCM_SHA256"
        assert environment(lambda: client) == golden(daemon, client) | {
            "SSL_PROTOCOL": "TLSv1.3", "MTLSD_TLS": "1.3", "SSL_CIPHER": cipher, "MTLSD_CIPHER": cipher, "MTLSD_GROUP": "P-256"}


def test_environment_in_clear(served, home):
    """Without TLS; without addresses."""
    keys = {"listen_tls": "no", "cert": None, "key": None, "ca": None}
    daemon, _ = served("exec:/usr/bin/env", **keys)
    with Plain(daemon.address) as client:
        client.sock.shutdown(socket.SHUT_WR)
        assert dict(line.split("=", 1) for line in client.recv_all().decode().splitlines()) == golden(daemon, client)
    place = str(home().path / "sock")
    served("exec:/usr/bin/env", listen=f"unix:{place}", **keys)
    with Plain(place) as client:
        client.sock.shutdown(socket.SHUT_WR)
        have = dict(line.split("=", 1) for line in client.recv_all().decode().splitlines())
        assert have == {"PATH": SAFE_PATH, "PROTO": "UNIX", "MTLSD_SERVICE": "web"}


def test_hostile_certificate(served, pki):
    """Whatever stands in a name is one line of printable ASCII in one variable, and starts no function of a shell."""
    evil = '() { :;}; echo $(id) "quoted"=1\nPATH=tmp\x1b[2J'
    cert = pki.issue("client-of-exec", subject="/O=Example/CN=" + evil)
    _, come = served("exec:/usr/bin/env -0", client=cert)
    client = come()
    client.close_notify()
    have = dict(item.split("=", 1) for item in client.recv_all().decode("ascii").rstrip("\0").split("\0"))
    assert have["PATH"].startswith("/usr/local") and "id" not in have
    assert have["MTLSD_CN"].startswith(r"\x28) { :;}; echo $(id)")
    assert all(0x20 <= ord(c) < 0x7f for value in have.values() for c in value)


def test_nothing_of_the_daemon(served):
    _, come = served("exec:/usr/bin/env", env=ENVIRONMENT | {"SECRET_OF_THE_DAEMON": "1", "LD_DEBUG_OUTPUT": "/tmp"})
    assert not {"SECRET_OF_THE_DAEMON", "LD_DEBUG_OUTPUT", "HOME"} & set(environment(come))


def test_descriptors(served):
    _, come = served("exec:/bin/ls -l /proc/self/fd")
    client = come()
    client.close_notify()
    lines = client.recv_all().decode().splitlines()[1:]
    open_ = {line.split(" -> ")[0].split()[-1]: line.split(" -> ")[1] for line in lines}
    own = open_.pop("3")  # of ls itself
    assert re.match(r"/proc/\d+/fd", own)
    assert sorted(open_) == ["0", "1", "2"]
    assert open_["0"] == open_["1"] and open_["0"].startswith("socket:") and open_["2"].startswith("pipe:")


def test_signals_and_umask(served):
    _, come = served("exec:/bin/grep -E ^(Sig|Umask|NoNewPrivs|Seccomp:|Cap) /proc/self/status")
    client = come()
    client.close_notify()
    have = dict(line.split(":\t") for line in client.recv_all().decode().splitlines())
    assert {have[key] for key in ("SigIgn", "SigBlk", "CapEff", "CapPrm", "CapInh", "CapAmb")} == {"0" * 16}
    assert (have["Umask"], have["NoNewPrivs"], have["Seccomp"]) == ("0022", "0", "0")


@pytest.mark.root
def test_identity_and_groups(served):
    lists = (line.split(":")[3].split(",") for line in Path("/etc/group").read_text().splitlines())
    name = next((member for members in lists for member in members if member not in ("", "root")), "daemon")
    _, come = served("exec:/usr/bin/id", exec_user=name, exec_group=None)
    client = come()
    client.close_notify()
    want = subprocess.run(["id", name], capture_output=True, text=True, check=True).stdout

    def parts(text):
        uid, gid, groups = text.split()
        return uid, gid, set(groups.removeprefix("groups=").split(","))
    assert parts(client.recv_all().decode()) == parts(want)


@pytest.mark.root
def test_setuid_program(served, scratch):
    copy = scratch / "id-setuid"
    shutil.copy("/usr/bin/id", copy)
    copy.chmod(0o4755)
    _, come = served(f"exec:{copy} -u")
    client = come()
    client.close_notify()
    assert client.recv_all() == b"0\n"


@pytest.mark.root
def test_root_must_be_written_and_warns(served, mtlsd):
    daemon = mtlsd(upstream="exec:/bin/cat", wait=False)
    assert daemon.wait_exit() == 96
    assert "exec_user is missing" in daemon.text
    daemon, come = served("exec:/usr/bin/id -u", exec_user="root", exec_group=None)
    assert daemon.wait("program_as_root")["program"] == "exec:/usr/bin/id -u"
    client = come()
    client.close_notify()
    assert client.recv_all() == b"0\n"


@pytest.mark.root
def test_one_runner_for_each_identity(mtlsd, sanitized):
    more = {f"service s{n}": {"listen": "127.0.0.1:0", "listen_tls": "no", "upstream": "exec:/bin/cat", "exec_user": user}
            for n, user in enumerate(["daemon", "daemon", "bin"])}
    daemon = mtlsd(upstream="exec:/bin/cat", exec_user=NOBODY, exec_group=NOBODY, sections=more)
    runners = daemon.processes("runner")
    assert len(runners) == 3
    assert " runner" in daemon.wait("confinement")["processes"]
    for process in runners:
        status = dict(line.split(":\t") for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
                      if line.startswith(("CapPrm", "CapEff", "Uid")))
        assert status["CapPrm"] == status["CapEff"] == "0" * 16
        assert "0" not in status["Uid"].split()
        held = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{process.pid}/fd")
                if not sanitized or fd != "2"]
        assert not [one for one in held if "memfd" in one or "pipe" in one], held


def test_limits_and_directory(served):
    _, come = served(script("pwd; ulimit -n; ulimit -v; ulimit -t; ulimit -u || true"), exec_dir="/usr/share", exec_files=77,
                     exec_memory="512m", exec_cpu="90s")
    client = come()
    client.close_notify()
    assert client.recv_all().split()[:4] == [b"/usr/share", b"77", b"524288", b"90"]


@pytest.mark.root
def test_cpu_limit_holds(served):
    daemon, come = served(script("while :; do :; done"), exec_cpu="1s")
    come()
    # on a busy machine a second of the processor is long
    assert daemon.wait("done", timeout=5 * DEADLINE, signal=re.compile("KILL|XCPU"))["end"] == "upstream_eof"


# --- how they end ---------------------------------------------------------------

@pytest.mark.parametrize("command, field, want", [
    (script("exit 0"), "exit", "0"), (script("exit 42"), "exit", "42"), (script("kill -9 $$"), "signal", "KILL"),
    (script("kill -SEGV $$"), "signal", "SEGV"), ("exec:/bin/true", "exit", "0"), ("exec:/bin/false", "exit", "1")])
def test_exit_status(served, command, field, want):
    daemon, come = served(command)
    client = come()
    assert client.recv_all() == b""
    done = daemon.wait("done")
    assert (done[field], done["end"]) == (want, "upstream_eof")


@pytest.mark.parametrize("command, text", [
    ("exec:/nowhere/to/be/found", "/nowhere/to/be/found: No such file"), ("exec:/etc/passwd", "Permission denied"),
    ("exec:/etc", "Permission denied")])
def test_exec_fails(served, command, text):
    daemon, come = served(command)
    come()
    refused = daemon.wait("refused")
    assert (refused["stage"], refused["reason"]) == ("upstream", "exec_failed")
    assert text in refused["detail"]


def test_exec_dir_fails(served):
    daemon, come = served("exec:/bin/cat", exec_dir="/nowhere")
    come()
    assert "exec_dir /nowhere: No such file" in daemon.wait("refused", reason="exec_failed")["detail"]


def test_the_client_is_told(served, pki, ca):
    daemon, _ = served("exec:/nowhere")
    met = attempt(daemon.address, context(ca, pki.client(), "1.3"))
    assert (met.kind, met.alert) == ("alert", "internal_error")


def test_ends_without_reading(served):
    """What it has written arrives, and its end is an end, whatever it leaves unread."""
    daemon, come = served(script("sleep 0.2; echo early; exit 3"))
    client = come()
    client.send(b"x" * 200000)
    assert client.recv_all() == b"early\n"
    client.close()
    done = daemon.wait("done")
    assert (done["exit"], done["end"]) == ("3", "upstream_eof")


def test_never_reads(served):
    mark = f"7171.{os.getpid()}"
    daemon, come = served(f"exec:/bin/sleep {mark}", exec_kill_timeout="100ms")
    client = come()
    client.send_until_blocked(b"x" * 65536)
    eventually(lambda: with_mark(mark), "it runs")
    client.reset()
    nobody_left(mark)


def test_half_close_from_the_client(served):
    daemon, come = served("exec:/usr/bin/sort")
    client = come()
    client.send(b"c\na\nb\n")
    client.close_notify()
    assert client.recv_all() == b"a\nb\nc\n"
    assert daemon.wait("done")["exit"] == "0"


def test_half_close_from_the_program(served, program):
    """It closes its output alone, and goes on reading."""
    daemon, come = served(program("""
import socket, sys
ours = socket.socket(fileno=0)
ours.sendall(b"bye")
ours.shutdown(socket.SHUT_WR)
count = 0
while part := ours.recv(65536):
    count += len(part)
sys.stderr.write(f"got {count}")""", "/usr/bin/python3"))
    client = come()
    assert client.recv_all() == b"bye"
    client.send(b"x" * 300000)
    client.close_notify()
    assert daemon.wait("program")["text"] == "got 300000"
    assert daemon.wait("done", end="upstream_eof")["exit"] == "0"


def test_closes_and_goes_on(served, program):
    """A program that closes 0 and 1 has ended the session, which does not wait for it."""
    mark = f"7176.{os.getpid()}"
    daemon, come = served(program(f"exec 0<&- 1>&-\nexec /bin/sleep {mark}"), close_timeout="100ms",
                          exec_kill_timeout="100ms")
    client = come()
    assert client.recv_all() == b""
    done = daemon.wait("done", end="upstream_eof")
    assert done["exit"] is None and done["signal"] is None
    nobody_left(mark)


def test_tar(served):
    daemon, come = served("exec:/bin/tar -tf -")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for n in range(50):
            info = tarfile.TarInfo(f"file{n}")
            info.size = 5000
            made.addfile(info, io.BytesIO(b"x" * 5000))
    client = come()
    client.send(out.getvalue())
    client.close_notify()
    assert client.recv_all().decode().split() == [f"file{n}" for n in range(50)]
    assert daemon.wait("done")["exit"] == "0"


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_64_mib_through_cat(served, version):
    daemon, come = served("exec:/bin/cat", version)
    got = hashlib.sha256()
    client = come()
    client.pump(data(SIZE), got.update, SIZE)
    client.close()
    assert got.hexdigest() == digest(data(SIZE))
    done = daemon.wait("done")
    assert (done["in"], done["out"], done["exit"]) == (str(SIZE), str(SIZE), "0")


def test_cgi_like_script(served, program):
    daemon, come = served(program('while read -r line && [ "${line%?}" ]; do :; done\n'
                                  'printf "HTTP/1.0 200 OK\\r\\n\\r\\nhello %s\\n" "$MTLSD_CN"'))
    client = come()
    client.send(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
    got = client.recv_all()
    client.close()
    assert got.startswith(b"HTTP/1.0 200 OK") and daemon.wait("done")["cn"].encode() in got


# --- its 2 ------------------------------------------------------------------------

def test_lines_of_2(served):
    daemon, come = served(script("echo one >&2; echo two >&2; printf three >&2; cat"))
    client = come()
    local = client.local
    client.close()
    for text in ("one", "two", "three"):
        event = daemon.wait("program", text=text)
        assert (event["service"], event["client"]) == ("web", local)
    assert daemon.wait("done")["exit"] == "0"


def test_hostile_lines(served, program):
    """Escaped and cut, as everything in the log is."""
    daemon, come = served(program(r"printf 'a\033[2J\000b\r\n\n' >&2; head -c 5000 /dev/zero | tr '\0' x >&2"))
    come().close()
    daemon.wait("done")
    first, second = daemon.find("program")
    assert first.line.endswith(r'text="a\x1b[2J\x00b\x0d"') and second["text"] == "x" * 400


def test_flood_of_2(served):
    """Neither the log nor the program drowns; the loop goes on, and the count is said."""
    daemon, come = served(script("yes flood | head -c 3000000 >&2; echo done; cat"))
    since = time.monotonic()
    client = come()
    assert client.recv_exactly(5) == b"done\n"
    client.close()
    daemon.wait("done", exit=0)
    lines = [event for event in daemon.find("program") if event["text"] == "flood"]
    assert 0 < len(lines) <= 20 * (2 + time.monotonic() - since)  # RUNNER_LINES a second
    assert sum(int(event["left_out"] or 0) for event in daemon.find("program")) + len(lines) >= 499990


# --- clients that go ----------------------------------------------------------------

STUBBORN = "trap '' TERM HUP\n/bin/sleep {0}\n/bin/sleep {0}"


def test_ignores_term(served, program):
    mark = f"7172.{os.getpid()}"
    daemon, come = served(program(STUBBORN.format(mark)), exec_kill_timeout="100ms", close_timeout="100ms")
    client = come()
    local = client.local
    eventually(lambda: with_mark(mark), "it runs")
    client.reset()
    daemon.wait("program_killed", client=local)
    nobody_left(mark)


@pytest.mark.parametrize("how, idle", [("reset", "1h"), ("close", "15s"), ("fin", "1h")])
def test_clients_that_vanish(served, how, idle):
    """An orderly end of TLS and TCP may be half of one: then it is silence that ends the session."""
    mark = f"7173.{os.getpid()}{len(idle + how)}"
    daemon, come = served(f"exec:/bin/sleep {mark}", exec_kill_timeout="50ms", close_timeout="100ms", workers=20,
                          idle_timeout=idle)
    clients = [come() for _ in range(8)]
    eventually(lambda: len(with_mark(mark)) == 8, "all run")
    for client in clients:
        if how == "close":
            client.close_notify()
            client.sock.close()
        else:
            getattr(client, how)()
            client.sock.close()
    nobody_left(mark)


def test_clients_that_vanish_early(served, pki, ca):
    """Before, within and right after the handshake."""
    mark = f"7174.{os.getpid()}"
    daemon, _ = served(f"exec:/bin/sleep {mark}", exec_kill_timeout="50ms", close_timeout="50ms")
    for _ in range(10):
        connect(daemon.address).close()
        Client(daemon.address, context(ca, pki.client(), "1.3")).hello().reset()
        Client(daemon.address, context(ca, pki.client(), "1.3")).handshake().reset()
    daemon.settled(4)
    nobody_left(mark)


def test_stop_leaves_nobody(served, program):
    mark = f"7175.{os.getpid()}"
    daemon, come = served(program(STUBBORN.format(mark)))
    come()
    eventually(lambda: with_mark(mark), "it runs")
    daemon.signal(signal.SIGINT)
    assert daemon.wait_exit() == 0
    nobody_left(mark)


def test_many_at_once(served):
    daemon, come = served("exec:/bin/cat", workers=200)
    clients = [come() for _ in range(200)]
    for number, client in enumerate(clients):
        client.exchange(b"%d" % number)
    for client in clients:
        client.close()
    daemon.wait("done", count=200, exit=0)


# --- reload, loss, configuration ------------------------------------------------------

def test_reload_with_another_program(served):
    daemon, come = served("exec:/bin/cat")
    old = come().exchange(b"old")
    mark = daemon.mark()
    daemon.home.put("mtlsd.conf", daemon.text_of_config.replace("exec:/bin/cat", "exec:/bin/echo new"))
    daemon.signal(signal.SIGHUP)
    daemon.wait("reloaded", after=mark)
    assert come().recv_all() == b"new\n"
    old.exchange(b"still")
    old.close()


def test_reload_cannot_make_a_runner(mtlsd, upstream):
    daemon = mtlsd(upstream=upstream(), mtlsd={"reload_retry": "1s"})
    daemon.tolerated |= {"reload_failed", "reload_given_up"}
    config = re.sub("upstream = .*", "upstream = exec:/bin/cat" + ("\nexec_user = nobody" if ROOT else ""), daemon.text_of_config)
    daemon.home.put("mtlsd.conf", config)
    daemon.signal(signal.SIGHUP)
    assert "restart" in daemon.wait("reload_failed")["reason"]


def test_runner_killed(served):
    daemon, _ = served("exec:/bin/cat")
    daemon.tolerated.add("runner_lost")
    os.kill(daemon.processes("runner")[0].pid, signal.SIGKILL)
    assert daemon.wait("runner_lost")["signal"] == "KILL"
    assert daemon.wait_exit() == 111


@pytest.mark.parametrize("lines, sentence", [
    ({"protocol": "http"}, "exec: needs protocol = tcp"), ({"upstream_ca": "ca.crt"}, "without an upstream that begins with tls://"),
    ({"upstream": "exec:cat"}, "absolute path"), ({"upstream": 'exec:/bin/cat "x'}, "never closed"),
    ({"upstream": "127.0.0.1:1"}, "exec_dir has no meaning"), ({"exec_memory": "5"}, "allowed are sizes"),
    ({"upstream": "127.0.0.1:1, exec:/bin/cat"}, "stands alone")])
def test_refused_configurations(mtlsd, lines, sentence):
    daemon = mtlsd(wait=False, **({"upstream": "exec:/bin/cat", "exec_dir": "/"} | lines))
    assert daemon.wait_exit() == 96
    assert sentence in daemon.text


@pytest.mark.root
def test_others_need_root(mtlsd):
    daemon = mtlsd(wait=False, user=NOBODY, upstream="exec:/bin/cat", exec_user="daemon")
    assert daemon.wait_exit() == 96
    assert "exec_user = daemon needs a start as root" in daemon.text
