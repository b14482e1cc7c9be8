"""What of a policy its tests have exercised: every rule, and every way that it can come out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from headrace.dsl import library
from headrace.dsl.cel.typed import LOOP, Op, Typed
from headrace.dsl.program import (
    Condition,
    PoolValues,
    Profile,
    Program,
    Queue,
    RequestValues,
    Rule,
    RuleFault,
    When,
)
from headrace.dsl.source import Span
from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.record import Capture
from headrace.extensions.records import Guarded, Verdict
from headrace.extensions.stage import Outcome
from headrace.host.afterwards import find
from headrace.host.explain.parts import UNKNOWN, Frame, Parts

Key = tuple[str, int, str]  # file, place, what


@dataclass(slots=True)
class Point:
    """One thing that a test can exercise. *hit* is set by its `Coverage`."""

    what: str
    span: Span
    hit: bool = False

    @property
    def where(self) -> str:
        """Its file and line."""
        return f"{self.span.source.name}:{self.span.source.line_column(self.span.start)[0]}"


@dataclass(slots=True)
class Coverage:
    """Gathers what was exercised, of one policy or of several. Written while its tests run."""

    points: dict[Key, Point] = field(default_factory=dict[Key, Point])
    _parts: Parts = field(default_factory=Parts)

    @property
    def ratio(self) -> float:
        """The share of the points that were hit, 0..1; 1 where there are none."""
        return sum(p.hit for p in self.points.values()) / len(self.points) if self.points else 1.0

    @property
    def missed(self) -> list[Point]:
        """What no test has exercised, in the order of the files."""
        left = [(key, point) for key, point in self.points.items() if not point.hit]
        return [point for _, point in sorted(left, key=lambda each: each[0][:2])]

    def watch(self, program: Program) -> Program:
        """Return *program* with conditions that tell here when they are asked."""
        for what, rule in _rules(program):
            self._expect(what, rule)
        for guard in program.guards:
            self._add(f"guard {guard.name}: finds something", guard.span)
            if guard.ask is not None:
                self._add(f"guard {guard.name}: has no verdict", guard.span)
        return replace(
            program,
            classes=tuple(
                replace(c, when=self._watched(c.when, f"class {c.name}")) for c in program.classes
            ),
            overloads=tuple(
                replace(
                    overload,
                    when=self._watched(overload.when, "overload"),
                    sheds=tuple(
                        replace(s, when=self._watched(s.when, "shed")) for s in overload.sheds
                    ),
                    queue=overload.queue and self._entered(overload.queue),
                )
                for overload in program.overloads
            ),
            guards=tuple(
                g if g.when is None else replace(g, when=self._watched(g.when, f"guard {g.name}"))
                for g in program.guards
            ),
            trusts=tuple(replace(t, when=self._watched(t.when, "trust")) for t in program.trusts),
        )

    def decided(self, outcome: Outcome, program: Program) -> None:
        """Note what the filters, the scorers and the guards have said in *outcome*."""
        guards = {guard.name: guard for guard in program.guards}
        for record in (r for run in outcome.runs for r in run.records):
            if isinstance(record, Verdict) and record.guard in guards:
                guard = guards[record.guard]
                self._hit(f"guard {guard.name}: finds something", guard.span)
            elif isinstance(record, Guarded) and record.state.startswith("failed"):
                guard = guards[record.guard]
                self._hit(f"guard {guard.name}: has no verdict", guard.span)
        decision = find(outcome, Decision)
        if decision is not None and isinstance(decision.evidence, Capture):
            self._picked(decision, decision.evidence)

    def _picked(self, decision: Decision, seen: Capture) -> None:
        for step in (s for attempt in decision.attempts for s in attempt.steps):
            if step.rule is None:
                continue
            for endpoint, verdict in zip(step.given, step.column, strict=True):
                frame = Frame(seen.request, seen.pool, endpoint, seen.now_s, candidates=step.given)
                self._saw(f"filter {step.rule.name}", step.rule, frame, verdict)
        for column in decision.columns:
            what = f"{'cost' if column.cost else 'scorer'} {column.rule.name}"
            for endpoint, value in zip(decision.scored, column.raw, strict=True):
                frame = Frame(
                    seen.request, seen.pool, endpoint, seen.now_s, candidates=decision.scored
                )
                self._saw(what, column.rule, frame, value)

    def _entered(self, queue: Queue) -> Queue:
        """Return *queue*, which tells when it ranks a request: one that is to wait in it."""
        by = queue.by

        def value(
            request: RequestValues, pool: PoolValues | None, now_s: float
        ) -> float | RuleFault:
            rank = by.value(request, pool, now_s)
            self._saw("queue", by.rule, Frame(request, pool, None, now_s), rank)
            return rank

        return replace(queue, by=replace(by, value=value))

    def _watched(self, when: When, what: str) -> When:
        return replace(when, test=self._telling(when, what))

    def _telling(self, when: When, what: str) -> Condition:
        def test(request: RequestValues, pool: PoolValues | None, now_s: float) -> bool | RuleFault:
            verdict = when.test(request, pool, now_s)
            self._saw(what, when.rule, Frame(request, pool, None, now_s), verdict)
            return verdict

        return test

    def _expect(self, what: str, rule: Rule) -> None:
        """Add the points of *rule*; one of the library is not the policy's to test."""
        if library.is_of(rule.span):
            return
        self._add(_outcome(what), rule.span)
        if rule.typed is not None:
            for part in _branches(rule.typed):
                for value in ("true", "false"):
                    self._add(f"{what}: `{_text(part)}` is {value}", part.span)

    def _saw(self, what: str, rule: Rule, frame: Frame, value: object) -> None:
        if _shows(what, value):
            self._hit(_outcome(what), rule.span)
        if rule.typed is None:
            return
        for part in _branches(rule.typed):
            try:
                came = self._parts.value(part, frame)
            except UNKNOWN:
                continue  # it stands behind a `has` that said no
            if isinstance(came, bool):
                word = "true" if came else "false"
                self._hit(f"{what}: `{_text(part)}` is {word}", part.span)

    def _add(self, what: str, span: Span) -> None:
        self.points.setdefault((span.source.name, span.start, what), Point(what, span))

    def _hit(self, what: str, span: Span) -> None:
        """Mark a point; what is none, such as a rule that comes with the language, is left."""
        point = self.points.get((span.source.name, span.start, what))
        if point is not None:
            point.hit = True


