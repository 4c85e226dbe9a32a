"""scenarios.py - the rows of the table: what is done to a server, what is measured, what the goal is

A row's job gets (bench, peer, row) and returns {metric's key: value}. Short rows make the form that takes less than five
minutes; the long form has all.
"""
import time
from dataclasses import dataclass, field, replace

import host
import material
from bench import Failed
from peers import Mtlsd
from table import Goal, Metric

GIB = 1 << 30


@dataclass(frozen=True)
class Row:
    name: str
    job: object
    metrics: list
    settings: dict = field(default_factory=dict)  # of the server: peers.Settings
    load: dict = field(default_factory=dict)      # of the generator: load.c
    peers: tuple = ()                             # these, variants of mtlsd too; none: all that can
    short: bool = False
    rounds: int = 0                               # at most; 0: as many as all
    size: int = 0                                 # of what grows
    sessions: int = 0                             # at once
    root: bool = False


def complete(result, what="done"):
    """A result without failures; nothing is measured by operations that fail."""
    if result["failed"]:
        raise Failed(f"{result['failed']} failed, the first at {result['why']}")
    if not result[what]:
        raise Failed("nothing was served")
    return result


def room(bench, peer, row):
    """Can this server hold so many at all? Of an event loop all sessions are in a few processes."""
    if peer.holds(bench.files, row.settings.get("cpus", 1)) < row.sessions:
        raise Failed(f"a process may have {bench.files} descriptors, too few for {row.sessions} sessions")


# --- jobs ----------------------------------------------------------------------------------------------

def operations(bench, peer, row):
    """Server CPU and time of operations that follow each other."""
    with bench.server(peer, **row.settings) as server:
        result = complete(bench.run(server, **row.load))
    return {"cpu_us": result["cpu"] / result["done"] * 1e6, "rate": result["done"] / result["seconds"],
            "p50_us": result["p50_us"], "p99_us": result["p99_us"]}


def bulk(bench, peer, row):
    with bench.server(peer, **row.settings) as server:
        result = complete(bench.run(server, **row.load), "bytes")
    return {"cpu_s_gib": result["cpu"] / result["bytes"] * GIB, "mb_s": result["bytes"] / result["seconds"] / 1e6}


REST = 1.0  # seconds of silence after which a session counts as idle


def idle(bench, peer, row):
    """Sessions that are held and do nothing: memory; and is each still served?"""
    room(bench, peer, row)
    sessions, before = row.sessions, bench.slab()
    with bench.server(peer, sessions=sessions, **row.settings) as server, bench.held(server, sessions) as load:
        time.sleep(REST)
        own, tables, stacks = server.memory()
        kernel = bench.slab() - before
        load.go()
        load.phase("answered")
        load.go()
        result = load.result()
    return {"kib": (own + tables + stacks) / sessions, "own_kib": own / sessions, "tables_kib": tables / sessions,
            "stacks_kib": stacks / sessions, "slab_kib": kernel / sessions, "answered": result["done"]}


def storm(bench, peer, row):
    """Everybody comes at once to a server that has just started."""
    with bench.server(peer, **row.settings) as server:
        result = bench.run(server, job="once", timeout=60, **row.load)
    return {"all_s": result["seconds"] if result["done"] == row.load["conns"] else None,
            "served": result["done"], "failed": row.load["conns"] - result["done"], "why": result["why"]}


def reload(bench, peer, row):
    """Requests go on while the server reads its configuration again, twice."""
    def twice(server):
        for _ in range(2):
            time.sleep(bench.seconds / 3)
            server.process.send_signal(peer.reload)

    with bench.server(peer, **row.settings) as server:
        result = bench.run(server, meanwhile=twice, **row.load)
    return {"failed": result["failed"], "p50_us": result["p50_us"], "max_us": result["max_us"], "why": result["why"]}


def among(bench, peer, row):
    """Handshakes while other sessions are open."""
    room(bench, peer, row)
    sessions = row.sessions
    with bench.server(peer, sessions=sessions + 16, **row.settings) as server, bench.held(server, sessions):
        result = complete(bench.run(server, **row.load))
    return {"cpu_us": result["cpu"] / result["done"] * 1e6}


def beside(bench, peer, row):
    """Handshakes of one service beside others that nobody uses."""
    more = [bench.address() for _ in range(row.size - 1)]
    with bench.server(peer, services=more, **row.settings) as server:
        result = complete(bench.run(server, **row.load))
    return {"cpu_us": result["cpu"] / result["done"] * 1e6}


