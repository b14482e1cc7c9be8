"""Metrics that are asked for by name: S308 (no server has it)."""

import re
from collections.abc import Callable

from headrace.dsl.cel.typed import Op, Typed
from headrace.dsl.lints.subject import Subject
from headrace.dsl.lints.terms import parts
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import Diagnostic
from headrace.dsl.problems.suggest import closest
from headrace.dsl.program import Program
from headrace.dsl.source import Span

_SUFFIX = re.compile(r"_(total|bucket|sum|count|created)$")


def server_metrics(subject: Subject) -> None:
    """Report metrics of a dialect that has no such name."""
    dialects = [pool.dialect for pool in subject.program.pools.values()]
    for name, span in asked(subject.program):
        # Names that do not begin like those of a dialect are others': of the process, of a sidecar.
        dialect = next((d for d in dialects if d.exports and name.startswith(d.prefix)), None)
        if dialect is None:
            continue
        known = frozenset(dialect.prefix + export for export in dialect.exports)
        if name in known or _SUFFIX.sub("", name) in known:
            continue
        suffix = found.group() if (found := _SUFFIX.search(name)) else ""
        near = closest(_SUFFIX.sub("", name), known)
        message = f"servers of the dialect `{dialect.name}` have no metric `{name}`"
        help_, level = f"did you mean `{near}{suffix}`?", Level.ERROR
        if near is None:  # a server may be newer than the names known here
            message = f"no metric `{name}` of the dialect `{dialect.name}` is known here"
            help_, level = "look for it on the server's /metrics", Level.WARNING
        subject.problems.add("S308", span, message, "unknown", help_, level=level)


def absent(program: Program, exported: Callable[[str], bool]) -> tuple[Diagnostic, ...]:
    """Return a warning for each metric that *program* asks for and no live server exports."""
    message = "no server that was asked exports `{}`"
    help_ = "look at its /metrics; a counter is there once it has counted, as `..._total`"
    return tuple(
        Diagnostic("S308", Level.WARNING, message.format(name), span, "not exported", help_)
        for name, span in asked(program)
        if not exported(name)
    )


def asked(program: Program) -> list[tuple[str, Span]]:
    """Return the metrics that rules ask for by a literal name, and where."""
    found: dict[tuple[str, int], tuple[str, Span]] = {}
    for typed in (rule.typed for rule in program.rules if rule.typed is not None):
        for part in parts(typed):
            name = _metric(part)
            if name is not None:
                span = part.args[0].span
                found[span.source.name, span.start] = name, span
    return list(found.values())


def _metric(part: Typed) -> str | None:
    if part.op is Op.CALL and part.value == "metric" and part.args[0].op is Op.CONST:
        return str(part.args[0].value)
    return None
