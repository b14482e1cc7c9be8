"""What came of the tests, for people and for machines."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from headrace.host.explain.parts import Parts
from headrace.host.explain.wording import fault_words
from headrace.host.policytest.coverage import Coverage, Point
from headrace.host.policytest.run import Result
from headrace.host.policytest.suite import SuiteResult
from headrace.host.policytest.words import failure, place, shown, story

MISSED_SHOWN_MAX = 40


@dataclass(frozen=True, slots=True)
class Tally:
    """All suites, and what they covered if that was asked for."""

    suites: Sequence[SuiteResult]
    coverage: Coverage | None = None
    wall_s: float = 0.0

    @property
    def results(self) -> list[Result]:
        """Every case, in order."""
        return [result for suite in self.suites for result in suite.results]

    @property
    def failed(self) -> int:
        """How many cases did not pass."""
        return sum(not result.passed for result in self.results)

    @property
    def broken(self) -> int:
        """How many policies could not be compiled."""
        return sum(bool(suite.problems) for suite in self.suites)


def human(tally: Tally, *, verbose: bool = False) -> Iterator[str]:
    """Yield the lines for people: every failure with its values, and what came of all."""
    for suite in tally.suites:
        yield from suite.problems
        if verbose:
            for result in suite.results:
                word = "ok" if result.passed else "FAILED"
                yield f"{word:<6} {result.wall_s * 1000:6.1f} ms  {suite.name}: {result.case.name}"
        for result in suite.failed:
            yield from failure(result)
            yield ""
        yield from _assumed(suite)
    if tally.coverage is not None:
        yield from _covered(tally.coverage)
    yield _total(tally)


def _assumed(suite: SuiteResult) -> Iterator[str]:
    """Yield of which providers the tests assume that they find nothing: they ask nobody."""
    counts = Counter(guard for result in suite.results for guard in result.assumed)
    for guard, count in counts.items():
        noun = "test assumes" if count == 1 else "tests assume"
        yield f"note: {count} {noun} that guard `{guard}` finds nothing, as a test asks no provider"
        yield f'      say otherwise with `given guard {guard} finds "..."`  ({suite.name})'


def _total(tally: Tally) -> str:
    count = len(tally.results)
    failed = f", {tally.failed} failed" if tally.failed else ""
    broken = f", {tally.broken} policies do not compile" if tally.broken else ""
    passed = count - tally.failed
    noun = "policy" if len(tally.suites) == 1 else "policies"
    head = f"{passed} of {count} tests passed{failed}{broken}"
    return f"{head}  ({len(tally.suites)} {noun}, {tally.wall_s:.2f} s)"


def _covered(coverage: Coverage) -> Iterator[str]:
    missed = coverage.missed
    for point in missed[:MISSED_SHOWN_MAX]:
        yield f"never  {point.where}  {point.what}"
    if len(missed) > MISSED_SHOWN_MAX:
        yield f"never  and {len(missed) - MISSED_SHOWN_MAX} more"
    hit = len(coverage.points) - len(missed)
    yield f"coverage {coverage.ratio:.1%}: {hit} of {len(coverage.points)} rules and branches"


def as_json(tally: Tally) -> str:
    """Return everything as one JSON object, indented."""
    told: dict[str, object] = {
        "passed": len(tally.results) - tally.failed,
        "failed": tally.failed,
        "broken": tally.broken,
        "wall_s": round(tally.wall_s, 4),
        "suites": [
            {
                "name": suite.name,
                "problems": list(suite.problems),
                "tests": [_case(result) for result in suite.results],
            }
            for suite in tally.suites
        ],
    }
    if tally.coverage is not None:
        points = tally.coverage.points.values()
        told["coverage"] = {
            "ratio": round(tally.coverage.ratio, 4),
            "points": len(points),
            "missed": [_point(point) for point in tally.coverage.missed],
        }
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def _point(point: Point) -> dict[str, str]:
    return {"what": point.what, "where": point.where}


def _case(result: Result) -> dict[str, object]:
    told: dict[str, object] = {
        "name": result.case.name,
        "where": place(result.case.span),
        "passed": result.passed,
        "wall_s": round(result.wall_s, 6),
        **({"assumed": list(result.assumed)} if result.assumed else {}),
    }
    if result.error:
        told["error"] = result.error
    if result.missed and result.ran is not None:
        parts, ran = Parts(), result.ran
        told["missed"] = [
            {"where": place(m.expected.rule.span), "expectation": shown(m, ran, parts)}
            for m in result.missed
        ]
        told["decision"] = story(ran)
    return told


def words_of(result: Result) -> str:
    """Return in one line what a result came to, for a list of failures."""
    if result.error:
        return result.error
    came = [m.came for m in result.missed]
    faults = [fault_words(c) for c in came if not isinstance(c, bool | int | float | str)]
    return "; ".join(faults) or f"{len(came)} expectations do not hold"
