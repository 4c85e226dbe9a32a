"""bench.py - what a row's job works with: start a server, drive the generator, read the server's CPU time and memory"""
import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import host
import material
from measure import Server, slab
from peers import Settings

SOURCES = 8


class Failed(Exception):
    """A measurement that could not be had; the text says why."""


class Load:
    """One generator. Its job prints a word at each phase and waits: we measure meanwhile."""

    def __init__(self, program, cpus, job, options):
        argv = [str(program), job]
        for name, value in options.items():
            argv += [f"--{name}", str(value)]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=lambda: os.sched_setaffinity(0, cpus))

    def line(self):
        line = self.process.stdout.readline().strip()
        if not line:
            raise Failed("the generator ended")
        return line

    def phase(self, word):
        line = self.line()
        if line != word:
            raise Failed(f"the generator said {line}, not {word}")

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self):
        return json.loads(self.line())

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Bench:
    def __init__(self, home, programs, seconds):
        self.home, self.programs, self.seconds = home, programs, seconds
        self.files = host.raise_limits()
        self.ports = itertools.count(2000)
        self.runs = itertools.count()
        self.open = contextlib.ExitStack()
        material.make(home)
        self.upstream, self.upstream_tls = self.start_upstream()

    def address(self):
        """One that nobody listens on: in a network of our own just the next."""
        if host.ROOT:
            return f"127.0.0.1:{2000 + next(self.ports) % 7000}"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return f"127.0.0.1:{probe.getsockname()[1]}"

    def start_upstream(self):
        tcp, tls = self.address(), self.address()
        ec = self.home / "ec"
        process = subprocess.Popen(
            [self.programs / "upstream", "--tcp", tcp, "--tls", tls, "--cert", ec / "server.crt", "--key",
             ec / "server.key", "--ca", ec / "root.crt"], stdout=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, host.cpus(1)[1]))
        self.open.callback(lambda: (process.kill(), process.wait(), process.stdout.close()))
        if process.stdout.readline() != b"ready\n":
            raise Failed("the upstream did not start")
        return tcp, tls

    @contextlib.contextmanager
    def server(self, peer, where=None, kind="ec", **more):
        """A running server; its settings are at .settings, its directory is gone afterwards. where: the CPUs, if not the
        servers'; kind: of its certificate's key; more: of Settings."""
        home = self.home / f"run{next(self.runs)}-{peer.name.replace(':', '-')}"
        home.mkdir(mode=0o755)
        role = more.get("role", "terminate")
        terminate = role != "originate"
        settings = Settings(**{
            "home": home, "listen": self.address(), "ca": self.home / "ec/root.crt",
            "cert": self.home / kind / ("server.crt" if terminate else "client.crt"),
            "upstream": self.upstream if terminate else self.upstream_tls} | more)
        argv = peer.argv(settings)
        if role == "inetd":
            argv = [str(self.programs / "inetd"), settings.listen, *argv]
        server = Server(argv, where or host.cpus(settings.cpus)[0], home / "out")
        server.settings, server.peer = settings, peer
        try:
            self.await_ready(server)
            yield server
            if not server.alive():
                raise Failed(f"{peer.name} has ended")
        finally:
            server.stop(peer.stop)
            if not os.environ.get("MTLSD_BENCH_KEEP"):
                shutil.rmtree(home, ignore_errors=True)

    def await_ready(self, server):
        port = f":{int(server.settings.listen.split(':')[1]):04X}"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and server.alive():
            listening = any(fields[1].endswith(port) and fields[3] == "0A" for fields in
                            (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()))
            if listening and server.peer.ready(server.settings):
                return
            time.sleep(0.02)
        said = "".join(path.read_text(errors="replace")[-600:] for path in
                       [server.settings.home / "out", server.settings.home / "mtlsd.log"] if path.exists())
        raise Failed(f"{server.peer.name} did not start: {said.strip()}")

    def options(self, server, **more):
        """The generator's, for that server."""
        settings, ec = server.settings, self.home / "ec"
        options = {"to": settings.listen}
        if host.ROOT:
            options["sources"] = SOURCES
        if settings.role == "originate":
            options["plain"] = 1
        else:
            options |= {"cert": ec / "client.crt", "key": ec / "client.key", "tls": "1.3", "groups": settings.groups,
                        "cipher": "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
                        if more.get("tls") == "1.2" else "TLS_AES_128_GCM_SHA256"}
        if settings.protocol == "http":
            options["http"] = 1
        return {name: value for name, value in (options | more).items() if value is not None}

    @contextlib.contextmanager
    def load(self, server, job, **more):
        load = Load(self.programs / "load", host.cpus(server.settings.cpus)[1], job, self.options(server, **more))
        try:
            yield load
        finally:
            load.close()

    def run(self, server, meanwhile=None, job="run", **more):
        """One run of the generator: what it counted, and "cpu": the server's seconds. meanwhile(server) is called when it
        has begun."""
        with self.load(server, job, **({"time": self.seconds, "warmup": self.seconds / 4} | more)) as load:
            load.phase("begin")
            before = server.cpu()
            load.go()
            if meanwhile:
                meanwhile(server)
            load.phase("end")
            cpu = server.cpu() - before
            load.go()
            return load.result() | {"cpu": cpu}

    @contextlib.contextmanager
    def held(self, server, sessions, **more):
        """So many open sessions, each of which was answered once; yields their Load."""
        with self.load(server, "hold", conns=sessions, timeout=60 + sessions / 50, **more) as load:
            load.phase("held")
            yield load

    slab = staticmethod(slab)

    def close(self):
        self.open.close()
