"""The page of a decision, for a terminal: drawn from its story alone."""

from collections.abc import Iterator, Sequence

from headrace.extensions.records import Guarded
from headrace.host.explain.diagram import WIDTH, Diagram, draw
from headrace.host.explain.story import (
    Asked,
    Beside,
    Cell,
    Filtered,
    Row,
    Story,
    Value,
    Wait,
    Weighed,
)
from headrace.host.explain.wording import seconds

FIRST = 12  # the column of labels
HOW = {
    "last-resort": "last resort: no endpoint passed, so the least queue among the ready",
    "fallback": "fallback: the picker failed, so the least in flight among the ready",
    "none": "no endpoint could be taken",
}


def page(story: Story, width: int = WIDTH) -> str:
    """Return the page of *story*; every line ends with a newline."""
    lines = [_headline(story), *_answer(story), *map(_guarded, story.guards)]
    lines += map(_waited, story.waits)
    lines += [line for asked in story.conditions for line in _condition(asked, width)]
    if story.how in HOW:
        lines.append(HOW[story.how])
    lines += [line for step in story.filters for line in _filtered(step, width)]
    lines += [f"{'fault':<{FIRST}}{f.rule}: {f.kind} {f.endpoint}" for f in story.faults]
    lines += [f"{'failed':<{FIRST}}{failure}" for failure in story.failures]
    lines += [
        f"{'clamped':<{FIRST}}{name}: {count} out of range" for name, count in story.clamped.items()
    ]
    scored = [row for row in story.rows if row.total is not None]
    lines += _table(story.columns, scored, least=any(c.cost for c in story.columns))
    if story.rows and not scored:
        lines += [_left(row) for row in story.rows]
    if story.more:
        lines.append(f"and {story.more} endpoints more")
    for other in story.beside:
        lines += _beside(other, width)
    lines += _ages(story)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _headline(story: Story) -> str:
    parts = [story.id, f"model {story.model or story.asked or 'unknown'}"]
    if story.classes:
        parts.append(f"class {', '.join(story.classes)}")
    parts.append(f"priority {story.priority}")
    if story.adapter:
        parts.append(f"adapter {story.adapter}")
    if story.pool:
        split = f" (share {story.share:.3g}, bucket {story.bucket:.3f})"
        parts.append(f"→ pool {story.pool}{split if story.share < 1 else ''}")
    if story.how:
        parts.append(f"profile {' → '.join(story.tried or (story.profile,))}")
        parts.append(f"→ {story.endpoint or 'nowhere'}")
    if story.took_us is not None:
        parts.append(f" {story.took_us:.0f} µs")
    return "  ".join(parts)


def _answer(story: Story) -> list[str]:
    """Return what the client was told instead of an answer of the upstream."""
    if not story.reason:
        return []
    guard = f"guard {story.guard}, " if story.guard else ""
    return [f"answered    {story.status} {story.reason}: {guard}{story.message}".rstrip(": ,")]


def _guarded(guarded: Guarded) -> str:
    """Return what a guard did in one direction."""
    said = f"{guarded.direction} {guarded.state}"
    if guarded.reason:
        said += f" ({guarded.reason})"
    if guarded.findings:
        said += f", {guarded.action}: {', '.join(guarded.findings)}"
    if guarded.inspected_bytes:
        said += f", {guarded.inspected_bytes} bytes judged, {guarded.delivered_bytes} went on"
    return f"{'guard':<{FIRST}}{guarded.guard}: {said}"


def _waited(wait: Wait) -> str:
    rank = f"{wait.rank:g}" if isinstance(wait.rank, float) else wait.rank
    key = f" for `{wait.key}`" if wait.key else ""
    why = f"{wait.rule}  [{wait.line}]" if wait.rule else "the pool had no endpoint"
    place = f"at rank {rank}{key}, {wait.ahead} ahead"
    return f"{'waited':<{FIRST}}{seconds(wait.waited_s)}, {wait.how}: {place}:  {why}"


