"""protocol = http: requests judged and written anew, headers that a client cannot forge, routes, bodies, upgrades"""

import http.client
import re
import threading

import pytest

from clients import Truncated, context, curl
from test_originate import laid
from tlsupstream import server_context
from web import Message, Talk, Wire, tell, told, whole

SIDES = pytest.mark.parametrize("side", ["plain", "tls"])


@pytest.fixture
def served(mtlsd, pki, ca):
    """served(upstream, side, sections=..., **service): the daemon and talk(), a new connection to it."""
    def make(up, side="plain", **service):
        if side == "plain":
            service |= {"listen_tls": "no", "cert": None, "key": None, "ca": None}
        daemon = mtlsd(protocol="http", upstream=up, **service)

        def talk():
            return Talk(daemon.address, context(ca, pki.client()) if side == "tls" else None)
        return daemon, talk
    return make


def routes(**table):
    """{"a": {...}} as sections of the service web."""
    return {f"route {name}": {"service": "web"} | keys for name, keys in table.items()}


# --- headers -------------------------------------------------------------------------------------------
FORGED = [
    "X-Real-IP: 203.0.113.9", "x-real-ip: 203.0.113.9", "X-REAL-IP: 203.0.113.9", "X_Real_IP: 203.0.113.9",
    "x_real-ip: 203.0.113.9",
    "X-Real-IP: 203.0.113.9\r\nX-Real-IP: 203.0.113.10", "Connection: X-Real-IP\r\nX-Real-IP: 203.0.113.9",
    "Connection: keep-alive, x-real-ip", "X-Real-IP:203.0.113.9", "X-Real-IP: ", "X-Real-IP:\t203.0.113.9\t",
]


@SIDES
@pytest.mark.parametrize("forged", FORGED)
def test_forged_header(served, upstream, side, forged):
    """On the first and on the second request of a connection, and on one that comes with the first in one piece."""
    up = upstream(tell)
    _, talk = served(up, side, **{"header.x-real-ip": "$remote_addr"})
    one = f"GET /one HTTP/1.1\r\nHost: a\r\n{forged}\r\n\r\n".encode()
    with talk() as client:
        client.ask(one)
        client.ask(one.replace(b"/one", b"/two"))
        client.send(one.replace(b"/one", b"/three") + one.replace(b"/one", b"/four"))
        assert client.wire.response() and client.wire.response()
    seen = [(request.start, [pair for pair in request.headers if pair[0].replace("_", "-") == "x-real-ip"]) for request in up.requests]
    assert seen == [(f"GET /{path} HTTP/1.1", [("x-real-ip", "127.0.0.1")]) for path in ("one", "two", "three", "four")]


def test_forged_trailer(served, upstream):
    """A trailer is no way round."""
    up = upstream(tell)
    _, talk = served(up, **{"header.x-real-ip": "$remote_addr"})
    with talk() as client:
        answer = client.ask(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Real-IP, X-Sum\r\n\r\n"
                            b"3\r\nabc\r\n0\r\nX-Real-IP: 203.0.113.9\r\nX-Sum: 1\r\n\r\n")
    was = told(answer)
    assert was.body == b"abc" and was.all("x-real-ip") == ["127.0.0.1"]
    assert "x-real-ip" not in dict(was.trailers)


@SIDES
def test_http_client(served, upstream, pki, ca, side):
    """Python's http.client, which has its own idea of a connection."""
    up = upstream(tell)
    daemon, _ = served(up, side, **{"header.x-real-ip": "$remote_addr"})
    if side == "tls":
        made = http.client.HTTPSConnection("localhost", daemon.address[1], context=context(ca, pki.client()), timeout=20)
    else:
        made = http.client.HTTPConnection("127.0.0.1", daemon.address[1], timeout=20)
    for path in ("/one", "/two"):
        made.request("POST", path, body=b"abc", headers={"X-Real-IP": "203.0.113.9"})
        answer = made.getresponse()
        assert answer.status == 200
        was = told(Message("", [], answer.read()))
        assert (was.start, was.all("x-real-ip"), was.body) == (f"POST {path}", ["127.0.0.1"], b"abc")
    made.close()


