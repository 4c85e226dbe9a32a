"""Good clients: every kind of key, version, program, listener and upstream gets through."""

import re

import pytest

from clients import Client, context, curl, s_client
from daemon import NOBODY
from upstream import reply_at_eof

KINDS = ["ec256", "ec384", "ec521", "rsa2048", "rsa3072", "rsa4096", "ed25519"]
RESPOND = 'respond:200 "mTLS connection established"'


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("kind", KINDS)
def test_server_keys(mtlsd, upstream, pki, ca, kind, version):
    """The keeper signs with every kind of key, in both versions; twice, because the second handshake of a worker runs
    on what the first one left."""
    up = upstream()
    cert = pki.server(kind)
    daemon = mtlsd(server=cert, upstream=up, workers=1)
    for _ in range(2):
        with Client(daemon.address, context(ca, pki.client(), version)) as client:
            client.handshake().exchange(b"hello")
            assert client.server_der == cert.der
            assert client.tls.version() == f"TLSv{version}"
            client.close()
    done = daemon.wait("done", count=2)
    assert (done["tls"], done["in"], done["out"], done["end"]) == (version, "5", "5", "client_eof")


@pytest.mark.parametrize("scheme", ["rsa_pkcs1_sha256", "rsa_pkcs1_sha384", "rsa_pkcs1_sha512",
                                    "rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"])
def test_rsa_schemes_in_tls12(mtlsd, pki, ca, scheme):
    """PKCS#1 and PSS with every hash, in TLS 1.2 where the client may choose."""
    names = {"rsa_pkcs1": "RSA", "rsa_pss_rsae": "RSA-PSS"}
    kind, _, digest = scheme.rpartition("_")
    daemon = mtlsd(server=pki.server("rsa2048"), upstream=RESPOND)
    # The client's own EC certificate needs a scheme too, behind the one that is tried.
    answer = s_client(daemon.address, ca, pki.client(), "-tls1_2", "-ign_eof", "-sigalgs",
                      f"{names[kind]}+{digest.upper()}:ECDSA+SHA256", text=b"GET / HTTP/1.0\r\n\r\n")
    assert answer.returncode == 0 and b"mTLS connection established" in answer.stdout, answer.stderr.decode()


@pytest.mark.parametrize("form", ["pkcs8", "traditional"])
@pytest.mark.parametrize("kind", ["ec256", "rsa2048"])
def test_key_file_forms(mtlsd, pki, ca, kind, form):
    """PKCS#8, PKCS#1 and SEC1 files."""
    cert = pki.server(kind)
    text = cert.key_pem if form == "pkcs8" else pki.traditional_key(cert)
    daemon = mtlsd(server=cert, files={"server.key": text}, upstream=RESPOND)
    assert curl(daemon.address, ca, pki.client()).stdout == b"mTLS connection established"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("kind", KINDS)
def test_client_keys(mtlsd, upstream, pki, ca, kind, version):
    up = upstream()
    cert = pki.client(kind)
    daemon = mtlsd(upstream=up)
    with Client(daemon.address, context(ca, cert, version)) as client:
        client.handshake().exchange(b"hello")
        local = client.local
        client.close()
    done = daemon.wait("done")
    assert done["client"] == local
    assert done["service"] == "web"
    assert done["upstream"] == str(up)
    assert done["local"] == "{}:{}".format(*up.link().peer)
    assert done["cn"] == cert.name
    assert done["sha256"] == cert.sha256
    assert done["resumed"] == "no"
    assert done["cipher"].startswith("TLS_")
    assert done["group"]
    assert re.fullmatch(r"\d+\.\d{3}s", done["time"])


GOOD = {
    "rsa authority": lambda pki: (pki.client_of_rsa_root(), [pki.root("rsa-root", "rsa2048")]),
    "no extended key usage": lambda pki: (pki.client_no_eku(), None),
    "one intermediate": lambda pki: (pki.client_of_intermediate(), None),
    "two intermediates": lambda pki: (pki.client_two_deep(), None),
    "second of two authorities": lambda pki: (pki.client_other_ca(), [pki.root(), pki.root("other-root")]),
}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("case", GOOD)
def test_good_chains(mtlsd, upstream, pki, ca, case, version):
    cert, anchors = GOOD[case](pki)
    daemon = mtlsd(upstream=upstream(), anchors=anchors)
    with Client(daemon.address, context(ca, cert, version)) as client:
        client.handshake().exchange(b"hello").close()
    assert daemon.wait("done")["cn"] == cert.name


LISTEN = ["127.0.0.1:0", "[::1]:0", "localhost:0", "unix"]


@pytest.mark.parametrize("program", ["python", "openssl", "curl"])
@pytest.mark.parametrize("listen", LISTEN)
def test_programs_and_listeners(mtlsd, home, pki, ca, program, listen):
    place = home(NOBODY)
    if listen == "unix":
        listen = f"unix:{place.path}/sock"
    daemon = mtlsd(at=place, listen=listen, listen_mode="0666", upstream=RESPOND)
    request = b"GET / HTTP/1.0\r\n\r\n"
    if program == "python":
        with Client(daemon.address, context(ca, pki.client())) as client:
            client.handshake().send(request)
            answer = client.recv_all()
            client.close()
    elif program == "openssl":
        answer = s_client(daemon.address, ca, pki.client(), "-ign_eof", text=request).stdout
    else:
        answer = curl(daemon.address, ca, pki.client()).stdout
    assert answer.endswith(b"mTLS connection established")
    assert daemon.wait("done")["end"] == "responded"


