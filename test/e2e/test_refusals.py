"""Refusals: who must not get through gets the exact alert, the log names the reason, and the upstream hears nothing."""

import os
import re
import socket

import pytest

from clients import Client, attempt, connect, context, curl, reset, s_client
from waiting import eventually

CERTIFICATES = {  # name in pki: reason, alert, depth of the certificate that is named
    "client_self_signed": ("self_signed", "unknown_ca", 0),
    "client_other_ca": ("unknown_ca", "unknown_ca", 0),
    "client_same_name_ca": ("unknown_ca", "unknown_ca", 0),
    "client_tampered": ("bad_signature", "decrypt_error", 0),
    "client_expired": ("expired", "certificate_expired", 0),
    "client_not_yet_valid": ("not_yet_valid", "certificate_expired", 0),
    "client_server_auth_only": ("bad_purpose", "unsupported_certificate", 0),
    "client_three_deep": ("too_deep", "unknown_ca", None),
    "client_empty_dn": ("no_identity", "bad_certificate", 0),
    "client_v1": ("x509_v1", "unsupported_certificate", 0),
    "client_rsa1024": ("weak_key", "unsupported_certificate", 0),
    "client_sha1": ("weak_signature", "unsupported_certificate", 0),
    "client_subject_is_issuer": ("subject_is_issuer", "bad_certificate", 0),
    "client_of_server_only_intermediate": ("bad_purpose", "unsupported_certificate", 1),
    "client_outside_constraint": ("name_constraint", "bad_certificate", 0),
    "client_of_leaf": ("bad_purpose", "unsupported_certificate", 1),
    "client_expired_intermediate": ("expired", "certificate_expired", 1),
}


def refused(daemon, up, local, reason, alert, depth=None, stage="verify"):
    """The one line of this refusal; nothing came of it at the upstream."""
    line = daemon.wait("refused", client=local)
    assert (line.level, line["service"], line["stage"], line["reason"]) == ("warn", "web", stage, reason), line.line
    assert line["alert"] == alert, line.line
    if depth is not None:
        assert line["depth"] == str(depth), line.line
    up.assert_untouched()
    assert len(daemon.find("refused", client=local)) == 1
    assert not daemon.find("done")
    return line


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("case", CERTIFICATES)
def test_certificates(mtlsd, upstream, pki, ca, case, version):
    reason, alert, depth = CERTIFICATES[case]
    up, cert = upstream(), getattr(pki, case)()
    daemon = mtlsd(upstream=up)
    outcome = attempt(daemon.address, context(ca, cert, version), early=b"not for the upstream")
    line = refused(daemon, up, outcome.local, reason, alert, depth)
    assert (outcome.kind, outcome.alert) == ("alert", alert), outcome
    if depth == 0:
        assert line["serial"] == cert.serial
        assert line["sha256"] == cert.sha256
        assert line["issuer"]
        assert bool(line["subject"]) == (case != "client_empty_dn")
    assert line["hint"] == {"too_deep": "verify_depth", "x509_v1": "unsafe_x509v1"}.get(reason)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_good_one_vouches_for_no_other(mtlsd, upstream, pki, ca, version):
    """A worker remembers signatures that were good (certsig.c): not for a certificate that differs in one bit of it."""
    tampered = pki.client_tampered()
    good = pki.made["client-untampered"]
    daemon = mtlsd(upstream=upstream(), workers=1)
    for cert, kind in ((good, "ok"), (good, "ok"), (tampered, "alert"), (good, "ok"), (tampered, "alert")):
        outcome = attempt(daemon.address, context(ca, cert, version), early=b"hello")
        assert outcome.kind == kind, outcome
        if kind == "alert":
            assert outcome.alert == "decrypt_error"
            assert daemon.wait("refused", client=outcome.local)["reason"] == "bad_signature"


