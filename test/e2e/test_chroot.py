"""A file system that cannot be written, an empty jail, and the whole program in a chroot of its own."""

import os
import re
import shutil
from pathlib import Path

import pytest

from clients import Client, context
from daemon import NOBODY, Daemon, Home, render
from mounts import image
from procfs import standard
from waiting import eventually

JAILED = ("keeper", "worker")
HERE = Path(__file__).resolve().parent


def serial_of(client):
    return client.tls.getpeercert()["serialNumber"].lstrip("0")


@pytest.fixture
def lives(pki, ca):
    """lives(daemon, at): it serves, and a reload from the files at `at` has it serve another certificate."""
    def check(daemon, at):
        for number in (1, 2):
            mark = daemon.mark()
            if number == 2:
                at.put("server.crt", pki.server(number=2).chain_pem)
                at.put("server.key", pki.server(number=2).key_pem)
                daemon.signal(1)
                daemon.wait("reloaded", after=mark)
            with Client(daemon.address, context(ca, pki.client())) as client:
                client.handshake().exchange(b"hello")
                assert serial_of(client) == pki.server(number=number).serial
                client.close()
    return check


def roots(daemon):
    return {os.readlink(f"/proc/{process.pid}/root") for role in JAILED for process in daemon.processes(role)}


@pytest.mark.root
def test_read_only_root(mtlsd, upstream, home, lives):
    """Nothing can be written but what is a tmpfs on every such machine."""
    at = home()
    daemon = mtlsd(at=at, upstream=upstream(), prepare=image(writable=["/run"]), mtlsd={"watch": "no"})
    assert all(re.fullmatch(r"/mtlsd\.\w+ \(deleted\)|/run/mtlsd\.\w+ \(deleted\)", root) for root in roots(daemon))
    lives(daemon, at)


@pytest.mark.root
def test_nothing_can_be_written(mtlsd, upstream, home, lives):
    """Not even /run: the directory that is empty by its name."""
    at = home()
    daemon = mtlsd(at=at, upstream=upstream(), prepare=image("/var/empty"), mtlsd={"watch": "no"})
    assert daemon.find("confinement")[0]["jail"] == "auto"
    for role in JAILED:
        for process in daemon.processes(role):
            assert os.listdir(f"/proc/{process.pid}/root/") == [], role
    lives(daemon, at)


@pytest.mark.root
def test_no_place_for_a_jail(mtlsd, upstream):
    daemon = mtlsd(upstream=upstream(), prepare=image(), wait=False)
    assert daemon.wait_exit() == 97
    assert "chroot = DIRECTORY" in daemon.text


@pytest.mark.root
def test_fixed_directory(mtlsd, upstream, home, lives):
    at = home()
    daemon = mtlsd(at=at, upstream=upstream(), prepare=image("/srv/jail"), mtlsd={"chroot": "/srv/jail", "watch": "no"})
    assert daemon.find("confinement")[0]["jail"] == "/srv/jail"
    lives(daemon, at)


@pytest.mark.root
def test_a_jail_that_holds_something(mtlsd, upstream):
    def prepare():
        image("/srv/jail", writable=["/srv/jail"])()
        Path("/srv/jail/passwd").touch()

    daemon = mtlsd(upstream=upstream(), prepare=prepare, mtlsd={"chroot": "/srv/jail"}, wait=False)
    assert daemon.wait_exit() == 96
    assert "/srv/jail is not empty: it holds passwd" in daemon.text


# --- the whole program in a chroot ---------------------------------------------------------------------


@pytest.fixture(scope="session")
def static_binary():
    named = os.environ.get("MTLSD_STATIC")
    path = Path(named).resolve() if named else HERE.parents[1] / "build-static" / "mtlsd"
    assert path.exists(), f"{path} is missing: run make static"
    return path


@pytest.fixture
def full(mtlsd, scratch, static_binary, tmp_path_factory):
    """full(upstream, ...): a chroot as mtlsd(8) has it: the daemon in it, the home of its files, its root."""
    def make(up, **top):
        root = Path(tmp_path_factory.mktemp("root", numbered=True))
        for name in ("etc/mtlsd", "run"):
            (root / name).mkdir(parents=True)
        for path in (root, root / "etc", root / "etc/mtlsd", root / "run"):
            path.chmod(0o755)
        shutil.copy(static_binary, root / "mtlsd")
        (root / "etc/passwd").write_text(f"mtlsd:x:{NOBODY}:{NOBODY}::/:/\n")
        at = mtlsd.furnish(Home(root / "etc/mtlsd"))
        keys = mtlsd.sections(upstream=up, mtlsd={"user": "mtlsd", "group": None, "watch": "no", **top})

        def enter():
            os.chroot(root)
            os.chdir("/")

        daemon = Daemon("/mtlsd", at, render(keys), prepare=enter)
        daemon.config = "/etc/mtlsd/mtlsd.conf"
        mtlsd.daemons.append(daemon)
        return daemon.start(), at, root
    return make


@pytest.mark.root
def test_full_chroot(full, upstream, lives):
    """One static file, its configuration and keys, a list of users, an empty /run: no /proc, no /dev, no library."""
    daemon, at, root = full(upstream())
    daemon.ready()
    line, = daemon.find("confinement")
    assert (line["jail"], line["user"], line["fence"]) == ("auto", str(NOBODY), "landlock")
    assert daemon.find("no_proc")
    lives(daemon, at)
    for role in JAILED:
        for process in daemon.processes(role):
            assert os.listdir(f"/proc/{process.pid}/root/") == [], role
            assert standard(process.pid) == ["memfd"] * 3, role
    assert sorted(path.name for path in root.iterdir()) == ["etc", "mtlsd", "run"]
    assert not list((root / "run").iterdir())


@pytest.mark.root
def test_full_chroot_with_files_of_its_own(full, upstream, lives):
    """A log and a pid file inside."""
    daemon, _, root = full(upstream(), pid_file="/run/mtlsd.pid", log="/run/mtlsd.log")
    log = root / "run/mtlsd.log"
    eventually(lambda: log.exists() and " ready " in log.read_text(), lambda: f"not ready: {daemon.text}")
    assert int((root / "run/mtlsd.pid").read_text()) == daemon.pid
    assert daemon.stop() == 0
    assert (root / "run/mtlsd.pid").read_text() == ""
