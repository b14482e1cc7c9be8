"""What is known about the policy of one file: its findings, its names, its types."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from headrace.dsl import library
from headrace.dsl.cel.typed import Typed
from headrace.dsl.checks import overrides
from headrace.dsl.checks.names import gather
from headrace.dsl.checks.rules import rules
from headrace.dsl.compiled import Rule
from headrace.dsl.policy import check_policy
from headrace.dsl.problems.diagnostic import Diagnostic, Problems
from headrace.dsl.source import Source
from headrace.dsl.syntax import declarations as said
from headrace.dsl.syntax.reading import read_source
from headrace.extensions.registry import declared
from headrace.host.lsp.files import Files
from headrace.host.lsp.mentions import Mention, mentions


@dataclass(frozen=True, slots=True)
class Names:
    """The names in a policy's files, and what is known of its named expressions.

    lets   name -> the type of its value
    rules  name -> what it reads, and when it is known
    """

    sources: tuple[Source, ...]
    blocks: tuple[said.Declaration, ...]
    mentions: tuple[Mention, ...]
    lets: dict[str, Typed]
    rules: dict[str, Rule]

    def at(self, path: str, offset: int) -> Mention | None:
        """Return the name at *offset* of the file at *path*."""
        here = [
            m
            for m in self.mentions
            if m.span.source.name == path and m.span.start <= offset <= m.span.end
        ]
        known = [m for m in here if self.definitions(m)]
        return next(iter(known), None)

    def same(self, mention: Mention) -> list[Mention]:
        """Return every place where the name of *mention* stands."""
        return [m for m in self.mentions if (m.kind, m.name) == (mention.kind, mention.name)]

    def definitions(self, mention: Mention) -> list[Mention]:
        """Return where the name of *mention* is defined."""
        return [m for m in self.same(mention) if m.defines]

    def of(self, kind: str) -> list[str]:
        """Return the names of *kind* that are defined."""
        return sorted({m.name for m in self.mentions if m.kind == kind and m.defines})

    def block_of(self, mention: Mention) -> said.Block | None:
        """Return the block that defines the name there."""
        for block in self.blocks:
            if isinstance(block, said.Override | said.Unreadable):
                continue
            same = block.span.source.name == mention.span.source.name
            if same and block.span.start <= mention.span.start <= block.span.end:
                return block
        return None


def findings(files: Files, path: str, stages: frozenset[str]) -> list[Diagnostic]:
    """Return what is wrong in the file at *path*, in the policy that it is part of."""
    roots = files.roots(path)
    if not roots:
        return []
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    found = check_policy(roots, stages, today, loader=files.imports(roots).load, declares=declared)
    return [d for d in found if d.span.source.name == path]


def names(files: Files, path: str) -> Names:
    """Return the names of the policy that the file at *path* is part of."""
    sources = tuple(files.related(path))
    problems = Problems()
    found = [d for source in sources for d in read_source(source, problems)]
    found[:0] = library.supplied(found)
    lets, by_name = _types(found)
    return Names(sources, tuple(found), tuple(mentions(found)), lets, by_name)


def _types(found: Sequence[said.Declaration]) -> tuple[dict[str, Typed], dict[str, Rule]]:
    problems = Problems()
    blocks = overrides.settle(found, problems)
    known = rules(gather(blocks, problems), problems)
    known.read([block for block in blocks if isinstance(block, said.RuleBlock)])
    return known.lets, {rule.name: rule for rule in known.compiled}
