"""/proc as root: every process against the table of DESIGN.md section 3."""

import os
import re
import tempfile
from pathlib import Path

import pytest

from clients import Client, context
from daemon import NOBODY
from oldkernel import NR_LANDLOCK, NR_MEMFD_SECRET, NR_SECCOMP, lacking
from procfs import descriptors, standard, status

CHROOT, READ = 1 << 18, 1 << 2  # CAP_SYS_CHROOT, CAP_DAC_READ_SEARCH
SLOT = 7 * 4096  # common/board.h: an upper bound of a client's certificates
ROLES = ["master", "keeper", "worker", "connector", "logger"]
JAILED = {"keeper", "worker", "judge"}


@pytest.fixture
def busy(mtlsd, upstream, pki, ca):
    """busy(...): a daemon with one session that is open; all its processes by role."""
    clients = []

    def make(**kw):
        daemon = mtlsd(upstream=upstream(), **kw)
        clients.append(Client(daemon.address, context(ca, pki.client())).handshake().exchange(b"hello"))
        daemon.worker_of(clients[-1].local)
        found = {role: daemon.processes(role) for role in ROLES}
        assert all(found.values()), found
        assert sum(map(len, found.values())) == len(daemon.processes()), "a process of another kind"
        return daemon, found
    yield make
    for client in clients:
        client.sock.close()


