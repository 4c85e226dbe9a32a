"""Both nginx recipes side by side: a real nginx runs the recipe, mtlsd runs etc/examples, both have the same certificates
(etc/mkpki), both are asked the same. Each test prints its table; what differs by intention is a table here.

A row is: admitted or not, status and body if admitted, bytes at the upstream.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from clients import Alert, Truncated, context
from daemon import NOBODY, ROOT, run
from pki import Cert
from recipes import PROXY, SERVER, UPSTREAM
from tlsupstream import server_context
from web import Talk, tell, told

ETC = Path(__file__).resolve().parents[2] / "etc"
VERSIONS = ("1.2", "1.3")
TEXT = "mTLS connection established"


def mkpki(directory, *args):
    done = subprocess.run(["sh", str(ETC / "mkpki"), "-d", str(directory), *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture
def laid(home, pki):
    """A directory with mkpki's pki/ in it, and by its side what mkpki cannot make: chains of two and three intermediates
    (under a second root in the same file) and a version 1 certificate of the same authority."""
    at = home()
    where = mkpki(at.path / "pki", "-k", "ec")
    mkpki(where, "-o", "client-expired:client", "-a", "-120", "-m", "60")
    mkpki(where, "-o", "server-expired:server", "-a", "-120", "-m", "60")
    mkpki(where, "-o", "server-other:server", "-s", "other.example")
    mkpki(where, "-i", "-o", "client-1:client")
    mkpki(where, "-i", "-o", "server-1:server")
    wrong = mkpki(at.path / "wrong", "-n", "another root")
    for name in ("client", "server"):
        put(where, f"{name}-wrong", cert_of(wrong, name))
    deep = {2: pki.client_two_deep(), 3: pki.client_three_deep()}
    for depth, cert in deep.items():
        put(where, f"client-{depth}", cert)
        put(where, f"server-{depth}", pki.issue(f"server-{depth}-deep", cert.issuer, eku="serverAuth", san="DNS:localhost"))
    root = Cert("mkpki-root", where / "root.crt", where / "root.key", None)
    for name in ("client-v1", "server-v1", "server-cn"):
        pki.made.pop(f"{name}-of-mkpki", None)
    put(where, "server-cn", pki.issue("server-cn-of-mkpki", root, eku="serverAuth", subject="/CN=localhost"))
    put(where, "client-v1", pki.issue("client-v1-of-mkpki", root, v1=True, subject="/CN=client"))
    put(where, "server-v1", pki.issue("server-v1-of-mkpki", root, v1=True, subject="/CN=localhost"))
    with open(where / "root.crt", "a", encoding="ascii") as roots:
        roots.write(pki.root().pem)
    where.chmod(0o755)
    return at


def put(where, name, cert):
    (where / f"{name}.crt").write_text(cert.chain_pem)
    (where / f"{name}.key").write_text(cert.key_pem)
    (where / f"{name}.key").chmod(0o600)


def cert_of(where, name):
    return Cert(name, where / f"{name}.crt", where / f"{name}.key", None)


def example(name):
    """etc/examples/NAME.conf; as root we cannot become a user mtlsd that the machine may not have."""
    text = (ETC / "examples" / f"{name}.conf").read_text()
    return text.replace("#user  = nobody\n#group = nogroup", f"user = {NOBODY}\ngroup = {NOBODY}") if ROOT else text


def changed(text, *pairs):
    """text with each old value changed into the new one; the example must still have it."""
    for old, new in pairs:
        assert old in text, f"the example has no {old!r} any more"
        text = text.replace(old, new)
    return text


@dataclass
class Seen:
    """What came of one request at one of the two."""

    admitted: bool
    status: object = None
    body: bytes = b""
    bytes: int = 0
    how: str = ""  # how it was refused: the words, not the verdict

    def verdict(self):
        return (self.admitted, self.status, self.body, self.bytes) if self.admitted else (False, self.bytes)

    def __str__(self):
        return f"{'admitted' if self.admitted else 'refused'} {self.how}".strip()


def judge(title, rows, different):
    """rows: {name: (nginx, mtlsd)}; different: {pattern: reason}. Every row is equal or has its reason; every reason has a
    row that differs."""
    used, wrong, lines = set(), [], [title, f"{'row':34} {'nginx':28} {'mtlsd':44} upstream  verdict"]
    for name, (nginx, ours) in rows.items():
        reason = next((key for key in different if re.fullmatch(key, name)), None)
        equal = nginx.verdict() == ours.verdict()
        if not equal and reason:
            used.add(reason)
            verdict = f"differs: {different[reason]}"
        else:
            verdict = "equal" if equal else "DIFFERS"
            if not equal:
                wrong.append(f"{name}: nginx {nginx}, mtlsd {ours}")
        amount = f"{nginx.bytes}/{ours.bytes}"
        lines.append(f"{name:34} {str(nginx):28} {str(ours):44} {amount:9} {verdict}")
    print("\n" + "\n".join(lines))
    assert not wrong, "\n".join(wrong)
    assert used == set(different), f"not different at all: {set(different) - used}"


# --- the server block ----------------------------------------------------------------------------------
# Not in the table, because the verdict is the same: nginx lets everybody finish the handshake and answers 400; we send a
# TLS alert, so that nobody who is not verified ever speaks HTTP with anything.
SERVER_DIFFERENCES = {
    r"v1 .*": "x509_v1: such a certificate does not say what it is for; OpenSSL takes it, we with unsafe_x509v1 = yes",
}
SERVER_CERTS = ["good", "missing", "wrong", "expired", "1 deep", "2 deep", "3 deep", "v1"]
FILES = {"good": "client", "missing": None, "wrong": "client-wrong", "expired": "client-expired", "1 deep": "client-1",
         "2 deep": "client-2", "3 deep": "client-3", "v1": "client-v1"}


def ask(address, tls, up):
    """One GET; up: its upstream, or None for a built-in answer."""
    before = up.bytes if up else 0
    try:
        with Talk(address, tls) as talk:
            answer = talk.get("/", "localhost", "Connection: close")
            seen = Seen(False, how="eof")
            if answer:
                seen = Seen(answer.status == 200, answer.status, answer.body, how=str(answer.status))
    except Alert as alert:
        seen = Seen(False, how=alert.name)
    except (Truncated, ConnectionResetError, BrokenPipeError) as fault:
        seen = Seen(False, how=type(fault).__name__)
    if up:
        for link in up.links:
            link.wait_end()
        seen.bytes = up.bytes - before
    return seen


def nginx_server(pki, places, up):
    """A server block for each (depth or None, proxied)."""
    def write(ports, _):
        out = "http {\n"
        for port, (depth, proxied) in zip(ports, places):
            # HTTP/1.1 as ours, so that the bytes can be compared
            does = (f'proxy_pass http://{up}; proxy_http_version 1.1; proxy_set_header Connection "";' if proxied
                    else f'return 200 "{TEXT}";')
            more = "" if depth is None else f"        ssl_verify_depth {depth};\n"
            out += SERVER.format(port=port, pki=pki, more=more, does=does)
        return out + "}\n"
    return write


def test_server(mtlsd, upstream, peer, laid):
    """The first recipe's server, as it stands and with an upstream behind it, with each ssl_verify_depth."""
    up = upstream(tell)
    where = laid.path / "pki"
    places = [(None, False), (None, True)] + [(depth, True) for depth in range(4)] + [(None, True)]
    nginx = peer("nginx", nginx_server(where, places, up), len(places))
    text = changed(example("mtls-server"), ("listen = 8080", "listen = 127.0.0.1:0"))
    answer = f'upstream = respond:200 "{TEXT}"'
    service = text.partition("[service web]")[2]
    for index, (depth, proxied) in enumerate(places[1:], 1):
        copy = changed(service, (answer, f"upstream = {up}"))
        text += f"\n[service web{index}]{copy}\nprotocol = http\nworkers = 4\n"
        if depth is not None:
            text += f"verify_depth = {depth}\n"
        if index == len(places) - 1:  # for version 1
            text += "unsafe_x509v1 = yes\n"
    daemon = mtlsd(at=laid, text=text)
    rows = {}
    for version in VERSIONS:
        for index, (depth, proxied) in enumerate(places):
            last = index == len(places) - 1
            for name in ["v1"] if last else SERVER_CERTS:
                if depth is not None and "deep" not in name and name != "good":
                    continue
                if depth is None and "deep" in name:
                    continue  # nginx's default is 1, ours 2: the rows with a depth show both
                tls = context(where / "root.crt", cert_of(where, FILES[name]) if FILES[name] else None, version)
                row = (name if not last else "unsafe v1") + ("" if depth is None else f", depth {depth}")
                row += f" {'proxied' if proxied else 'return'} {version}"
                address = daemon.addresses("web" + (str(index) if index else ""))[0]
                rows[row] = (ask(("127.0.0.1", nginx.ports[index]), tls, up), ask(address, tls, up))
    judge("The server block", rows, SERVER_DIFFERENCES)
    assert rows["good return 1.3"][1].body == TEXT.encode()
    assert rows["missing return 1.3"][0].how == "400" and rows["missing return 1.3"][1].how == "certificate_required"
    daemon.wait("refused", reason="x509_v1", count=4)


