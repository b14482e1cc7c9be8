"""Apply fixes to a text: those that are safe, none that touch each other."""

from collections.abc import Iterable, Sequence

from headrace.dsl.problems.diagnostic import Diagnostic, Fix
from headrace.dsl.source import Source


def safe_fixes(diagnostics: Iterable[Diagnostic], source: Source) -> tuple[Fix, ...]:
    """Return the safe fixes of *source*, first to last; of two that overlap, the first."""
    found = (d.fix for d in diagnostics if d.fix is not None and d.fix.safe)
    ours = {fix for fix in found if fix.span.source == source}
    chosen: list[Fix] = []
    for fix in sorted(ours, key=lambda f: (f.span.start, f.span.end)):
        if not chosen or fix.span.start >= chosen[-1].span.end:
            chosen.append(fix)
    return tuple(chosen)


def fixed(source: Source, fixes: Sequence[Fix]) -> str:
    """Return the text of *source* with *fixes*, in order and apart from each other, applied."""
    parts: list[str] = []
    at = 0
    for fix in fixes:
        assert fix.span.start >= at, fix
        parts += [source.text[at : fix.span.start], fix.replacement]
        at = fix.span.end
    return "".join((*parts, source.text[at:]))