@pytest.mark.parametrize("where", ["127.0.0.1", "::1", "unix", "name"])
def test_upstreams(mtlsd, upstream, pki, ca, where):
    up = upstream(where="127.0.0.1" if where == "name" else where)
    daemon = mtlsd(upstream=f"localhost:{up.port}" if where == "name" else up)
    with Client(daemon.address, context(ca, pki.client())) as client:
        client.handshake().exchange(b"hello").close()
    done = daemon.wait("done")
    assert done["upstream"] == str(up)
    assert up.link().wait_end() == "eof"


def test_several_services_and_addresses(mtlsd, upstream, pki, ca):
    """Each service has its own certificate, authority, pool and upstream; a service may listen at several places."""
    first, second = upstream(reply_at_eof(b"first")), upstream(reply_at_eof(b"second"))
    other = pki.server("rsa2048")
    daemon = mtlsd(
        listen="127.0.0.1:0, [::1]:0", upstream=first,
        files={"b.crt": other.pem, "b.key": other.key_pem, "b-ca.crt": pki.root("other-root").pem},
        sections={"service b": {"listen": "127.0.0.1:0", "cert": "b.crt", "key": "b.key", "ca": "b-ca.crt", "workers": 2,
                                "upstream": second}})
    assert daemon.find("ready")[0]["services"] == "2"
    assert len(daemon.addresses("web")) == 2
    for address, cert, want, server in [(daemon.addresses("web")[0], pki.client(), b"first", pki.server()),
                                        (daemon.addresses("web")[1], pki.client(), b"first", pki.server()),
                                        (daemon.addresses("b")[0], pki.client_other_ca(), b"second", other)]:
        with Client(address, context(ca, cert)) as client:
            client.handshake().close_notify()
            assert client.recv_all() == want
            assert client.server_der == server.der
    assert len(daemon.workers("web")) == 4 and len(daemon.workers("b")) == 2


@pytest.mark.parametrize("only,other,alerts", [("1.3", "1.2", {"protocol_version"}),
                                               # a server of TLS 1.2 alone does not read supported_versions
                                               ("1.2", "1.3", {"protocol_version", "handshake_failure"})])
def test_version_limits(mtlsd, upstream, pki, ca, only, other, alerts):
    daemon = mtlsd(upstream=upstream(), tls_min=only, tls_max=only)
    with Client(daemon.address, context(ca, pki.client(), only)) as client:
        client.handshake().exchange(b"hello").close()
    assert s_client(daemon.address, ca, pki.client(), "-tls" + other.replace(".", "_")).alert in alerts
    assert daemon.wait("refused")["reason"] in ("version", "no_common_cipher")


def test_chosen_ciphers_and_groups(mtlsd, pki, ca):
    daemon = mtlsd(upstream=RESPOND, ciphers="ECDHE-ECDSA-AES256-GCM-SHA384", ciphersuites="TLS_CHACHA20_POLY1305_SHA256",
                   groups="P-384")
    for version, cipher in [("1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"), ("1.3", "TLS_CHACHA20_POLY1305_SHA256")]:
        mark = daemon.mark()
        assert curl(daemon.address, ca, pki.client(), "--tls-max", version).returncode == 0
        done = daemon.wait("done", after=mark)
        assert (done["tls"], done["cipher"], done["group"]) == (version, cipher, "P-384")


@pytest.mark.parametrize("verify,cert,present", [("optional", False, False), ("optional", True, True), ("none", False, False)])
def test_verify_weaker(mtlsd, upstream, pki, ca, verify, cert, present):
    daemon = mtlsd(upstream=upstream(), verify=verify)
    with Client(daemon.address, context(ca, pki.client() if cert else None)) as client:
        client.handshake().exchange(b"hello").close()
    assert (daemon.wait("done")["cn"] == pki.client().name) == present


def test_verify_optional_still_judges(mtlsd, upstream, pki, ca):
    """optional means that a client may show none, not that it may show a bad one."""
    up = upstream()
    daemon = mtlsd(upstream=up, verify="optional")
    with Client(daemon.address, context(ca, pki.client_other_ca(), "1.2")) as client:
        with pytest.raises(Exception, match="unknown_ca"):
            client.handshake()
    assert daemon.wait("refused")["reason"] == "unknown_ca"
    up.assert_untouched()


def test_post_quantum_group(mtlsd, upstream, pki, ca):
    """A client that offers X25519MLKEM768 gets it: its share is asked for by HelloRetryRequest when it sends none. The
    client here cannot finish such a handshake, it reads which group the server asks for."""
    from rawtls import Hello, retry_group

    daemon = mtlsd(upstream=upstream())
    hello = Hello("1.3", groups=[0x11EC, 0x001D], shares=[])
    assert retry_group(daemon.address, hello) == 0x11EC


def test_built_in_answer(mtlsd, pki, ca):
    daemon = mtlsd(upstream='respond:404 "not here"')
    done = curl(daemon.address, ca, pki.client(), "-i")
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0].startswith("http/1.1 404 ")
    assert "content-length: 8" in lines and "connection: close" in lines
    assert any(line.startswith("date: ") for line in lines)
    assert body == b"not here"
    head_only = curl(daemon.address, ca, pki.client(), "-I")
    assert head_only.returncode == 0 and b"not here" not in head_only.stdout
    posted = curl(daemon.address, ca, pki.client(), "--data-binary", "x" * 100000)
    assert posted.stdout == b"not here", posted.stderr


def test_built_in_answer_to_nonsense(mtlsd, pki, ca):
    daemon = mtlsd(upstream=RESPOND)
    with Client(daemon.address, context(ca, pki.client())) as client:
        client.handshake().send(b"\x00nonsense\r\n\r\n")
        assert client.recv_all().startswith(b"HTTP/1.1 400 ")
    assert daemon.wait("done")["end"] == "bad_request"