VARIABLES = {
    "$remote_addr": r"127\.0\.0\.1", "$remote_port": r"\d+", "$scheme": "https", "$server_name": "web", "$host": "localhost",
    "$http_host": r"LocalHost:99", "$proxy_host": r"127\.0\.0\.1:\d+", "$ssl_protocol": r"TLSv1\.3",
    "$ssl_cipher": r"TLS_AES_128_GCM_SHA256", "$ssl_client_verify": "SUCCESS", "$ssl_client_s_dn": r"CN=client-ec256-1,O=Example",
    "$ssl_client_i_dn": "CN=root,O=Example", "$ssl_client_serial": r"[0-9A-F]+", "$ssl_client_fingerprint": r"[0-9a-f]{40}",
    "$ssl_client_escaped_cert": r"-----BEGIN%20CERTIFICATE-----%0A[A-Za-z0-9%]+-----END%20CERTIFICATE-----%0A",
    "$proxy_add_x_forwarded_for": r"192\.0\.2\.1, 127\.0\.0\.1", "a $$ ${scheme}x": r"a \$ httpsx",
}


def test_variables(served, upstream, pki):
    up = upstream(tell)
    headers = {f"header.v{number}": f'"{text}"' for number, text in enumerate(VARIABLES)}
    _, talk = served(up, "tls", **headers)
    with talk() as client:
        client.get("/", "LocalHost:99", "X-Forwarded-For: 192.0.2.1")
    for number, (text, want) in enumerate(VARIABLES.items()):
        have = up.requests[0][f"v{number}"]
        assert have is not None and re.fullmatch(want, have), f"{text}: {have}"
    cert = pki.client()
    assert up.requests[0][f"v{list(VARIABLES).index('$ssl_client_serial')}"].lstrip("0") == cert.serial


def test_variables_as_nginx(served, peer, upstream, pki, ca):
    """Every variable has nginx's value."""
    up = upstream(tell)
    names = [text[1:] for text in VARIABLES if re.fullmatch(r"\$\w+", text)]
    headers = {f"header.v-{name.replace('_', '-')}": f"${name}" for name in names}

    def write(ports, path):
        laid(path, pki)
        own = "".join(f"      proxy_set_header v-{name.replace('_', '-')} ${name};\n" for name in names)
        return (f"http {{\n  server {{\n    server_name web;\n    listen 127.0.0.1:{ports[0]} ssl;\n"
                f"    ssl_certificate {path}/server.crt;\n    ssl_certificate_key {path}/server.key;\n"
                f"    ssl_client_certificate {path}/ca.crt;\n    ssl_verify_client on;\n    ssl_protocols TLSv1.3;\n"
                f"    location / {{\n      proxy_pass http://{up};\n{own}    }}\n  }}\n}}\n")
    other = peer("nginx", write)
    _, talk = served(up, "tls", **headers)
    lines = ("X-Forwarded-For: 192.0.2.1",)
    with Talk(other.address, context(ca, pki.client())) as client:
        client.get("/", "LocalHost:99", *lines)
    with talk() as client:
        client.get("/", "LocalHost:99", *lines)
    theirs, ours = up.requests
    different = {}
    for name in names:
        key = f"v-{name.replace('_', '-')}"
        if name not in ("remote_port", "ssl_cipher") and theirs[key] != ours[key]:
            different[name] = (theirs[key], ours[key])
    assert not different, different


def test_header_removed_and_inherited(served, upstream):
    """An empty text takes the header out; a route has its service's headers but for those that it names itself."""
    up = upstream(tell)
    _, talk = served(up, **{"header.x-one": "service", "header.x-two": "service", "header.accept-encoding": '""'},
                     sections=routes(a={"path": "/a", "header.x-two": "route"}))
    with talk() as client:
        for path in ("/", "/a"):
            client.get(path, "localhost", "Accept-Encoding: gzip", "X-One: forged", "X-Two: forged", "X-Three: its own")
    names = ("x-one", "x-two", "x-three", "accept-encoding")
    first, second = ([request.all(name) for name in names] for request in up.requests)
    assert first == [["service"], ["service"], ["its own"], []]
    assert second == [["service"], ["route"], ["its own"], []]