def capabilities(pid):
    return {name: int(status(pid)[name][0], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


def dumpable(pid):
    """The files of a process that is not belong to root."""
    return os.stat(f"/proc/{pid}/environ").st_uid != 0


@pytest.mark.root
def test_ids(busy):
    _, found = busy()
    for role, processes in found.items():
        for process in processes:
            has = status(process.pid)
            assert has["Uid"] == [str(NOBODY)] * 4, role
            assert has["Gid"] == [str(NOBODY)] * 4, role
            assert has["Groups"] == [], role


@pytest.mark.root
def test_groups(busy):
    """groups = is there to let the master read keys. Who is forked before the drop has none of them; who is forked after it
    shares the master's, because nobody keeps the capability to change groups."""
    _, found = busy(mtlsd={"groups": "64001, 64002"})
    for role, processes in found.items():
        for process in processes:
            want = [] if role in ("connector", "logger") else ["64001", "64002"]
            assert status(process.pid)["Groups"] == want, role


@pytest.mark.root
def test_capabilities(busy):
    _, found = busy()
    for role, processes in found.items():
        for process in processes:
            want = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0)
            want["CapPrm"] = CHROOT | READ if role == "master" else 0
            assert capabilities(process.pid) == want, role


@pytest.mark.root
def test_reader_only_when_needed(mtlsd, upstream, home):
    """Files that the daemon's own uid can read: the capability to read everything is given up."""
    at = home(NOBODY)  # its files belong to the daemon
    daemon = mtlsd(at=at, upstream=upstream())
    assert capabilities(daemon.pid)["CapPrm"] == CHROOT
    assert daemon.find("confinement")[0]["keeps"] == "sys_chroot"


@pytest.mark.root
def test_says_what_it_kept(mtlsd, upstream):
    line = mtlsd(upstream=upstream()).find("confinement")[0]
    assert (line["user"], line["group"], line["jail"]) == (str(NOBODY), str(NOBODY), "auto")
    assert line["keeps"] == "sys_chroot,dac_read_search"
    assert line["because"].endswith("server.key")


@pytest.mark.root
def test_no_new_privs_and_not_dumpable(busy):
    _, found = busy()
    for role, processes in found.items():
        for process in processes:
            assert status(process.pid)["NoNewPrivs"] == ["1"], role
            assert not dumpable(process.pid), role
            limits = Path(f"/proc/{process.pid}/limits").read_text()
            assert re.search(r"^Max core file size\s+0\s+0\s", limits, re.M), role


@pytest.mark.root
def test_filters(busy, sanitized):
    """Every process is behind filters: its own, and for who is forked by the master when it has its own, that one first."""
    daemon, found = busy()
    count = {"master": 1, "keeper": 2, "worker": 2, "connector": 1, "logger": 1}
    for role, processes in found.items():
        for process in processes:
            has = status(process.pid)
            assert has["Seccomp"] == ["0" if sanitized else "2"], role
            assert has["Seccomp_filters"] == ["0" if sanitized else str(count[role])], role
    line = daemon.find("confinement")[0]
    if sanitized:
        assert line["seccomp"] == "none: a build with sanitizers"
        return
    assert line["seccomp"] == "yes"
    kinds = dict(word.split("+", 1) for word in line["processes"].split(" "))
    assert kinds.keys() == {*ROLES, "resolver", "judge"}
    for role, active in kinds.items():
        assert "seccomp" in active.split("+"), role
        assert ("jail" in active.split("+")) == (role in JAILED), role


@pytest.mark.root
def test_strict_needs_filters(mtlsd, upstream, sanitized):
    if sanitized:
        return  # it has none on any kernel, and says so: test_filters
    daemon = mtlsd(upstream=upstream(), prepare=lacking(NR_SECCOMP), wait=False)
    assert daemon.wait_exit() == 97
    daemon.tolerated.add("start_failed")
    assert "seccomp" in daemon.text and "confine = degrade" in daemon.text


@pytest.mark.root
def test_degrade_does_without_filters(mtlsd, upstream, pki, ca):
    """It serves, and the start says once what is missing."""
    daemon = mtlsd(upstream=upstream(), prepare=lacking(NR_SECCOMP), mtlsd={"confine": "degrade"})
    line, = daemon.find("confinement")
    assert line["seccomp"].startswith("none: ") and "seccomp" not in line["processes"]
    with Client(daemon.address, context(ca, pki.client())) as client:
        client.handshake().exchange(b"hello").close()


@pytest.mark.root
def test_says_what_the_kernel_lacks(mtlsd, upstream):
    """Landlock and memfd_secret are used where they are; Debian 12's own kernel has less."""
    old = lacking(*NR_LANDLOCK, NR_MEMFD_SECRET)
    daemon = mtlsd(upstream=upstream(), prepare=old, mtlsd={"unsafe_reader": "yes", "confine": "degrade"})
    line, = daemon.find("confinement")
    assert line["lacks"] == "landlock,landlock_truncate,landlock_tcp,landlock_scope,memfd_secret"
    assert line.level == "warn" and "landlock" not in line["processes"]


@pytest.mark.root
def test_root(busy):
    """Workers and keepers live in a directory that is gone; the others on the host."""
    _, found = busy()
    for role, processes in found.items():
        for process in processes:
            where = os.readlink(f"/proc/{process.pid}/root")
            if role in JAILED:
                assert re.fullmatch(r"/run/\S+ \(deleted\)", where), (role, where)
                assert os.readlink(f"/proc/{process.pid}/cwd") == where, role
                assert os.listdir(f"/proc/{process.pid}/root/") == [], role
            else:
                assert where == "/", (role, where)


@pytest.mark.root
def test_jail_directory_of_ones_own(busy):
    """chroot = DIRECTORY: it and its parents must be root's alone, which the directory of this test is not."""
    jail = tempfile.mkdtemp(prefix="mtlsd-e2e-", dir="/run")
    try:
        os.chmod(jail, 0o755)
        _, found = busy(mtlsd={"chroot": jail})
        for role in JAILED & found.keys():
            assert {os.readlink(f"/proc/{process.pid}/root") for process in found[role]} == {jail}
    finally:
        os.rmdir(jail)


@pytest.mark.root
def test_jail_that_others_can_write(mtlsd, upstream, scratch):
    jail = scratch / "open-jail"
    jail.mkdir()
    jail.chmod(0o777)
    daemon = mtlsd(upstream=upstream(), mtlsd={"chroot": jail}, wait=False)
    assert daemon.wait_exit() == 96
    daemon.tolerated.add("start_failed")
    assert str(jail) in daemon.text or "/tmp" in daemon.text


@pytest.mark.root
def test_descriptors(busy, sanitized):
    """Who holds what; standard input, output and error are nothing for all but the master and the logger."""
    keepers, workers = 2, 4
    _, found = busy(listen="127.0.0.1:0, [::1]:0", mtlsd={"keepers": keepers})
    for process in found["worker"]:
        has = descriptors(process.pid)
        session = {"tcp": 2} if "idle" not in process.title else {}  # client, upstream
        # report, keeper, connector, log; leash; both listeners
        assert has == {"listener": 2, "unix-seqpacket": 4, "pipe": 1, "eventpoll": 1} | session, process.title
    for process in found["keeper"]:
        has = descriptors(process.pid)
        has.pop("eventpoll", None)
        assert set(has) == {"unix-seqpacket"}, has  # control, log, one for each of its workers
        assert has["unix-seqpacket"] <= 2 + workers
    for process in found["connector"]:
        has = descriptors(process.pid)
        has.pop("eventpoll", None)
        assert set(has) == {"unix-seqpacket"}, has
    for process in found["logger"]:
        assert set(descriptors(process.pid)) <= {"unix-seqpacket", "eventpoll", "pipe"}
    for process in found["master"]:
        has = descriptors(process.pid)
        # /dev/null is there for its children, whose 0, 1 and 2 it becomes
        files = [kind for kind in has if kind.startswith("/") and kind != "/dev/null" and not kind.endswith(" (deleted)")]
        assert not files, has
        assert has["listener"] == 2 and "tcp" not in has, has
    for role in ("worker", "keeper", "connector"):
        for process in found[role]:
            count = 2 if sanitized else 3
            assert standard(process.pid)[:count] == ["/dev/null"] * count, role


@pytest.mark.root
def test_worker_sees_its_own_slot_alone(busy):
    """One slot of the scoreboard, and the bans, read-only."""
    _, found = busy()
    page = os.sysconf("SC_PAGESIZE")
    for process in found["worker"]:
        shared = [line for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines() if line.split()[1][3] == "s"]
        size = {"w": 0, "r": 0}
        for line in shared:
            start, end = (int(text, 16) for text in line.split()[0].split("-"))
            size["w" if "w" in line.split()[1] else "r"] += end - start
        assert size["w"] == SLOT, shared
        assert all("mtlsd-bans" in line for line in shared if "w" not in line.split()[1]), shared
        assert 0 < size["r"] <= 128 * page, shared


@pytest.mark.root
def test_nothing_executable_is_writable(busy):
    _, found = busy()
    for role, processes in found.items():
        for process in processes:
            flags = {line.split()[1] for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines()}
            assert not [word for word in flags if "w" in word and "x" in word], role


@pytest.mark.root
@pytest.mark.parametrize("keys", ["jail none", "user root"])
def test_strict_refuses_to_start(mtlsd, upstream, keys):
    """As root everything must hold, or nothing starts."""
    given = {"jail none": {"chroot": "none"}, "user root": {"user": 0, "group": 0}}[keys]
    daemon = mtlsd(upstream=upstream(), mtlsd=given, wait=False)
    assert daemon.wait_exit() in (96, 97)
    daemon.tolerated.add("start_failed")
    assert "mtlsd: " in daemon.text


def test_ordinary_user(mtlsd, upstream, pki, ca):
    """Started without privileges it runs without: no jail, no capability, and it says so."""
    daemon = mtlsd(user=NOBODY, upstream=upstream())
    line = daemon.find("confinement")[0]
    assert (line["keeps"], line["jail"]) == ("nothing", "none")
    assert "ordinary user" in line["reason"]
    with Client(daemon.address, context(ca, pki.client())) as client:
        client.handshake().exchange(b"hello").close()
    for process in daemon.processes():
        has = status(process.pid)
        assert has["NoNewPrivs"] == ["1"], process
        has = capabilities(process.pid)
        assert not (has["CapPrm"] or has["CapEff"] or has["CapInh"] or has["CapAmb"]), process
        assert dumpable(process.pid) is False, process


def test_ordinary_user_may_not_be_strict(mtlsd, upstream):
    daemon = mtlsd(user=NOBODY, upstream=upstream(), mtlsd={"confine": "strict"}, wait=False)
    assert daemon.wait_exit() == 97
    daemon.tolerated.add("start_failed")
    assert "root" in daemon.text


@pytest.mark.root
def test_ordinary_user_cannot_become_another(mtlsd, upstream):
    daemon = mtlsd(user=NOBODY, upstream=upstream(), mtlsd={"user": 64001}, wait=False)
    assert daemon.wait_exit() in (96, 97)
    daemon.tolerated.add("start_failed")
