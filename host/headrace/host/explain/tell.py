"""Makes the story of an exchange: from its outcome, and the program that decided it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from headrace.dsl.program import Overload, PoolValues, Program, RequestValues, Rule, RuleFault
from headrace.extensions.body_router.values import Facts
from headrace.extensions.picker.decision import Column, Decision, Kind, Step, line_of
from headrace.extensions.picker.decision import Row as Scored
from headrace.extensions.picker.explain import would_win
from headrace.extensions.picker.flow.waited import Waited
from headrace.extensions.picker.pressure import ShedRecord
from headrace.extensions.picker.record import Capture
from headrace.extensions.picker.snapshot import Endpoint, PoolState, pool_state
from headrace.extensions.records import Guarded, Routing, RuleError
from headrace.extensions.stage import Outcome
from headrace.host.afterwards import find, guard_of, request_of
from headrace.host.explain.diagram import Diagram, diagram
from headrace.host.explain.parts import UNKNOWN, Frame, Parts
from headrace.host.explain.story import (
    DROPPED_MAX,
    ROWS_MAX,
    Asked,
    Beside,
    Cell,
    Dropped,
    Failed,
    Filtered,
    Row,
    Story,
    Value,
    Wait,
    Weighed,
)
from headrace.host.explain.wording import fault_words

INFINITE = float("inf")
NO_PREFIX: Mapping[str, float] = {}


@dataclass(frozen=True, slots=True)
class Noted:
    """What of an exchange its story is made of: all but its body. Safe to keep for a while.

    request  `request.*`, with the prefixes that the picker saw
    """

    outcome: Outcome
    request: Facts
    time_s: float = 0.0


def decided(outcome: Outcome) -> bool:
    """Return whether there is a story to tell: an endpoint was picked, or we answered."""
    return outcome.reason is not None or find(outcome, Decision) is not None


def note(outcome: Outcome, time_s: float = 0.0) -> Noted:
    """Return what to keep of *outcome*, before anybody has worked out its decision's record."""
    request = request_of(outcome)
    decision = find(outcome, Decision)
    if decision is not None and isinstance(decision.evidence, Capture):
        seen = decision.evidence.request
        request.prefix = seen.prefix or seen.work.prefix
        request.bonds = seen.bonds
    bare = structs.replace(outcome.request, body=None, call=None)
    return Noted(structs.replace(outcome, request=bare), request, time_s)


@dataclass(slots=True)
class Teller:
    """Tells stories. Written by one thread only: it keeps what it has compiled of expressions."""

    parts: Parts = field(default_factory=Parts)

    def tell(self, noted: Noted) -> Story:
        """Return the story of an exchange."""
        outcome, program = noted.outcome, noted.outcome.program
        decision, shed = find(outcome, Decision), find(outcome, ShedRecord)
        routing = find(outcome, Routing)
        waits = [r for run in outcome.runs for r in run.records if isinstance(r, Waited)]
        seen = [record for record in (decision, shed, *waits) if record is not None]
        endpoints = seen[0].endpoints if seen else ()
        name = routing.pool if routing else decision.pool if decision else ""
        pool = pool_state(name, endpoints)
        story = _frame(noted, routing, decision)
        story = structs.replace(story, waits=tuple(map(_wait, waits)))
        if program is not None and seen:
            asked = self._conditions(program, noted.request, pool, shed)
            story = structs.replace(story, conditions=tuple(asked))
        if decision is not None:
            story = self._picked(story, decision, noted.request, pool)
        return story

    def whole(self, rule: Rule, frame: Frame) -> Diagram:
        """Return the diagram of *rule* on *frame*."""
        typed = rule.typed
        assert typed is not None, "a compiled rule has its expression"
        try:
            value = self.parts.value(typed, frame)
        except UNKNOWN:
            value = RuleFault("missing")
        return diagram(rule.span, self.parts.of(typed, frame), typed, value)

    def _conditions(
        self, program: Program, request: RequestValues, pool: PoolValues, shed: ShedRecord | None
    ) -> Iterator[Asked]:
        """Yield the overloads that were asked, and of those that held the shed rules.

        A shed that leaves it to chance has turned the request away only if *shed* says so.
        """
        frame = Frame(request, pool)
        for overload in _of_pool(program, pool.name):
            yield self._condition("overload", overload.when.rule, frame)
            if overload.when.test(request, pool, 0.0) is not True:
                continue
            for rule in overload.sheds:
                yield self._condition("shed", rule.when.rule, frame)
                certain = rule.chance is None and rule.when.test(request, pool, 0.0) is True
                if certain or (shed is not None and shed.shed_line == line_of(rule.when.rule)):
                    return

    def _condition(self, name: str, rule: Rule, frame: Frame) -> Asked:
        return Asked(name, line_of(rule), self.whole(rule, frame))

    def _picked(
        self, story: Story, decision: Decision, request: RequestValues, pool: PoolState
    ) -> Story:
        """Return *story* with what the rules of the profile said."""
        rows = decision.rows()
        winner = next((row for row in rows if row.total is not None), None)
        steps = [s for attempt in decision.attempts for s in attempt.steps]
        frame = Frame(request, pool, now_s=decision.now_s)
        return structs.replace(
            story,
            tried=tuple(a.profile for a in decision.attempts),
            filters=tuple(self._filtered(step, frame) for step in steps),
            columns=tuple(_weighed(column) for column in decision.columns),
            rows=tuple(_row(decision, row, winner) for row in rows[:ROWS_MAX]),
            more=max(0, len(rows) - ROWS_MAX),
            clamped=decision.clamped,
            beside=tuple(self._beside(r, d, frame) for r, d in decision.beside),
        )

    def _beside(self, role: str, decision: Decision, frame: Frame) -> Beside:
        """Return who was picked beside, and what the rules of that profile said."""
        rows = decision.rows()
        steps = [s for attempt in decision.attempts for s in attempt.steps]
        return Beside(
            role,
            decision.profile,
            rows[0].endpoint.name,
            tuple(self._filtered(step, frame) for step in steps),
            tuple(_weighed(column) for column in decision.columns),
            tuple(_row(decision, row, rows[0]) for row in rows[:ROWS_MAX]),
        )

    def _filtered(self, step: Step, frame: Frame) -> Filtered:
        dropped = list(step.dropped())
        shown = tuple(self._dropped(step, e, frame) for e in dropped[:DROPPED_MAX])
        rule, more = step.rule, max(0, len(dropped) - DROPPED_MAX)
        if rule is None:
            what = "endpoint.ready" if step.kind is Kind.READY else "the proxy's subset hint"
            return Filtered(step.name, step.kind.value, "", what, step.relaxed, shown, more)
        text = " ".join(rule.text.split())
        return Filtered(step.name, step.kind.value, line_of(rule), text, step.relaxed, shown, more)

    def _dropped(self, step: Step, endpoint: Endpoint, frame: Frame) -> Dropped:
        if step.rule is not None:
            here = Frame(frame.request, frame.pool, endpoint, frame.now_s, candidates=step.given)
            return Dropped(endpoint.name, self.whole(step.rule, here))
        if step.kind is Kind.READY:
            return Dropped(endpoint.name, why=f"not ready: {endpoint.error or 'not scraped yet'}")
        return Dropped(endpoint.name, why="not in the proxy's subset hint")