@pytest.mark.parametrize("text,want", [(None, r"127\.0\.0\.1:\d+"), ("$host", "shop.example"),
                                       ("$http_host", "Shop.Example:8080"), ("fixed.example", "fixed.example")])
def test_host(served, upstream, text, want):
    up = upstream(tell)
    _, talk = served(up, **({"header.host": text} if text else {}))
    with talk() as client:
        client.get("/", "Shop.Example:8080")
    assert len(up.requests[0].all("host")) == 1 and re.fullmatch(want, up.requests[0]["host"])


def test_hop_by_hop(served, upstream):
    """What is for one connection goes no further, in neither direction."""
    def handler(link):
        link.request = Wire(link.recv).request()
        link.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
                  b"Proxy-Connection: x\r\nX-Stays: 1\r\n\r\nok")
    up = upstream(handler)
    _, talk = served(up)
    with talk() as client:
        answer = client.get("/", "localhost", "Connection: X-Mine, keep-alive", "X-Mine: 1", "Keep-Alive: 3",
                            "Proxy-Connection: x", "TE: trailers", "X-Stays: 1")
    assert (answer.body, answer["x-stays"]) == (b"ok", "1")
    assert not [name for name, _ in answer.headers if name in ("x-hop", "keep-alive", "proxy-connection")]
    was = up.link().request
    assert was["x-stays"] == "1"
    assert not [name for name, _ in was.headers if name in ("x-mine", "keep-alive", "proxy-connection", "te")]


# --- routes --------------------------------------------------------------------------------------------
def test_routes(served, upstream):
    """The longest path of whole segments wins; none is 404; paths are passed on as they came."""
    ups = {name: upstream(tell) for name in ("a", "ab", "deep")}
    table = {"a": {"path": "/a", "upstream": ups["a"]}, "ab": {"path": "/ab", "upstream": ups["ab"]},
             "deep": {"path": "/a/b", "upstream": ups["deep"]},
             "here": {"path": "/here", "upstream": 'respond:203 "it is here"'}}
    daemon, talk = served(None, sections=routes(**table))
    want = {"/a": "a", "/a/": "a", "/a?x=/a/b": "a", "/a/c": "a", "/a/b": "deep", "/a/b/c?d": "deep", "/a/bc": "a", "/ab": "ab",
            "/abc": None, "/": None, "/A": None, "/here": "here", "/here/x": "here"}
    with talk() as client:
        for path, name in want.items():
            before = {key: len(up.requests) for key, up in ups.items()}
            answer = client.get(path)
            asked = [key for key, up in ups.items() if len(up.requests) > before[key]]
            if name is None:
                assert (answer.status, asked) == (404, []), path
            elif name == "here":
                assert (answer.status, answer.body, asked) == (203, b"it is here", []), path
            else:
                assert (answer.status, asked, told(answer).start) == (200, [name], f"GET {path}"), path
    daemon.wait("done")
    assert len(daemon.find("request", reason="no_route")) == 3
    assert daemon.find("request", route="deep")[0]["path"] == "/a/b"


