"""What is promised of any bytes: as a policy, as an expression, and as a text to format.

Each takes one input and raises if a promise is broken. What they begin with is in `seeds.py`.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from headrace.dsl.cel import CelError, Fault, compile, pure_cel
from headrace.dsl.cel.expression import read
from headrace.dsl.format import format_source
from headrace.dsl.policy import check_policy
from headrace.dsl.problems.diagnostic import SHOWN_MAX, as_json, render
from headrace.dsl.problems.fixing import fixed, safe_fixes
from headrace.dsl.source import Source
from tests.dsl.format.layouts import keeps_what_matters

CORPUS = Path(__file__).parent / "corpus"
INPUT_BYTES_MAX = 4096
STEPS_MAX = 10_000
VALUES = {"x": 3, "s": "text", "l": [1, 2.5, "a"], "m": {"a": 1, True: [None]}}


def checked_and_shown(data: bytes) -> int:
    """Check *data*, render what is found and apply its fixes; return how much was found."""
    text = data.decode("utf-8", "replace")
    source = Source("fuzz.sched", text)
    found = check_policy([source], today="2026-11-22")
    for diagnostic in found:
        assert render(diagnostic).startswith(f"{diagnostic.level.value}[{diagnostic.code}]")
        assert as_json(diagnostic)["code"] == diagnostic.code
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
    assert isinstance(fixed(source, safe_fixes(found, source)), str)
    assert len(found) <= SHOWN_MAX + 1
    return len(found)


def evaluated(data: bytes) -> None:
    """Compile *data* as plain CEL and evaluate it: a value, a Fault, or it is refused."""
    text = data.decode("utf-8", "surrogateescape")
    for checked in (True, False):
        with suppress(CelError, Fault):
            compile(text, checked=checked).evaluate(VALUES, STEPS_MAX)
    with suppress(CelError):
        pure_cel(read(text))


def laid_out(data: bytes) -> None:
    """Format *data*: it is refused, or only its layout changes, and only the first time."""
    text = data.decode("utf-8", "replace")
    if isinstance(format_source(Source("fuzz.sched", text)), str):
        keeps_what_matters(text)


PROMISES: dict[str, Callable[[bytes], object]] = {
    "policy": checked_and_shown,
    "cel": evaluated,
    "format": laid_out,
}
