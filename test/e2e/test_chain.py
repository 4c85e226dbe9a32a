"""Two of ours in a row, in front of what people put there: ssh -> originate -> TLS -> terminate -> sshd, psql likewise to
PostgreSQL. Both servers are the test's own: keys, cluster and configuration in a directory of the run, on loopback ports."""

import hashlib
import os
import pwd
import random
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from clients import Plain, attempt, context
from daemon import ENVIRONMENT, NOBODY
from peers import free_ports
from waiting import DEADLINE, eventually

pytestmark = pytest.mark.root

MIB = 1 << 20
ROWS = 100_000
ENV = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "ASAN_OPTIONS": ENVIRONMENT["ASAN_OPTIONS"]}


def need(name, *places):
    """Where a program is. Debian's sbin need not be in the PATH."""
    found = next((str(place) for place in places if os.access(place, os.X_OK)), None) or shutil.which(name)
    if not found:
        pytest.fail(f"{name} is not installed: etc/deps build test")
    return found


def run(*command, **kw):
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False,
                          **{"timeout": DEADLINE, "env": ENV, "stdin": None if "input" in kw else subprocess.DEVNULL} | kw)
    done.words = done.stderr.decode(errors="replace")
    return done


def succeed(*command, **kw):
    done = run(*command, **kw)
    assert done.returncode == 0, f"{command[0]}: exit code {done.returncode}\n{done.words}"
    return done


class Server:
    """A server in the foreground: command(port) starts it, up(port) tells whether it serves. Another program may take the
    port before it is bound: then others are tried."""

    def __init__(self, path, command, up, quit_by, user=0):
        self.path, self.quit_by, self.words = path, quit_by, path / f"{Path(command(0)[0]).name}.log"
        ids = {"user": user, "group": user, "extra_groups": []} if user else {}
        for left in (2, 1, 0):
            self.port, = free_ports(1)
            with open(self.words, "wb") as words:
                self.popen = subprocess.Popen([str(word) for word in command(self.port)], stdin=subprocess.DEVNULL,
                                              stdout=words, stderr=words, cwd=path, env=ENV, start_new_session=True, **ids)
            try:
                eventually(lambda: self.popen.poll() is not None or up(self, self.port), lambda: self.log)
            except AssertionError:
                self.stop()
                raise
            if self.popen.poll() is None:
                return
            assert left, f"{command(self.port)[0]} does not start:\n{self.log}"

    def __str__(self):
        return f"127.0.0.1:{self.port}"

    @property
    def log(self):
        return self.words.read_text(errors="replace")

    def came(self, line):
        """How many connections it has told of."""
        return len(re.findall(line, self.log))

    def stop(self):
        if self.popen.poll() is None:
            self.popen.send_signal(self.quit_by)
        try:
            self.popen.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait(DEADLINE)


@pytest.fixture
def place(scratch):
    path = Path(tempfile.mkdtemp(dir=scratch))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def chain(joined, mtlsd):
    """chain(server, our=...): the two daemons, near and far; plain connections to near end at the server."""
    def make(server, version="1.3"):
        far = mtlsd(upstream=server, tls_min=version, tls_max=version)
        near, _ = joined(f"tls://127.0.0.1:{far.address[1]}")
        return near, far
    return make


def refused_by(far, mark, **fields):
    """It said no, and passed nobody on."""
    far.wait("refused", after=mark, **fields)
    assert not far.find("done", after=mark), far.text


def strangers(far, ca, version):
    """Clients of the far daemon without a certificate, over TLS and without: not one byte of the server."""
    mark = far.mark()
    met = attempt(far.address, context(ca, None, version))
    assert (met.kind, met.data) == ("alert", b""), met
    assert met.alert == {"1.2": "handshake_failure", "1.3": "certificate_required"}[version], met
    refused_by(far, mark, client=met.local, reason="no_certificate")
    mark, heard = far.mark(), b""
    with Plain(far.address) as client:
        try:
            client.send(b"SSH-2.0-stranger\r\n")
            while part := client.recv():
                heard += part
        except (ConnectionResetError, BrokenPipeError):
            pass
        refused_by(far, mark, client=client.local)
    assert heard[:1] in (b"", b"\x15") and len(heard) <= 7, heard  # at most a TLS alert


# --- ssh -----------------------------------------------------------------------------------------------
SSHD = """\
ListenAddress 127.0.0.1
HostKey {path}/host.key
AuthorizedKeysFile {path}/authorized_keys
PidFile {path}/pid
UsePAM {pam}
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
PrintMotd no
LogLevel VERBOSE
"""
CONNECTION = r"(?m)^Connection from "