@pytest.mark.parametrize("version,alert", [("1.2", "handshake_failure"), ("1.3", "certificate_required")])
def test_no_certificate(mtlsd, upstream, ca, version, alert):
    """certificate_required is an alert of TLS 1.3 alone (RFC 8446 6.2); TLS 1.2 says handshake_failure (RFC 5246 7.4.6)."""
    up = upstream()
    daemon = mtlsd(upstream=up)
    outcome = attempt(daemon.address, context(ca, None, version), early=b"not for the upstream")
    assert (outcome.kind, outcome.alert) == ("alert", alert)
    refused(daemon, up, outcome.local, "no_certificate", alert)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("program", ["openssl", "curl"])
def test_no_certificate_by_program(mtlsd, upstream, ca, program, version):
    up = upstream()
    daemon = mtlsd(upstream=up)
    if program == "openssl":
        done = s_client(daemon.address, ca, None, "-ign_eof", "-tls" + version.replace(".", "_"))
        assert done.alert == {"1.2": "handshake_failure", "1.3": "certificate_required"}[version]
    else:
        done = curl(daemon.address, ca, None, "--tls-max", version)
        assert re.search(rb"alert", done.stderr), done.stderr
    assert done.returncode != 0
    daemon.wait("refused", reason="no_certificate")
    up.assert_untouched()


@pytest.mark.parametrize("depth,case,good", [
    (0, "client", True), (0, "client_of_intermediate", False),
    (1, "client_of_intermediate", True), (1, "client_two_deep", False),
    (2, "client_two_deep", True), (2, "client_three_deep", False), (3, "client_three_deep", True)])
def test_verify_depth(mtlsd, upstream, pki, ca, depth, case, good):
    """verify_depth counts the intermediates."""
    up = upstream()
    daemon = mtlsd(upstream=up, verify_depth=depth)
    outcome = attempt(daemon.address, context(ca, getattr(pki, case)()), early=b"hello")
    if good:
        assert (outcome.kind, outcome.data) == ("ok", b"hello")
    else:
        assert outcome.alert == "unknown_ca"
        assert refused(daemon, up, outcome.local, "too_deep", "unknown_ca")["hint"] == "verify_depth"


def test_missing_intermediate(mtlsd, upstream, pki, ca):
    up = upstream()
    daemon = mtlsd(upstream=up)
    outcome = attempt(daemon.address, context(ca, pki.client_of_intermediate(), chain=False))
    assert outcome.alert == "unknown_ca"
    refused(daemon, up, outcome.local, "unknown_ca", "unknown_ca", 0)


def test_root_in_the_chain_is_no_intermediate(mtlsd, upstream, pki, ca):
    """A client that sends its root too is not too deep for that."""
    cert = pki.client_two_deep()
    whole = cert.chain.with_suffix(".whole")
    whole.write_text(cert.chain_pem + pki.root().pem)
    daemon = mtlsd(upstream=upstream())
    tls = context(ca, cert, chain=whole)
    assert attempt(daemon.address, tls, early=b"hello").kind == "ok"


@pytest.mark.parametrize("case,reason", [("client_other_ca", {"unknown_ca"}), ("client_expired_other_ca", {"unknown_ca", "expired"}),
                                         ("client_self_signed", {"self_signed", "unknown_ca"}), ("client_expired", {"expired"})])
def test_leaf_inside_the_ca_file(mtlsd, upstream, pki, ca, case, reason):
    """A certificate that is no authority does not become trusted by lying in the CA file (DESIGN.md 6). Either it is
    not loaded, or mtlsd does not start with it."""
    up, cert = upstream(), getattr(pki, case)()
    daemon = mtlsd(upstream=up, anchors=[pki.root(), cert], wait=False)
    try:
        daemon.ready()
    except AssertionError:
        assert daemon.wait_exit() == 96
        assert "ca.crt" in daemon.text
        daemon.tolerated.add("start_failed")
        return
    for version in ("1.2", "1.3"):
        outcome = attempt(daemon.address, context(ca, cert, version), early=b"hello")
        assert outcome.kind == "alert", outcome
        assert daemon.wait("refused", client=outcome.local)["reason"] in reason
    up.assert_untouched()
    assert attempt(daemon.address, context(ca, pki.client()), early=b"hello").kind == "ok"


