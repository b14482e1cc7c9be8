"""`python -m bench.compare A.json B.json`: what got better or worse from A to B beyond noise."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import hypot
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.report import Figure, Run, UnreadableRun, read

SIGMAS = 3.0  # some hundred figures are compared: two would cry wolf five times
FLOOR, FLOOR_ONCE = 0.03, 0.10  # of A's value; the second where the noise is not known
COSTS = frozenset({"us", "ms", "s", "MiB", "us CPU/request", "us CPU/chunk", "% of a core"})


class Verdict(Enum):
    """What became of a figure."""

    BETTER = "better"
    WORSE = "worse"
    CHANGED = "changed"  # of a unit that does not say which way is good
    SAME = "same"
    GONE = "only in A"
    NEW = "only in B"


@dataclass(frozen=True, slots=True)
class Change:
    """One figure in both runs."""

    name: str
    before: Figure | None
    after: Figure | None
    verdict: Verdict


def changes(before: Sequence[Figure], after: Sequence[Figure]) -> list[Change]:
    """Return the change of every figure in either run, in the order of *before*."""
    old, new = ({figure.name: figure for figure in run} for run in (before, after))
    return [
        Change(name, old.get(name), new.get(name), _verdict(old.get(name), new.get(name)))
        for name in {**old, **new}
    ]


def allowed(before: Figure, after: Figure) -> float:
    """Return by how much the two may differ and still count as the same, in their unit."""
    if before.noise is None or after.noise is None:
        return FLOOR_ONCE * abs(before.value)
    return max(SIGMAS * hypot(before.noise, after.noise), FLOOR * abs(before.value))


def _verdict(before: Figure | None, after: Figure | None) -> Verdict:
    if before is None or after is None:
        return Verdict.NEW if before is None else Verdict.GONE
    if before.unit == after.unit and abs(after.value - before.value) <= allowed(before, after):
        return Verdict.SAME
    good = _good_way(before)
    if before.unit != after.unit or not good:
        return Verdict.CHANGED
    return Verdict.BETTER if (after.value - before.value) * good > 0 else Verdict.WORSE


def _good_way(figure: Figure) -> int:
    if figure.unit in COSTS or (figure.unit == "x" and figure.name.startswith("ratio")):
        return -1
    return 1 if figure.unit == "1/s" else 0


def table(found: Sequence[Change]) -> Table:
    """Return a table of what is not the same."""
    shown = Table("figure", "A", "B", "unit", "verdict")
    for change in found:
        if change.verdict is not Verdict.SAME:
            a, b = (f"{f.value:g}" if f else "-" for f in (change.before, change.after))
            unit = (change.after or change.before or Figure("", 0, "")).unit
            shown.add_row(change.name, a, b, unit, change.verdict.value)
    return shown


def differing(before: Run, after: Run) -> list[str]:
    """Return what the two were measured with that is not the same, a sentence each."""
    old, new = before.surroundings, after.surroundings
    return [
        f"{name} is {old.get(name, 'not told')} in A and {new.get(name, 'not told')} in B"
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    ]


def main() -> None:
    """Print what changed; exit 1 when something got worse, 2 when a file cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("before", type=Path, metavar="A.json")
    parser.add_argument("after", type=Path, metavar="B.json")
    given = parser.parse_args()
    try:
        before, after = read(given.before), read(given.after)
    except UnreadableRun as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
    for sentence in differing(before, after):
        print(f"{sentence}: what differs may come from that", file=sys.stderr)
    found = changes(before.figures, after.figures)
    console = Console()
    console.print(table(found))
    console.print(f"{sum(c.verdict is Verdict.SAME for c in found)} of {len(found)} are the same")
    sys.exit(any(c.verdict is Verdict.WORSE for c in found))


if __name__ == "__main__":
    main()
