"""mtlsd -c: what stands between two pipes: ssh's ProxyCommand and with it git and rsync, tar into a pipe, exit codes"""

import hashlib
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from daemon import ENVIRONMENT, NOBODY, ROOT, render
from test_chain import ENV, run, sshd, succeed  # noqa: F401  # pylint: disable=unused-import
from upstream import discard, reply_at_eof
from waiting import DEADLINE, eventually

MIB = 1 << 20


class Line:
    """mtlsd -c to one far end: .command is its words."""

    def __init__(self, binary, at, pki, port, **service):
        self.path = at.path
        own = pki.client()
        at.put("own.crt", own.chain_pem)
        at.put("own.key", own.key_pem)
        at.put("ca.crt", pki.root().pem)
        keys = {"listen_tls": "no", "upstream": f"tls://127.0.0.1:{port}", "upstream_name": "localhost",
                "upstream_ca": "ca.crt", "upstream_cert": "own.crt", "upstream_key": "own.key"} | service
        top = {"user": NOBODY, "group": NOBODY} if ROOT else {}
        config = at.put("mtlsd.conf", render({"mtlsd": top, "service far": keys}))
        self.command = [str(binary), "-c", "-s", "far", "-f", str(config)]

    def run(self, text=b""):
        return run(*self.command, input=text, env=ENVIRONMENT)


@pytest.fixture
def line(binary, home, pki):
    """line(port, **service): a Line."""
    return lambda port, **service: Line(binary, home(), pki, port, **service)


@pytest.fixture
def place(scratch):
    path = Path(tempfile.mkdtemp(dir=scratch))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def proxied(server, near):
    """The words of an ssh to root at sshd that goes through near."""
    options = {"BatchMode": "yes", "IdentitiesOnly": "yes", "IdentityFile": server.path / "user.key", "IdentityAgent": "none",
               "UserKnownHostsFile": server.path / "known_hosts", "GlobalKnownHostsFile": "/dev/null",
               "StrictHostKeyChecking": "yes", "HostKeyAlias": "far.example", "ConnectTimeout": 15,
               "ProxyCommand": shlex.join(near.command)}
    return ["ssh", "-F", "none", *[word for key, value in options.items() for word in ("-o", f"{key}={value}")]]


@pytest.mark.root
def test_ssh_git_rsync(sshd, line, mtlsd, place):  # noqa: F811
    """A shell's word and exit code, a clone, and 64 MiB, all through one configuration; nothing is said on the way."""
    far = mtlsd(upstream=sshd, idle_timeout="60s")
    near = line(far.address[1])
    ssh = proxied(sshd, near)
    done = run(*ssh, "root@far.example", "cat; exit 7", input=b"through")
    assert (done.returncode, done.stdout, done.words) == (7, b"through", ""), sshd.log

    work, clone, env = place / "work", place / "clone", ENV | {"GIT_SSH_COMMAND": shlex.join(ssh), "HOME": str(place)}
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    succeed(*git, "init", "-q", work)
    (work / "file").write_bytes(random.Random(1).randbytes(MIB))
    succeed(*git, "-C", work, "add", "file")
    succeed(*git, "-C", work, "commit", "-q", "-m", "one")
    succeed(*git, "-c", "safe.directory=*", "clone", "-q", f"ssh://root@far.example{work}", clone, env=env)
    assert (clone / "file").read_bytes() == (work / "file").read_bytes()

    big, copy = place / "big", place / "copy"
    big.write_bytes(random.Random(2).randbytes(64 * MIB))
    done = subprocess.run(["rsync", "-e", shlex.join(ssh), str(big), f"root@far.example:{copy}"], env=env, timeout=120,
                          capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr
    assert hashlib.sha256(copy.read_bytes()).digest() == hashlib.sha256(big.read_bytes()).digest()
    assert far.wait("done", count=3)["end"] in ("client_eof", "upstream_eof", "client_reset")


def test_tar_into_a_pipe(line, mtlsd, upstream, place):
    """The end of input is passed on, and the answer that comes after it is heard."""
    up = upstream(reply_at_eof(b"got it"))
    near = line(mtlsd(upstream=up).address[1])
    for number in range(20):
        (place / f"{number}").write_bytes(random.Random(number).randbytes(300_000))
    done = subprocess.run(f"tar -C {place} -cf - . | {shlex.join(near.command)}", shell=True, capture_output=True,
                          timeout=DEADLINE, check=False, env=ENVIRONMENT)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"got it", b"")
    assert up.bytes > 20 * 300_000