# --- not even a handshake ------------------------------------------------------------------------------
NONSENSE = {
    "plain http": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", {"not_tls"}),
    "zero bytes": (b"\0" * 64, {"not_tls"}),
    "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", {"not_tls"}),
    "random bytes": (b"\x80" + os.urandom(500), {"not_tls", "version", "handshake_failed"}),
    "application data": (b"\x17\x03\x03\x00\x05hello", {"not_tls", "handshake_failed"}),
    "broken hello": (b"\x16\x03\x01\x00\x30" + b"\x01\x00\x00\x2c\x03\x03" + b"\xff" * 42, {"handshake_failed", "not_tls"}),
    "oversized record": (b"\x16\x03\x01\xff\xff" + b"x" * 1000, {"handshake_failed", "not_tls"}),
}


@pytest.mark.parametrize("case", NONSENSE)
def test_not_tls(mtlsd, upstream, case):
    text, reasons = NONSENSE[case]
    up = upstream()
    daemon = mtlsd(upstream=up)
    sock = connect(daemon.address)
    local = "{}:{}".format(*sock.getsockname())
    sock.sendall(text)
    sock.shutdown(socket.SHUT_WR)
    got = b""
    while data := sock.recv(4096):  # it ends in order, not by RST
        got += data
    sock.close()
    assert got[:1] in (b"", b"\x15"), "nothing or an alert"
    line = daemon.wait("refused", client=local)
    assert line["reason"] in reasons and line["stage"] == "handshake", line.line
    up.assert_untouched()


def test_old_version(mtlsd, upstream, pki, ca):
    up = upstream()
    daemon = mtlsd(upstream=up)
    outcome = attempt(daemon.address, context(ca, pki.client(), "1.1"))
    assert (outcome.kind, outcome.alert) == ("alert", "protocol_version")
    line = refused(daemon, up, outcome.local, "version", "protocol_version", stage="handshake")
    assert line["hint"] == "tls_min"


