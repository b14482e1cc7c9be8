"""A failed test in words: what was expected, what came, and how it was decided."""

from collections.abc import Iterator

from headrace.dsl.source import Span
from headrace.host.explain.diagram import WIDTH, Diagram, diagram, draw
from headrace.host.explain.page import page
from headrace.host.explain.parts import Frame, Parts
from headrace.host.explain.story import Story
from headrace.host.explain.tell import Teller, note
from headrace.host.policytest.run import Missed, Ran, Result

INDENT = "    "


def place(span: Span) -> str:
    """Return the file and the line of *span*."""
    return f"{span.source.name}:{span.source.line_column(span.start)[0]}"


def failure(result: Result, width: int = WIDTH) -> Iterator[str]:
    """Yield the lines that tell why *result* did not pass."""
    yield f"FAILED {result.case.name}  [{place(result.case.span)}]"
    if result.error:
        yield f"{INDENT}{result.error}"
    ran = result.ran
    if ran is None:
        return
    parts = Parts()
    for missed in result.missed:
        yield f"{INDENT}expect  [{place(missed.expected.rule.span)}]"
        yield from draw(shown(missed, ran, parts), width, INDENT * 2)
    yield f"{INDENT}how it was decided:"
    yield from (f"{INDENT * 2}{line}" for line in page(story(ran), width - 8).splitlines())


def shown(missed: Missed, ran: Ran, parts: Parts) -> Diagram:
    """Return the expectation with the values of its parts."""
    rule, values = missed.expected.rule, ran.values
    assert rule.typed is not None, "a compiled rule has its expression"
    frame = Frame(
        values.request,
        model=values.model,
        decision=values.decision,
        response=values.response,
    )
    return diagram(rule.span, parts.of(rule.typed, frame), rule.typed, missed.came)


def story(ran: Ran) -> Story:
    """Return how the request was decided."""
    return Teller().tell(note(ran.outcome))
