"""peers.py - the servers: how each is told the same settings

Same for all: TLS 1.2 and 1.3, groups, client certificate demanded and verified, no session tickets (hitch cannot turn them
off), a line in a file for every connection (hitch has none), backlog. A variant of mtlsd is one more line at the end.
"""
import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
BACKLOG = 4096
ROOT = os.geteuid() == 0


@dataclass
class Settings:
    home: Path                     # the server's own directory
    cert: Path                     # of this side; KEY.crt, KEY.key, KEY.pem with both
    ca: Path
    listen: str
    upstream: str
    role: str = "terminate"        # TLS in, plain out; or originate: plain in, TLS out; or inetd: as terminate, one connection
    protocol: str = "tcp"
    cpus: int = 1                  # workers of a server that needs one for each
    sessions: int = 32             # held at once
    elastic: bool = False          # nobody has said how many will come
    groups: str = "X25519:P-256"
    crl: Path = None
    services: list = field(default_factory=list)   # addresses of more services, which nobody uses
    mtlsd: dict = field(default_factory=dict)      # more keys of mtlsd's service

    @property
    def key(self):
        return self.cert.with_suffix(".key")

    @property
    def both(self):
        return self.cert.with_suffix(".pem")

    def write(self, name, text):
        path = self.home / name
        path.write_text(text)
        return str(path)


class Peer:
    """A server. argv() writes its configuration and says how it is started, in the foreground; or, with the role inetd, by
    inetd."""
    name = program = ""
    roles = ("terminate", "originate")
    protocols = ("tcp",)
    crl = True
    files_per_session = 2
    reload = signal.SIGHUP
    stop = signal.SIGTERM

    def missing(self):
        return shutil.which(self.program) is None

    def can(self, row):
        settings = row.settings
        if row.peers and self.name not in row.peers:
            return False
        return (settings.get("role", "terminate") in self.roles and settings.get("protocol", "tcp") in self.protocols
                and (self.crl or not settings.get("crl")))

    def holds(self, files, cpus):
        """Sessions at once, when a process may have so many descriptors."""
        return (files - 200) // self.files_per_session * cpus

    def ready(self, _settings):
        return True

    def argv(self, s):
        raise NotImplementedError


def ini(section, keys):
    return f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) + "\n"


class Mtlsd(Peer):
    roles = ("terminate", "originate", "inetd")
    protocols = ("tcp", "http")
    stop = signal.SIGINT

    def __init__(self, name="mtlsd", daemon=None, service=None, program=None):
        self.name = name
        self.program = program  # beside the binary
        self.daemon = daemon or {}
        self.service = service or {}

    def missing(self):
        return not self.command().exists()

    @staticmethod
    def binary():
        return TOP / os.environ.get("MTLSD", "build/mtlsd")

    def command(self):
        return self.binary().parent / self.program if self.program else self.binary()

    def holds(self, _files, _cpus):
        return 65536

    def ready(self, s):
        log = s.home / "mtlsd.log"
        return s.role == "inetd" or log.exists() and " ready " in log.read_text(errors="replace")

    @staticmethod
    def pool(s):
        """How many workers: a few to spare, or what an administrator would write who does not know."""
        return {"workers": "4-4096" if s.elastic else f"{min(s.sessions, 64)}-{s.sessions + 16}"}

    def one_service(self, s, listen):
        keys = {"listen": listen, "backlog": BACKLOG, "protocol": s.protocol, **self.pool(s)}
        if s.role != "originate":
            keys |= {"cert": s.cert, "key": s.key, "ca": s.ca, "groups": s.groups, "upstream": s.upstream}
            if s.crl:
                keys["crl"] = s.crl
        else:
            keys |= {"listen_tls": "no", "upstream": f"tls://{s.upstream}", "upstream_name": "localhost",
                     "upstream_cert": s.cert, "upstream_key": s.key, "upstream_ca": s.ca, "upstream_groups": s.groups}
        return keys | self.service | s.mtlsd

    def argv(self, s):
        ids = {"user": 65534, "group": 65534} if ROOT else {}
        text = ini("mtlsd", ids | {"log": s.home / "mtlsd.log", "watch": "no"} | self.daemon)
        text += ini("service bench", self.one_service(s, s.listen))
        for number, listen in enumerate(s.services):
            text += ini(f"service more{number}", self.one_service(s, listen) | {"workers": 1})
        inetd = ["-i", "-s", "bench"] if s.role == "inetd" else []
        return [str(self.command()), *inetd, "-f", s.write("mtlsd.conf", text)]


