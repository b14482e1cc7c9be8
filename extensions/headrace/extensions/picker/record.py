"""Work out again what every rule said, from what a decision saw. The plain way, in one pass.

This is what a decision means; the tables are a faster way to the same choice.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from headrace.dsl.program import Combine, Profile, RequestValues
from headrace.extensions.picker.combine import totals
from headrace.extensions.picker.decision import Attempt, Column, Kind, Record, Step
from headrace.extensions.picker.snapshot import Endpoint, PoolState
from headrace.extensions.picker.staging import Weighing, weighings
from headrace.extensions.picker.subset import Subset


class Capture(Struct, frozen=True):
    """All that a decision looked at: its record can be made from it at any later time."""

    pool: PoolState
    request: RequestValues
    profile: Profile
    profiles: Mapping[str, Profile]
    now_s: float
    subset: Subset | None

    def record(self) -> Record:
        """Evaluate every rule as the decision meant it."""
        attempts: list[Attempt] = []
        profile: Profile | None = self.profile
        tried: set[str] = set()
        while profile is not None and profile.name not in tried:
            tried.add(profile.name)
            steps, passed = self._filter(profile)
            attempts.append(Attempt(profile.name, steps))
            if passed:
                return self._score(profile, tuple(attempts), passed)
            profile = self.profiles.get(profile.otherwise or "")
        return Record(tuple(attempts))

    def _filter(self, profile: Profile) -> tuple[tuple[Step, ...], Sequence[Endpoint]]:
        """Return what each filter said, and the endpoints that passed them all."""
        kept: Sequence[Endpoint] = self.pool.endpoints
        steps: list[Step] = []
        if self.subset is not None:
            step = Step(Kind.SUBSET, kept, [self.subset.has(e.address) for e in kept])
            kept = _keep(step)
            steps.append(step)
        ready = [e.ready for e in kept]
        if not all(ready):
            step = Step(Kind.READY, kept, ready, relaxed=True not in ready)
            kept = _keep(step)
            steps.append(step)
        for kind, rules in ((Kind.REQUIRE, profile.require), (Kind.PREFER, profile.prefer)):
            for rule in rules:
                column = rule.column(kept, self.request, self.pool, self.now_s)
                relaxed = kind is Kind.PREFER and True not in column
                step = Step(kind, kept, column, rule.rule, relaxed)
                kept = _keep(step)
                steps.append(step)
        return tuple(steps), kept

    def _score(
        self, profile: Profile, attempts: tuple[Attempt, ...], passed: Sequence[Endpoint]
    ) -> Record:
        """Return the record with what the terms say of the endpoints that passed."""
        total = [0.0] * len(passed)
        columns: dict[int, Column] = {}
        for term in weighings(profile):
            column = self._column(term, passed, profile.combine)
            total = [t + term.weight * s for t, s in zip(total, column.scores, strict=True)]
            columns[term.place] = column
        written = tuple(columns[place] for place in sorted(columns))
        if profile.combine is not Combine.SUM:
            weights, scores = [c.weight for c in written], [c.scores for c in written]
            total = totals(profile.combine, weights, scores, len(passed))
        return Record(attempts, tuple(passed), written, total)

    def _column(self, term: Weighing, passed: Sequence[Endpoint], combine: Combine) -> Column:
        raw = term.column(passed, self.request, self.pool, self.now_s)
        return Column(term.rule, term.weight, raw, term.values(raw), term.cost, combine)


def _keep(step: Step) -> Sequence[Endpoint]:
    """Return the endpoints that *step* leaves."""
    given, column = step.given, step.column
    if step.relaxed or column.count(True) == len(given):
        return given
    return [e for e, verdict in zip(given, column, strict=True) if verdict is True]
