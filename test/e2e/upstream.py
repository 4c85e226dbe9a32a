"""upstream.py - the service behind mtlsd: a threaded server that records who came and what was said"""

import hashlib
import os
import socket
import struct
import threading

from waiting import DEADLINE, eventually

CHUNK = 1 << 16


class Link:
    """One connection at the upstream. ended: None while it is open, then eof, reset or error."""

    def __init__(self, server, sock, peer):
        self.server = server
        self.sock = sock
        self.peer = peer
        self.count = 0
        self.head = b""  # the first bytes
        self.hash = hashlib.sha256()
        self.ended = None
        self.fault = None  # what its handler has raised
        self.done = threading.Event()

    def shake(self):
        """What comes before the handler; False: nothing comes after it."""
        return True

    def recv(self, size=CHUNK):
        """b"" at the end of input, however it came; see ended."""
        try:
            data = self.sock.recv(size)
        except ConnectionResetError:
            self.ended = "reset"
            return b""
        if not data:
            self.ended = "eof"
            return b""
        return self.took(data)

    def took(self, data):
        self.count += len(data)
        self.head += data[:max(0, 4096 - len(self.head))]
        self.hash.update(data)
        return data

    def send(self, data):
        self.sock.sendall(data)

    def fin(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_end(self, timeout=DEADLINE):
        """Until the handler has finished; how the client's direction ended."""
        assert self.done.wait(timeout), f"the upstream's connection did not end; {self.count} bytes so far"
        if self.fault:
            raise AssertionError(f"upstream handler: {self.fault!r}") from self.fault
        return self.ended


# --- handlers: what the upstream does with a connection ------------------------------------------------
def echo(link):
    while data := link.recv():
        link.send(data)
    if link.ended == "eof":
        link.fin()


def discard(link):
    while link.recv():
        pass


def reply_at_eof(text):
    """Listen until the client's half is closed, answer then: half-close by the client."""
    def handler(link):
        while link.recv():
            pass
        if link.ended == "eof":
            link.send(text)
    return handler


def talk_then_listen(text):
    """Say something, close our half, listen on: half-close by the upstream."""
    def handler(link):
        link.send(text)
        link.fin()
        while link.recv():
            pass
    return handler


def source(chunks):
    """Send what chunks() yields, then close our half and listen on."""
    def handler(link):
        for chunk in chunks():
            link.send(chunk)
        link.fin()
        while link.recv():
            pass
    return handler


def reset_after(text):
    """Wait for text, then RST."""
    def handler(link):
        while len(link.head) < len(text) and link.recv():
            pass
        link.reset()
    return handler


class Upstream:
    """where: "127.0.0.1", "::1" or a path for a unix socket."""

    link_class = Link

    def __init__(self, handler=echo, where="127.0.0.1", port=0):
        self.handler = handler
        self.links = []
        self.requests = []  # of all links, when the handler speaks HTTP
        self.threads = []
        self.open = True
        if where.startswith("/"):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(where)
            os.chmod(where, 0o666)
            self.text = f"unix:{where}"
            self.port = None
        else:
            self.sock = socket.socket(socket.AF_INET6 if ":" in where else socket.AF_INET)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind((where, port))
            self.port = self.sock.getsockname()[1]
            self.text = f"[{where}]:{self.port}" if ":" in where else f"{where}:{self.port}"
        self.sock.listen(256)
        threading.Thread(target=self._accept, daemon=True).start()

    def __str__(self):
        return self.text

    def _accept(self):
        while True:
            try:
                sock, peer = self.sock.accept()
            except OSError:
                return
            link = self.link_class(self, sock, peer)
            self.links.append(link)
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link):
        try:
            if link.shake():
                self.handler(link)
        except (ConnectionResetError, BrokenPipeError):
            link.ended = "reset"
        except Exception as fault:  # pylint: disable=broad-exception-caught  # the thread's end: told to the test
            link.ended = "error"
            if self.open:
                link.fault = fault
        finally:
            link.sock.close()
            link.done.set()

    @property
    def count(self):
        return len(self.links)

    @property
    def bytes(self):
        return sum(link.count for link in self.links)

    def link(self, index=0, timeout=DEADLINE):
        """The index-th connection, waited for."""
        eventually(lambda: len(self.links) > index, f"connection {index} at the upstream", timeout)
        return self.links[index]

    def assert_untouched(self):
        """Nobody came. A test calls this when what it waits for has been logged, which is after the last moment at
        which mtlsd could have connected; a connection that the kernel has taken but accept(2) has not returned is
        looked for too."""
        probe = socket.socket(self.sock.family)
        probe.connect(self.sock.getsockname())
        probe.close()
        eventually(lambda: self.count > 0, "our own probe at the upstream")
        probes = [link for link in self.links if link.count == 0]
        assert self.count == 1 and len(probes) == 1, \
            f"the upstream was reached: {self.count - 1} connections, {self.bytes} bytes"
        self.links.clear()

    def assert_clean(self):
        """What a handler has raised is a failure of its test."""
        for link in self.links:
            if link.fault:
                raise AssertionError(f"upstream handler: {link.fault!r}") from link.fault

    def close(self):
        self.open = False
        try:
            self.sock.shutdown(socket.SHUT_RDWR)  # wakes accept(2), which would keep the port
        except OSError:
            pass
        self.sock.close()
        for link in self.links:
            try:
                link.sock.close()
            except OSError:
                pass
