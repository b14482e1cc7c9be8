"""Slips in single statements, each with the one thing that it can mean."""

import re

from headrace.dsl.syntax.forms import USAGE
from headrace.dsl.syntax.habits import MAYBE, SAFE
from headrace.dsl.syntax.place import Edit, Mistake, Place

_SPEED = frozenset(
    ("step", "request", "context", "prefill", "pair", "arrival", "batch", "slots")
)  # fmt: skip


def _hyphen(place: Place) -> Mistake | None:
    """A named expression as the reference's plugins are called: `queue-scorer`."""
    head = re.search(r"[A-Za-z_]\w*$", place.before)
    tail = re.match(r"(?:-[A-Za-z]\w*)+", place.line_after)
    if head is None or tail is None or place.block.keyword != "profile":
        return None
    if "RELOP" in place.expected:
        return None  # a difference
    start, end = place.start - len(head[0]), place.start + len(tail[0])
    name = (head[0] + tail[0]).replace("-", "_")
    message = f"`{head[0]}{tail[0]}` has a hyphen"
    edits = (Edit(place.start, tail[0].replace("-", "_")),)
    help_ = f"names of filters, scorers and costs have none: `{name}`"
    return Mistake("S101", (start, end), message, "no hyphen here", help_, (name, SAFE), edits)


def _weight_behind(place: Place) -> Mistake | None:
    """`score prefix * 2`: a weight behind what it weighs."""
    head = re.search(r"(?:[A-Za-z_]\w*)[ \t]*$", place.before)
    tail = re.match(r"\*[ \t]*(\d+(?:\.\d+)?)", place.line_after)
    if head is None or tail is None or place.block.keyword != "profile":
        return None
    if "PLUS" not in place.expected or "RELOP" in place.expected:
        return None
    start, end = place.start - len(head[0]), place.start + len(tail[0])
    written = f"{tail[1]} * {head[0].strip()}"
    edits = (Edit(place.start, " " * len(tail[0])),)
    help_ = f"the weight stands before: `{written}`"
    message = f"the weight stands behind `{head[0].strip()}`"
    return Mistake("S101", (start, end), message, "turned round", help_, (written, SAFE), edits)


def _chance(place: Place) -> Mistake | None:
    """`shed when ... chance 50%`, without its `with`."""
    if place.word != "chance" or "WITH" not in place.expected:
        return None
    help_ = "write it like `shed when request.priority < 0 with chance 50%`"
    span, at = (place.start, place.end), (place.start, place.start)
    label, cure = "expected `with` before this", ("with ", MAYBE)
    return Mistake("S101", span, "`with` is missing", label, help_, cure, (), at)


def _speed(place: Place) -> Mistake | None:
    """Two parts of a speed with no comma between them."""
    said = re.search(r"\bspeed\b[^{}]*[ \t]$", place.before)
    if said is None or place.word not in _SPEED or "COMMA" not in place.expected:
        return None
    last = place.start - len(place.before) + len(place.before.rstrip())
    span, edits = (place.start, place.end), (Edit(place.start - 1, ","),)
    help_ = f"write it like `{USAGE['pool', 'speed']}`"
    label, cure = "expected `,` before this", (",", SAFE)
    return Mistake("S101", span, "a `,` is missing", label, help_, cure, edits, (last, last))


def _dead(place: Place) -> Mistake | None:
    """`dead after` without the `stale after` that it goes with, or without the comma between."""
    if place.word != "dead" or place.block.keyword != "pool" or "RBRACE" not in place.expected:
        return None
    help_ = f"write it like `{USAGE['pool', 'stale']}`"
    span = (place.start, place.end)
    message = "`dead after` belongs to a `stale after`"
    return Mistake("S101", span, message, "no setting of its own", help_)


def _unit_apart(place: Place) -> Mistake | None:
    """A size with a space before its unit."""
    number = re.search(r"\b(\d[\d_]*)([ \t]+)$", place.before)
    if number is None or not re.fullmatch(r"[KMG]i?B|B", place.word):
        return None
    start, size = place.start - len(number[0]), f"{number[1]}{place.word}"
    edits = (Edit(start, " " * len(number[2]) + size),)
    message, help_ = f"`{number[0]}{place.word}` is written in two", f"write `{size}`"
    span, cure = (start, place.end), (size, SAFE)
    return Mistake("S101", span, message, "no space before a unit", help_, cure, edits)


def _percentile(place: Place) -> Mistake | None:
    """An objective for a latency that does not say of how many requests."""
    said = re.search(r"\bobjective[ \t]+(ttft|tpot|itl|latency)[ \t]*$", place.before)
    if said is None or place.word not in ("<", "<="):
        return None
    help_ = f"write it like `objective {said[1]} p95 < 400ms`"
    span, at = (place.start, place.end), (place.start, place.start)
    message = f"of how many requests is `{said[1]}` meant?"
    bound = re.match(r"<=?[ \t]*\w*", place.line_after)
    start = place.start - len(said[0])
    edits = (Edit(start, " " * (len(said[0]) + len(bound[0] if bound else ""))),)
    return Mistake("S101", span, message, "expected `p95` before this", help_, None, edits, at)


SLIPS = (_hyphen, _weight_behind, _chance, _speed, _dead, _unit_apart, _percentile)
