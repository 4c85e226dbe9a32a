"""The command line and the configuration file: every error is said, with file and line, and nothing half-starts."""

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from clients import curl
from daemon import ENVIRONMENT, NOBODY, ROOT, in_session, parse, render, run
from pki import openssl
from waiting import DEADLINE, eventually

RESPOND = 'respond:200 "mTLS connection established"'
OK, CONF, CONFINE, USAGE, SYSTEM = 0, 96, 97, 100, 111


@pytest.fixture
def written(mtlsd, binary, home):
    """written(...): a configuration and its files, with keywords as mtlsd(...) has them, but nothing started. Returns the
    path; written.test(path, ...) runs the program on it."""
    class Written:
        home = None

        def __call__(self, *, text=None, server=None, files=None, **service):
            self.home = mtlsd.furnish(home(), server, None, files)
            service.setdefault("upstream", RESPOND)
            return self.home.put("mtlsd.conf", text or render(mtlsd.sections(**service)))

        @staticmethod
        def test(path, *options):
            return run(binary, *(options or ("-t",)), "-f", path)

        @staticmethod
        def start(path):
            """A start that must not succeed."""
            return run(binary, "-f", path)
    return Written()


def replaced(path, pattern, by):
    text, count = re.subn(pattern, by, path.read_text(), flags=re.M)
    assert count, pattern
    path.write_text(text)


# --- the command line ----------------------------------------------------------------------------------
@pytest.mark.parametrize("args,word", [(["-x"], "unknown option -x"), (["-f"], "-f needs"), (["more"], "arguments"),
                                       (["-t", "-T"], "does not go with"), (["-t", "-d"], "-d")])
def test_usage(binary, args, word):
    done = run(binary, *args)
    assert done.returncode == USAGE
    assert word in done.stderr and "usage: mtlsd" in done.stderr


def test_help_and_version(binary):
    shown = run(binary, "-h")
    assert (shown.returncode, shown.stderr) == (OK, "") and shown.stdout.startswith("usage: mtlsd")
    shown = run(binary, "-V")
    assert (shown.returncode, shown.stderr) == (OK, "")
    for word in ("mtlsd ", "wolfssl", "landlock", "memfd_secret"):
        assert word in shown.stdout


def test_no_file(binary, scratch):
    for option in ("-t", "-T", None):
        done = run(binary, *filter(None, [option]), "-f", scratch / "nowhere.conf")
        assert done.returncode == CONF
        assert "nowhere.conf: cannot be opened: No such file" in done.stderr


# --- what the file says --------------------------------------------------------------------------------
ERRORS = [  # line as written, what is said about it
    ("wrokers = 3", r'unknown key "wrokers".*did you mean "workers"'),
    ("workers = 4x", r'workers "4x"'),
    ("workers = 0", r'workers "0".*1 to 65536'),
    ("workers = 010", r'workers "010"'),
    ("handshake_timeout = 10", r'"10".*needs a unit'),
    ("tls_min = 1.1", r'tls_min "1.1".*1.2'),
    ("ciphers = AES128-SHA", r"no suite is left.*AES128-SHA"),
    ("ciphers = HIGHT", r"HIGHT.*HIGH"),
    ("groups = secp160r1", r"secp160r1"),
    ("verify = maybe", r'verify "maybe".*require'),
    ("verify_depth = 11", r"0 to 10"),
    ("unsafe_plaintext = true", r"yes.*no"),
    ("cert = server.crt", r"stands twice"),
    ("upstream_typo = 1", r"upstream_typo"),
    ("workers = 3 ; fine\nmax_use 3", r":\d+:"),
    ('key = "server.key" tail', r":\d+:"),
]


@pytest.mark.parametrize("line,want", ERRORS, ids=[line.split("\n")[-1] for line, _ in ERRORS])
def test_one_error(written, line, want):
    """With -t and with a start alike: exit 96 and file:line in front."""
    path = written(workers=None)
    count = len(path.read_text().splitlines())
    path.write_text(path.read_text() + line + "\n")
    number = count + len(line.split("\n"))
    for options in (["-t"], ["-T"], []):
        done = written.test(path, *options) if options else written.start(path)
        assert done.returncode == CONF, done.stderr
        found = [text for text in done.stderr.splitlines() if re.search(rf"mtlsd\.conf:{number}: ", text)]
        assert found and re.search(want, found[0]), done.stderr