class Nginx(Peer):
    name = program = "nginx"
    protocols = ("tcp", "http")

    def argv(self, s):
        block = {"tcp": self.stream, "http": self.http}[s.protocol](s)
        user = "user nobody nogroup;" if ROOT else ""
        conf = s.write("nginx.conf", f"""load_module /usr/lib/nginx/modules/ngx_stream_module.so;
{user} daemon off; worker_processes {s.cpus}; pid {s.home}/nginx.pid; error_log {s.home}/nginx.error error;
worker_rlimit_nofile {self.files()};
events {{ worker_connections {self.files() - 100}; }}
{block}
""")
        return ["nginx", "-p", str(s.home), "-e", f"{s.home}/nginx.error", "-c", conf]

    @staticmethod
    def files():
        import resource
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    @staticmethod
    def tls_in(s):
        crl = f"ssl_crl {s.crl};" if s.crl else ""
        return f"""listen {s.listen} ssl backlog={BACKLOG};
    ssl_certificate {s.cert}; ssl_certificate_key {s.key};
    ssl_client_certificate {s.ca}; ssl_verify_client on; ssl_verify_depth 3; {crl}
    ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve {s.groups.replace("P-256", "prime256v1")};
    ssl_session_tickets off; ssl_session_cache off;"""

    def stream(self, s):
        if s.role == "terminate":
            sides = f"{self.tls_in(s)} proxy_pass {s.upstream};"
        else:
            sides = f"""listen {s.listen} backlog={BACKLOG}; proxy_pass {s.upstream};
    proxy_ssl on; proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_certificate {s.cert}; proxy_ssl_certificate_key {s.key};
    proxy_ssl_trusted_certificate {s.ca}; proxy_ssl_verify on; proxy_ssl_verify_depth 3;
    proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_session_reuse off;"""
        return f"""stream {{
  log_format line '$remote_addr $time_local $status $bytes_sent $bytes_received $session_time';
  access_log {s.home}/access.log line; proxy_timeout 1h; tcp_nodelay on;
  server {{ {sides} }}
}}"""

    def http(self, s):
        return f"""http {{
  access_log {s.home}/access.log; keepalive_timeout 1h; keepalive_requests 1000000000; client_max_body_size 0;
  client_body_temp_path {s.home}/body; proxy_temp_path {s.home}/proxy; fastcgi_temp_path {s.home}/fastcgi;
  uwsgi_temp_path {s.home}/uwsgi; scgi_temp_path {s.home}/scgi;
  upstream up {{ server {s.upstream}; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 1h; }}
  server {{ {self.tls_in(s)}
    location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_request_buffering off; proxy_max_temp_file_size 0; }} }}
}}"""


class Haproxy(Peer):
    name = program = "haproxy"
    protocols = ("tcp", "http")
    reload = signal.SIGUSR2

    def argv(self, s):
        crl = f"crl-file {s.crl}" if s.crl else ""
        keep = "option http-keep-alive\n  http-reuse always\n  option httplog" if s.protocol == "http" else "option tcplog"
        if s.role == "terminate":
            sides = f"""bind {s.listen} ssl crt {s.both} ca-file {s.ca} verify required {crl} curves {s.groups} ssl-min-ver TLSv1.2 no-tls-tickets
  server up {s.upstream}"""
        else:
            sides = f"""bind {s.listen}
  server up {s.upstream} ssl crt {s.both} ca-file {s.ca} verify required verifyhost localhost sni str(localhost) ssl-min-ver TLSv1.2 no-ssl-reuse"""
        most = self.holds(Nginx.files(), 1)
        conf = s.write("haproxy.cfg", f"""global
  nbthread {s.cpus}
  maxconn {most}
  tune.ssl.cachesize 0
  log stdout format raw local0
defaults
  mode {s.protocol}
  log global
  {keep}
  maxconn {most}
  backlog {BACKLOG}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bench
  {sides}
""")
        return ["haproxy", "-W", "-db", "-f", conf]


class Stunnel(Peer):
    name, program = "stunnel", "stunnel4"
    roles = ("terminate", "originate", "inetd")
    files_per_session = 2.1

    def argv(self, s):
        crl = f"CRLfile = {s.crl}" if s.crl else ""
        side = "client = yes\nsni = localhost\ncheckHost = localhost" if s.role == "originate" else "requireCert = yes"
        service = "" if s.role == "inetd" else f"[bench]\naccept = {s.listen}"
        conf = s.write("stunnel.conf", f"""foreground = yes
pid =
syslog = no
debug = 5
output = {s.home}/stunnel.log
{service}
connect = {s.upstream}
cert = {s.cert}
key = {s.key}
CAfile = {s.ca}
verifyChain = yes
{crl}
{side}
sslVersionMin = TLSv1.2
curves = {s.groups}
options = NO_TICKET
sessionCacheSize = 1
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
TIMEOUTidle = 3600
TIMEOUTclose = 0
""")
        return [shutil.which("stunnel4"), conf]


class Hitch(Peer):
    name = program = "hitch"
    roles = ("terminate",)
    crl = False

    def argv(self, s):
        user = 'user = "nobody"' if ROOT else ""
        host, port = s.listen.split(":")
        up_host, up_port = s.upstream.split(":")
        conf = s.write("hitch.conf", f"""frontend = "[{host}]:{port}"
backend = "[{up_host}]:{up_port}"
pem-file = "{s.both}"
client-verify = required
client-verify-ca = "{s.ca}"
tls-protos = TLSv1.2 TLSv1.3
ecdh-curve = "{s.groups.replace("P-256", "prime256v1")}"
workers = {s.cpus}
backlog = {BACKLOG}
{user}
daemon = off
log-level = 1
""")
        return ["hitch", f"--config={conf}"]


# A variant of mtlsd has a name that begins with "mtlsd:", other keys of [mtlsd] or of its service or another program, and a
# column when named by --peers or by a row.
VARIANTS = [
    Mtlsd("mtlsd:bare", {"confine": "degrade", "chroot": "none", "unsafe_reader": "yes"}, program="bench/mtlsd-bare"),
    Mtlsd("mtlsd:use1", service={"max_use": 1}),
]
PEERS = [Mtlsd(), Nginx(), Haproxy(), Stunnel(), Hitch()]
