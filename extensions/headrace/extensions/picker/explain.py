"""A decision in words and numbers, for a terminal or a log."""

from headrace.dsl.program import Pick, RuleFault
from headrace.extensions.picker.decision import Decision, How, Kind, Row, Step, line_of
from headrace.extensions.picker.snapshot import Endpoint

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
    heads = ["", "total", *[f"{c.weight:g}*{c.rule.name}" for c in decision.columns], ""]
    grid = [heads, *[_cells(decision, row, scored[0]) for row in scored]]
    widths = [max(len(line[i]) for line in grid) for i in range(len(heads))]
    widths[0] = max(widths[0], 11)
    return ["  ".join(f"{c:<{w}}" for c, w in zip(line, widths, strict=True)) for line in grid]


def _cells(decision: Decision, row: Row, winner: Row) -> list[str]:
    cells = [f"{_raw(c.raw, c.score)} → {c.weighted:.2f}" for c in row.cells]
    note = "◀ picked" if row is winner else _would_win(decision, row, winner)
    return [row.endpoint.name, f"{row.total or 0.0:.2f}", *cells, note]


def _raw(raw: float | RuleFault, score: float) -> str:
    if isinstance(raw, RuleFault):
        return raw.kind
    return f"{raw:.2f}" if raw == score else f"{raw:.2f} ({score:.2f})"


def _would_win(decision: Decision, row: Row, winner: Row) -> str:
    """Return the smallest single change that would make *row* win, if one is possible.

    Totals are linear, so that is the gap divided by the weight.
    """
    if decision.pick is not Pick.MAX or row.total is None or winner.total is None:
        return ""
    gap = winner.total - row.total
    if gap == 0.0:
        return "equal, lost the tie"
    needed = [
        (gap / column.weight, cell.scorer, cell.score + gap / column.weight)
        for column, cell in zip(decision.columns, row.cells, strict=True)
    ]
    possible = [n for n in needed if n[2] < 1.0]
    if not possible:
        return ""
    _, scorer, value = min(possible)
    return f"would win if {scorer} > {value:.2f}"


def _left(row: Row) -> str:
    e = row.endpoint
    place = {None: "", 0: "◀ picked"}.get(row.rank, f"fallback {row.rank}")
    ready = "ready" if e.ready else "not ready"
    return f"{e.name:<11} queue {e.queue}  in flight {e.in_flight}  {ready}  {place}"
