"""What became of a policy, in the words of Kubernetes: conditions, diagnostics, Events. Pure.

Two replicas that see the same say the same: nothing here is of one process.
"""

from collections.abc import Sequence
from typing import Any

from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import Diagnostic
from headrace.host.cluster.condition import Condition, Wanted
from headrace.host.cluster.notice import Notice
from headrace.host.cluster.pieces import Piece
from headrace.host.serve.texts import Judged, Stand

DIAGNOSTICS_MAX = 16  # in a status; the message has the first of them, too
LINES_MAX = 8  # in a message
LINE_CHARS_MAX = 400
DIGEST_CHARS = 12
ACCEPTED, PROGRAMMED = "Accepted", "Programmed"
GOES_ON = "the policy before it goes on"
NOTHING = "there is none before it: not ready"


def line_of(one: Diagnostic) -> str:
    """Return *one* as a line: where, its code, what is wrong, and the cure."""
    line, column = one.span.source.line_column(one.span.start)
    cure = f"; {one.help}" if one.help else ""
    text = f"{one.span.source.name}:{line}:{column}: {one.code} {one.message}{cure}"
    return " ".join(text.split())[:LINE_CHARS_MAX]


def wanted(piece: Piece, judged: Judged) -> Wanted:
    """Return what the status of the SchedPolicy *piece* shall say."""
    own = _own(piece, judged)
    shown = [_row(one) for one in own[:DIAGNOSTICS_MAX]]
    fields: dict[str, Any] = {
        "observedGeneration": piece.generation,
        "policy": judged.digest,
        "diagnostics": shown,
    }
    conditions = (_accepted(piece, judged, own), _programmed(judged))
    return Wanted(piece.object, piece.uid, piece.generation, conditions, fields)


def notice(piece: Piece, judged: Judged) -> Notice | None:
    """Return the Event about the ConfigMap *piece*; None if it is too early for one."""
    own = _own(piece, judged)
    accepted, programmed = _accepted(piece, judged, own), _programmed(judged)
    if judged.stand is Stand.WAITING:
        return None
    said = programmed if accepted.holds else accepted
    warning = not said.holds and judged.stand is not Stand.LEFT
    return Notice(
        piece.object,
        piece.kind,
        piece.uid,
        f"Policy{said.reason}",
        said.message,
        warning,
        piece.version,
    )


def _own(piece: Piece, judged: Judged) -> list[Diagnostic]:
    names = {source.name for source in piece.sources}
    return [one for one in judged.found if one.span.source.name in names]


def _errors(found: Sequence[Diagnostic]) -> list[str]:
    return [line_of(one) for one in found if one.level is Level.ERROR]


def _accepted(piece: Piece, judged: Judged, own: Sequence[Diagnostic]) -> Condition:
    if piece.flaw:
        return Condition(ACCEPTED, False, "NoText", piece.flaw)
    if judged.stand is not Stand.REFUSED:
        return Condition(ACCEPTED, True, "Checked", "it checks, with all that it is loaded with")
    if errors := _errors(own):
        return Condition(ACCEPTED, False, "Invalid", _lines(errors))
    others = _errors(judged.found) or [_flat(one) for one in judged.problems]
    text = _lines(["what it is loaded with is refused, and so all of it", *others])
    return Condition(ACCEPTED, False, "Refused", text)


def _programmed(judged: Judged) -> Condition:
    short = judged.digest[:DIGEST_CHARS]
    goes_on = f"{GOES_ON}: {short}" if short else NOTHING
    match judged.stand:
        case Stand.LIVE:
            return Condition(PROGRAMMED, True, "Live", f"policy {short} decides")
        case Stand.WAITING:
            return Condition(PROGRAMMED, False, "Waiting", "it is warmed, or soaks")
        case Stand.REFUSED:
            return Condition(PROGRAMMED, False, "Refused", goes_on)
        case Stand.UNSERVABLE:
            why = [_flat(one) for one in judged.problems]
            return Condition(PROGRAMMED, False, "Unservable", _lines([*why, goes_on]))
        case Stand.LEFT:
            return Condition(
                PROGRAMMED, False, "RolledBack", f"an operator went back to policy {short}"
            )


def _lines(lines: Sequence[str]) -> str:
    more = len(lines) - LINES_MAX
    return "\n".join([*lines[:LINES_MAX], *([f"and {more} more"] if more > 0 else [])])


def _flat(problem: str) -> str:
    return " ".join(problem.split())[:LINE_CHARS_MAX]


def _row(one: Diagnostic) -> dict[str, Any]:
    line, column = one.span.source.line_column(one.span.start)
    return {
        "file": one.span.source.name.rpartition("/")[2],
        "line": line,
        "column": column,
        "level": one.level.value,
        "code": one.code,
        "message": one.message[:LINE_CHARS_MAX],
        "help": one.help[:LINE_CHARS_MAX],
    }
