"""Private keys: their bytes are in the keepers and in no other process, in no form."""

import base64
import ctypes
import os

import pytest

from clients import Client, context
from oldkernel import NR_MEMFD_SECRET, lacking
from procfs import find

def secrets_of(cert):
    """Every form in which the private key could lie in memory, by name."""
    out = {}
    numbers = cert.key_numbers()
    for name, number in numbers.items():
        for order, data in (("big", number), ("little", number[::-1])):
            # Halves too: a number that is partly overwritten is still half a secret.
            middle = len(data) // 2
            out[f"{name}, {order}-endian, first half"] = data[:middle]
            out[f"{name}, {order}-endian, second half"] = data[middle:]
    lines = [line for line in cert.key_pem.splitlines() if not line.startswith("-")]
    der = base64.b64decode("".join(lines))
    spots = [(der.index(number), der.index(number) + len(number)) for number in numbers.values()]
    for index, line in enumerate(lines):
        start, end = index * 48, index * 48 + len(base64.b64decode(line))
        if any(min(end, last) - max(start, first) >= 12 for first, last in spots):
            out[f"PEM line {index + 1}"] = line.encode()
    # Long enough that no chance finds it; one scalar of P-256 in 256 begins with a zero byte, which is stripped, so
    # that a half may have less than 16.
    assert all(len(pattern) >= 12 for pattern in out.values()), out
    return out


def public_of(cert):
    """A part of the certificate that every worker must hold: the scanner has to find it there."""
    return {"public key": cert.public_der[-32:], "signature": cert.der[-32:]}


@pytest.mark.root
@pytest.mark.parametrize("kind", ["ec256", "ec384", "rsa2048", "rsa4096", "ed25519"])
@pytest.mark.parametrize("branch", ["memfd_secret", "locked"])
def test_key_bytes(mtlsd, upstream, pki, ca, sanitized, kind, branch):
    """After handshakes in both versions and a reload, so that everything that could hold key bytes has held them."""
    if sanitized:
        pytest.skip("AddressSanitizer keeps what was freed, and its shadow cannot be read whole")
    cert = pki.server(kind)
    daemon = mtlsd(server=cert, upstream=upstream(), workers=2, mtlsd={"keepers": 2},
                   prepare=lacking(NR_MEMFD_SECRET) if branch == "locked" else None)
    ran = daemon.find("ready")[0]["key_memory"]
    print(f"key memory: {ran}")
    if branch == "locked" or not kernel_has_memfd_secret():
        assert ran == "locked"
    else:
        assert ran == "memfd_secret"
    for round_ in range(2):
        for version in ("1.2", "1.3"):
            for _ in range(3):
                with Client(daemon.address, context(ca, pki.client(), version)) as client:
                    client.handshake().exchange(b"hello").close()
        if round_ == 0:
            daemon.signal(1)
            daemon.wait("reloaded")
            daemon.settled(2)
    secrets, public = secrets_of(cert), public_of(cert)
    seen = {}
    with Client(daemon.address, context(ca, pki.client())) as client:
        client.handshake().exchange(b"hello")
        for process in daemon.processes():
            hits, closed = find(process.pid, secrets | public)
            seen.setdefault(process.role, []).append(({name for name, _ in hits}, hits, closed))
        client.close()
    for role in ("master", "worker", "connector", "logger"):
        for names, hits, _ in seen[role]:
            found = [(name, region.name, region.flags, hex(region.start)) for name, region in hits if name in secrets]
            assert not found, f"{role} holds key bytes: {found}"
    for names, _, _ in seen["worker"]:
        assert names >= set(public), "the scanner does not find what is there"
    for names, hits, closed in seen["keeper"]:
        if ran == "memfd_secret":
            found = [(name, region.name, region.flags, hex(region.start)) for name, region in hits if name in secrets]
            assert not found, f"keeper holds key bytes outside its secret memory: {found}"
            assert [region for region in closed if "secretmem" in region.name], "no secret memory"
        else:
            assert names & set(secrets), "the scanner does not find the key where it must be"


def kernel_has_memfd_secret():
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(NR_MEMFD_SECRET, 0)
    if fd >= 0:
        os.close(fd)
    return fd >= 0
