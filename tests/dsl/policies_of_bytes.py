"""What fuzzers do with any bytes: check them as a policy, and show all that is found."""

from headrace.dsl.policy import check_policy
from headrace.dsl.problems.diagnostic import SHOWN_MAX, as_json, render
from headrace.dsl.problems.fixing import fixed, safe_fixes
from headrace.dsl.source import Source


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
