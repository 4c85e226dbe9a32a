"""daemon.py - the real mtlsd, started with a configuration of the test, watched through its log and /proc"""

import json
import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from waiting import DEADLINE, eventually

NOBODY = 65534
ROOT = os.geteuid() == 0

# LeakSanitizer reads its own process through ptrace, which a process that is not dumpable does not allow.
ENVIRONMENT = os.environ | {"ASAN_OPTIONS": "detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", "")}

# A signal that a test sends is to end the process as it does without a sanitizer.
SIGNALS_KILL = ENVIRONMENT | {"ASAN_OPTIONS": ENVIRONMENT["ASAN_OPTIONS"] + ":handle_segv=0:handle_sigbus=0:handle_abort=0"}

LINE = re.compile(r"^(?:(\S+Z) )?mtlsd\[(\d+)\] (error|warn|notice|info|debug) ([a-z_]+)((?: [a-z0-9_.]+=.*)?)$")
PAIR = re.compile(r' ([a-z0-9_.]+)=("(?:[^"\\]|\\.)*"|[^ ]*)')


@dataclass
class Event:
    """One line of the log."""

    name: str
    level: str
    pid: int
    time: str
    fields: dict
    line: str

    def __getitem__(self, key):
        return self.fields.get(key)

    def matches(self, name, fields):
        return self.name == name and all(fits(want, self.fields.get(key)) for key, want in fields.items())


def fits(want, have):
    if have is None:
        return want is None
    return bool(want.search(have)) if isinstance(want, re.Pattern) else str(want) == have


def parse(line):
    """An Event, or None when the line is not one of the log."""
    found = LINE.match(line)
    if found:
        pairs = {}
        for key, value in PAIR.findall(found[5]):
            if value.startswith('"'):
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
            pairs[key] = value
        return Event(found[4], found[3], int(found[2]), found[1], pairs, line)
    if line.startswith("{"):
        pairs = json.loads(line)
        head = [pairs.pop(key) for key in ("event", "level", "pid", "ts")]
        return Event(*head, {key: str(value) for key, value in pairs.items()}, line)
    return None


@dataclass
class Process:
    """A process as /proc shows it."""

    pid: int
    parent: int
    session: int
    state: str
    title: str

    @property
    def role(self):
        """master, keeper, connector, logger, worker."""
        return self.title.removeprefix("mtlsd: ").split(" ")[0] if self.title.startswith("mtlsd: ") else "?"


def look(pid):
    """A Process or None."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        title = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0 ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    rest = stat.rpartition(")")[2].split()
    return Process(int(pid), int(rest[1]), int(rest[3]), rest[0], title)


def in_session(session):
    """Every process of a session, those that wait for their parent too."""
    found = (look(name) for name in os.listdir("/proc") if name.isdigit())
    return [process for process in found if process and process.session == session]


def render(sections):
    """{"mtlsd": {...}, "service web": {...}} as a configuration file."""
    out = []
    for name, keys in sections.items():
        out.append(f"[{name}]")
        out += [f"{key} = {value}" for key, value in keys.items() if value is not None]
    return "\n".join(out) + "\n"


@dataclass
class Home:
    """A directory of one daemon: configuration, certificates, keys."""

    path: Path
    owner: int = 0
    files: dict = field(default_factory=dict)

    def put(self, name, text, mode=None):
        """Write a file at once: a reader sees the old or the new one. Keys are 0600."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        fresh = target.with_name(target.name + ".new")
        fresh.write_text(text)
        fresh.chmod(mode if mode is not None else 0o600 if ".key" in name else 0o644)
        if ROOT and self.owner:
            os.chown(fresh, self.owner, self.owner)
        fresh.rename(target)
        return target


