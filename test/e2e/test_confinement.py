"""/proc as root: every process against the table of DESIGN.md section 3."""

import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from clients import Client, context
from daemon import NOBODY
from oldkernel import (CAP_SYS_CHROOT, NO_NEW_PRIVS, NR_CAPSET, NR_CHROOT, NR_LANDLOCK, NR_MEMFD_SECRET, NR_SECCOMP, NR_SETRESUID,
                       lacking, without)
from procfs import descriptors, standard, status
from test_judge import catch, children, one_processor
from waiting import eventually

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


def limits(pid):
    """{name: (soft, hard)} of /proc/PID/limits; a number or "unlimited"."""
    found = re.findall(r"^(Max [a-z ]+?)\s{2,}(\d+|unlimited)\s+(\d+|unlimited)", Path(f"/proc/{pid}/limits").read_text(), re.M)
    return {name.removeprefix("Max "): tuple(int(word) if word.isdigit() else word for word in pair) for name, *pair in found}


# what stands in /proc/PID/limits, soft and hard; the master keeps what it was given, but for core
LIMITS = {
    "core file size": dict.fromkeys(ROLES, 0),
    "processes": {"keeper": 0, "worker": 0, "logger": 0},  # the connector forks who resolves names
    "file size": {"keeper": 0, "worker": 0, "connector": 0},  # the logger writes
    "locked memory": dict.fromkeys(("keeper", "worker", "connector", "logger"), 0),
    "open files": {"worker": 32 + 3 + 1, "logger": 16},
}
STACK, MEMORY, PER_FD, RESOLVERS = 1 << 20, 16 << 20, 1 << 10, 64 << 20


@pytest.mark.root
def test_limits(busy, sanitized):
    """No core, no fork, and descriptors and memory bounded to need."""
    _, found = busy()
    for role, processes in found.items():
        for process in processes:
            has = limits(process.pid)
            for name, want in LIMITS.items():
                if role in want:
                    assert has[name] == (want[role],) * 2, (role, name)
            if role == "master" or sanitized:
                continue
            assert has["stack size"] == (STACK, STACK), role
            soft, hard = has["open files"]
            assert soft == hard, role
            least = MEMORY + soft * PER_FD + (RESOLVERS if role == "connector" else 0)
            assert has["data size"][0] == has["data size"][1], role
            assert least <= has["data size"][0] < least + (8 << 20), role


@pytest.mark.root
def test_worker_limits(busy, sanitized):
    """No process, no file that grows, few descriptors, and no more memory than it inherits and 32 MiB."""
    _, found = busy()
    for process in found["worker"]:
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        most = dict(re.findall(r"^Max ([a-z ]+?)\s{2,}\S+\s+(\S+)", limits, re.M))
        assert (most["processes"], most["file size"]) == ("0", "0")
        assert int(most["open files"]) < 64
        assert sanitized or int(most["data size"]) < 64 << 20


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


# what cannot be had, how, and the word of the start about it
ALWAYS = {
    "ids": (lacking(NR_SETRESUID), "setresuid"),
    "capabilities": (lacking(NR_CAPSET), "capset"),
    "no_new_privs": (lacking(NO_NEW_PRIVS), "PR_SET_NO_NEW_PRIVS"),
}
STRICT = {
    "jail": (lacking(NR_CHROOT), "no jail: chroot: Function not implemented"),
    "jail in a container": (without(CAP_SYS_CHROOT), "no jail: chroot: Operation not permitted"),
    "landlock": (lacking(NR_LANDLOCK[2]), "no Landlock, though the kernel has it"),
    "seccomp": (lacking(NR_SECCOMP), "no system call filters"),
}


@pytest.mark.root
@pytest.mark.parametrize("part", [*ALWAYS, *STRICT])
def test_strict_demands(mtlsd, upstream, sanitized, part):
    prepare, word = (ALWAYS | STRICT)[part]
    if part == "seccomp" and sanitized:
        return  # it has none on any kernel, and says so: test_filters
    daemon = mtlsd(upstream=upstream(), prepare=prepare, wait=False)
    assert daemon.wait_exit() == 97
    daemon.tolerated.add("start_failed")
    assert word in daemon.text


