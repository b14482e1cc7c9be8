"""A decision in words and numbers, for a terminal or a log."""

import math

from headrace.dsl.program import Combine, Pick, RuleFault
from headrace.extensions.picker.combine import lost_at
from headrace.extensions.picker.decision import Cell, Decision, How, Kind, Row, Step, line_of
from headrace.extensions.picker.snapshot import Endpoint

INFINITE = float("inf")
HOW = {
    How.SCORED: "",
    How.LAST_RESORT: "last resort: no endpoint passed, least queue among the ready",
    How.FALLBACK: "fallback: the picker failed, least in flight among the ready",
    How.NONE: "no endpoint",
}


def explain(decision: Decision) -> str:
    """Return the whole decision as a text table; every line ends with a newline."""
    rows = decision.rows()
    lines = [_headline(decision)]
    if HOW[decision.how]:
        lines.append(HOW[decision.how])
    lines += [line for attempt in decision.attempts for s in attempt.steps for line in _step(s)]
    lines += [f"fault       {f.rule}: {f.kind} {f.endpoint}".rstrip() for f in decision.faults]
    lines += [f"clamped     {n}: {c} out of range" for n, c in decision.clamped.items()]
    lines += _table(decision, rows)
    if decision.how is not How.SCORED:
        lines += [_left(row) for row in rows]
    for role, other in decision.beside:
        lines += ["", f"beside it, to {role}:", *explain(other).splitlines()]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _headline(decision: Decision) -> str:
    tried = " → ".join([a.profile for a in decision.attempts] or [decision.profile])
    return (
        f"{decision.request_id}  model {decision.model}  priority {decision.priority}"
        f"  → pool {decision.pool}  profile {tried}  → {_name(decision)}"
    )


def _name(decision: Decision) -> str:
    names = {e.address: e.name for e in decision.endpoints}
    return "nowhere" if decision.chosen is None else names[decision.chosen]


def _step(step: Step) -> list[str]:
    """Return one line for every endpoint that the filter took out, and what it looked at."""
    if step.relaxed:
        return [f"{step.name:<11} skipped, it would leave nothing:  {_text(step)}"]
    return [
        f"{step.name:<11} dropped {e.name}:  {_text(step)}  {_facts(step, e)}"
        for e in step.dropped()
    ]


def _text(step: Step) -> str:
    if step.rule:
        return f"{step.rule.text}  [{line_of(step.rule)}]"
    return "endpoint.ready" if step.kind is Kind.READY else "the proxy's subset hint"


def _facts(step: Step, endpoint: Endpoint) -> str:
    """Return what the filter read of *endpoint*, as far as it is the endpoint's own."""
    if step.kind is Kind.READY:
        return f"({endpoint.error or 'not scraped yet'})"
    found: list[str] = []
    for path in sorted(step.rule.reads) if step.rule else ():
        owner, _, name = path.partition(".")
        if owner == "endpoint" and name in Endpoint.__struct_fields__:
            value: object = getattr(endpoint, name)
            found.append(f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}")
    return f"({', '.join(found)})" if found else ""


def _table(decision: Decision, rows: tuple[Row, ...]) -> list[str]:
    """Return the scored endpoints as aligned columns, best first."""
    scored = [r for r in rows if r.total is not None]
    if not scored:
        return []
    heads = ["", "total", *[c.head for c in decision.columns], ""]
    grid = [heads, *[_cells(decision, row, scored[0]) for row in scored]]
    widths = [max(len(line[i]) for line in grid) for i in range(len(heads))]
    widths[0] = max(widths[0], 11)
    return ["  ".join(f"{c:<{w}}" for c, w in zip(line, widths, strict=True)) for line in grid]


def _cells(decision: Decision, row: Row, winner: Row) -> list[str]:
    pairs = zip(row.cells, decision.columns, strict=True)
    cells = [_cost(c) if column.cost else _score(c) for c, column in pairs]
    total = row.total or 0.0
    first = _seconds(total) if decision.least else f"{total:.2f}"
    note = "◀ picked" if row is winner else would_win(decision, row, winner)
    return [row.endpoint.name, first, *cells, note]


def _score(cell: Cell) -> str:
    """Return what the scorer said, what that counts as if it is another, and its part."""
    if isinstance(cell.raw, RuleFault):
        said = cell.raw.kind
    else:
        clamped = "" if cell.raw == cell.score else f" ({cell.score:.2f})"
        said = f"{cell.raw:.2f}{clamped}"
    return f"{said} → {cell.weighted:.2f}"


def _cost(cell: Cell) -> str:
    said = cell.raw.kind if isinstance(cell.raw, RuleFault) else _seconds(cell.raw)
    return f"{said} → {_seconds(cell.weighted)}"


def _seconds(value: float) -> str:
    return "∞" if value == INFINITE else f"{value:.3g}s"


def would_win(decision: Decision, row: Row, winner: Row) -> str:
    """Return the smallest single change that would make *row* win, if one is possible.

    Totals are linear, so that is the gap divided by the weight.
    """
    if row.total is None or winner.total is None:
        return ""
    if row.total == winner.total:
        return "equal, lost the tie" if decision.pick in (Pick.MAX, Pick.LEAST) else ""
    if decision.pick not in (Pick.MAX, Pick.LEAST):
        return ""  # chance had its part in it
    combine = decision.columns[0].combine if decision.columns else Combine.SUM
    if combine is Combine.TIERS:
        return _behind(decision, row, winner)
    if combine is Combine.PRODUCT:
        return _more(decision, row, winner.total)
    gap = abs(winner.total - row.total)
    changes = [
        (gap / column.weight, column, cell.score)
        for column, cell in zip(decision.columns, row.cells, strict=True)
    ]
    if decision.pick is Pick.MAX:
        more = [(by, c.rule.name, score + by) for by, c, score in changes if score + by < 1.0]
        return "would win if {1} > {2:.2f}".format(*min(more)) if more else ""
    if gap == INFINITE:
        return ""
    less = [(by, c.rule.name, cost - by) for by, c, cost in changes if cost - by > 0.0]
    return "would win if {1} < {2:.3g}s".format(*min(less)) if less else ""


def _behind(decision: Decision, row: Row, winner: Row) -> str:
    """Return the tier in which *row* fell behind."""
    columns, places = decision.columns, {e.address: i for i, e in enumerate(decision.scored)}
    place, best = places[row.endpoint.address], places[winner.endpoint.address]
    scores = [column.scores for column in columns]
    tier = lost_at([c.weight for c in columns], scores, len(places), place, best)
    if tier is None:
        return ""
    mine, its = scores[tier][place], scores[tier][best]
    return f"behind in {columns[tier].rule.name}: {mine:.2f}, the winner {its:.2f}"


def _more(decision: Decision, row: Row, wanted: float) -> str:
    """Return which one score, if it were higher, would make the product of *row* win."""
    found: list[tuple[float, str, float]] = []
    for column, cell in zip(decision.columns, row.cells, strict=True):
        others = math.prod(c.weighted for c in row.cells if c is not cell)
        if others > 0.0 and wanted > 0.0:
            score = (wanted / others) ** (1.0 / column.weight)
            found += [(score - cell.score, column.rule.name, score)] if score < 1.0 else []
    return "would win if {1} > {2:.2f}".format(*min(found)) if found else ""


def _left(row: Row) -> str:
    e = row.endpoint
    place = {None: "", 0: "◀ picked"}.get(row.rank, f"fallback {row.rank}")
    ready = "ready" if e.ready else "not ready"
    return f"{e.name:<11} queue {e.queue}  in flight {e.in_flight}  {ready}  {place}"