def with_authorities(bench, peer, row):
    settings = row.settings | {"ca": material.authorities(bench.home, row.size)}
    return operations(bench, peer, replace(row, settings=settings))


def with_clients(bench, peer, row):
    return operations(bench, peer, replace(row, load=row.load | {"certs": material.clients(bench.home, row.size)}))


def with_revoked(bench, peer, row):
    settings = row.settings | {"crl": material.revoked(bench.home, row.size)}
    return operations(bench, peer, replace(row, settings=settings))


def key_exchange(bench, peer, row):
    """The generator's library lacks the group: another mtlsd, on the generator's CPU, begins TLS for it."""
    with bench.server(peer, **row.settings) as server:
        front = {"role": "originate", "upstream": server.settings.listen, "groups": row.settings["groups"]}
        with bench.server(Mtlsd(), where=host.cpus(1)[1], **front) as first:
            with bench.load(first, "run", time=bench.seconds, warmup=bench.seconds / 4, **row.load) as load:
                load.phase("begin")
                before = server.cpu()
                load.go()
                load.phase("end")
                cpu = server.cpu() - before
                load.go()
                result = complete(load.result())
    return {"cpu_us": cpu / result["done"] * 1e6}


def of_inetd(bench, peer, row):
    """A process for each connection: all its time, and how long a client waits until it begins to speak. A rest between two
    keeps the end of one out of the next one's time."""
    with bench.server(peer, **row.settings) as server:
        result = complete(bench.run(server, **row.load))
    return {"cpu_us": result["cpu"] / result["done"] * 1e6, "hello_us": result["p50_us"]}


def slow_loris(bench, peer, row):
    """How much longer an honest client takes while others say nothing or are refused."""
    client = {"fresh": 1, "conns": 1, "time": 2 * bench.seconds}
    attackers = {"cert": None, "key": None}
    with bench.server(peer, **row.settings) as server:
        calm = complete(bench.run(server, **client))
        with bench.load(server, "attack", **attackers, **row.load) as attack:
            attack.phase("begin")
            time.sleep(1)
            result = bench.run(server, **client)
            attack.go()
            refused = attack.result()
    if refused["done"]:
        raise Failed(f"{refused['done']} clients without a certificate were served")
    served = result["done"] > 0 and not result["failed"]
    return {"times": result["p50_us"] / calm["p50_us"] if served else None, "calm_us": calm["p50_us"],
            "refused_s": refused["failed"] / refused["seconds"]}


# --- rows ----------------------------------------------------------------------------------------------

FRESH = {"fresh": 1, "conns": 16}
UP, DOWN = {"talk": "up", "conns": 4}, {"talk": "down", "conns": 4}


def cpu(goal=None):
    return [Metric("cpu_us", "CPU us", Goal("best", goal) if goal else None)]


def gib(goal=None):
    return [Metric("cpu_s_gib", "CPU s/GiB", Goal("best", goal) if goal else None)]


def times(goal=None):
    return cpu(goal) + [Metric("p50_us", "p50 us"), Metric("p99_us", "p99 us")]


def part(key, label, goal=None):
    """A figure whose ratio to another's says nothing."""
    return Metric(key, label, goal, compared=False)


def held(sessions, goal=None):
    goal = Goal("most", goal) if goal else None
    return [Metric("kib", "KiB each, all in", goal), part("own_kib", ". memory"), part("tables_kib", ". page tables"),
            part("stacks_kib", ". kernel stacks"), part("slab_kib", "slab, whole machine"),
            part("answered", "still served", Goal("least", sessions))]


def grows(unit, first, row, limit=None):
    """Cost against the first of its kind."""
    goal = Goal("row", limit, f"{unit} {first}") if row != first else None
    return [Metric("cpu_us", "CPU us", goal)]


def originate(**more):
    return {"role": "originate"} | more


SESSIONS, SERVICES, AUTHORITIES, REVOKED = (10, 1000, 5000, 10000), (1, 10, 100), (1, 10, 100, 500), (1, 1000, 100000)
GROWING = ("mtlsd", "nginx", "haproxy")

