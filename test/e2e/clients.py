"""clients.py - those who connect to mtlsd: a TLS client that can be exact about how it ends, openssl, curl

Client drives Python's ssl over memory buffers, so that the test decides what reaches the wire and when: half-close,
FIN without close_notify, RST, a reader that is slow.
"""

import functools
import os
import re
import select
import socket
import ssl
import struct
import subprocess
import warnings
from dataclasses import dataclass
from typing import Optional

from waiting import DEADLINE

VERSIONS = {"1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
RECORD = 16384

ALERTS = {10: "unexpected_message", 20: "bad_record_mac", 40: "handshake_failure", 42: "bad_certificate",
          43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
          47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error",
          70: "protocol_version", 71: "insufficient_security", 80: "internal_error", 112: "unrecognized_name",
          116: "certificate_required"}


class Truncated(Exception):
    """The peer ended without close_notify."""


class Alert(Exception):
    """The peer sent an alert; name as in RFC 8446."""

    def __init__(self, name):
        super().__init__(name)
        self.name = name


@functools.lru_cache(maxsize=None)
def context(ca, client=None, version=None, ciphers="DEFAULT", chain=True):
    """ca: file that the server must chain to; client: a pki.Cert or None; version "1.2", "1.3" or None;
    chain: send the intermediates too; or a file with what to send."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.set_ciphers(f"{ciphers}@SECLEVEL=0")  # weak certificates must reach the server
    made.load_verify_locations(ca)
    if client:
        made.load_cert_chain({True: client.chain, False: client.crt}.get(chain, chain), client.key)
    if version:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            made.minimum_version = made.maximum_version = VERSIONS[version]
    return made


def connect(address, source=None, timeout=DEADLINE, rcvbuf=None):
    """address: (host, port) or the path of a unix socket; source: a local address."""
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX)
    else:
        sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(timeout)
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    if source:
        sock.bind((source, 0))
    try:
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def reset(sock):
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Client:
    """A TLS client. Connects at once; handshake() and everything after it is the test's."""

    def __init__(self, address, tls, *, name="localhost", source=None, timeout=DEADLINE, rcvbuf=None, session=None):
        self.sock = connect(address, source, timeout, rcvbuf)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls.wrap_bio(self.incoming, self.outgoing, server_hostname=name, session=session)
        self.waiting = b""  # decrypted, not yet asked for

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    @property
    def local(self):
        """Our address as it stands in mtlsd's log."""
        at = self.sock.getsockname()
        return "unix" if isinstance(at, (str, bytes)) else f"[{at[0]}]:{at[1]}" if ":" in at[0] else f"{at[0]}:{at[1]}"

    def _flush(self):
        if data := self.outgoing.read():
            self.sock.sendall(data)

    def _fill(self):
        data = self.sock.recv(1 << 18)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    def _do(self, step, *args):
        """Run one step of the TLS engine to its end, moving bytes as it asks."""
        while True:
            try:
                result = step(*args)
                self._flush()
                return result
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLEOFError:
                raise Truncated() from None
            except ssl.SSLError as fault:
                # TLSV1_ALERT_UNKNOWN_CA, TLSV13_ALERT_CERTIFICATE_REQUIRED, TLSV1_UNRECOGNIZED_NAME
                found = re.search(r"(?:ALERT|TLSV1)_(?!ALERT_)(\w+)", fault.reason or "")
                if found:
                    raise Alert(found[1].lower()) from None
                raise

    def hello(self):
        """Send the ClientHello alone: a listener hands nobody over before his first byte (TCP_DEFER_ACCEPT)."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        return self

    def handshake(self):
        self._do(self.tls.do_handshake)
        return self

    @property
    def server_der(self):
        return self.tls.getpeercert(True)

    def send(self, data):
        for at in range(0, len(data), RECORD):
            self._do(self.tls.write, data[at:at + RECORD])

    def recv(self, size=RECORD):
        """Up to size bytes; b"" is close_notify. Truncated, Alert, ConnectionResetError."""
        if self.waiting:
            data, self.waiting = self.waiting[:size], self.waiting[size:]
            return data
        return self._do(self.tls.read, size)

    def recv_exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.recv(size - len(data))
            if not part:
                raise AssertionError(f"close_notify after {len(data)} of {size} bytes")
            data += part
        return data

    def recv_all(self):
        """Until close_notify."""
        data = bytearray()
        while part := self.recv():
            data += part
        return bytes(data)

    def exchange(self, data):
        """Send, get the same back from an echo."""
        self.send(data)
        got = self.recv_exactly(len(data))
        assert got == data
        return self

    def close_notify(self):
        """Send close_notify; reading goes on. What lies in our buffers is decrypted before, because the engine takes
        data that it finds while shutting down for a broken protocol."""
        try:
            while self.incoming.pending or self.tls.pending():
                part = self.tls.read(RECORD)
                if not part:
                    break
                self.waiting += part
        except ssl.SSLWantReadError:
            pass
        try:
            self.tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLSyscallError, ssl.SSLZeroReturnError):
            pass
        self._flush()

    def fin(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        reset(self.sock)

    def close(self):
        """The whole farewell: close_notify, wait for the peer's, close."""
        self.close_notify()
        rest = self.recv_all()
        self.sock.close()
        return rest

    def send_until_blocked(self, chunk, quiet=0.5):
        """Send chunk again and again until the peer has taken nothing for `quiet` seconds: how many payload bytes
        were handed to the socket. The part of a record that did not fit stays for resume()."""
        self.sock.setblocking(False)
        sent = 0
        while True:
            self.tls.write(chunk)
            self.unsent = memoryview(self.outgoing.read())
            sent += len(chunk)
            if not self._push(quiet):
                self.sock.settimeout(DEADLINE)
                return sent

    def resume(self):
        """The rest of what send_until_blocked had begun."""
        self.sock.sendall(self.unsent)

    def _push(self, quiet):
        while self.unsent:
            _, writable, _ = select.select([], [self.sock], [], quiet)
            if not writable:
                return False
            try:
                self.unsent = self.unsent[self.sock.send(self.unsent):]
            except BlockingIOError:
                pass
        return True

    def pump(self, chunks, take, wanted):
        """Both directions at once: send chunks, hand what comes to take(data), until all is sent and `wanted` bytes
        have come."""
        self.sock.setblocking(False)
        chunks, unsent, got = iter(chunks), memoryview(b""), 0
        while True:
            while not unsent and chunks is not None:
                chunk = next(chunks, None)
                if chunk is None:
                    chunks = None
                    break
                self.tls.write(chunk)
                unsent = memoryview(self.outgoing.read())
            if not unsent and chunks is None and got >= wanted:
                break
            readable, writable, _ = select.select([self.sock], [self.sock] if unsent else [], [], DEADLINE)
            assert readable or writable, f"the relay stands still: {got} of {wanted} bytes have come"
            if writable:
                try:
                    unsent = unsent[self.sock.send(unsent):]
                except BlockingIOError:
                    pass
            if readable:
                self._fill()
                try:
                    while data := self.tls.read(RECORD):
                        got += len(data)
                        take(data)
                except ssl.SSLWantReadError:
                    pass
        self.sock.settimeout(DEADLINE)


class Plain:
    """The words of clients.Client for an unencrypted connection."""

    def __init__(self, address):
        self.sock = connect(address)
        self.local = "%s:%d" % self.sock.getsockname()[:2] if not isinstance(address, str) else "unix"
        self.send = self.sock.sendall

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def recv(self, size=1 << 16):
        return self.sock.recv(size)

    def recv_all(self):
        out = bytearray()
        while part := self.recv():
            out += part
        return bytes(out)

    def exchange(self, text):
        self.send(text)
        got = b""
        while len(got) < len(text):
            part = self.recv()
            assert part, f"the end after {len(got)} of {len(text)} bytes"
            got += part
        assert got == text
        return self

    def close_notify(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.close_notify()
        return self.recv_all()


@dataclass
class Outcome:
    """What a client met: kind ok, alert, reset, eof (FIN without close_notify), closed (close_notify)."""

    kind: str
    alert: Optional[str] = None
    local: Optional[str] = None
    data: bytes = b""


def attempt(address, tls, early=b"", **kw):
    """Handshake, send `early`, wait for an answer: what came of it. In TLS 1.3 a client has finished its handshake
    before the server has judged it, so a refusal comes with the first read."""
    client = Client(address, tls, **kw)
    local = client.local
    try:
        client.handshake()
        if early:
            client.send(early)
        data = client.recv()
        return Outcome("ok" if data else "closed", None, local, data)
    except Alert as alert:
        return Outcome("alert", alert.name, local)
    except Truncated:
        return Outcome("eof", None, local)
    except (ConnectionResetError, BrokenPipeError):
        return Outcome("reset", None, local)
    finally:
        client.sock.close()


def where(address):
    """HOST:PORT as openssl and curl take it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def s_client(address, ca, client=None, *args, text=b"", timeout=DEADLINE):
    """openssl s_client; sends text, then its input ends. .alert is the name of the alert that came, or None."""
    command = ["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", str(ca), "-verify_hostname", "localhost"]
    command += ["-unix", address] if isinstance(address, str) else ["-connect", where(address)]
    if client:
        command += ["-cert", str(client.crt), "-key", str(client.key)]
    done = subprocess.run([*command, *args], input=text, capture_output=True, timeout=timeout, check=False)
    found = re.search(r"SSL alert number (\d+)", done.stderr.decode(errors="replace"))
    done.alert = ALERTS.get(int(found[1]), found[1]) if found else None
    return done


def curl(address, ca, client=None, *args, host="localhost", path="/", timeout=DEADLINE):
    """curl over https; address as for connect."""
    command = ["curl", "-sS", "--max-time", str(timeout), "--cacert", str(ca)]
    if isinstance(address, str):
        command += ["--unix-socket", address]
        url = f"https://{host}{path}"
    else:
        command += ["--connect-to", f"{host}:443:{where(address)}"]
        url = f"https://{host}{path}"
    if client:
        command += ["--cert", str(client.chain), "--key", str(client.key)]
    return subprocess.run([*command, *args, url], capture_output=True, timeout=timeout + 5, check=False,
                          env={"PATH": os.environ["PATH"]})
