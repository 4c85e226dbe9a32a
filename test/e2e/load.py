"""load.py - steady traffic in the background: so many new connections a second, so many in parallel"""

import threading
import time

from clients import Client
from waiting import DEADLINE


class Load:
    """with Load(address, tls) as load: ... ; afterwards load.count connections were made, load.failures is empty or
    says what went wrong. Each connection: handshake, an echo, the whole farewell."""

    def __init__(self, address, tls, rate=50, parallel=8):
        self.address, self.tls = address, tls
        self.pause = parallel / rate
        self.parallel = parallel
        self.count = 0
        self.failures = []
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(parallel)]

    def _once(self, text):
        with Client(self.address, self.tls) as client:
            client.handshake().exchange(text).close()

    def _run(self, number):
        due = time.monotonic() + self.pause * number / self.parallel
        while not self.over.wait(max(0, due - time.monotonic())):
            due = max(due + self.pause, time.monotonic() - self.pause)
            try:
                self._once(b"ping")
            except Exception as fault:  # whatever it is, it is what the test is about
                with self.lock:
                    self.failures.append(f"{time.time():.3f} {type(fault).__name__}: {fault}")
            with self.lock:
                self.count += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(2 * DEADLINE)