# --- the proxy -----------------------------------------------------------------------------------------
PROXY_DIFFERENCES = {
    r"first: (good|1 deep|2 deep|CN only|unsafe server v1) 1\.3": "proxy_ssl_protocols of nginx before 1.23.4 ends at TLSv1.2",
    r"first: 2 deep 1\.2": "nginx's default is proxy_ssl_verify_depth 1, ours 2: an intermediate more is no weakness",
    r"first: server v1 1\.2|second: server v1 .*": "x509_v1, as on the other side; nginx takes them",
}
# nginx speaks HTTP/1.0 to the upstream, with this line; the version is as long as ours.
MORE = len("Connection: close\r\n")
SERVERS = {"good": "server", "expired": "server-expired", "wrong name": "server-other", "wrong CA": "server-wrong",
           "1 deep": "server-1", "2 deep": "server-2", "3 deep": "server-3", "server v1": "server-v1", "CN only": "server-cn"}


@dataclass
class Case:
    """One location of nginx and one route of ours."""

    recipe: str
    server: str
    version: str
    client: str = "client"
    depth: int = 2
    extra: str = ""  # for ours

    @property
    def service(self):
        return "second" if self.recipe == "second" else "proxy" if self.client else "bare"

    def __str__(self):
        by = {"client": "", "client-wrong": ", our cert is wrong", "client-expired": ", our cert is expired", "": ", no cert"}
        depth = f", depth {self.depth}" if self.recipe == "second" and self.depth != 2 else ""
        return f"{self.recipe}: {self.extra and 'unsafe '}{self.server}{by[self.client]}{depth} {self.version}"


