"""The benchmark itself: its table says what was measured, its generator sees when it is not served."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from peers import free_ports

TOP = Path(__file__).resolve().parents[2]
CONNS = 3


def module(name):
    """One of test/bench, by its path: names there are also names here."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", TOP / "test" / "bench" / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


# --- the table -----------------------------------------------------------------------------------------
table = module("table")
Goal, Metric = table.Goal, table.Metric


def runs(**by_peer):
    """by_peer: a value for each round."""
    return [{"row": "row", "peer": peer, "round": round_, "values": {"us": value}}
            for peer, found in by_peer.items() for round_, value in enumerate(found)]


def ratio(measured, goal=Goal("best", 1), **kw):
    return table.ratio(measured, "row", Metric("us", "us", goal, **kw), goal)


def test_median():
    assert table.median([3, 1, 2]) == 2
    assert table.median([4, 1]) == 2.5
    assert table.median([]) is None
    assert table.median([1, None, None]) is None
    assert table.median([1, 2, None]) == 2


def test_ratio_is_taken_within_a_round():
    """Rounds of a machine that grows slower: the medians' ratio would be another."""
    measured = runs(mtlsd=[10, 40, 50], a=[20, 40, 100], b=[40, 160, 50])
    assert ratio(measured) == 1
    assert ratio(runs(mtlsd=[10, 40], a=[20, 80], b=[100, 50])) == pytest.approx((0.5 + 0.8) / 2)


def test_ratio_to_the_best():
    assert ratio(runs(mtlsd=[30], a=[20], b=[60])) == 1.5
    assert ratio(runs(mtlsd=[30], a=[20], b=[60]), more_is_better=True) == 0.5
    assert ratio(runs(mtlsd=[30], a=[None], b=[60])) == 0.5
    assert ratio(runs(mtlsd=[30], a=[None])) is None
    assert ratio(runs(mtlsd=[None], a=[20])) is None


def test_a_variant_is_no_peer():
    assert ratio(runs(**{"mtlsd": [30], "mtlsd:other": [10], "a": [60]})) == 0.5


def test_ratio_of_a_variant():
    measured = runs(**{"mtlsd": [30], "mtlsd:other": [45], "mtlsd:bare": [15], "a": [60]})
    assert ratio(measured, Goal("peer", of="mtlsd:bare")) == 2
    assert ratio(measured, Goal("peer", of="mtlsd:bare"), subject="mtlsd:other") == 3


def test_ratio_to_one_and_to_another_row():
    measured = runs(mtlsd=[30], a=[20], b=[60])
    assert ratio(measured, Goal("peer", 1, "b")) == 0.5
    measured += [{"row": "first", "peer": "mtlsd", "round": 0, "values": {"us": 15}}]
    assert ratio(measured, Goal("row", 1, "first")) == 2


@pytest.mark.parametrize("goal,mine,verdict", [
    (None, [1], "-"),
    (Goal("best", 0.5), [50], "met"), (Goal("best", 0.5), [51], "not met"), (Goal("best", 0.5), [None], "not met"),
    (Goal("most", 3), [3, 1], "met"), (Goal("most", 3), [1, 1, 4], "not met"), (Goal("most", 3), [None], "not met"),
    (Goal("least", 3), [3], "met"), (Goal("least", 3), [4, 2], "not met"),
    (Goal("peer", 1, "nobody"), [1], "-"), (Goal("best"), [1], "-"),
])
def test_verdict(goal, mine, verdict):
    measured = runs(mtlsd=mine, a=[100] * len(mine))
    assert table.verdict(measured, "row", Metric("us", "us", goal)) == verdict


def test_lines():
    measured = runs(**{"a": [100, 300], "mtlsd": [50, 75], "mtlsd:other": [1, None]})
    text = table.lines(measured, [("row", [Metric("us", "CPU us", Goal("best", 0.5))]), ("not run", [Metric("us", "x")])])
    assert [line.split() for line in text] == [
        ["row", "measured", "mtlsd", "mtlsd:other", "a", "ratio", "goal"],
        ["row", "CPU", "us", "62.5", "none", "200", "0.38", "<=", "0.5", "of", "the", "best", "met"]]


# --- the generator -------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def programs():
    """Where load and upstream are: beside the program under test, or built now."""
    built = Path(os.environ.get("MTLSD", TOP / "build/mtlsd")).resolve().parent / "bench"
    if not (built / "load").exists():
        built = TOP / "build/bench"
        subprocess.run(["make", "-s", "DEPS=no", "build/bench/load", "build/bench/upstream"], cwd=TOP, check=True)
    return built


@pytest.fixture
def bench_upstream(programs):
    port = free_ports(1)[0]
    process = subprocess.Popen([programs / "upstream", "--tcp", f"127.0.0.1:{port}"], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    yield f"127.0.0.1:{port}"
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def load(programs):
    """load(port, ...): each connection once; the generator's result."""
    def run(port, **options):
        argv = [programs / "load", "once", "--to", f"127.0.0.1:{port}", "--conns", str(CONNS), "--timeout", "10"]
        for name, value in options.items():
            argv += [f"--{name}", str(value)]
        done = subprocess.run(argv, input="\n\n", capture_output=True, text=True, check=True, timeout=60)
        phases = done.stdout.splitlines()
        assert phases[:2] == ["begin", "end"], done
        return json.loads(phases[2])
    return run


@pytest.mark.parametrize("talk,extra", [("down", 0), ("up", 1)])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_generator_counts_every_byte(load, mtlsd, bench_upstream, pki, ca, talk, extra, version):
    daemon = mtlsd(upstream=bench_upstream)
    client, size = pki.client(), 300001
    result = load(daemon.address[1], talk=talk, bytes=size, tls=version, cert=client.crt, key=client.key, ca=ca)
    assert (result["failed"], result["done"]) == (0, CONNS), result
    assert result["bytes"] == CONNS * (size + extra)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_generator_sees_a_refusal(load, mtlsd, bench_upstream, version):
    daemon = mtlsd(upstream=bench_upstream)
    result = load(daemon.address[1], tls=version)
    assert (result["failed"], result["done"], result["bytes"]) == (CONNS, 0, 0)
    assert "alert" in result["why"]


def test_generator_sees_that_nobody_listens(load):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        result = load(held.getsockname()[1], plain=1)
    assert (result["failed"], result["done"]) == (CONNS, 0)
    assert "connect" in result["why"]


@pytest.mark.parametrize("said", [b"", b"x" * 999, b"x" * 1001], ids=["none", "short", "long"])
def test_generator_sees_a_wrong_answer(load, upstream, said):
    """The end before the answer is whole, or more than was asked for."""
    def say(conn):
        conn.recv()
        conn.send(said)

    result = load(upstream(say).port, plain=1, talk="down", bytes=1000)
    assert (result["failed"], result["done"]) == (CONNS, 0)
