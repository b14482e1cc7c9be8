"""Overloads, trust, traces, stages, chains and tests, flattened."""

from collections.abc import Iterator, Sequence

from headrace.dsl.effective.choosing import value
from headrace.dsl.effective.form import (
    Fact,
    Line,
    Section,
    expr,
    expressed,
    number,
    origin,
    raw,
    said,
)
from headrace.dsl.program import Program
from headrace.dsl.syntax.declarations import (
    ChainBlock,
    OverloadBlock,
    QueueRule,
    ShedRule,
    StageBlock,
    TestBlock,
    TraceBlock,
    TrustBlock,
)
from headrace.dsl.syntax.tree import Written


def overload(block: OverloadBlock, program: Program) -> Section:
    """Return an overload with what its statements leave to the defaults."""
    lines = [_shed(shed, i + 1) for i, shed in enumerate(block.sheds)]
    if block.queue:
        lines.append(_queue(block.queue))
    if block.evict:
        facts = expressed("condition of evict", block.evict)
        lines.append(Line(f"evict when {expr(block.evict)}", origin(block.spans["evict"]), facts))
    pools = f" for {raw(block.pools)}" if block.pools else ""
    names = sorted(f"`{w.text}`" for w in block.pools)
    of = Fact("pools", repr(names), ", ".join(names) or "all")
    facts = (of, *expressed("condition", block.when))
    head = Line(f"overload{pools} when {expr(block.when)}", origin(block.span), facts)
    return Section("overload", (), head, tuple(lines))


def _shed(shed: ShedRule, place: int) -> Line:
    answer = shed.status.span.text if shed.status else "429"
    message = shed.message.span.text if shed.message else '"overloaded, try again later"'
    retry = shed.retry_after.span.text if shed.retry_after else ""
    condition = f"{'any ' if shed.any else ''}when {expr(shed.when)}"
    chance = f" with chance {expr(shed.chance)}" if shed.chance else ""
    after = f" retry after {retry}" if retry else ""
    text = f"shed {condition}{chance} with {answer} {message}{after}"
    told = shed.message.text if shed.message else "overloaded, try again later"
    facts = (
        Fact(f"condition of shed {place}", repr((shed.any, shed.when.expr)), condition),
        Fact(f"status of shed {place}", repr(float(answer.replace("_", ""))), answer),
        Fact(f"message of shed {place}", repr(told), message),
        Fact(
            f"retry of shed {place}",
            repr(float(shed.retry_after.value) if shed.retry_after else None),
            retry or "by how fast the queue moves",
        ),
        Fact(
            f"chance of shed {place}",
            repr(shed.chance.expr if shed.chance else None),
            chance.removeprefix(" with chance ") or "certain",
        ),
    )
    return Line(text, origin(shed.span), facts)


def _queue(queue: QueueRule) -> Line:
    length = queue.length.span.text if queue.length else "1_000"
    length_max = float(queue.length.value if queue.length else 1000)
    size = queue.size.span.text if queue.size else "256MB"
    of = " in tokens" if queue.in_tokens else ""
    fair = f" fair{of} by {', '.join(map(expr, queue.fair))}" if queue.fair else ""
    wait = queue.wait.span.text
    strictly = " strictly" if queue.strictly else ""
    order = "soonest deadline first" if queue.soonest else ""
    text = f"queue{strictly} by {expr(queue.by)}{fair}{' ' + order if order else ''}"
    text += f" for up to {wait}, at most {length}, at most {size}"
    keys = repr([w.expr for w in queue.fair])
    facts = (
        *expressed("order of the queue", queue.by),
        Fact("service of the ranks", repr(queue.strictly), strictly.strip() or "in turns"),
        Fact("fairness of the queue", keys, fair.strip() or "by class or fairness id"),
        Fact("turns in the queue", repr(queue.in_tokens), of.strip() or "by requests"),
        Fact("order of equals", repr(queue.soonest), order or "who came first"),
        Fact("wait in the queue", repr(float(queue.wait.value)), wait),
        Fact("length of the queue", repr(length_max), length),
        Fact("bytes in the queue", repr(float(queue.size.value) if queue.size else 256e6), size),
    )
    return Line(text, origin(queue.span), facts)