class Daemon:
    """One mtlsd in the foreground, or whatever it is that `args` make of it."""

    def __init__(self, binary, home, config, *, user=None, args=(), prepare=None, env=None, fds=()):
        self.binary = binary
        self.home = home
        self.config = home.put("mtlsd.conf", config)
        self.text_of_config = config  # as it was at the start; the file may be gone when a failure is reported
        self.user = user  # start as this uid; None: as we are
        self.args = args
        self.prepare = prepare
        self.fds = fds  # that it inherits
        self.env = env or ENVIRONMENT
        self.lines = []
        self.events = []
        self.news = threading.Condition()
        self.popen = None
        self.over = False  # end of the log: the last writer is gone
        self.tolerated = set()  # names of events of level error that the test provokes; SIGSYS

    # --- life --------------------------------------------------------------------------------------
    def start(self):
        ids = {"user": self.user, "group": self.user, "extra_groups": []} if ROOT and self.user else {}
        self.popen = subprocess.Popen([str(self.binary), "-f", str(self.config), *self.args], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.home.path,
                                      start_new_session=True, preexec_fn=self.prepare, env=self.env, pass_fds=self.fds, **ids)
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def _read(self):
        with self.popen.stderr:
            for raw in self.popen.stderr:
                line = raw.decode(errors="replace").rstrip("\n")
                event = parse(line)
                with self.news:
                    self.lines.append(line)
                    if event:
                        self.events.append(event)
                    self.news.notify_all()
        with self.news:
            self.over = True
            self.news.notify_all()

    @property
    def pid(self):
        """Of the master."""
        return self.popen.pid

    def signal(self, number):
        os.kill(self.pid, number)

    def wait_exit(self, timeout=DEADLINE):
        """The exit code; the log is whole when this returns."""
        try:
            code = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"mtlsd did not exit within {timeout} s\n{self.text}") from None
        with self.news:
            self.news.wait_for(lambda: self.over, timeout)
        return code

    def wait_gone(self, timeout=DEADLINE):
        """Until no process of this daemon is left, and the log has ended."""
        eventually(lambda: not self.processes(), lambda: f"processes stay behind: {self.processes()}", timeout)
        with self.news:
            assert self.news.wait_for(lambda: self.over, timeout), "somebody still holds the log open"

    def stop(self):
        """SIGTERM, and nothing may stay behind."""
        if self.popen.poll() is None:
            self.signal(signal.SIGTERM)
        code = self.wait_exit()
        self.wait_gone()
        return code

    def kill(self):
        """Whatever is left of it, process by process."""
        if not self.popen:
            return
        for process in in_session(self.pid):
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.popen.wait(DEADLINE)

    def assert_clean(self):
        """What may stand in no log: errors that nobody provoked, words of a sanitizer or of the C library."""
        for event in self.events:
            assert event.level != "error" or event.name in self.tolerated, f"unexpected: {event.line}\n{self.text}"
            # a call that its filter does not know: never, whatever else a test provokes
            assert event["signal"] != "SYS" or "SIGSYS" in self.tolerated, f"unexpected: {event.line}\n{self.text}"
        for line in self.lines:
            for word in ("Sanitizer", "runtime error:", "stack smashing", "corrupted", "free():"):
                assert word not in line, f"{line}\n{self.text}"

    # --- the log -----------------------------------------------------------------------------------
    @property
    def text(self):
        with self.news:
            return "\n".join(self.lines)

    def mark(self):
        """A place in the log; give it to wait() and find() as `after`."""
        with self.news:
            return len(self.events)

    def find(self, name, after=0, **fields):
        """Every event of that name whose fields are so; a value is a text, a number or a compiled pattern."""
        with self.news:
            return [event for event in self.events[after:] if event.matches(name, fields)]

    def wait(self, name, after=0, timeout=DEADLINE, count=1, **fields):
        """The count-th event (find), as soon as it is there. Fails at once when mtlsd has ended without it."""
        end = time.monotonic() + timeout
        with self.news:
            while True:
                found = [event for event in self.events[after:] if event.matches(name, fields)]
                if len(found) >= count:
                    return found[count - 1]
                left = end - time.monotonic()
                if left <= 0 or self.over:
                    log = "\n".join(self.lines[-400:])
                    why = "mtlsd has ended" if self.over else f"{timeout:g} s went by"
                    raise AssertionError(f"{why} without `{name}` {fields} in the log:\n{log}")
                self.news.wait(left)

    def ready(self):
        self.wait("ready")
        return self

    # --- where it listens --------------------------------------------------------------------------
    def addresses(self, service="web"):
        """As clients.connect wants them."""
        out = []
        for event in self.find("listening", service=service):
            text = event["address"]
            if text.startswith("unix:"):
                out.append(text.removeprefix("unix:"))
            else:
                host, _, port = text.rpartition(":")
                out.append((host.strip("[]"), int(port)))
        return out

    @property
    def address(self):
        return self.addresses()[0]

    # --- its processes -----------------------------------------------------------------------------
    def processes(self, role=None, zombies=False):
        return [process for process in in_session(self.pid)
                if (role is None or process.role == role) and (zombies or process.state != "Z")]

    def workers(self, service="web"):
        return [process for process in self.processes("worker") if process.title.split(" ")[2] == service]

    def worker_of(self, client):
        """The worker that serves this client address, by its title."""
        return eventually(lambda: next((process for process in self.processes("worker")
                                        if process.title.endswith(" " + client)), None),
                          lambda: f"no worker is called after {client}: {[p.title for p in self.processes()]}")

    def settled(self, workers, service="web"):
        """Until there are so many workers, all idle, and nobody who is about to end or has not been waited for; every
        process."""
        def calm():
            now = in_session(self.pid)
            mine = [p for p in now if p.role == "worker" and p.title.split(" ")[2] == service]
            quiet = all(p.title.endswith(" idle") for p in mine) and all(p.role != "?" for p in now)
            return now if len(mine) == workers and quiet else None
        return eventually(calm, lambda: f"not {workers} idle workers: {[(p.pid, p.title, p.state) for p in in_session(self.pid)]}")


def run(binary, *args, cwd=None, user=None, timeout=DEADLINE, env=None):
    """mtlsd as a command that ends by itself: its exit code and its words."""
    ids = {"user": user, "group": user, "extra_groups": []} if ROOT and user else {}
    return subprocess.run([str(binary), *map(str, args)], cwd=cwd, capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, check=False, env=env or ENVIRONMENT, **ids)
