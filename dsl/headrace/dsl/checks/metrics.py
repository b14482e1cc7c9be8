"""Which metrics of servers a policy asks for by name: `endpoint.metric("...")`.

The scraper reads these and no others, so there may be only so many of them.
"""

import re
from collections.abc import Iterator, Sequence

from headrace.dsl.cel.typed import Op, Typed
from headrace.dsl.compiled import Rule
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.source import Span

METRICS_MAX = 64  # each is searched for on every page of every endpoint
NAME_CHARS_MAX = 200
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")  # of the Prometheus text format


def metrics(rules: Sequence[Rule], problems: Problems) -> tuple[str, ...]:
    """Return the names that *rules* ask for, in order, reporting those that cannot be."""
    found: dict[str, Span] = {}
    for rule in rules:
        if "endpoint.metric" in rule.reads and rule.typed is not None:
            for name, span in _asked(rule.typed):
                found.setdefault(name, span)
    names = [name for name, span in found.items() if _is_name(name, span, problems)]
    for name in names[METRICS_MAX:]:
        message = f"a policy asks for at most {METRICS_MAX} metrics by name"
        problems.add("S218", found[name], message, "one too many", "ask for fewer")
    return tuple(sorted(names[:METRICS_MAX]))


def _asked(typed: Typed) -> Iterator[tuple[str, Span]]:
    """Yield every name that *typed* asks for, and its place."""
    left = [typed]
    while left:
        part = left.pop()
        if part.op is Op.CALL and part.value == "metric":
            (name,) = part.args
            yield str(name.value), name.span
        left += reversed(part.args)


def _is_name(name: str, span: Span, problems: Problems) -> bool:
    if len(name) <= NAME_CHARS_MAX and _NAME.fullmatch(name):
        return True
    help_ = (
        'write it as on the page, without labels: `endpoint.metric("vllm:num_preemptions_total")`'
    )
    problems.add("S218", span, "this is not the name of a metric", "no server has it", help_)
    return False