def _condition(asked: Asked, width: int) -> Iterator[str]:
    came = {"true": "yes", "false": "no"}.get(asked.diagram.value, asked.diagram.value)
    yield from _labelled(f"{asked.name}?", "", asked.diagram, width, f"{came}  [{asked.line}]")


def _filtered(step: Filtered, width: int) -> Iterator[str]:
    where = f"  [{step.line}]" if step.line else ""
    if step.relaxed:
        yield f"{step.name:<{FIRST}}skipped, it would leave nobody:  {step.text}{where}".rstrip()
        return
    for dropped in step.dropped:
        said = f"dropped {dropped.endpoint}:  "
        if dropped.diagram is None:
            yield f"{step.name:<{FIRST}}{said}{dropped.why}"
        else:
            yield from _labelled(step.name, said, dropped.diagram, width, where.strip())
    if step.more:
        yield f"{step.name:<{FIRST}}and dropped {step.more} more"


def _labelled(label: str, said: str, shown: Diagram, width: int, after: str) -> Iterator[str]:
    """Yield a diagram beside a label, and on its first line what comes *after* it."""
    start = max(FIRST, len(label) + 2)
    lines = draw(shown, max(40, width - start - len(said)))
    yield f"{label:<{start}}{said}{lines[0]}    {after}"
    for line in lines[1:]:
        yield f"{' ' * (start + len(said))}{line}"


def _table(columns: Sequence[Weighed], rows: Sequence[Row], *, least: bool) -> list[str]:
    """Return the scored endpoints as aligned columns, best first."""
    if not rows:
        return []
    heads = ["", "total", *[c.head for c in columns], ""]
    grid = [heads, *[_cells(columns, row, least=least) for row in rows]]
    widths = [max(len(line[i]) for line in grid) for i in range(len(heads))]
    widths[0] = max(widths[0], FIRST - 2)
    return ["  ".join(f"{c:<{w}}" for c, w in zip(line, widths, strict=True)) for line in grid]


def _cells(columns: Sequence[Weighed], row: Row, *, least: bool) -> list[str]:
    cells = [_cell(column, cell) for column, cell in zip(columns, row.cells, strict=True)]
    note = "◀ picked" if row.note == "picked" else row.note
    return [row.endpoint, _number(row.total or 0.0, time=least), *cells, note]


def _cell(column: Weighed, cell: Cell) -> str:
    raw = _number(cell.raw, time=column.cost)
    clamped = isinstance(cell.raw, float) and cell.raw != cell.score and not column.cost
    score = f" ({_number(cell.score, time=False)})" if clamped else ""
    return f"{raw}{score} → {_number(cell.weighted, time=column.cost)}"


def _number(value: Value, *, time: bool) -> str:
    if isinstance(value, str):
        return value
    return seconds(value) if time else f"{value:.2f}"


def _beside(other: Beside, width: int) -> list[str]:
    """Return who was picked beside the endpoint, and why."""
    lines = [f"{other.role:<{FIRST}}profile {other.profile}  → {other.endpoint}"]
    lines += [line for step in other.filters for line in _filtered(step, width)]
    scored = [row for row in other.rows if row.total is not None]
    return lines + _table(other.columns, scored, least=any(c.cost for c in other.columns))


def _left(row: Row) -> str:
    place = {None: "", 0: "◀ picked"}.get(row.rank, f"fallback {row.rank}")
    ready = "ready" if row.ready else "not ready"
    return f"{row.endpoint:<{FIRST}}queue {row.queue}  in flight {row.in_flight}  {ready}  {place}"


def _ages(story: Story) -> list[str]:
    """Return how old the metrics were that this was decided by."""
    known = [row.age_s for row in story.rows if row.age_s is not None]
    if not known:
        return []
    low, high = seconds(min(known)), seconds(max(known))
    return [f"{'metrics':<{FIRST}}{low if low == high else f'{low} to {high}'} old"]
