"""rawtls.py - TLS messages written and read by hand, for what no TLS library lets a test do

Hello makes a ClientHello; server_flight reads what a server says before anything is encrypted. No cryptography here:
no handshake is ever finished.
"""

import os
import secrets
import struct

from clients import connect, reset

RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
HANDSHAKE, ALERT, CHANGE_CIPHER_SPEC = 22, 21, 20
CLIENT_HELLO, SERVER_HELLO, SERVER_KEY_EXCHANGE, SERVER_HELLO_DONE = 1, 2, 12, 14


def vector(width, data):
    return len(data).to_bytes(width, "big") + data


def record(kind, body):
    return bytes([kind, 3, 1]) + vector(2, body)


def public_key():
    """Of X25519, nobody knows the private one: any 32 bytes with the highest bit clear (wolfSSL refuses the others, only
    after it has sent its ServerHello)."""
    return os.urandom(31) + bytes([os.urandom(1)[0] & 0x7F])


def hybrid_key(modulus=3329):
    """Of X25519MLKEM768, nobody knows the private one: 768 numbers of twelve bits below the modulus, a seed, and a key of
    X25519. A number that is not below 3329 makes it no key at all (FIPS 203 7.2)."""
    packed = sum((modulus - 1 - secrets.randbelow(3329)) << 12 * i for i in range(768))
    return packed.to_bytes(1152, "little") + os.urandom(32) + public_key()


class Hello:
    """A ClientHello. version "1.2" or "1.3"; shares: groups to send an X25519 key share for, or (group, key share);
    padding: bytes of an extension that says nothing."""

    def __init__(self, version, groups=(0x001D,), shares=(0x001D,), suites=None, session_id=b"", padding=0):
        self.version = version
        self.groups = groups
        self.shares = shares
        self.suites = suites or ([0x1301] if version == "1.3" else [0xC02B, 0xC02F])
        self.session_id = session_id
        self.padding = padding

    def extensions(self):
        def extension(kind, body):
            return struct.pack(">H", kind) + vector(2, body)

        def numbers(values):
            return vector(2, b"".join(struct.pack(">H", value) for value in values))
        out = extension(10, numbers(self.groups))
        out += extension(13, numbers([0x0403, 0x0804, 0x0805, 0x0806, 0x0401, 0x0807]))
        if self.version == "1.3":
            out += extension(43, vector(1, b"\x03\x04"))
            shares = (share if isinstance(share, tuple) else (share, public_key()) for share in self.shares)
            out += extension(51, vector(2, b"".join(struct.pack(">H", group) + vector(2, key) for group, key in shares)))
        else:
            out += extension(11, b"\x01\x00") + extension(23, b"") + extension(0xFF01, b"\x00")
        return out + (extension(21, bytes(self.padding)) if self.padding else b"")

    def message(self):
        """Without the record around it."""
        body = b"\x03\x03" + os.urandom(32) + vector(1, self.session_id)
        body += vector(2, b"".join(struct.pack(">H", suite) for suite in self.suites)) + b"\x01\x00"
        body += vector(2, self.extensions())
        return bytes([CLIENT_HELLO]) + vector(3, body)

    def encode(self):
        return record(HANDSHAKE, self.message())


class Flight:
    """What the server has said: messages (kind, body), alert or None, over: nothing more will come in clear."""

    def __init__(self):
        self.raw = b""
        self.stream = b""
        self.messages = []
        self.alert = None

    def feed(self, data):
        self.raw += data
        while len(self.raw) >= 5 and len(self.raw) >= 5 + (size := int.from_bytes(self.raw[3:5], "big")):
            kind, body, self.raw = self.raw[0], self.raw[5:5 + size], self.raw[5 + size:]
            if kind == ALERT:
                self.alert = body[1]
            elif kind == HANDSHAKE:
                self.stream += body
        while len(self.stream) >= 4 and len(self.stream) >= 4 + (size := int.from_bytes(self.stream[1:4], "big")):
            self.messages.append((self.stream[0], self.stream[4:4 + size]))
            self.stream = self.stream[4 + size:]

    def message(self, kind):
        return next((body for found, body in self.messages if found == kind), None)


def read_flight(sock, until=SERVER_HELLO):
    """What comes until the message `until`, an alert or the end."""
    flight = Flight()
    while flight.message(until) is None and flight.alert is None:
        data = sock.recv(1 << 16)
        if not data:
            break
        flight.feed(data)
    return flight


def server_flight(address, hello, until=SERVER_HELLO):
    """Send hello, read until the message `until` or an alert has come, leave with RST."""
    sock = connect(address)
    try:
        sock.sendall(hello.encode())
        return read_flight(sock, until)
    finally:
        reset(sock)


def random_of(server_hello):
    return server_hello[2:34]


def share_of(server_hello):
    """(group, key share) of a TLS 1.3 ServerHello; of a HelloRetryRequest (group, b"")."""
    at = 35 + server_hello[34] + 3
    end = at + 2 + int.from_bytes(server_hello[at:at + 2], "big")
    at += 2
    while at < end:
        kind, size = struct.unpack(">HH", server_hello[at:at + 4])
        body, at = server_hello[at + 4:at + 4 + size], at + 4 + size
        if kind == 51:
            return int.from_bytes(body[:2], "big"), body[4:]
    return None


def point_of(server_key_exchange):
    """The server's point in a TLS 1.2 ServerKeyExchange."""
    assert server_key_exchange[0] == 3, "a named curve"
    return server_key_exchange[4:4 + server_key_exchange[3]]


def retry_group(address, hello):
    """The group that a HelloRetryRequest asks for."""
    message = server_flight(address, hello).message(SERVER_HELLO)
    assert random_of(message) == RETRY_RANDOM, "not a HelloRetryRequest"
    return share_of(message)[0]