@pytest.mark.parametrize("kind", ["pipe", "file", "socket"])
def test_kinds_of_input_and_output(line, mtlsd, upstream, place, kind):
    """What comes back is what went, whatever 0 and 1 are; and their flags are as they were."""
    near = line(mtlsd(upstream=upstream()).address[1])
    block = random.Random(3).randbytes(3 * MIB)
    (place / "in").write_bytes(block)
    if kind == "file":
        with open(place / "in", "rb") as source, open(place / "out", "wb") as sink:
            assert subprocess.run(near.command, stdin=source, stdout=sink, timeout=DEADLINE, check=False,
                                  env=ENVIRONMENT).returncode == 0
            assert os.get_blocking(source.fileno()) and os.get_blocking(sink.fileno())
        assert (place / "out").read_bytes() == block
    elif kind == "pipe":
        done = near.run(block)
        assert (done.returncode, done.stdout) == (0, block), done.words
    else:
        ours, theirs = socket.socketpair()
        with ours, subprocess.Popen(near.command, stdin=theirs, stdout=theirs, env=ENVIRONMENT) as daemon:
            theirs.close()
            ours.sendall(block[:1000])
            ours.shutdown(socket.SHUT_WR)
            heard = b""
            while part := ours.recv(65536):
                heard += part
            assert heard == block[:1000] and daemon.wait(DEADLINE) == 0


def test_a_pipe_stays_blocking(line, mtlsd, upstream):
    """O_NONBLOCK would be for everybody who has the pipe open."""
    near = line(mtlsd(upstream=upstream()).address[1])
    take, give = os.pipe()
    with subprocess.Popen(near.command, stdin=take, stdout=subprocess.PIPE, env=ENVIRONMENT) as daemon:
        os.write(give, b"here")
        assert daemon.stdout.read(4) == b"here"
        assert os.get_blocking(take)
        os.close(give)
        assert daemon.stdout.read() == b"" and daemon.wait(DEADLINE) == 0
    os.close(take)


def test_nobody_reads_any_more(line, mtlsd, upstream):
    """A closed standard output ends it, as SIGPIPE would: 111, and no word."""
    near = line(mtlsd(upstream=upstream()).address[1])
    with subprocess.Popen(near.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=ENVIRONMENT) as daemon:
        daemon.stdin.write(b"here")
        daemon.stdin.flush()
        assert daemon.stdout.read(4) == b"here"
        daemon.stdout.close()
        assert daemon.wait(DEADLINE) == 111
        assert daemon.stderr.read() == b""


def test_exit_codes(line, mtlsd, upstream):
    """0; 96 configuration; 98 TLS; 100 usage; 111 no upstream, or told to stop. What failed is one line on standard
    error."""
    far = mtlsd(upstream=upstream(reply_at_eof(b"bye")))
    port = far.address[1]
    assert (done := line(port).run(b"x")).returncode == 0 and done.stdout == b"bye" and done.words == ""
    for code, word, near in (
            (98, "reason=bad_name", line(port, upstream_name="other.example")),
            (98, "reason=upstream_refused_our_certificate", line(port, upstream_cert=None, upstream_key=None)),
            (111, "reason=upstream_refused", line(1)),
            (96, "listen_tls", line(port, listen_tls="yes", cert="own.crt", key="own.key", ca="ca.crt")),
            (96, "nonsense", line(port, nonsense="1"))):
        done = near.run(b"x")
        assert (done.returncode, done.stdout) == (code, b"") and word in done.words, done.words
    near = line(port)
    assert run(*near.command[:2], env=ENVIRONMENT).returncode == 100
    done = run(*near.command[:3], "none", *near.command[4:], env=ENVIRONMENT)
    assert done.returncode == 96 and "there is no [service none]" in done.words


def test_no_word_on_the_socket(line):
    """Where 2 is the same socket as 0, it is the client's."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            daemon = subprocess.Popen(line(1, nonsense="1").command, stdin=theirs, stdout=theirs, stderr=theirs, env=ENVIRONMENT)
        with daemon:
            assert ours.recv(4096) == b""
    assert daemon.returncode == 96


def test_sigterm_ends_it(line, mtlsd, upstream):
    up = upstream(discard)
    near = line(mtlsd(upstream=up).address[1])
    with subprocess.Popen(near.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as daemon:
        daemon.stdin.write(b"here")
        daemon.stdin.flush()
        eventually(lambda: up.bytes == 4, "the upstream hears it")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(DEADLINE) == 111