def trace(block: TraceBlock, program: Program) -> Section:
    """Return a trace block."""
    lines: list[Line] = []
    if block.sample:
        lines.append(number("sample", "sample", block.sample, block.spans["sample"]))
    for written in block.always:
        text = expr(written)
        fact = Fact(f"always when {text}", repr(written.expr), text)
        lines.append(Line(f"always when {text}", origin(written.span), (fact,)))
    for word, written in block.attributes:
        facts = expressed(f"attribute `{word.text}`", written)
        text = f"attribute {word.span.text} = {expr(written)}"
        lines.append(Line(text, origin(word.span), facts))
    return Section("trace", (), Line("trace", origin(block.span)), tuple(lines))


def trust(block: TrustBlock, program: Program) -> Section:
    """Return a trust block."""
    lines: list[Line] = []
    for entry in block.entries:
        text = f"{raw(entry.names, ' ')} from {expr(entry.when)}"
        facts = tuple(
            Fact(f"trust in `{w.text}` from {expr(entry.when)}", repr(entry.when.expr), "believed")
            for w in entry.names
        )
        lines.append(Line(text, origin(entry.names[0].span), facts))
    return Section("trust", (), Line("trust", origin(block.span)), tuple(lines))


def stage(block: StageBlock, program: Program) -> Section:
    """Return a stage of a package."""
    lines = [
        Line(f"{s.name.text} {value(s)}", origin(s.span), said(s.name.text, s.value, value(s)))
        for s in block.settings
    ]
    text = f"stage {block.name.span.text} from {block.origin.span.text}"
    head = Line(text, origin(block.span), said("origin", block.origin.text, block.origin.span.text))
    return Section("stage", (block.name.text,), head, tuple(lines))


def chain(block: ChainBlock, program: Program) -> Section:
    """Return a chain."""
    names = [w.text for w in block.stages]
    text = raw(block.stages, "  ")
    facts = said("stages", names, ", ".join(f"`{n}`" for n in names))
    line = Line(text, origin(block.span), facts)
    head = Line(f"chain {block.name.span.text}", origin(block.name.span))
    return Section("chain", (block.name.text,), head, (line,))


def test(block: TestBlock, program: Program) -> Section:
    """Return a test; its lines say nothing of what the policy does."""
    lines: list[Line] = []
    for pool in block.pools:
        lines.append(Line(f"given pool {pool.pool.span.text} {{", origin(pool.span)))
        for name, written in pool.endpoints:
            text = f"endpoint {name.span.text} {expr(written)}"
            lines.append(Line(text, origin(name.span), depth=2))
        lines.append(Line("}", ""))
    lines += [Line(g.span.text, origin(g.span)) for g in block.guards]
    if block.answer:
        text = f"given response {block.answer.span.text}"
        lines.append(Line(text, origin(block.answer.span)))
    if block.request:
        at = origin(block.request.span)
        lines.append(Line(f"given request {expr(block.request)}", at))
    if block.table:
        table = block.table
        lines.append(Line(f"table {raw(table.columns)}", origin(table.span)))
        lines += [
            Line(f"| {', '.join(map(expr, row))}", origin(row[0].span), depth=2)
            for row in table.rows
        ]
    for asked in block.cases:
        lines += _asked(asked.request, asked.expects)
    head = Line(f"test {block.name.span.text}", origin(block.span))
    return Section("test", (block.name.text,), head, tuple(lines))


def _asked(request: Written | None, expects: Sequence[Written]) -> Iterator[Line]:
    if request is not None:
        yield Line(f"when request {expr(request)}", origin(request.span))
    for written in expects:
        yield Line(f"expect {expr(written)}", origin(written.span))
