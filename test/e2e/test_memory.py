"""What an idle session costs: the memory that a worker does not share, its page tables, its kernel stack."""

import pytest

from clients import Client, context
from procfs import private, status
from waiting import eventually

KIB = 1024
KERNEL_STACK = 16 * KIB  # x86-64 and arm64; no file tells of one process
SESSIONS = 50
MIB = 1 << 20

# KiB: 36 to 40 of a session's own, 24 before any; 4 more where the thread's block lies on two pages. Page tables: three
# pages for the program and its heap, three for the C library, four directories, one more where a border of a GiB is
# between. No layout that the kernel draws is dearer: mtlsd-internals(7), "Memory of a worker".
TABLES = 3 + 3 + 4 + 1
IDLE = (24 + 4 + 4 * TABLES) * KIB + KERNEL_STACK
SESSION = (40 + 4 + 4 * TABLES) * KIB + KERNEL_STACK

pytestmark = pytest.mark.root


def cost(pids):
    """Bytes a process, on the average."""
    tables = sum(int(status(pid)["VmPTE"][0]) * KIB for pid in pids)
    return (tables + sum(map(private, pids))) / len(pids) + KERNEL_STACK


def below(pids, bound, what):
    """Workers give back what a handshake has touched once they have waited for a moment."""
    eventually(lambda: cost(pids) <= bound, lambda: f"{what}: {cost(pids) / KIB:.1f} KiB, not {bound / KIB:.0f}")


@pytest.fixture
def measured(sanitized):
    if sanitized:
        pytest.skip("a sanitizer's shadow is not what is measured")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_idle_sessions(mtlsd, upstream, pki, ca, measured, version):
    """Fifty, each echoed once; and the workers before and after."""
    daemon = mtlsd(upstream=upstream(), workers=SESSIONS)
    daemon.settled(SESSIONS)
    pids = [process.pid for process in daemon.workers()]
    below(pids, IDLE, "an idle worker")
    tls = context(ca, pki.client(), version)
    clients = [Client(daemon.address, tls).handshake().exchange(b"x" * 64) for _ in range(SESSIONS)]
    below(pids, SESSION, "an idle session")
    for client in clients:
        client.close()
    daemon.settled(SESSIONS)
    below(pids, SESSION, "a worker after its session")


def test_after_bulk(mtlsd, upstream, pki, ca, measured):
    """64 MiB there and back, then silence."""
    daemon = mtlsd(upstream=upstream(), workers=1)
    with Client(daemon.address, context(ca, pki.client())) as client:
        client.handshake()
        block = bytes(range(256)) * 256
        for _ in range(64 * MIB // len(block)):
            client.exchange(block)
        worker = daemon.worker_of(client.local)
        below([worker.pid], 240 * KIB, "a session after bulk")
