"""conftest.py - what every test is given: the binary, certificates, daemons and upstreams that are cleaned up"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from clients import Client, Plain, context
from daemon import NOBODY, ROOT, Daemon, Home, render
from peers import Peer, program
from pki import Pki
from tlsupstream import TlsUpstream
from upstream import Upstream, echo

HERE = Path(__file__).resolve().parent


def pytest_configure(config):
    config.addinivalue_line("markers", "root: needs root: looks into other processes, changes ids")
    config.addinivalue_line("markers", "slow: takes more than ten seconds")
    config.addinivalue_line("filterwarnings", "error::pytest.PytestUnhandledThreadExceptionWarning")


def pytest_collection_modifyitems(items):
    for item in items:
        if not ROOT and item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root"))
    items[:] = spread(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def spread(items, processes):
    """The long ones first, and as many for each process, so that all end together: pytest-xdist begins by handing each a
    quarter of its share, in the order of the list."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    rest = [item for item in items if not item.get_closest_marker("slow")]
    share, out = max(len(items) // processes // 4, 2), []
    for number in range(processes):
        mine = slow[number::processes]
        room = max(share - len(mine), 0)
        out += mine + rest[:room]
        del rest[:room]
    return out + rest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the whole log of each of its daemons."""
    report = (yield).get_result()
    if report.failed:
        item.has_failed = True
        for number, daemon in enumerate(getattr(item, "daemons", []), 1):
            lines = daemon.text.splitlines()
            if len(lines) > 300:
                lines[150:-150] = [f"... {len(lines) - 300} lines ..."]
            report.sections.append((f"configuration of mtlsd {number}", daemon.text_of_config))
            report.sections.append((f"log of mtlsd {number}", "\n".join(lines)))


@pytest.fixture(scope="session")
def scratch():
    """A directory that every uid may pass through but nobody else may list."""
    path = Path(tempfile.mkdtemp(prefix="mtlsd-e2e-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def binary(scratch):
    """A copy of the program where an ordinary user can reach it, wherever the tree lies."""
    named = os.environ.get("MTLSD")
    source = Path(named).resolve() if named else HERE.parents[1] / "build" / "mtlsd"
    if not source.exists():
        pytest.exit(f"{source} is missing: run make first", returncode=2)
    copy = scratch / "mtlsd"
    shutil.copy(source, copy)
    copy.chmod(0o755)
    return copy


@pytest.fixture(scope="session")
def sanitized(binary):
    """Is it built with AddressSanitizer? Its shadow makes every measure of memory meaningless, and its reports need
    standard error in every process."""
    return b"__asan_init" in binary.read_bytes()


@pytest.fixture(scope="session")
def pki(scratch):
    return Pki(scratch / "pki")


@pytest.fixture
def home(scratch):
    """Makes directories for daemons: home(), home(owner=65534)."""
    def make(owner=0):
        path = Path(tempfile.mkdtemp(dir=scratch))
        path.chmod(0o755)
        if ROOT and owner:
            os.chown(path, owner, owner)
        return Home(path, owner)
    return make


@pytest.fixture
def upstream(scratch):
    """Makes upstreams: upstream(handler, where), closed at the end. where="unix": a socket of its own."""
    made = []

    def make(handler=echo, where="127.0.0.1"):
        if where == "unix":
            place = Path(tempfile.mkdtemp(dir=scratch))
            place.chmod(0o711)
            where = str(place / "up")
        made.append(Upstream(handler, where))
        return made[-1]
    yield make
    end(made)


@pytest.fixture
def tls_upstream():
    """Makes upstreams that speak TLS: tls_upstream(context, handler), closed at the end."""
    made = []

    def make(tls, handler=echo, where="127.0.0.1"):
        made.append(TlsUpstream(tls, handler, where))
        return made[-1]
    yield make
    end(made)


def end(upstreams):
    for server in upstreams:
        server.close()
    for server in upstreams:
        server.assert_clean()


@pytest.fixture
def peer(scratch):
    """Starts nginx, HAProxy or stunnel: peer("nginx", write, ports=1); killed at the end."""
    made = []

    def make(name, write, ports=1):
        if not program(name):
            pytest.fail(f"{name} is not installed: etc/deps build test")
        made.append(Peer(name, write, ports, scratch))
        return made[-1]
    yield make
    for one in made:
        one.stop()


class Starter:
    """mtlsd(upstream=..., ...) starts one and waits until it is ready.

    Keywords are keys of [service web]; defaults: a port of 127.0.0.1 that the kernel chooses, four workers, an EC
    server certificate, the test CA. mtlsd={...} are keys of [mtlsd]. Further arguments:
    server   a pki.Cert instead of the EC one;  anchors  a list of pki.Cert instead of the root
    user     start as this uid;  sections  more sections;  text  the whole configuration
    files    {name: content} put beside the configuration;  wait=False  do not wait until it is ready
    binary   what is run in place of mtlsd;  fds  descriptors that it inherits
    """

    def __init__(self, request, binary, pki, home):
        self.request, self.binary, self.pki, self.home = request, binary, pki, home
        self.daemons = request.node.daemons = []

    def sections(self, user=None, sections=None, mtlsd=None, **service):
        top = {"user": NOBODY, "group": NOBODY} if ROOT and user is None else {}
        web = {"listen": "127.0.0.1:0", "cert": "server.crt", "key": "server.key", "ca": "ca.crt", "workers": 4}
        return {"mtlsd": top | {"log": "stderr"} | (mtlsd or {}), "service web": web | service, **(sections or {})}

    def furnish(self, home, server=None, anchors=None, files=None):
        server = server or self.pki.server()
        home.put("server.crt", server.chain_pem)
        home.put("server.key", server.key_pem)
        home.put("ca.crt", "".join(cert.pem for cert in anchors or [self.pki.root()]))
        for name, text in (files or {}).items():
            home.put(name, text)
        return home

    def __call__(self, *, server=None, anchors=None, user=None, sections=None, mtlsd=None, text=None, files=None,
                 wait=True, args=(), prepare=None, env=None, at=None, binary=None, fds=(), **service):
        home = self.furnish(at or self.home(user or 0), server, anchors, files)
        config = text or render(self.sections(user, sections, mtlsd, **service))
        daemon = Daemon(binary or self.binary, home, config, user=user, args=args, prepare=prepare, env=env, fds=fds)
        self.daemons.append(daemon)
        daemon.start()
        return daemon.ready() if wait else daemon


@pytest.fixture
def mtlsd(request, binary, pki, home):
    """A Starter. Every daemon that a test leaves running must stop at SIGTERM with exit code 0 and leave nothing
    behind; no log may hold an error that the test does not name in daemon.tolerated. After a failure they are killed: a
    session that the test has left open would be drained for long."""
    starter = Starter(request, binary, pki, home)
    yield starter
    try:
        for daemon in [] if getattr(request.node, "has_failed", False) else starter.daemons:
            if daemon.popen.poll() is None:
                code = daemon.stop()
                assert code == 0, f"exit code {code} after SIGTERM\n{daemon.text}"
            daemon.assert_clean()
    finally:
        for daemon in starter.daemons:
            daemon.kill()


@pytest.fixture
def ca(pki):
    """The file that clients check the server against."""
    return pki.root().crt


@pytest.fixture
def joined(mtlsd, pki, ca):
    """joined(upstream, side, our=..., **service): the daemon, and connect() for clients of it. upstream: a server or a text;
    our: our certificate towards it, None for none."""
    def make(up, side="originate", our="client", version="1.3", **service):
        our = pki.client() if our == "client" else our
        where = up if isinstance(up, str) else f"tls://localhost:{up.port}"
        defaults = {"upstream": where, "upstream_ca": "up-ca.crt"}
        files = {"up-ca.crt": pki.root().pem}
        if our:
            defaults |= {"upstream_cert": "up.crt", "upstream_key": "up.key"}
            files |= {"up.crt": our.chain_pem, "up.key": our.key_pem}
        service = defaults | service
        if side == "originate":
            service |= {"listen_tls": "no", "cert": None, "key": None, "ca": None}
        daemon = mtlsd(files=files, **service)

        def come():
            if side == "originate":
                return Plain(daemon.address)
            return Client(daemon.address, context(ca, pki.client(), version)).handshake()
        return daemon, come
    return make