@pytest.mark.root
@pytest.mark.parametrize("part", ALWAYS)
def test_degrade_never_goes_without(mtlsd, upstream, part):
    """A root that cannot be left is no confinement at all."""
    prepare, word = ALWAYS[part]
    daemon = mtlsd(upstream=upstream(), prepare=prepare, mtlsd={"confine": "degrade", "unsafe_reader": "yes"}, wait=False)
    assert daemon.wait_exit() == 97
    daemon.tolerated.add("start_failed")
    assert word in daemon.text


@pytest.mark.root
@pytest.mark.parametrize("part", STRICT)
def test_degrade_goes_without(mtlsd, upstream, pki, ca, sanitized, part):
    """It serves, and one line of the start says what is missing, and what holds all the same."""
    prepare, word = STRICT[part]
    if part == "seccomp" and sanitized:
        return  # the same
    daemon = mtlsd(upstream=upstream(), prepare=prepare, mtlsd={"confine": "degrade", "unsafe_reader": "yes"})
    line, = (event for event in daemon.events if event.level == "warn")
    assert line.name == "confinement"
    if part == "seccomp":
        assert line["seccomp"].startswith("none: ")
    else:
        assert word in line["reason"]
    missing = part.split(" ")[0]
    kinds = dict(word.partition("+")[::2] for word in line["processes"].split(" "))
    for role, active in kinds.items():
        want = {"landlock"} | ({"jail"} if role in JAILED else set()) | (set() if sanitized else {"seccomp"})
        assert set(active.split("+")) - {""} == want - {missing}, role
    with Client(daemon.address, context(ca, pki.client())) as client:
        client.handshake().exchange(b"hello").close()


@pytest.mark.root
def test_version_lists_what_holds(mtlsd, upstream, binary):
    """mtlsd -V says of this kernel what the start says of itself; on an older one, less."""
    line, = mtlsd(upstream=upstream()).find("confinement")

    def said(prepare=None):
        text = subprocess.run([binary, "-V"], preexec_fn=prepare, capture_output=True, text=True, timeout=10, check=True).stdout
        return dict(row.split(": ", 1) for row in text.splitlines()[1:])

    assert said()["processes, as root"] == line["processes"]
    assert said()["lacks"] == line["lacks"]
    old = said(lacking(*NR_LANDLOCK, NR_MEMFD_SECRET, NR_SECCOMP))
    assert old["processes, as root"] == "master keeper+jail worker+jail connector resolver logger judge+jail"
    assert old["lacks"] == "landlock,landlock_truncate,landlock_tcp,landlock_scope,memfd_secret"


@pytest.mark.root
def test_strict_starts_without_landlock(mtlsd, upstream, home):
    """Landlock is demanded where the kernel has it; Debian's may be started without."""
    at = home(NOBODY)  # its files belong to the daemon
    line, = mtlsd(at=at, upstream=upstream(), prepare=lacking(*NR_LANDLOCK)).find("confinement")
    assert (line.level, line["fence"]) == ("warn", "none")


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
        assert set(has) == {"unix-seqpacket"}, has  # control, log, charges, one for each of its workers
        assert has["unix-seqpacket"] <= 3 + workers
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


def shared(pid):
    """Its mappings that others have, too: (rights, name)."""
    lines = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    return [(line[1], " ".join(line[5:])) for line in lines if line[1][3] == "s"]


@pytest.mark.root
def test_nobody_else_sees_slots(busy, sanitized):
    """Who could write scoreboard or bans could speak for every worker, and what stands there is nobody else's to read. A
    keeper has its secret memory, which is shared with nobody."""
    _, found = busy()
    assert [rights for rights, _ in shared(found["master"][0].pid)].count("rw-s") == 2
    for role in ("keeper", "connector", "logger"):
        for process in found[role]:
            others = [name for _, name in shared(process.pid) if role != "keeper" or "secretmem" not in name]
            assert sanitized or not others, (role, others)