def test_every_error_at_once(written):
    """Not only the first one, in the order of the file."""
    path = written(workers=None)
    count = len(path.read_text().splitlines())
    lines = ["wrokers = 3", "handshake_timeout = 10", "tls_min = 1.1", "verify = maybe"]
    path.write_text(path.read_text() + "\n".join(lines) + "\n")
    done = written.test(path)
    numbers = [int(number) for number in re.findall(r"mtlsd\.conf:(\d+): ", done.stderr)]
    assert numbers == list(range(count + 1, count + 1 + len(lines))), done.stderr
    assert done.returncode == CONF


@pytest.mark.parametrize("upstream,want", [("https://x", "tls://x:443"), ("127.0.0.1", "port"), ("192.0.2.1:80", "unsafe_plaintext"),
                                           ("respond:99 \"x\"", "99"), ("127.0.0.1:70000", "65535")])
def test_upstream_errors(written, upstream, want):
    done = written.test(written(upstream=upstream))
    assert done.returncode == CONF and want in done.stderr, done.stderr


@pytest.mark.parametrize("missing", ["listen", "cert", "key", "ca", "upstream"])
def test_required_keys(written, missing):
    path = written()
    replaced(path, rf"^{missing} = .*\n", "")
    done = written.test(path)
    assert done.returncode == CONF and missing in done.stderr, done.stderr


def test_include(written):
    path = written()
    text = path.read_text()
    head, _, service = text.partition("[service web]")
    (path.parent / "services").mkdir()
    included = path.parent / "services" / "web.conf"
    included.write_text("[service web]" + service.replace("server.", "../server.").replace("ca.crt", "../ca.crt"))
    path.write_text(head + "include = services/*.conf\n")
    done = written.test(path)
    if done.returncode != OK:  # relative paths start at the main file's directory: say which of both it is
        included.write_text("[service web]" + service)
        done = written.test(path)
    assert done.returncode == OK, done.stderr
    included.write_text(included.read_text() + "wrokers = 1\n")
    assert re.search(r"web\.conf:\d+: unknown key", written.test(path).stderr)