def cases():
    for version in VERSIONS:
        for recipe in ("first", "second"):
            for server in SERVERS:
                if recipe == "second" or server != "3 deep":
                    yield Case(recipe, server, version)
            yield Case(recipe, "good", version, "client-wrong")
            yield Case(recipe, "good", version, "")
            yield Case(recipe, "server v1", version, extra="upstream_unsafe_x509v1 = yes\n")
        yield from (Case("second", server, version, depth=depth) for depth in (0, 1, 3)
                    for server in ("good", "1 deep", "2 deep", "3 deep"))


def location(case, path, to, pki):
    text = (PROXY if case.recipe == "first" else UPSTREAM).format(path=path, to=to, pki=pki, client=case.client, depth=case.depth)
    return text if case.client else re.sub(r" *proxy_ssl_certificate(_key)? .*\n", "", text)


def without_cert(text):
    return re.sub(r"(?m)^upstream_(cert|key) .*\n", "", text)


def route(case, name, path, to, second):
    """second: the section of the example's second recipe."""
    if case.recipe == "first":
        text = f"service = {case.service}\npath = {path}\nupstream = tls://localhost:{to}\n"
        text += f"upstream_cert = pki/{case.client}.crt\nupstream_key = pki/{case.client}.key\n"
    else:
        text = changed(second, ("service = proxy", f"service = {case.service}"), ("path = /upstream", f"path = {path}"),
                       ("localhost:8080", f"localhost:{to}"), ("pki/client.", f"pki/{case.client}."),
                       ("upstream_verify_depth = 2", f"upstream_verify_depth = {case.depth}"))
    return f"\n[route {name}]\n{text if case.client else without_cert(text)}{case.extra}"