ROWS = [
    Row("handshake 1.3 EC", operations, times(0.42), load=FRESH, short=True),
    Row("handshake 1.3 EC, 200 clients", with_clients, cpu(), load=FRESH, size=200, short=True),
    Row("handshake 1.2 EC", operations, cpu(0.42), load=FRESH | {"tls": "1.2"}, short=True),
    Row("handshake 1.3 RSA", operations, cpu(0.75), {"kind": "rsa"}, FRESH, short=True),
    Row("handshake 1.2 RSA", operations, cpu(0.75), {"kind": "rsa"}, FRESH | {"tls": "1.2"}),
    Row("handshake 1.3 EC, 2 CPUs", operations, cpu(), {"cpus": 2}, FRESH),
    Row("handshake 1.3 RSA, 2 CPUs", operations, cpu(), {"cpus": 2, "kind": "rsa"}, FRESH),
    Row("handshake, max_use 1", operations, cpu(0.75), {"mtlsd": {"max_use": 1}}, FRESH, short=True),
    Row("confinement", operations, [Metric("cpu_us", "CPU us", Goal("peer", of="mtlsd:bare")),
                                    Metric("cpu_us", ". with max_use 1", Goal("peer", of="mtlsd:bare"), subject="mtlsd:use1")],
        {}, FRESH, ("mtlsd", "mtlsd:bare", "mtlsd:use1", "nginx"), short=True),
    Row("inetd", of_inetd, [Metric("cpu_us", "CPU us", Goal("peer", 1.0, "stunnel")),
                            Metric("hello_us", "us to ServerHello", Goal("peer", 1.0, "stunnel"))],
        {"role": "inetd"}, {"fresh": 1, "conns": 1, "rest": 0.03, "hello": 1}, short=True),
    Row("handshake, http", operations, cpu(), {"protocol": "http"}, FRESH),
    Row("first byte, 1 client", operations, times(), load={"fresh": 1, "conns": 1}, short=True),
    Row("request, 1 session", operations, times(0.85), load={"talk": "ask", "conns": 1}, short=True),
    Row("request, 16 sessions", operations, times(1.0), load={"talk": "ask", "conns": 16}, short=True),
    Row("request, 64 sessions", operations, times(), {"sessions": 64}, {"talk": "ask", "conns": 64}),
    Row("request, 16 sessions, http", operations, times(), {"protocol": "http"}, {"talk": "ask", "conns": 16}),
    Row("bulk down", bulk, gib(0.6), load=DOWN, short=True),
    Row("bulk up", bulk, gib(0.6), load=UP, short=True),
    Row("originate handshake", operations, cpu(0.55), originate(), FRESH, short=True),
    Row("originate bulk down", bulk, gib(0.65), originate(), DOWN),
    Row("originate bulk up", bulk, gib(0.65), originate(), UP),
    Row("idle 100", idle, held(100), sessions=100, root=True, rounds=1),
    Row("idle 1000", idle, held(1000), sessions=1000, root=True, rounds=1, short=True),
    Row("idle 5000", idle, held(5000), sessions=5000, root=True, rounds=1),
    Row("idle 10000", idle, held(10000, 110), {"cpus": 2}, sessions=10000, root=True, rounds=1),
    Row("storm 3000", storm, [Metric("all_s", "s until all served", Goal("peer", 1.5, "nginx")),
                              part("failed", "not served", Goal("most", 0))],
        {"elastic": True}, {"conns": 3000, "fresh": 1}, sessions=3000, rounds=1, short=True),
    Row("reload", reload, [part("failed", "not served", Goal("most", 0)), Metric("p50_us", "p50 us"),
                           Metric("max_us", "longest us")], {}, FRESH, rounds=2, short=True),
    Row("slow-loris", slow_loris, [Metric("times", "times the time", Goal("most", 3)), Metric("calm_us", "calm, p50 us"),
                                   part("refused_s", "refused per s")],
        {"elastic": True}, {"silent": 2000, "rate": 200}, sessions=2000, rounds=1, short=True),
    *[Row(f"key exchange {group}", key_exchange, [Metric("cpu_us", "CPU us", goal)], {"groups": group}, FRESH, ("mtlsd",))
      for group, goal in (("X25519", None), ("X25519MLKEM768", Goal("row", of="key exchange X25519")))],
    *[Row(f"sessions {count}", among, grows("sessions", SESSIONS[0], count, 1.15), load=FRESH, peers=GROWING, sessions=count,
          rounds=2) for count in SESSIONS],
    *[Row(f"services {count}", beside, grows("services", SERVICES[0], count), load=FRESH, peers=("mtlsd",), size=count,
          rounds=2) for count in SERVICES],
    *[Row(f"authorities {count}", with_authorities, grows("authorities", AUTHORITIES[0], count), load=FRESH, peers=GROWING,
          size=count, rounds=2) for count in AUTHORITIES],
    *[Row(f"revoked {count}", with_revoked, grows("revoked", REVOKED[0], count), load=FRESH, peers=GROWING, size=count,
          rounds=2) for count in REVOKED],
]