def test_effective_configuration(written):
    """-T prints every default, and reads its own words back to the same."""
    path = written(listen="127.0.0.1:0, [::1]:0", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    first = written.test(path, "-T")
    assert first.returncode == OK
    again = path.parent / "again.conf"
    again.write_text(first.stdout)
    second = written.test(again, "-T")
    assert (second.returncode, second.stdout) == (OK, first.stdout)
    for line in ("max_use = 1000", "handshake_timeout = 10s", "idle_timeout = 1h", "verify = require", "verify_depth = 2",
                 "tls_min = 1.2", "workers = 4", "drain_timeout = 30s", "log_level = info",
                 "ciphers = ECDHE-ECDSA-AES128-GCM-SHA256"):
        assert re.search(rf"^{re.escape(line)}$", first.stdout, re.M), line
    assert "X25519MLKEM768:" in first.stdout


def test_valid(written):
    done = written.test(written())
    assert done.returncode == OK, done.stderr
    assert "is valid" in done.stderr


# --- what the files say --------------------------------------------------------------------------------
def readable_by_all(here, pki):
    (here / "server.key").chmod(0o644)
    return r"server\.key is readable by everybody \(mode 0644\); chmod 600 "


def writable_by_all(here, pki):
    (here / "server.key").chmod(0o602)
    return r"server\.key is writable by others .*chmod 600"


def mismatch(here, pki):
    (here / "server.key").write_text(pki.server("ec256", 2).key_pem)
    return r"server\.key does not belong to the certificate in .*server\.crt"


def encrypted_key(here, pki):
    (here / "server.key").write_text(pki.encrypted_key(pki.server()))
    return r"server\.key is encrypted.*openssl pkey"


def certificate_with_key(here, pki):
    (here / "server.crt").write_text(pki.server().pem + pki.server().key_pem)
    return r"server\.crt.*private key must not be in this file; split it: openssl"


def expired_certificate(here, pki):
    (here / "server.crt").write_text(pki.server_expired().pem)
    (here / "server.key").write_text(pki.server_expired().key_pem)
    return r"server\.crt.*expired"


def no_key(here, pki):
    (here / "server.key").unlink()
    return r"server\.key.*No such file"


def no_certificate(here, pki):
    (here / "server.crt").unlink()
    return r"server\.crt.*No such file"


def empty_ca(here, pki):
    (here / "ca.crt").write_text("")
    return r"ca\.crt"


def small_rsa_key(here, pki):
    cert = pki.issue("server-rsa1024", kind="rsa1024", eku="serverAuth")
    (here / "server.crt").write_text(cert.pem)
    (here / "server.key").write_text(cert.key_pem)
    return r"(server\.key|server\.crt).*(1024|2048)"


def directory_for_key(here, pki):
    (here / "server.key").unlink()
    (here / "server.key").mkdir()
    return r"server\.key.*(regular|directory)"


FILES = {fault.__name__: fault for fault in
         (readable_by_all, writable_by_all, mismatch, encrypted_key, certificate_with_key, expired_certificate, no_key,
          no_certificate, empty_ca, small_rsa_key, directory_for_key)}


@pytest.mark.parametrize("fault", FILES)
def test_files(written, pki, fault):
    """-t and the start say the same, exit 96, and leave nobody behind."""
    path = written()
    want = FILES[fault](path.parent, pki)
    for done in (written.test(path), written.start(path)):
        assert done.returncode == CONF, done.stderr
        assert re.search(want, done.stderr), done.stderr


@pytest.mark.root
def test_fence_needs_a_directory_of_its_own(written, scratch):
    """The master may read whole directories: /tmp and its like are none."""
    path = written()
    stray = Path("/tmp") / f"{scratch.name}.crt"
    stray.write_text((path.parent / "server.crt").read_text())
    try:
        replaced(path, "^cert = .*", f"cert = {stray}")
        done = written.test(path)
        assert done.returncode == CONF
        assert "/tmp" in done.stderr and "directory" in done.stderr, done.stderr
    finally:
        stray.unlink()


# --- who we are ----------------------------------------------------------------------------------------
@pytest.mark.root
def test_missing_user(written):
    path = written()
    replaced(path, "^user = .*", "user = nobody-of-that-name")
    replaced(path, "^group = .*\n", "")
    for done in (written.test(path), written.start(path)):
        assert done.returncode == CONF
        assert "adduser --system --group --no-create-home nobody-of-that-name" in done.stderr


@pytest.mark.root
@pytest.mark.parametrize("user", ["0", "root"])
def test_user_root(written, user):
    path = written()
    replaced(path, "^user = .*", f"user = {user}")
    done = written.test(path)
    assert done.returncode == CONF and "root" in done.stderr


def test_as_an_ordinary_user(mtlsd, pki, ca):
    daemon = mtlsd(user=NOBODY, upstream=RESPOND)
    assert "ordinary user" in daemon.find("confinement")[0]["reason"]
    assert curl(daemon.address, ca, pki.client()).stdout == b"mTLS connection established"


# --- one instance, in the background -------------------------------------------------------------------
def test_pid_file(mtlsd, home):
    """Locked while we run, emptied at the end, never removed."""
    at = home(0 if ROOT else NOBODY)
    pid_file = at.path / "mtlsd.pid"
    first = mtlsd(at=at, upstream=RESPOND, mtlsd={"pid_file": pid_file})
    assert pid_file.read_text() == f"{first.pid}\n"
    second = mtlsd(upstream=RESPOND, mtlsd={"pid_file": pid_file}, wait=False)
    assert second.wait_exit() == SYSTEM
    assert f"runs already as pid {first.pid}" in second.text
    assert pid_file.read_text() == f"{first.pid}\n"
    assert first.stop() == OK
    assert pid_file.read_text() == ""
    third = mtlsd(at=at, upstream=RESPOND, mtlsd={"pid_file": pid_file})
    assert pid_file.read_text() == f"{third.pid}\n"


def test_pid_file_after_kill(mtlsd, home):
    """A file that a dead master left is no obstacle."""
    at = home()
    pid_file = at.path / "mtlsd.pid"
    first = mtlsd(at=at, upstream=RESPOND, mtlsd={"pid_file": pid_file})
    first.signal(signal.SIGKILL)
    first.popen.wait()
    first.wait_gone()
    assert pid_file.read_text() == f"{first.pid}\n"
    second = mtlsd(at=at, upstream=RESPOND, mtlsd={"pid_file": pid_file})
    assert pid_file.read_text() == f"{second.pid}\n"


@pytest.mark.parametrize("good", [True, False])
def test_background(binary, written, pki, ca, good):
    """-d comes back when mtlsd is ready, with 0; when it cannot start, with the reason and its exit code."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = written(listen=f"127.0.0.1:{port}", mtlsd={"log": "mtlsd.log", "pid_file": "mtlsd.pid"})
    for key in ("log", "pid_file"):
        replaced(path, rf"^{key} = ", f"{key} = {path.parent}/")
    if not good:
        (path.parent / "server.key").unlink()
    words = path.parent / "words"
    with words.open("w") as out:  # a file, no pipe: nobody may keep us waiting by holding it
        code = subprocess.run([binary, "-d", "-f", path], stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=20,
                              check=False, env=ENVIRONMENT).returncode
    if not good:
        assert code == CONF and "server.key" in words.read_text()
        return
    assert code == OK, words.read_text()
    master = int((path.parent / "mtlsd.pid").read_text())
    try:
        assert curl(("127.0.0.1", port), ca, pki.client()).stdout == b"mTLS connection established"
        events = [event for event in map(parse, (path.parent / "mtlsd.log").read_text().splitlines()) if event]
        assert "ready" in [event.name for event in events]
        assert {process.session for process in in_session(master)} == {master}, "a session of its own"
    finally:
        os.kill(master, signal.SIGTERM)
        eventually(lambda: not [p for p in in_session(master) if p.state != "Z"], "the end of the daemon")


def test_background_needs_a_log(binary, written):
    done = written.test(written(), "-d")
    assert done.returncode == CONF and "log" in done.stderr


def test_input_and_error_are_one_socket(binary, written):
    """Of whoever started us, not of a client: that is where the log goes, and every other word."""
    def heard(*words):
        ours, theirs = socket.socketpair()
        with theirs:
            daemon = subprocess.Popen([str(binary), *map(str, words)], stdin=theirs, stderr=theirs, env=ENVIRONMENT)
        text = b""
        with ours, daemon:
            ours.settimeout(DEADLINE)
            try:
                while part := ours.recv(4096):
                    text += part
                    if b" ready " in text:
                        daemon.terminate()
            except TimeoutError:
                daemon.kill()
        return daemon.returncode, text
    path = written(mtlsd={"log": "stderr"})
    code, text = heard("-f", path)
    assert (code, text.count(b" ready "), text.count(b" stopped\n")) == (OK, 1, 1), text
    code, text = heard("-t", "-f", path)
    assert code == OK and text.endswith(b"is valid\n"), text
    path.write_text("[mtlsd]\nnonsense = 1\n")
    code, text = heard("-f", path)
    assert code == CONF and b"nonsense" in text, text


@pytest.mark.parametrize("family,host", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_port_in_use(mtlsd, family, host):
    with socket.socket(family) as taken:
        taken.bind((host, 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        daemon = mtlsd(listen=text, upstream=RESPOND, wait=False)
        assert daemon.wait_exit() == SYSTEM
        daemon.tolerated.add("start_failed")
        assert text in daemon.text and "another program listens there" in daemon.text
        daemon.wait_gone()


def test_stale_unix_socket(mtlsd, home, pki, ca):
    """A socket file that a dead master left is replaced; one that somebody listens on is not."""
    at = home(0 if ROOT else NOBODY)
    listen = f"unix:{at.path}/sock"
    first = mtlsd(at=at, listen=listen, upstream=RESPOND)
    other = mtlsd(listen=listen, upstream=RESPOND, wait=False)
    assert other.wait_exit() == SYSTEM
    other.tolerated.add("start_failed")
    first.signal(signal.SIGKILL)
    first.popen.wait()
    first.wait_gone()
    second = mtlsd(at=at, listen=listen, upstream=RESPOND)
    assert curl(second.address, ca, pki.client()).stdout == b"mTLS connection established"


# --- logs ----------------------------------------------------------------------------------------------
def test_json(mtlsd, pki, ca):
    daemon = mtlsd(upstream=RESPOND, mtlsd={"log_format": "json"})
    curl(daemon.address, ca, pki.client())
    done = daemon.wait("done")
    assert (done.level, done["service"], done["cn"], done["end"]) == ("info", "web", pki.client().name, "responded")
    assert all(line.startswith("{") for line in daemon.lines)


def test_log_level(mtlsd, pki, ca):
    daemon = mtlsd(upstream=RESPOND, mtlsd={"log_level": "notice"})
    curl(daemon.address, ca, pki.client())
    curl(daemon.address, ca)
    daemon.signal(signal.SIGUSR1)
    daemon.wait("status")
    assert {event.level for event in daemon.events} <= {"notice", "warn", "error"}
    assert daemon.find("refused") and not daemon.find("done")


def test_certificate_in_der(written, pki):
    """DER is read as well as PEM."""
    path = written()
    (path.parent / "server.crt").write_bytes(pki.server().der)
    (path.parent / "ca.crt").write_bytes(openssl("x509", "-in", pki.root().crt, "-outform", "DER"))
    done = written.test(path)
    assert done.returncode == OK, done.stderr