def test_routes_to_everything(served, upstream, tls_upstream, pki, ca):
    """tls://, plain and unix in one service, one connection of a client."""
    plain, unix, tls = upstream(tell), upstream(tell, "unix"), tls_upstream(server_context(pki.server(), ca), tell)
    table = {"p": {"path": "/p", "upstream": plain}, "u": {"path": "/u", "upstream": unix},
             "t": {"path": "/t", "upstream": f"tls://localhost:{tls.port}", "upstream_ca": "ca.crt",
                   "upstream_cert": "server2.crt", "upstream_key": "server2.key"}}
    client_cert = pki.client()
    _, talk = served('respond:200 "root"', "tls", sections=routes(**table),
                     files={"server2.crt": client_cert.pem, "server2.key": client_cert.key_pem})
    with talk() as client:
        for _ in range(2):
            assert client.get("/").body == b"root"
            for path in ("/p", "/u", "/t"):
                assert told(client.get(path)).start == f"GET {path}"
    assert tls.link().peer_der == client_cert.der and tls.link().sni == "localhost"
    assert [len(up.requests) for up in (plain, unix, tls)] == [2, 2, 2]


def test_nginx_demands_a_certificate(served, peer, upstream, pki):
    """The seed's /upstream: curl through a plain listener, nginx behind it demands a certificate and says what it sees."""
    def write(ports, path):
        laid(path, pki)
        return (f"http {{\n  server {{\n    listen 127.0.0.1:{ports[0]} ssl;\n    ssl_certificate {path}/server.crt;\n"
                f"    ssl_certificate_key {path}/server.key;\n    ssl_client_certificate {path}/ca.crt;\n    ssl_verify_client on;\n"
                '    location / { return 200 "$http_x_real_ip|$ssl_client_s_dn|$request_uri|$connection_requests"; }\n  }\n}\n')
    other = peer("nginx", write)
    cert = pki.client()
    table = {"up": {"path": "/upstream", "upstream": f"tls://localhost:{other.ports[0]}", "upstream_ca": "ca.crt",
                    "upstream_cert": "up.crt", "upstream_key": "up.key", "upstream_ciphers": "HIGH:!aNULL:!MD5",
                    "header.x-real-ip": "$remote_addr"}}
    daemon, talk = served('respond:200 "x"', "tls", sections=routes(**table), files={"up.crt": cert.pem, "up.key": cert.key_pem})
    done = curl(daemon.address, pki.root().crt, cert, "-H", "X-Real-IP: 203.0.113.9", path="/upstream/x")
    assert done.stdout == b"127.0.0.1|CN=client-ec256-1,O=Example|/upstream/x|1", done
    with talk() as client:
        for number in (1, 2):
            answer = client.get("/upstream", "localhost", "X-Real-IP: 203.0.113.9", "X_Real_IP: 203.0.113.9")
            assert answer.body == b"127.0.0.1|CN=client-ec256-1,O=Example|/upstream|%d" % number


# --- bodies and connections ----------------------------------------------------------------------------
@SIDES
def test_keep_alive(served, upstream, side):
    """Twenty requests, one connection on each side; their order is kept."""
    up = upstream(tell)
    daemon, talk = served(up, side)
    with talk() as client:
        for number in range(20):
            assert told(client.get(f"/{number}")).start == f"GET /{number}"
    assert up.count == 1
    assert daemon.wait("done")["requests"] == "20"


