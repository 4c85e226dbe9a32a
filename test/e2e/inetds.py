"""inetds.py - the three inetds that Debian ships, in the foreground with a configuration of the test: an installed one,
or one that etc/deps has unpacked (they conflict with each other); and any other program that accepts for mtlsd -i"""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from peers import free_ports
from waiting import DEADLINE, eventually

UNPACKED = Path(__file__).resolve().parents[2] / "build" / "unpacked"
TCPSERVER = UNPACKED / "ucspi-tcp" / "usr/bin"
PROGRAMS = {"openbsd-inetd": "usr/sbin/inetd", "inetutils-inetd": "usr/sbin/inetutils-inetd", "xinetd": "usr/sbin/xinetd"}


def listens(port):
    """Does anybody, on all addresses or on 127.0.0.1?"""
    places = {f"{host}:{port:04X}" for host in ("00000000", "0100007F", "0" * 32)}
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
    return any(line[1] in places and line[3] == "0A" for line in lines)


def running(binary):
    """Every process of this copy of the program: its pid."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.readlink(f"/proc/{name}/exe") == str(binary):
                found.append(int(name))
        except OSError:
            pass
    return found


def program(name):
    """Where it is, or None."""
    places = [UNPACKED / name / PROGRAMS[name], Path("/") / PROGRAMS[name]]
    found = next((place for place in places if os.access(place, os.X_OK)), None)
    return str(found) if found else shutil.which(name)


class Inetd:
    """One of them, with one service: wait or nowait, `command` a list of words, the program first."""

    def __init__(self, name, command, wait=False, scratch=None, text=None):
        self.name = name
        self.path = Path(tempfile.mkdtemp(prefix=name, dir=scratch))
        for left in (2, 1, 0):
            self.port, = free_ports(1)
            self._start(text(self.port) if text else self.configuration(command, wait))
            if self.popen.poll() is None:
                return
            assert left, f"{name} does not start:\n{self.words}"

    def configuration(self, command, wait):
        if self.name == "xinetd":
            return (f"defaults\n{{\n instances = UNLIMITED\n cps = 100000 1\n log_type = FILE {self.path}/log\n}}\n"
                    f"service mtls\n{{\n type = UNLISTED\n port = {self.port}\n bind = 127.0.0.1\n socket_type = stream\n"
                    f" protocol = tcp\n wait = {'yes' if wait else 'no'}\n user = root\n server = {command[0]}\n"
                    f" server_args = {' '.join(command[1:])}\n}}\n")
        how = "wait" if wait else "nowait.100000" if self.name == "openbsd-inetd" else "nowait"
        return f"127.0.0.1:{self.port} stream tcp {how} root {command[0]} {' '.join(command)}\n"

    def _start(self, text):
        config = self.path / "config"
        config.write_text(text)
        path = program(self.name)
        words = {"openbsd-inetd": ["-i", str(config)], "inetutils-inetd": ["-d", "-R", "100000", str(config)],
                 "xinetd": ["-dontfork", "-f", str(config), "-pidfile", str(self.path / "pid"), "-stayalive", "-filelog", str(self.path / "log")]}[self.name]
        with open(self.path / "words", "ab") as out:
            self.popen = subprocess.Popen([path, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                          cwd=self.path, start_new_session=True)
        eventually(lambda: self.popen.poll() is not None or listens(self.port), lambda: self.words)

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    @property
    def words(self):
        return "".join(path.read_text(errors="replace") for path in sorted(self.path.iterdir()))

    def stop(self):
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait(DEADLINE)


class Acceptor(Inetd):
    """A program that is told all on its command line: command(port), a list of words."""

    def __init__(self, name, command, scratch=None):
        self.command = command
        super().__init__(name, None, scratch=scratch, text=lambda port: "")

    def _start(self, text):
        with open(self.path / "words", "ab") as out:
            self.popen = subprocess.Popen(self.command(self.port), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                          env=os.environ | {"PATH": f"{os.environ['PATH']}:{TCPSERVER}"}, cwd="/",
                                          start_new_session=True)
        eventually(lambda: self.popen.poll() is not None or listens(self.port), lambda: self.words)
