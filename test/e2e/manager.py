"""manager.py - a service manager as a test wants it: it holds the sockets, passes them, and hears what mtlsd tells"""

import os
import socket
import struct
import sys
import threading
import time

from waiting import DEADLINE

PASSER = """#!{python}
import fcntl, os, sys
held = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in {fds}]
for number, fd in enumerate(held, 3):
    os.dup2(fd, number)
    os.close(fd)
os.environ["LISTEN_PID"] = str(os.getpid() + {other})
os.execv({binary!r}, [{binary!r}] + sys.argv[1:])
"""


def script(home, name, text):
    path = home.path / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def listening(family=socket.AF_INET, where=("127.0.0.1", 0), backlog=512):
    sock = socket.socket(family)
    sock.bind(where)
    sock.listen(backlog)
    return sock


class Holder:
    """Holds listening sockets {name: socket} and starts one mtlsd after the other with all of them."""

    def __init__(self, starter, sockets, other=0):
        self.starter, self.sockets, self.other = starter, sockets, other

    def start(self, wait=True, env=None, **keywords):
        fds = [sock.fileno() for sock in self.sockets.values()]
        home = self.starter.home(0)
        passer = script(home, "pass", PASSER.format(python=sys.executable, fds=fds, binary=str(self.starter.binary),
                                                    other=self.other))
        passed = {"LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(self.sockets)}
        return self.starter(at=home, binary=passer, fds=fds, wait=wait, env=dict(os.environ) | passed | (env or {}), **keywords)


class Manager:
    """What NOTIFY_SOCKET names: every message, with the process that the kernel says sent it."""

    def __init__(self, where):
        self.where = where
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.bind("\0" + where[1:] if where.startswith("@") else where)
        if not where.startswith("@"):
            os.chmod(where, 0o666)
        self.messages = []
        self.senders = set()
        self.news = threading.Condition()
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self):
        while True:
            try:
                text, control, _, _ = self.sock.recvmsg(4096, 256)
            except OSError:
                return
            with self.news:
                self.messages.append(dict(line.split("=", 1) for line in text.decode().split("\n")))
                self.senders |= {struct.unpack("iii", data)[0] for _, _, data in control}
                self.news.notify_all()

    def said(self, *keys):
        """The messages that hold one of the keys, in order."""
        with self.news:
            return [message for message in self.messages if message.keys() & set(keys)]

    def wait(self, key, count=1, timeout=DEADLINE):
        """The count-th message with that key."""
        end = time.monotonic() + timeout
        with self.news:
            while True:
                found = [message for message in self.messages if key in message]
                if len(found) >= count:
                    return found[count - 1]
                if not self.news.wait(end - time.monotonic()) and time.monotonic() >= end:
                    raise AssertionError(f"no {key} number {count}: {self.messages}")

    def close(self):
        self.sock.close()