def examples_with(table, ports):
    """mtls-client.conf with a route for each case. A route cannot take back what its service says, so there is the first
    recipe once more without a certificate of ours, and a service that leaves everything to the second recipe's routes."""
    text = changed(example("mtls-client"), ("127.0.0.1:8081", "127.0.0.1:0"))
    head, _, rest = text.partition("[service proxy]")
    first, _, second = rest.partition("[route upstream]\n")
    first = changed(first, ("localhost:8080", f"localhost:{ports[0]}")) + "workers = 4\n"
    out = f"{head}[service proxy]{first}\n[service bare]{without_cert(first)}\n"
    out += "[service second]\nprotocol = http\nlisten_tls = no\nlisten = 127.0.0.1:0\nworkers = 4\n"
    for index, case in enumerate(table):
        out += route(case, f"r{index:03}", f"/r{index:03}", ports[index], second)
    return out


def get(address, path, up):
    """Through a proxy; what it is to the upstream."""
    before = up.bytes
    with Talk(address) as talk:
        answer = talk.get(path, "localhost", "X-Real-IP: 203.0.113.9", "Connection: close")
    for link in up.links:
        link.wait_end()
    seen = Seen(answer.status == 200, answer.status, how=str(answer.status), bytes=up.bytes - before)
    if seen.admitted:
        was = told(answer)
        seen.body = (was.start, sorted(pair for pair in was.headers if pair[0] != "connection"), was.body)
    return seen


def test_proxy(mtlsd, tls_upstream, peer, laid):
    """Both recipes' client side, against upstreams that demand a certificate. Each row has an upstream of its own: nginx
    resumes its session with an upstream from every location, whatever that demands."""
    where, table = laid.path / "pki", list(cases())
    ups = [tls_upstream(server_context(cert_of(where, SERVERS[case.server]), where / "root.crt", case.version), tell)
           for case in table]
    ports = [up.port for up in ups]

    def write(own, _):
        out = f"http {{\n    server {{\n        listen 127.0.0.1:{own[0]};\n"
        for index, case in enumerate(table):
            out += location(case, f"/r{index:03}", ports[index], where)
        return out + "    }\n}\n"
    nginx = peer("nginx", write)
    daemon = mtlsd(at=laid, text=examples_with(table, ports))
    rows = {}
    for index, (case, up) in enumerate(zip(table, ups)):
        theirs = get(nginx.address, f"/r{index:03}", up)
        mark = daemon.mark()
        ours = get(daemon.addresses(case.service)[0], f"/r{index:03}", up)
        if theirs.admitted:
            theirs.bytes -= MORE
        if not ours.admitted:
            ours.how += " " + daemon.wait("refused", after=mark, stage="upstream")["reason"]
        rows[str(case)] = (theirs, ours)
    judge("The proxy", rows, PROXY_DIFFERENCES)
    real = rows["first: good 1.3"][1].body[1]
    assert ("x-real-ip", "127.0.0.1") in real and ("host", "localhost") in real
    for name, reason in {"expired": "expired", "wrong name": "bad_name", "wrong CA": "unknown_ca", "server v1": "x509_v1",
                         "good, our cert is wrong": "upstream_refused_our_certificate",
                         "good, no cert": "upstream_refused_our_certificate", "3 deep": "too_deep"}.items():
        for version in VERSIONS:
            assert rows[f"second: {name} {version}"][1].how == f"502 {reason}"


def test_our_own_certificate_is_expired(tls_upstream, binary, peer, laid):
    """nginx shows it all the same, and every request ends in 502; we say so before we start."""
    where = laid.path / "pki"
    up = tls_upstream(server_context(cert_of(where, "server"), where / "root.crt"), tell)
    case = Case("second", "good", "1.3", "client-expired")
    nginx = peer("nginx", lambda own, _: f"http {{\n    server {{\n        listen 127.0.0.1:{own[0]};\n"
                 + location(case, "/r000", up.port, where) + "    }\n}\n")
    seen = get(nginx.address, "/r000", up)
    assert (seen.admitted, seen.status, seen.bytes) == (False, 502, 0)
    count = up.count
    config = laid.put("mtlsd.conf", examples_with([case], [up.port]))
    done = run(binary, "-f", config, cwd=laid.path)
    assert done.returncode == 96 and "client-expired.crt" in done.stderr and "expired" in done.stderr, done.stderr
    assert up.count == count
