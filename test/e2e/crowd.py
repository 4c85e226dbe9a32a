"""crowd.py - thousands of clients, and the upstream that answers them

A process of its own for every few thousand: one process may not have descriptors for all. As a program it is such a
process; words come in on standard input, an answer goes out for each on standard output:

    crowd.py clients HOST PORT CA CERT KEY COUNT    open N: so many sessions more    echo: ask all, hear all    close
    crowd.py upstream                               says its port, then echoes whatever comes
"""

import os
import selectors
import socket
import ssl
import subprocess
import sys
import time

AT_ONCE = 32  # handshakes of one process
PATIENCE = 300.0


# --- inside the process --------------------------------------------------------------------------------
class Session:
    """One TLS client, never blocking."""

    def __init__(self, address, tls):
        self.greeted = False  # our first flight is out
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.connect_ex(address)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def step(self, action, *args):
        """What action gives, None when it needs to hear more."""
        try:
            result = action(*args)
        except ssl.SSLWantReadError:
            result = None
        if data := self.outgoing.read():
            self.sock.sendall(data)
        return result

    def handshake(self):
        """Is it over?"""
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False
        finally:
            if data := self.outgoing.read():
                self.sock.sendall(data)

    def hear(self):
        data = self.sock.recv(1 << 16)
        if not data:
            raise ConnectionError("a session ended")
        self.incoming.write(data)


class Crowd:
    def __init__(self, address, tls):
        self.address, self.tls = address, tls
        self.sessions = []
        self.selector = selectors.DefaultSelector()

    def rounds(self, waiting):
        """Sessions that have something to hear, until `waiting` is empty."""
        end = time.monotonic() + PATIENCE
        while waiting:
            if time.monotonic() > end:
                raise TimeoutError(f"{len(waiting)} sessions heard nothing")
            for key, _ in self.selector.select(1):
                yield key.data

    def open(self, count):
        """Handshake and an echo each, some at a time: a session stands when its upstream has answered."""
        left, waiting = count, set()

        def begin():
            session = Session(self.address, self.tls)
            self.selector.register(session.sock, selectors.EVENT_WRITE, session)
            waiting.add(session)
        while left and len(waiting) < AT_ONCE:
            begin()
            left -= 1
        talking = set()
        for session in self.rounds(waiting):
            if session.greeted:
                session.hear()
            else:
                self.selector.modify(session.sock, selectors.EVENT_READ, session)
                session.greeted = True
            if session not in talking and session.handshake():
                session.step(session.tls.write, b"hello")
                talking.add(session)
            if session in talking and session.step(session.tls.read, 5) == b"hello":
                waiting.discard(session)
                self.sessions.append(session)
                if left:
                    begin()
                    left -= 1
        return len(self.sessions)

    def echo(self):
        """Every session says something and hears it."""
        waiting = set(self.sessions)
        for number, session in enumerate(self.sessions):
            session.want = b"%08d" % number
            session.step(session.tls.write, session.want)
        for session in self.rounds(waiting):
            session.hear()
            if session.step(session.tls.read, 100) == session.want:
                waiting.discard(session)
        return len(self.sessions)

    def close(self):
        """close_notify, and wait for the other side's."""
        count = len(self.sessions)
        waiting = set(self.sessions)
        for session in self.sessions:
            session.step(session.tls.unwrap)
        for session in self.rounds(waiting):
            data = session.sock.recv(1 << 16)
            if not data:
                self.selector.unregister(session.sock)
                session.sock.close()
                waiting.discard(session)
        self.sessions.clear()
        return count


def clients(host, port, ca, cert, key):
    tls = ssl.create_default_context(cafile=ca)
    tls.load_cert_chain(cert, key)
    crowd = Crowd((host, int(port)), tls)
    for line in sys.stdin:
        word, *args = line.split()
        print(getattr(crowd, word)(*map(int, args)), flush=True)


def upstream():
    selector = selectors.DefaultSelector()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    print(listener.getsockname()[1], flush=True)
    while True:
        for key, _ in selector.select():
            if key.fileobj is sys.stdin:
                return
            if key.fileobj is listener:
                sock, _ = listener.accept()
                selector.register(sock, selectors.EVENT_READ)
                continue
            data = key.fileobj.recv(1 << 16)
            if data:
                key.fileobj.sendall(data)
            else:
                selector.unregister(key.fileobj)
                key.fileobj.close()


# --- the test's side -----------------------------------------------------------------------------------
class Helper:
    """Such a process."""

    def __init__(self, *args):
        self.popen = subprocess.Popen([sys.executable, __file__, *map(str, args)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        print(*words, file=self.popen.stdin, flush=True)

    def answer(self):
        line = self.popen.stdout.readline()
        assert line, "a crowd's process failed; its words are above"
        return int(line)

    def end(self):
        self.popen.stdin.close()
        self.popen.stdout.close()
        if self.popen.wait(PATIENCE) != 0:
            raise AssertionError("a crowd's process failed; its words are above")

    def kill(self):
        self.popen.kill()
        self.popen.wait()


class Crowds:
    """Several processes of clients, one after the other asked, then all heard."""

    def __init__(self, processes, address, ca, client):
        self.helpers = [Helper("clients", *address, ca, client.crt, client.key) for _ in range(processes)]

    def all(self, *words):
        """The sum of the answers."""
        for helper in self.helpers:
            helper.ask(*words)
        return sum(helper.answer() for helper in self.helpers)

    def open(self, count):
        """count more sessions in all."""
        share, rest = divmod(count, len(self.helpers))
        for index, helper in enumerate(self.helpers):
            helper.ask("open", share + (index < rest))
        return sum(helper.answer() for helper in self.helpers)


if __name__ == "__main__":
    os.environ.pop("SSLKEYLOGFILE", None)
    {"clients": clients, "upstream": upstream}[sys.argv[1]](*sys.argv[2:])