def _outcome(what: str) -> str:
    """Return what a rule of that kind has to show."""
    words = {
        "class": "matches",
        "overload": "holds",
        "shed": "turns a request away",
        "queue": "lets a request wait",
        "guard": "applies",
        "filter": "drops an endpoint",
        "trust": "believes a client",
    }
    return f"{what}: {words.get(what.partition(' ')[0], 'is evaluated')}"


def _shows(what: str, value: object) -> bool:
    """Return whether *value* is what a rule of that kind has to show."""
    kind = what.partition(" ")[0]
    if kind in ("scorer", "cost", "queue"):
        return True
    return value is not True if kind == "filter" else value is True


def _rules(program: Program) -> Iterator[tuple[str, Rule]]:
    """Yield every rule that a request can meet, with what it is."""
    for kind in program.classes:
        yield f"class {kind.name}", kind.when.rule
    for overload in program.overloads:
        yield "overload", overload.when.rule
        for shed in overload.sheds:
            yield "shed", shed.when.rule
        if overload.queue is not None:
            yield "queue", overload.queue.by.rule
    for guard in program.guards:
        if guard.when is not None:
            yield f"guard {guard.name}", guard.when.rule
    for trust in program.trusts:
        yield "trust", trust.when.rule
    for profile in _asked(program):
        for found in (*profile.require, *profile.prefer):
            yield f"filter {found.rule.name}", found.rule
        for term in profile.terms:
            yield f"scorer {term.scorer.rule.name}", term.scorer.rule
        for cost in profile.costs:
            yield f"cost {cost.cost.rule.name}", cost.cost.rule


def _asked(program: Program) -> Iterable[Profile]:
    """Return the profiles that a request can be picked by."""
    names = {model.profile for model in program.models.values()}
    names |= {pool.profile for pool in program.pools.values()}
    names |= {kind.profile for kind in program.classes}
    if any(m.profile is None for m in program.models.values()):
        names.add("default")
    left, found = [n for n in names if n], dict[str, Profile]()
    while left:
        name = left.pop()
        if name in program.profiles and name not in found:
            profile = found[name] = program.profiles[name]
            left += [profile.otherwise] if profile.otherwise else []
            left += [beside.profile for beside in profile.beside]
    # The profile that comes with the language is not the policy's to test.
    return [p for p in found.values() if not p.span.source.name.startswith("<")]


def _branches(typed: Typed) -> Iterator[Typed]:
    """Yield the parts of *typed* that decide: the test of each `?:`, the sides of && and ||."""
    if typed.free - {LOOP} or typed.op is Op.EACH:
        return
    for i, arg in enumerate(typed.args):
        decides = typed.op in (Op.AND, Op.OR) or (typed.op is Op.COND and i == 0)
        if decides and arg.op not in (Op.AND, Op.OR, Op.COND, Op.CONST) and _own(arg, typed):
            yield arg
        if _own(arg, typed):
            yield from _branches(arg)


def _own(arg: Typed, typed: Typed) -> bool:
    """Whether *arg* stands in the text of *typed*, and not in that of a `let`."""
    a, b = arg.span, typed.span
    return a.source is b.source and b.start <= a.start and a.end <= b.end


def _text(part: Typed) -> str:
    return " ".join(part.span.text.split())
