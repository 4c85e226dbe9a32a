"""table.py - medians, ratios, verdicts, and the table: pure functions of what was measured

A run is {"row", "peer", "round", "values": {key: number or None}}; None is a value that could not be had, because nothing
was served. Ratios are taken within a round, against the best peer of that round or a named one, and then the median.
"""
import math
import statistics
from dataclasses import dataclass

SUBJECT = "mtlsd"


@dataclass(frozen=True)
class Goal:
    """kind: best   SUBJECT's ratio to the best peer        peer    its ratio to the peer `of`
             row    its ratio to its own value in the row `of`
             most, least   its value
    Without a limit the ratio is shown, and nothing is to be met."""
    kind: str
    limit: float = None
    of: str = ""

    def __str__(self):
        if self.limit is None:
            return f"to {self.of}" if self.of else ""
        sign = ">=" if self.kind == "least" else "<="
        ratio = {"best": " of the best", "peer": f" of {self.of}", "row": f" of {self.of}"}.get(self.kind, "")
        return f"{sign} {self.limit:g}{ratio}"


@dataclass(frozen=True)
class Metric:
    key: str
    label: str
    goal: Goal = None
    more_is_better: bool = False
    compared: bool = True  # a ratio says something
    subject: str = SUBJECT  # whose ratio: mtlsd's, or a variant's


def values(runs, row, peer, key):
    """{round: value}, without rounds in which there was none."""
    found = {}
    for run in runs:
        if (run["row"], run["peer"]) == (row, peer) and key in run["values"]:
            found[run["round"]] = run["values"][key]
    return found


def median(numbers):
    """Of numbers and None; None is worse than any number."""
    if not numbers:
        return None
    middle = statistics.median([math.inf if number is None else number for number in numbers])
    return None if math.isinf(middle) else middle


def is_variant(peer):
    """mtlsd itself, or mtlsd in another configuration: not somebody to be compared with."""
    return peer.split(":")[0] == SUBJECT


def best(runs, row, key, round_, more_is_better=False):
    peers = {run["peer"] for run in runs if run["row"] == row and not is_variant(run["peer"])}
    numbers = [values(runs, row, peer, key).get(round_) for peer in peers]
    numbers = [number for number in numbers if number]
    return (max if more_is_better else min)(numbers) if numbers else None


def ratio(runs, row, metric, goal):
    """The median over the rounds of the subject's value against what the goal compares with; None where there is none."""
    found = []
    for round_, value in values(runs, row, metric.subject, metric.key).items():
        if goal.kind == "row":
            other = values(runs, goal.of, metric.subject, metric.key).get(round_)
        elif goal.kind == "peer":
            other = values(runs, row, goal.of, metric.key).get(round_)
        else:
            other = best(runs, row, metric.key, round_, metric.more_is_better)
        if other:
            found.append(None if value is None else value / other)
    return median(found)


def verdict(runs, row, metric):
    """met, not met, or - where nothing was to be met or to be compared with"""
    goal = metric.goal
    mine = values(runs, row, metric.subject, metric.key)
    if goal is None or goal.limit is None or not mine:
        return "-"
    if goal.kind in ("most", "least"):
        # what every round must hold, not the middle one
        numbers = list(mine.values())
        if goal.kind == "most":
            good = all(number is not None and number <= goal.limit for number in numbers)
        else:
            good = all(number is not None and number >= goal.limit for number in numbers)
    else:
        number = ratio(runs, row, metric, goal)
        if number is None and any(value is not None for value in mine.values()):
            return "-"
        good = number is not None and number <= goal.limit
    return "met" if good else "not met"


def number(value):
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    if value == int(value) and value < 1e6:
        return str(int(value))
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def lines(runs, rows):
    """The table: one line for each metric of each row that was run; rows: [(name, [Metric])]."""
    ran = {run["row"] for run in runs}
    order = {peer: None for run in runs for peer in [run["peer"]]}
    peers = sorted(order, key=lambda peer: (not is_variant(peer), peer))
    out = [["row", "measured", *peers, "ratio", "goal", ""]]
    for name, metrics in rows:
        for metric in metrics if name in ran else ():
            cells = []
            for peer in peers:
                found = values(runs, name, peer, metric.key)
                cells.append(number(median(list(found.values()))) if found else "")
            goal = metric.goal or Goal("best")
            compared = ratio(runs, name, metric, goal if goal.of else Goal("best")) if metric.compared else None
            out.append([name, metric.label, *cells, "" if compared is None else f"{compared:.2f}",
                        str(goal), verdict(runs, name, metric)])
    widths = [max(len(line[column]) for line in out) for column in range(len(out[0]))]
    left = {0, 1, len(widths) - 2, len(widths) - 1}
    return ["  ".join(cell.ljust(width) if column in left else cell.rjust(width)
                      for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in out]