def _frame(noted: Noted, routing: Routing | None, decision: Decision | None) -> Story:
    """Return the story as far as every exchange has it."""
    outcome, request = noted.outcome, noted.request
    took_s = (outcome.decided_s or 0.0) - outcome.started_s
    took_s -= sum(r.waited_s for run in outcome.runs for r in run.records if isinstance(r, Waited))
    names = {e.address: e.name for e in decision.endpoints} if decision else {}
    shares = {s.pool: s.share for s in routing.shares} if routing else {}
    return Story(
        id=outcome.request.id,
        time_s=noted.time_s,
        took_us=round(took_s * 1e6, 1) if took_s > 0 else None,
        policy=outcome.policy,
        generation=outcome.generation,
        asked=request.model,
        model=routing.model if routing else "",
        classes=routing.classes if routing else (),
        priority=request.priority,
        adapter=request.adapter,
        prompt_tokens=request.prompt_tokens,
        pool=routing.pool if routing else decision.pool if decision else "",
        share=shares.get(routing.pool, 1.0) if routing else 1.0,
        bucket=routing.share_bucket if routing else 0.0,
        profile=decision.profile if decision else routing.profile if routing else "",
        pick=decision.pick.value if decision else "",
        how=decision.how.value if decision else "",
        endpoint=names.get(decision.chosen or "", "") if decision else "",
        status=outcome.status if outcome.reason else 0,
        reason=outcome.reason.word if outcome.reason else "",
        message=outcome.message,
        guard=guard_of(outcome),
        faults=tuple(_faults(outcome, decision, names)),
        failures=tuple(f"{r.stage}: {r.error}" for r in outcome.runs if r.error),
        guards=tuple(g for r in outcome.runs for g in r.records if isinstance(g, Guarded)),
    )


def _faults(
    outcome: Outcome, decision: Decision | None, names: Mapping[str, str]
) -> Iterator[Failed]:
    for run in outcome.runs:
        for record in run.records:
            if isinstance(record, RuleError):
                yield Failed(record.rule, record.kind)
    for fault in decision.faults if decision else ():
        yield Failed(fault.rule, fault.kind, names.get(fault.endpoint, fault.endpoint))


def _wait(waited: Waited) -> Wait:
    rule = " ".join(waited.rule.split())
    return Wait(
        waited.how,
        waited.waited_s,
        _value(waited.rank),
        waited.ahead,
        waited.key.replace("\x1f", ", "),
        rule,
        waited.line,
    )


def _of_pool(program: Program, pool: str) -> Sequence[Overload]:
    return [o for o in program.overloads if not o.pools or pool in o.pools]


def _weighed(column: Column) -> Weighed:
    text = " ".join(column.rule.text.split())
    name = column.rule.name
    line = line_of(column.rule)
    return Weighed(name, column.weight, column.cost, line, text, column.head)


def _row(decision: Decision, row: Scored, winner: Scored | None) -> Row:
    e, note = row.endpoint, ""
    if row.rank == 0:
        note = "picked"
    elif row.total is not None and winner is not None:
        note = would_win(decision, row, winner)
    cells = [Cell(_value(c.raw), _value(c.score), _value(c.weighted)) for c in row.cells]
    return Row(
        endpoint=e.name,
        address=e.address,
        total=None if row.total is None else _value(row.total),
        cells=tuple(cells),
        rank=row.rank,
        note=note,
        dropped_by=row.dropped_by,
        ready=e.ready,
        age_s=None if row.age_s == INFINITE else row.age_s,
        queue=e.queue,
        running=e.running,
        in_flight=e.in_flight,
        kv_cache=e.kv_cache,
    )


def _value(value: float | RuleFault) -> Value:
    """Return *value* as JSON can hold it."""
    if isinstance(value, RuleFault):
        return fault_words(value)
    if value != value:
        return "not a number"
    return value if abs(value) != INFINITE else "∞" if value > 0 else "-∞"
