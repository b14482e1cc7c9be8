"""The page of the library: every name, what it is for, its formula and where that is from."""

from collections.abc import Iterator

from headrace.dsl import library
from headrace.dsl.source import Source
from headrace.dsl.syntax.declarations import RuleBlock

INTRO = """# The library

Filters, scorers and costs that every policy can use by name, with the formulas and the defaults
of the reference picker. A policy that uses one of these names and does not define it gets this
definition; its own wins. What the reference takes as a parameter is a `let` here, and `override
let NAME = VALUE` changes it for the whole policy; for two values in two profiles, write the
formula twice. `headrace show --effective` prints what a policy has of it.

```sched
override let load_aware_threshold = 64

profile default {
  require decode_filter
  score   2 * queue_scorer + 2 * kv_cache_utilization_scorer + 3 * prefix_cache_scorer
}
```
"""


def page() -> str:
    """Return the page `docs/reference/library.md`."""
    parts = [INTRO]
    for source in library.sources():
        title = source.name.rpartition("/")[2].removesuffix(".sched")
        parts.append(f"\n## {title.capitalize()}\n")
        parts += _entries(source)
    return "".join(parts)


def _entries(source: Source) -> Iterator[str]:
    """Yield an entry for each name of *source*, and with it the `let`s that stand before it."""
    before: list[RuleBlock] = []
    for name in library.names():
        block = library.definition(name)
        if block.span.source is not source:
            continue
        if block.kind == "let":
            before.append(block)
            continue
        code = "\n".join(each.span.text for each in (*before, block))
        yield f"\n### `{name}`\n\n{_above(block)}\n```text\n{code}\n```\n"
        before = []


def _above(block: RuleBlock) -> str:
    """Return the comment above *block*, its lines as Markdown."""
    lines = block.span.source.text[: block.span.start].splitlines()
    found: list[str] = []
    while lines and lines[-1].startswith("#"):
        found.append(lines.pop().removeprefix("#").strip())
    return "".join(f"{line}\n" for line in reversed(found))