@pytest.mark.parametrize("ciphers", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA"])
def test_no_common_cipher(mtlsd, upstream, pki, ca, ciphers):
    """No static RSA, no CBC, no suite that our key cannot serve."""
    up = upstream()
    daemon = mtlsd(upstream=up)
    outcome = attempt(daemon.address, context(ca, pki.client(), "1.2", ciphers=ciphers))
    assert (outcome.kind, outcome.alert) == ("alert", "handshake_failure")
    refused(daemon, up, outcome.local, "no_common_cipher", "handshake_failure", stage="handshake")


@pytest.mark.parametrize("text", [b"", b"\x16", b"\x16\x03\x01\x00\xf0\x01"])
def test_silent_client(mtlsd, upstream, text):
    """The deadline is one for the whole handshake."""
    up = upstream()
    daemon = mtlsd(upstream=up, handshake_timeout="1s")
    sock = connect(daemon.address)
    local = "{}:{}".format(*sock.getsockname())
    sock.sendall(text)
    line = daemon.wait("refused", client=local)
    assert (line["reason"], line["hint"]) == ("handshake_timeout", "handshake_timeout")
    assert sock.recv(100)[:1] in (b"", b"\x15")
    sock.close()
    up.assert_untouched()


def test_dripping_client(mtlsd, upstream, pki, ca):
    """A byte now and then does not stretch the deadline."""
    up = upstream()
    daemon = mtlsd(upstream=up, handshake_timeout="1s")
    sock = connect(daemon.address)
    local = "{}:{}".format(*sock.getsockname())
    head = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 400

    def drip(left=iter(head)):
        try:
            sock.send(bytes([next(left, 0x78)]))
        except OSError:
            pass
        return daemon.find("refused", client=local)
    line = eventually(drip, "the end of a client that sends a byte now and then", pause=0.05)[0]
    assert line["reason"] == "handshake_timeout"
    sock.close()
    up.assert_untouched()


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("level", ["info", "debug"])
def test_probe_is_quiet(mtlsd, upstream, pki, ca, how, level):
    """Connect and close, as load balancers do: a line at debug, none at the default level."""
    up = upstream()
    daemon = mtlsd(upstream=up, mtlsd={"log_level": level}, workers=1)
    sock = connect(daemon.address)
    local = "{}:{}".format(*sock.getsockname())
    reset(sock) if how == "reset" else sock.close()
    with Client(daemon.address, context(ca, pki.client())) as client:
        client.handshake().exchange(b"hello").close()
    daemon.wait("done")  # one worker: the probe's turn is over
    assert not daemon.find("refused")
    if level == "info":
        assert not daemon.find("probe")
    elif how == "fin":
        assert daemon.wait("probe", client=local)["service"] == "web"
    assert up.count == 1


def test_client_that_gives_up(mtlsd, upstream, ca):
    """One that has begun to talk and goes away is no probe."""
    from rawtls import Hello, server_flight

    up = upstream()
    daemon = mtlsd(upstream=up)
    server_flight(daemon.address, Hello("1.3"))
    assert daemon.wait("refused")["reason"] == "client_gone"
    up.assert_untouched()


def test_alert_before_reset(mtlsd, upstream, pki, ca):
    """A refused client that has already sent much reads its alert all the same: unread bytes at close(2) would turn it
    into a RST."""
    up = upstream()
    daemon = mtlsd(upstream=up, workers=1)
    for _ in range(20):
        outcome = attempt(daemon.address, context(ca, pki.client_expired(), "1.3"), early=b"x" * 100000)
        assert (outcome.kind, outcome.alert) == ("alert", "certificate_expired"), outcome
    up.assert_untouched()


def test_upstream_down(mtlsd, pki, ca):
    """The client is verified, nobody answers behind: said in the log, told to the client as internal_error."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        daemon = mtlsd(upstream="127.0.0.1:{}".format(closed.getsockname()[1]))
        for version in ("1.2", "1.3"):
            outcome = attempt(daemon.address, context(ca, pki.client(), version), early=b"hello")
            line = daemon.wait("refused", client=outcome.local)
            assert (line["stage"], line["reason"]) == ("upstream", "upstream_refused"), line.line
            assert (outcome.kind, outcome.alert) == ("alert", "internal_error"), outcome


def test_upstream_name_unknown(mtlsd, pki, ca):
    daemon = mtlsd(upstream="nowhere.invalid:1", unsafe_plaintext="yes")
    outcome = attempt(daemon.address, context(ca, pki.client()), early=b"hello")
    assert daemon.wait("refused", client=outcome.local)["reason"] == "upstream_name"
    assert outcome.alert == "internal_error"


def test_peer_text_is_escaped(mtlsd, upstream, pki, ca):
    """What a stranger writes into a certificate cannot break or forge a line."""
    evil = 'x"\nmtlsd[1] info done service=web\x1b[2J\\'
    cert = pki.issue("client-evil", pki.root("other-root"), subject="/O=Example/CN=" + evil.replace("\\", "\\\\"))
    up = upstream()
    daemon = mtlsd(upstream=up)
    outcome = attempt(daemon.address, context(ca, cert))
    line = daemon.wait("refused", client=outcome.local)
    assert line["reason"] == "unknown_ca"
    assert "\x1b" not in line.line and line["subject"].count("done service") == 1
    assert not daemon.find("done")
    up.assert_untouched()


def test_alert_of_the_client(mtlsd, upstream, pki):
    """A client that does not trust us says so; the log says that it was the client."""
    up = upstream()
    daemon = mtlsd(upstream=up)
    wrong = context(pki.root("other-root").crt, pki.client())
    with Client(daemon.address, wrong) as client:
        local = client.local
        with pytest.raises(Exception, match="certificate verify failed"):
            client.handshake()
        client._flush()  # the engine's alert
        line = daemon.wait("refused", client=local)
    assert line["reason"] == "client_alert", line.line
    up.assert_untouched()
