"""tlsupstream.py - an upstream that speaks TLS: records names, certificates and every byte; exact about how it ends

The bytes that are counted are payload: what came after a handshake that the upstream itself accepted.
"""

import contextlib
import ssl
import warnings
from pathlib import Path

from clients import VERSIONS, Alert, Client, Truncated
from upstream import Link, Upstream, echo


def server_context(cert, ca=None, version=None, demand=True, alpn=None):
    """cert: a pki.Cert, or (certificate file, key file); ca: files whose clients are let in, None: no client is asked;
    demand: refuse who shows none."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers("DEFAULT@SECLEVEL=0")
    if isinstance(cert, tuple):
        made.load_cert_chain(*cert)
    else:
        made.load_cert_chain(cert.chain, cert.key)
    for path in [ca] if isinstance(ca, (str, Path)) else ca or []:
        made.load_verify_locations(path)
    if ca:
        made.verify_mode = ssl.CERT_REQUIRED if demand else ssl.CERT_OPTIONAL
    if alpn:
        made.set_alpn_protocols(alpn)
    if version:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            made.minimum_version = made.maximum_version = VERSIONS[version]
    return made


class Server(Client):
    """The other role of clients.Client: the same words over a connection that was accepted."""

    def __init__(self, sock, tls):
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.waiting = b""

    def handshake(self):
        try:
            return super().handshake()
        except ssl.SSLError:
            self._flush()  # the alert that says why
            raise


class TlsLink(Link):
    """ended: None while it is open, then eof (close_notify), truncated, reset, alert or refused (our handshake)."""

    def __init__(self, server, sock, peer):
        super().__init__(server, sock, peer)
        self.sni = None
        self.session = None
        self.alert = None
        self.refusal = None

    def shake(self):
        """True: the handshake is done."""
        self.session = Server(self.sock, self.server.tls)
        self.server.shaking[id(self.session.tls)] = self
        try:
            self.session.handshake()
        except Alert as alert:
            self.ended, self.alert = "alert", alert.name
        except Truncated:
            self.ended = "truncated"
        except ssl.SSLError as fault:
            self.ended, self.refusal = "refused", fault.reason
            self._drain()
        except OSError:
            self.ended = "reset"
        return self.ended is None

    def _drain(self):
        """Unread bytes at close(2) would turn our alert into a reset."""
        with contextlib.suppress(OSError):
            self.session.fin()
            while self.sock.recv(1 << 16):
                pass

    @property
    def version(self):
        return self.session.tls.version()

    @property
    def peer_der(self):
        """The certificate that mtlsd has shown, or None."""
        return self.session.tls.getpeercert(True)

    def recv(self, size=1 << 16):
        try:
            data = self.session.recv(size)
        except Truncated:
            self.ended = "truncated"
            return b""
        except Alert as alert:
            self.ended, self.alert = "alert", alert.name
            return b""
        except ConnectionResetError:
            self.ended = "reset"
            return b""
        if not data:
            self.ended = "eof"
            return b""
        return self.took(data)

    def send(self, data):
        self.session.send(data)

    def fin(self):
        self.session.close_notify()

    def truncate(self):
        """FIN without close_notify."""
        self.session.fin()


class TlsUpstream(Upstream):
    """As Upstream; tls is an ssl.SSLContext."""

    link_class = TlsLink

    def __init__(self, tls, handler=echo, where="127.0.0.1"):
        self.tls = tls
        self.shaking = {}
        tls.sni_callback = self._named
        super().__init__(handler, where)

    def _named(self, tls, name, _):
        self.shaking[id(tls)].sni = name

    def assert_silent(self):
        """Whoever came has sent no payload."""
        for link in self.links:
            link.wait_end()
        assert self.bytes == 0, f"payload at the upstream: {[link.head for link in self.links]}"