@pytest.fixture
def sshd(place):
    program, keygen = need("sshd", "/usr/sbin/sshd"), need("ssh-keygen")
    need("ssh")
    # without PAM sshd lets nobody into a locked account
    locked = re.search(r"(?m)^root:!", Path("/etc/shadow").read_text())
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for name in ("host.key", "user.key"):
        succeed(keygen, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", place / name)
    (place / "authorized_keys").write_text((place / "user.key.pub").read_text())
    (place / "known_hosts").write_text("far.example " + (place / "host.key.pub").read_text())
    (place / "sshd_config").write_text(SSHD.format(path=place, pam="yes" if locked else "no"))
    server = Server(place, lambda port: [program, "-D", "-e", "-f", place / "sshd_config", "-p", port],
                    lambda server, port: f"Server listening on 127.0.0.1 port {port}." in server.log, signal.SIGTERM)
    yield server
    server.stop()


def ssh(server, port, command, text=b""):
    """As root at this port of 127.0.0.1; only the test's host key is good."""
    options = {"BatchMode": "yes", "IdentitiesOnly": "yes", "IdentityFile": server.path / "user.key", "IdentityAgent": "none",
               "UserKnownHostsFile": server.path / "known_hosts", "GlobalKnownHostsFile": "/dev/null",
               "StrictHostKeyChecking": "yes", "HostKeyAlias": "far.example", "ConnectTimeout": 10}
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    return run("ssh", "-F", "none", *words, "-T", "-p", port, "root@127.0.0.1", command, input=text)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_ssh(sshd, chain, joined, pki, ca, version):
    """1 MiB there and back, and the shell's word before it; without a certificate there is not even a banner."""
    near, far = chain(sshd, version)
    block = random.Random(11).randbytes(MIB)
    done = ssh(sshd, near.address[1], "echo through; cat", block)
    assert done.returncode == 0, f"{done.words}\n{sshd.log}"
    assert done.stdout[:8] == b"through\n" and done.stdout[8:] == block, f"{len(done.stdout)} bytes\n{done.words}"
    there, here = far.wait("done"), near.wait("done")
    assert (there["tls"], there["sha256"]) == (version, pki.client().sha256)
    assert (here["tls"], here["upstream_tls"]) == ("no", version)
    for line in (there, here):
        assert int(line["in"]) > MIB and int(line["out"]) > MIB, line.line
    assert sshd.came(CONNECTION) == 1, sshd.log

    strangers(far, ca, version)
    mark = far.mark()
    bare, _ = joined(f"tls://127.0.0.1:{far.address[1]}", our=None)
    done = ssh(sshd, bare.address[1], "echo through")
    assert (done.returncode, done.stdout) == (255, b""), done.words
    assert bare.wait("refused")["reason"] == "upstream_refused_our_certificate"
    refused_by(far, mark)

    done = ssh(sshd, near.address[1], "echo again; exit 7")  # the next that sshd hears of
    assert (done.returncode, done.stdout) == (7, b"again\n"), done.words
    assert sshd.came(CONNECTION) == 2, sshd.log


# --- PostgreSQL ----------------------------------------------------------------------------------------
RECEIVED = r"connection received: host=127\.0\.0\.1"
QUERY = f"select i, md5(i::text), repeat(chr(97 + i % 26), i % 40) from generate_series(1, {ROWS}) i order by i"


def expected():
    """What the query gives in psql's unaligned form."""
    return b"".join(b"%d|%s|%s\n" % (i, hashlib.md5(b"%d" % i).hexdigest().encode(), bytes([97 + i % 26]) * (i % 40))
                    for i in range(1, ROWS + 1))


def by_version(path):
    return [int(number) for number in re.findall(r"\d+", str(path))]


@pytest.fixture
def postgres(place):
    """A cluster made here, of the user postgres or nobody: it does not run as root."""
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=by_version, reverse=True)
    where = {name: need(name, *[home / name for home in homes]) for name in ("initdb", "postgres", "psql", "pg_isready")}
    try:
        user = pwd.getpwnam("postgres").pw_uid
    except KeyError:
        user = NOBODY
    os.chown(place, user, user)
    succeed(where["initdb"], "-D", place / "data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync",
            cwd=place, user=user, group=user, extra_groups=[])
    settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": place, "fsync": "off", "max_connections": 10,
                "shared_buffers": "16MB", "log_connections": "on"}
    words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    server = Server(place, lambda port: [where["postgres"], "-D", place / "data", "-p", port, *words],
                    lambda _, port: run(where["pg_isready"], "-q", "-h", place, "-p", port).returncode == 0,
                    signal.SIGINT, user)
    server.psql = where["psql"]
    yield server
    server.stop()


def psql(server, port, query):
    to = f"host=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=disable gssencmode=disable connect_timeout=10"
    return run(server.psql, "-X", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", to, "-c", query,
               env=ENV | {"PGPASSFILE": "/dev/null"}, cwd=server.path)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_postgresql(postgres, chain, joined, pki, ca, version):
    """100,000 rows; without a certificate PostgreSQL does not hear of the client."""
    near, far = chain(postgres, version)
    done = psql(postgres, near.address[1], QUERY)
    assert done.returncode == 0, f"{done.words}\n{postgres.log}"
    want = expected()
    assert done.stdout.count(b"\n") == ROWS, done.words
    assert hashlib.sha256(done.stdout).hexdigest() == hashlib.sha256(want).hexdigest()
    there, here = far.wait("done"), near.wait("done")
    assert (there["tls"], there["sha256"]) == (version, pki.client().sha256)
    assert (here["tls"], here["upstream_tls"]) == ("no", version)
    assert (there["in"], there["out"]) == (here["in"], here["out"])
    assert int(here["out"]) > len(want), here.line
    assert postgres.came(RECEIVED) == 1, postgres.log

    strangers(far, ca, version)
    mark = far.mark()
    bare, _ = joined(f"tls://127.0.0.1:{far.address[1]}", our=None)
    done = psql(postgres, bare.address[1], "select 1")
    assert (done.returncode, done.stdout) == (2, b""), done.words
    assert bare.wait("refused")["reason"] == "upstream_refused_our_certificate"
    refused_by(far, mark)

    done = psql(postgres, near.address[1], "select 6 * 7")  # the next that PostgreSQL hears of
    assert (done.returncode, done.stdout) == (0, b"42\n"), done.words
    assert postgres.came(RECEIVED) == 2, postgres.log
