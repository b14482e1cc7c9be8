"""Filters, scorers and costs that every policy can use by name: the formulas of the reference.

They are written in the language, in the `.sched` files beside this one. A policy that uses
a name which it does not define gets that definition and what it is made of; its own
definitions win, and `override` changes one. What is not used is not even parsed.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources

from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.source import Source, Span
from headrace.dsl.syntax import blocks, build
from headrace.dsl.syntax import declarations as said
from headrace.dsl.syntax.mentioned import mentioned

FILES = ("filters", "scorers")
_KINDS = ("filter", "scorer", "cost", "let")


def supplied(declarations: Sequence[said.Declaration]) -> list[said.RuleBlock]:
    """Return the definitions that *declarations* use and do not have, in the library's order."""
    own = {name for declaration in declarations for name in _defined(declaration)}
    wanted = [name for declaration in declarations for name in mentioned(declaration)]
    known = _blocks()
    found: dict[str, said.RuleBlock] = {}
    left = [name for name in wanted if name not in own and name in known]
    while left:
        name = left.pop()
        if name not in found:
            found[name] = definition(name)
            left += [n for n in mentioned(found[name]) if n in known]
    return [found[name] for name in known if name in found]


def names() -> tuple[str, ...]:
    """Return every name of the library, in its order."""
    return tuple(_blocks())


def is_of(span: Span) -> bool:
    """Return whether *span* is of the library's text, and not of a policy's."""
    return any(span.source is source for source in sources())


@functools.cache
def definition(name: str) -> said.RuleBlock:
    """Return what the library defines as *name*, which must be one of `names`."""
    problems = Problems()
    built = build.read(_blocks()[name], problems)
    assert isinstance(built, said.RuleBlock), built
    assert not problems.found, problems.found
    return built


@functools.cache
def sources() -> tuple[Source, ...]:
    """Return the library's files."""
    folder = resources.files(__name__)
    texts = ((name, folder.joinpath(f"{name}.sched").read_text("utf-8")) for name in FILES)
    return tuple(Source(f"<library>/{name}.sched", text) for name, text in texts)


@functools.cache
def _blocks() -> Mapping[str, blocks.Block]:
    """Return the blocks of the library by the name that each defines."""
    found: dict[str, blocks.Block] = {}
    for source in sources():
        for block in blocks.split(source):
            if block.keyword in _KINDS:
                name = block.span.text.split(maxsplit=2)[1].rstrip(":")
                assert name not in found, name
                found[name] = block
    return found


def _defined(declaration: said.Declaration) -> Iterator[str]:
    """Yield the named expressions that *declaration* defines, or would if it could be read."""
    if isinstance(declaration, said.RuleBlock):
        yield declaration.name.text
    elif isinstance(declaration, said.Unreadable) and declaration.keyword in _KINDS:
        yield from declaration.names
