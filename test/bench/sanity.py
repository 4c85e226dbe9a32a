"""sanity.py - are the servers measured at the same work? Certificates demanded, every byte carried"""
from bench import Failed

MIB = 1 << 20
CONNS = 4


def once(bench, server, **more):
    return bench.run(server, job="once", timeout=10, conns=CONNS, fresh=1, **more)


def refuses(bench, server, what, **more):
    """Nothing is served; with HTTP a server may say so in its answer, which the generator takes for a failure."""
    result = once(bench, server, **more)
    if result["done"]:
        raise Failed(f"a client {what} was served")


def carries(bench, server, talk, size, **more):
    result = once(bench, server, talk=talk, bytes=size, **more)
    # of an upload, each connection's last byte is the upstream's word that it has all
    wanted = CONNS * (size + (talk == "up"))
    if result["failed"] or result["done"] != CONNS or result["bytes"] != wanted:
        raise Failed(f"{talk}: {result['bytes']} bytes of {wanted}; {result['failed']} failed {result['why']}")


def one(bench, peer, role, protocol):
    with bench.server(peer, role=role, protocol=protocol) as server:
        versions = ("1.2", "1.3") if role != "originate" else (None,)
        for version in versions:
            tls = {"tls": version, "ca": bench.home / "ec/root.crt"} if version else {}
            for talk in ("down", "up"):
                carries(bench, server, talk, 16 * MIB + 1, **tls)
            if role != "originate":
                stranger = bench.home / "stranger"
                refuses(bench, server, "without a certificate", tls=version, cert=None, key=None)
                refuses(bench, server, "of a stranger", tls=version, cert=stranger / "client.crt", key=stranger / "client.key")


def sanity(bench, peers):
    """0 when all is well; one line for each server and way."""
    failures = 0
    for peer in peers:
        for role in peer.roles:
            for protocol in peer.protocols:
                if role == "originate" and protocol == "http":
                    continue
                try:
                    one(bench, peer, role, protocol)
                    said = "ok"
                except Failed as failure:
                    said, failures = str(failure), failures + 1
                print(f"{peer.name:10} {role:10} {protocol:5} {said}", flush=True)
    return 1 if failures else 0
