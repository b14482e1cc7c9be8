"""Policies as one reads them: compiled whatever this host performs, and flattened."""

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.dsl.effective import Section, flatten
from headrace.dsl.policy import compile_policy
from headrace.dsl.problems.diagnostic import PolicyError, render
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.extensions.registry import declared
from headrace.host.cli.flags import Mistakes
from headrace.host.cli.imports import Imports
from headrace.host.cli.policies import installed_stages, read_sources


@dataclass(frozen=True, slots=True)
class Flattened:
    """A policy with all that it imports. *sources*: its files, imported ones behind the others."""

    sources: tuple[Source, ...]
    program: Program
    sections: tuple[Section, ...]


def read_policy(paths: Sequence[str], mistakes: Mistakes) -> Flattened | None:
    """Return the policy at *paths*; note why there is none."""
    noted = len(mistakes.texts)
    sources = read_sources(paths, mistakes)
    if len(mistakes.texts) > noted:
        return None
    imports = Imports.of(sources)
    try:
        program = compile_policy(
            sources, installed_stages(), loader=imports.load, declares=declared
        )
    except PolicyError as error:
        mistakes.texts.extend(render(d).rstrip("\n") for d in error.diagnostics)
        return None
    sections = flatten(sources, program, imports.load)
    given = {source.name for source in sources}
    imported = [s for s in imports.known.values() if s.name not in given]
    return Flattened((*sources, *imported), program, sections)
