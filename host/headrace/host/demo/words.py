"""One decision in words: who asked, where it went, and what made the difference. Pure."""

from operator import itemgetter

import msgspec

_VISIBLE = 0.005  # smaller differences are 0.00 in two digits


class _Score(msgspec.Struct, frozen=True):
    weighted: float


class _Row(msgspec.Struct, frozen=True):
    endpoint: str
    total: float | None
    scores: dict[str, _Score]


class Decided(msgspec.Struct, frozen=True):
    """A decision as the host's `/decisions` page tells it, as far as the words need it."""

    request: str
    model: str
    priority: int
    pool: str
    how: str
    chosen: str | None
    runner_up: str | None
    endpoints: tuple[_Row, ...]


def read_decisions(page: bytes) -> list[Decided]:
    """Return the decisions on the host's page, newest first.

    Raises:
        msgspec.DecodeError: it is no such page.
    """
    return msgspec.json.decode(page, type=list[Decided])


def in_words(decided: Decided) -> str:
    """Return *decided* as a few sentences."""
    asked = f"A request asked for `{decided.model}` with priority {decided.priority}."
    if decided.chosen is None:
        return f"{asked} Pool `{decided.pool}` had no endpoint for it."
    went = f"{asked} The policy sent it to pool `{decided.pool}`, and there to {decided.chosen}"
    rows = {row.endpoint: row for row in decided.endpoints}
    best = rows[decided.chosen]
    if best.total is None:
        return f"{went} ({decided.how})."
    went += f", which scored {best.total:.2f}"
    rival = rows.get(decided.runner_up or "")
    if rival is None or rival.total is None:
        return f"{went}; there was no other choice."
    return (
        f"{went}. The next best, {rival.endpoint}, scored {rival.total:.2f}."
        f" {_difference(best, rival)}"
    )


def _difference(best: _Row, rival: _Row) -> str:
    gaps = {
        name: score.weighted - rival.scores[name].weighted for name, score in best.scores.items()
    }
    told = [
        f"{name} {gap:+.2f}"
        for name, gap in sorted(gaps.items(), key=itemgetter(1), reverse=True)
        if abs(gap) >= _VISIBLE
    ]
    if not told:
        return "They were equal, and the tie was broken by the request's name."
    return f"What made the difference: {', '.join(told)}."