@pytest.mark.root
def test_runner(mtlsd, pki, ca, sanitized):
    """The one kind with no filter, no fence, and the bounding set as it was, because programs inherit these: it has the ids
    of its programs, no capability, the pairs, and nothing of the daemon's memory that is shared."""
    workers = 3
    daemon = mtlsd(upstream="exec:/bin/cat", exec_user=NOBODY + 1, exec_group=NOBODY + 1, workers=workers)
    runner, = daemon.processes("runner")
    with Client(daemon.address, context(ca, pki.client())) as client:
        client.handshake().exchange(b"hello")
        has, bounding = status(runner.pid), capabilities("self")["CapBnd"]
        assert has["Uid"] == has["Gid"] == [str(NOBODY + 1)] * 4 and has["Groups"] == [str(NOBODY + 1)]
        assert capabilities(runner.pid) == dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapAmb"), 0) | {"CapBnd": bounding}
        assert (has["NoNewPrivs"], has["Seccomp"]) == (["0"], ["0"]) and not dumpable(runner.pid)
        assert os.readlink(f"/proc/{runner.pid}/root") == "/"
        assert limits(runner.pid)["core file size"] == (0, 0)
        count = 2 if sanitized else 3
        assert standard(runner.pid)[:count] == ["/dev/null"] * count
        # control, log, workers, the program's 2
        assert descriptors(runner.pid) == {"unix-seqpacket": 2 + workers, "eventpoll": 1, "signalfd": 1, "pipe": 1}
        assert sanitized or not shared(runner.pid)
        client.close()


def stopped_judge(daemon, filters):
    """A judge between its confinement and its end, which lie milliseconds apart; None: it was faster."""
    known, mark = set(children(daemon.pid)), daemon.mark()
    daemon.signal(signal.SIGHUP)
    judge = catch(daemon, signal.SIGSTOP, known, mark)
    try:
        while judge:
            has = eventually(lambda: (now := status(judge))["State"][0] in "TZX" and now, "it stands still", pause=0.0001)
            if has["State"][0] != "T":
                return None
            if has["Seccomp_filters"] == [str(filters)]:
                return judge
            os.kill(judge, signal.SIGCONT)
            time.sleep(0.0001)  # its turn
            os.kill(judge, signal.SIGSTOP)
    except (FileNotFoundError, ProcessLookupError):
        pass
    return None


@pytest.mark.root
def test_judge(mtlsd, upstream, pki, ca, sanitized):
    """What a worker has, and less: no listener, and the slots read-only."""
    if sanitized:
        return  # without filters nothing tells when it is confined
    daemon = mtlsd(upstream=upstream(), workers="4-120", prepare=one_processor)
    daemon.tolerated.add("judge_failed")
    clients = [Client(daemon.address, context(ca, (pki.client(), pki.client_two_deep())[count % 2])).handshake().exchange(b"x")
               for count in range(60)]  # each chain is another one than the one before: that takes its time
    for _ in range(20):
        mark = daemon.mark()
        if judge := stopped_judge(daemon, 2):
            break
        daemon.wait("reloaded", after=mark)
    else:
        pytest.fail("no judge could be caught")
    has = status(judge)
    assert has["Uid"] == has["Gid"] == [str(NOBODY)] * 4 and has["Groups"] == []
    assert capabilities(judge) == dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0)
    assert (has["NoNewPrivs"], has["Seccomp"]) == (["1"], ["2"]) and not dumpable(judge)
    assert os.readlink(f"/proc/{judge}/root").endswith(" (deleted)")
    assert descriptors(judge) == {"unix-seqpacket": 2}  # verdicts, log
    most = limits(judge)
    assert most["core file size"] == most["processes"] == most["file size"] == (0, 0)
    (rights, name), = shared(judge)  # the slots
    assert rights == "r--s" and "bans" not in name
    os.kill(judge, signal.SIGKILL)
    for client in clients:
        client.close()


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
