"""peers.py - nginx, HAProxy and stunnel as Debian ships them: in the foreground, in a directory of their own, on
loopback ports that the kernel chooses; never as a service"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from waiting import DEADLINE, eventually

STREAM = Path("/usr/lib/nginx/modules/ngx_stream_module.so")  # Debian's libnginx-mod-stream
PROGRAMS = {"nginx": ["/usr/sbin/nginx"], "haproxy": ["/usr/sbin/haproxy"], "stunnel": ["/usr/bin/stunnel4", "/usr/bin/stunnel"]}


def program(name):
    """Where it is, or None. Debian's sbin need not be in the PATH."""
    return shutil.which(name) or next((path for path in PROGRAMS[name] if os.access(path, os.X_OK)), None)


HELD = []  # until this process ends


def free_ports(count):
    """Ports of 127.0.0.1 for programs that must be told one. They stay bound here, so that the kernel gives them to no
    other test; whoever sets SO_REUSEADDR, as servers do, can listen on them nevertheless."""
    socks = [socket.socket() for _ in range(count)]
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
    HELD.extend(socks)
    return [sock.getsockname()[1] for sock in socks]


class Peer:
    """name: nginx, haproxy, stunnel; write(ports, directory) -> its configuration. Another program may take a port before
    it is bound: then others are tried."""

    def __init__(self, name, write, ports=1, scratch=None):
        self.name, self.write = name, write
        self.path = Path(tempfile.mkdtemp(prefix=name, dir=scratch))
        self.path.chmod(0o755)
        self.popen = None
        for left in (2, 1, 0):
            self.ports = free_ports(ports)
            if self._start():
                return
            self.stop()
            if not left:
                raise AssertionError(f"{name} does not start:\n{self.log}\n{(self.path / 'config').read_text()}")

    @property
    def address(self):
        return ("127.0.0.1", self.ports[0])

    def __str__(self):
        return f"127.0.0.1:{self.ports[0]}"

    @property
    def log(self):
        return "".join(path.read_text(errors="replace") for path in sorted(self.path.glob("*.log")))

    def _command(self, config):
        if self.name == "nginx":
            head = (f"daemon off;\nmaster_process off;\npid {self.path}/pid;\nerror_log {self.path}/error.log info;\n"
                    f"events {{ worker_connections 512; }}\n")
            paths = "".join(f"    {kind}_temp_path {self.path}/{kind};\n" for kind in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            body = self.write(self.ports, self.path).replace("http {\n", f"http {{\n    access_log off;\n{paths}", 1)
            if "stream {\n" in body and STREAM.exists():
                head = f"load_module {STREAM};\n{head}"
            config.write_text(head + body)
            return [program("nginx"), "-p", str(self.path), "-c", str(config), "-e", f"{self.path}/error.log"]
        config.write_text(self.write(self.ports, self.path))
        return [program(self.name), "-db", "-f", str(config)] if self.name == "haproxy" else [program(self.name), str(config)]

    def _start(self):
        command = self._command(self.path / "config")
        with open(self.path / "words.log", "ab") as words:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, cwd=self.path,
                                          start_new_session=True)
        try:
            eventually(lambda: self.popen.poll() is not None or all(self._listens(port) for port in self.ports),
                       f"{self.name} listens", pause=0.005)
        except AssertionError:
            return False
        return self.popen.poll() is None

    def _listens(self, port):
        """Is it this program that listens there? A connection would be logged by it."""
        want = f"0100007F:{port:04X}"
        mine = set()
        for pid in self._pids():
            try:
                mine |= {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
            except OSError:
                pass
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            parts = line.split()
            if parts[1] == want and parts[3] == "0A" and f"socket:[{parts[9]}]" in mine:
                return True
        return False

    def _pids(self):
        """Those of its session."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    if int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[3]) == self.popen.pid:
                        found.append(int(name))
                except OSError:
                    pass
        return found

    def stop(self):
        if not self.popen:
            return
        for pid in self._pids() or [self.popen.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.popen.wait(DEADLINE)