def test_pipelining(served, upstream):
    up = upstream(tell)
    _, talk = served(up)
    text = b"".join(b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n%03d" % (n, n) for n in range(30))
    with talk() as client:
        client.send(text)
        got = [told(client.wire.response()) for _ in range(30)]
    assert [(was.start, was.body) for was in got] == [(f"POST /{n}", b"%03d" % n) for n in range(30)]


def test_split_everywhere(served, upstream):
    """Cut in two at every byte: one request and no other."""
    up = upstream(tell)
    _, talk = served(up)
    text = (b"POST /x?y HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"4;ext\r\nabcd\r\n10\r\n0123456789abcdef\r\n0\r\nT: 1\r\n\r\n")
    with talk() as client:
        for at in range(1, len(text)):
            client.send(text[:at])
            client.send(text[at:])
            was = told(client.wire.response())
            assert (was.start, was.body) == ("POST /x?y", b"abcd0123456789abcdef"), at
    assert len(up.requests) == len(text) - 1


def test_connection_close(served, upstream):
    up = upstream(tell)
    _, talk = served(up)
    for start, extra in (("GET / HTTP/1.1", "Connection: close\r\n"), ("GET / HTTP/1.0", "")):
        with talk() as client:
            answer = client.ask(f"{start}\r\nHost: a\r\n{extra}\r\n".encode())
            assert answer.status == 200 and client.ended()
    with talk() as client:
        answer = client.ask(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
        assert answer.status == 200


BODIES = {  # what the upstream says, the body that the client gets
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-T: 1\r\n\r\n", b"hello"),
    "until the end": (b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello"),
    "until the end, 1.0": (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "304": (b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", b""),
    "103 before": (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
                   b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
}


@SIDES
@pytest.mark.parametrize("case", BODIES)
def test_response_bodies(served, upstream, case, side):
    text, body = BODIES[case]

    def handler(link):
        Wire(link.recv).request()
        link.send(text)
    _, talk = served(upstream(handler), side)
    with talk() as client:
        answer = client.get("/")
        while answer.status == 103:
            answer = client.wire.response()
        want = int(text.rpartition(b"HTTP/1.")[2][2:5])
        assert (answer.status, answer.body) == (want, body)


def test_request_bodies(served, upstream):
    up = upstream(tell)
    _, talk = served(up)
    with talk() as client:
        for text, body in [(b"Content-Length: 0\r\n\r\n", b""), (b"Content-Length: 3\r\n\r\nabc", b"abc"), (b"\r\n", b""),
                           (b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0A\r\n0123456789\r\n0\r\n\r\n", b"a0123456789")]:
            assert told(client.ask(b"POST / HTTP/1.1\r\nHost: a\r\n" + text)).body == body


@SIDES
def test_large_bodies(served, upstream, side):
    """4 MiB there and back, in chunks."""
    def handler(link):
        message = Wire(link.recv).request()
        link.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(message.body), 70001):
            part = message.body[at:at + 70001]
            link.send(b"%x\r\n%s\r\n" % (len(part), part))
        link.send(b"0\r\n\r\n")
    _, talk = served(upstream(handler), side)
    block = bytes(range(251)) * 16700
    with talk() as client:
        assert client.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(block) + block).body == block


def test_head(served, upstream):
    up = upstream(tell)
    _, talk = served(up)
    with talk() as client:
        answer = client.get("/", "localhost", method="HEAD")
        assert (answer.status, answer.body) == (200, b"") and int(answer["content-length"]) > 0
        assert told(client.get("/after")).start == "GET /after"


@SIDES
def test_100_continue(served, upstream, side):
    """The body is sent when 100 has come; both requests of a connection."""
    def handler(link):
        wire = Wire(link.recv)
        while message := wire.head():
            if message["expect"]:
                link.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            wire.body(message)
            link.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(message.body), message.body))
    _, talk = served(upstream(handler), side)
    with talk() as client:
        for _ in range(2):
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            assert client.wire.response().status == 100
            client.send(b"abc")
            answer = client.wire.response()
            assert (answer.status, answer.body) == (200, b"abc")


@SIDES
def test_websocket(served, upstream, side):
    """After 101 every byte is passed on as it is, both ways, and so is the end."""
    def handler(link):
        wire = Wire(link.recv)
        link.request = wire.head()
        link.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  b"Sec-WebSocket-Accept: x\r\n\r\nhello")
        while len(wire.data) < 8 and (more := link.recv()):
            wire.data += more
        link.send(wire.data[::-1])
        while link.recv():
            pass
        link.send(b"bye")
        link.fin()
    up = upstream(handler)
    daemon, talk = served(up, side, **{"header.x-real-ip": "$remote_addr"})
    with talk() as client:
        client.send(b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n"
                    b"X-Real-IP: 203.0.113.9\r\nSec-WebSocket-Version: 13\r\n\r\n")
        answer = client.wire.head()
        assert (answer.status, answer["upgrade"]) == (101, "websocket")
        assert client.wire.exactly(5) == b"hello"
        client.send(b"\x00GET / HT")
        assert client.wire.exactly(9) == b"TH / TEG\x00"
        (client.client.close_notify if side == "tls" else lambda: client.sock.shutdown(1))()
        assert client.wire.rest() == b"bye"
    was = up.link().request
    assert (was["upgrade"], was["connection"].lower(), was.all("x-real-ip")) == ("websocket", "upgrade", ["127.0.0.1"])


# --- when the upstream fails ---------------------------------------------------------------------------
def test_502_refused(served, upstream):
    up = upstream()
    where = str(up)
    up.close()
    daemon, talk = served(where)
    with talk() as client:
        for _ in range(2):  # the client's connection stays
            assert client.get("/").status == 502
    assert daemon.wait("request", count=2)["reason"] == "upstream_refused"


BAD_RESPONSES = [
    b"", b"nonsense\r\n\r\n", b"HTTP/2 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    b"HTTP/1.1 200 OK\r\n folded\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: \0\r\nContent-Length: 0\r\n\r\n"]


@pytest.mark.parametrize("text", BAD_RESPONSES)
def test_502_bad_response(served, upstream, text):
    def handler(link):
        Wire(link.recv).request()
        link.send(text)
    _, talk = served(upstream(handler))
    with talk() as client:
        assert client.get("/").status == 502


@SIDES
@pytest.mark.parametrize("framing", [b"Content-Length: 50\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n32\r\n"])
def test_cut_in_the_body(served, upstream, framing, side):
    """The client cannot take it for whole: no further byte, no close_notify."""
    def handler(link):
        Wire(link.recv).request()
        link.send(b"HTTP/1.1 200 OK\r\n" + framing + b"the half")
    daemon, talk = served(upstream(handler), side)
    with talk() as client:
        with pytest.raises(ConnectionResetError if side == "plain" else (ConnectionResetError, Truncated)):
            client.get("/")
    assert daemon.wait("request")["reason"] in ("upstream_eof", "body_cut", "bad_response")


def test_504(served, upstream):
    """An upstream that says nothing."""
    over = threading.Event()
    daemon, talk = served(upstream(lambda link: over.wait(60)), idle_timeout="300ms")
    with talk() as client:
        assert client.get("/").status == 504
    over.set()
    assert daemon.wait("request")["reason"] == "response_timeout"


def test_slow_head_and_body(served, upstream):
    up = upstream(tell)
    daemon, talk = served(up, head_timeout="300ms", body_timeout="300ms")
    with talk() as client:
        assert client.ask(b"GET / HTTP/1.1\r\nHo").status == 408
    assert daemon.wait("request")["reason"] == "head_timeout"
    up.assert_untouched()
    with talk() as client:
        assert client.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc").status == 408
    _, talk = served(up, keepalive_timeout="300ms")
    with talk() as client:
        assert client.get("/").status == 200 and client.ended()


@SIDES
def test_respond(served, side):
    """The built-in answer keeps the connection, answers HEAD, and ends the connection rather than read a body."""
    _, talk = served('respond:200 "mTLS connection established"', side)
    with talk() as client:
        assert client.get("/").body == b"mTLS connection established"
        answer = client.get("/", "a", method="HEAD")
        assert (answer.status, answer["content-length"]) == (200, "27")
        answer = client.ask(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        assert (answer.body, answer["connection"]) == (b"mTLS connection established", "close")
        assert client.ended()


# --- what is refused -----------------------------------------------------------------------------------
LONG = b"a" * 17000
BAD = {  # name: bytes, status
    "length and chunked": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked and length": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "list of lengths": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na", 400),
    "length with sign": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", 400),
    "negative length": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    "hex length": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\na", 400),
    "huge length": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\na", 400),
    "chunked twice": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked not last": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "chunked misspelt": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "chunked with vt": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    "chunked in 1.0": (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "bare lf": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "bare lf in a header": (b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
    "bare cr": (b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 400),
    "obs-fold": (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400),
    "space before the colon": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\na", 400),
    "space before a name": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    "nul in a value": (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
    "control byte": (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n", 400),
    "name with bad byte": (b"GET / HTTP/1.1\r\nHost: a\r\nX(y): z\r\n\r\n", 400),
    "no name": (b"GET / HTTP/1.1\r\nHost: a\r\n: z\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "bad host": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "absolute form, other host": (b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "two spaces": (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "tab": (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "dot segment": (b"GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "encoded dots": (b"GET /a/%2e%2E/b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "encoded slash": (b"GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "encoded nul": (b"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "bad escape": (b"GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "not a path": (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "http/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
    "http/0.9": (b"GET /\r\n\r\n", (400, 505)),
    "http/1.2": (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", (400, 505)),
    "connect": (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", (400, 501)),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "long line": (b"GET /" + LONG + b" HTTP/1.1\r\nHost: a\r\n\r\n", (414, 431)),
    "long header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + LONG + b"\r\n\r\n", 431),
    "many headers": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(101)) + b"\r\n", 431),
    "unknown expectation": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: tea\r\n\r\na", (400, 417)),
}


def fits(status, want):
    return status in want if isinstance(want, tuple) else status == want


def send_bad(client, text, place):
    """bytewise: each in a segment of its own, as far as the other end listens."""
    good = b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n"
    if place == "second":
        client.ask(good)
    if place == "piped":
        client.send(good + text)
        client.wire.response()
    elif place == "bytewise":
        try:
            for at in range(len(text)):
                client.send(text[at:at + 1])
        except OSError:
            pass
    else:
        client.send(text)


@SIDES
@pytest.mark.parametrize("place", ["first", "second", "piped", "bytewise"])
def test_bad_requests(served, upstream, side, place):
    """Answered, logged with a reason, and nothing of it at the upstream; as the first request of a connection, as the
    second, in one piece with a good first, and byte by byte. Not one connection goes on after it."""
    up = upstream(tell)
    daemon, talk = served(up, side)
    with talk() as client:
        client.ask(b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n")
    good, expected = up.bytes, 0 if place in ("first", "bytewise") else 1
    wrong = []
    for name, (text, want) in BAD.items():
        if place == "bytewise" and len(text) > 1000:
            continue
        before, mark = up.bytes, daemon.mark()
        up.requests.clear()
        with talk() as client:
            send_bad(client, text, place)
            answer = client.wire.response()
            goes_on = not client.ended()
            own = client.local
            end = daemon.wait("done", after=mark, client=own)["end"]
        line = daemon.find("request", after=mark, client=own)[-1]
        if not answer or not fits(answer.status, want) or goes_on or line["reason"] is None:
            wrong.append((name, answer and answer.start, goes_on, line.line, end))
        if up.bytes != before + good * expected or len(up.requests) != expected:
            wrong.append((name, "at the upstream", [request.start for request in up.requests], up.bytes - before))
    assert not wrong, "\n".join(map(str, wrong))


BAD_CHUNKS = [b"x\r\n", b"1;\0\r\na\r\n", b"-1\r\na\r\n", b"1\ra\r\n", b"1\na\n", b"0x1\r\na\r\n", b"1\r\nab\r\n", b"fffffffffffffffff\r\na\r\n",
              b" 1\r\na\r\n", b"\r\n", b"0\r\nContent-Length: 5\x00\r\n\r\n", b"0\r\n folded\r\n\r\n", b"0\r\nX : y\r\n\r\n"]


@pytest.mark.parametrize("chunk", BAD_CHUNKS)
def test_bad_chunks(served, upstream, chunk):
    """What follows is not read as a request, and the upstream gets no whole body."""
    def handler(link):
        link.whole = whole(Wire(link.recv))
    up = upstream(handler)
    daemon, talk = served(up)
    with talk() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk
                    + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = client.wire.response()
        assert answer is None or answer.status == 400
        assert client.ended()
    assert daemon.wait("request")["reason"]
    for link in up.links:
        link.wait_end()
        assert b"smuggled" not in link.head and not link.whole, link.head
