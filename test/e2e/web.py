"""web.py - HTTP as the tests speak it: requests and responses on raw connections, an upstream that tells what it was asked"""

import json
from dataclasses import dataclass, field

from clients import Client, connect


@dataclass
class Message:
    """A head and its body; headers: [(name in lower case, value)] in their order."""

    start: str
    headers: list
    body: bytes = b""
    trailers: list = field(default_factory=list)

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    def __getitem__(self, name):
        found = self.all(name)
        return found[0] if found else None

    @property
    def status(self):
        return int(self.start.split(" ")[1])


class Wire:
    """Reads messages from recv(size) -> bytes; b"" is the end. EOFError: it came within a message."""

    def __init__(self, recv):
        self.recv, self.data = recv, b""

    def until(self, mark):
        while mark not in self.data:
            more = self.recv(1 << 16)
            if not more:
                raise EOFError(f"{len(self.data)} bytes without {mark!r}")
            self.data += more
        out, _, self.data = self.data.partition(mark)
        return out

    def exactly(self, size):
        while len(self.data) < size:
            more = self.recv(1 << 16)
            if not more:
                raise EOFError(f"{len(self.data)} of {size} bytes")
            self.data += more
        out, self.data = self.data[:size], self.data[size:]
        return out

    def rest(self):
        while more := self.recv(1 << 16):
            self.data += more
        out, self.data = self.data, b""
        return out

    def head(self):
        """A Message without its body, or None at the end of input."""
        try:
            text = self.until(b"\r\n\r\n")
        except EOFError:
            if self.data:
                raise
            return None
        start, *lines = text.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return Message(start, [(name.lower(), value.strip()) for name, _, value in pairs])

    def chunked(self, message):
        while True:
            size = int(self.until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            message.body += self.exactly(size)
            assert self.exactly(2) == b"\r\n"
        while line := self.until(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            message.trailers.append((name.lower(), value.strip()))

    def request(self):
        message = self.head()
        if message:
            self.body(message)
        return message

    def body(self, message):
        if message["transfer-encoding"]:
            self.chunked(message)
        elif message["content-length"]:
            message.body = self.exactly(int(message["content-length"]))

    def response(self, method="GET"):
        """None at the end of input."""
        message = self.head()
        if message is None or method == "HEAD" or message.status in (204, 304) or message.status < 200:
            return message
        if message["transfer-encoding"] or message["content-length"]:
            self.body(message)
        else:
            message.body = self.rest()
        return message


class Talk:
    """A client of HTTP: over clients.Client, or plain."""

    def __init__(self, address, tls=None):
        if tls:
            self.client = Client(address, tls).handshake()
            self.sock, self.send, recv = self.client.sock, self.client.send, self.client.recv
            self.local = self.client.local
        else:
            self.sock = connect(address)
            self.send, recv = self.sock.sendall, self.sock.recv
            self.local = "%s:%d" % self.sock.getsockname()[:2] if not isinstance(address, str) else "unix"
        self.wire = Wire(recv)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def ask(self, text, method="GET"):
        self.send(text)
        return self.wire.response(method)

    def get(self, path="/", host="localhost", *lines, method="GET"):
        head = "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *lines])
        return self.ask(f"{head}\r\n\r\n".encode("latin-1"), method)

    def ended(self):
        """Nothing more comes, however it ends."""
        try:
            return self.wire.rest() == b""
        except OSError:
            return True


def whole(wire):
    """A request, or None: the end, or one that was cut."""
    try:
        return wire.request()
    except EOFError:
        return None


def tell(link):
    """An upstream's handler: answers each request with what it was, as JSON. link.requests has them too."""
    link.requests = []
    wire = Wire(link.recv)
    while message := whole(wire):
        link.requests.append(message)
        link.server.requests.append(message)
        method, path, version = message.start.split(" ")
        body = json.dumps({"method": method, "path": path, "headers": message.headers, "body": message.body.decode("latin-1"),
                           "trailers": message.trailers}).encode()
        close = version == "HTTP/1.0" or (message["connection"] or "").lower() == "close"
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nContent-Type: application/json\r\n"
        head += "Connection: close\r\n" if close else ""
        link.send(head.encode() + b"\r\n" + (b"" if method == "HEAD" else body))
        if close:
            break
    if link.ended in (None, "eof"):
        link.fin()


def told(response):
    """What tell() says it was asked: a Message."""
    data = json.loads(response.body)
    return Message(f"{data['method']} {data['path']}", [tuple(pair) for pair in data["headers"]], data["body"].encode("latin-1"),
                   [tuple(pair) for pair in data["trailers"]])
