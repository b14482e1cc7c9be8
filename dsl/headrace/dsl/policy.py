"""Compile policies: texts in, a Program or every problem out."""

import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from headrace.dsl import library, lints
from headrace.dsl.checks import (
    given,
    guards,
    models,
    overrides,
    places,
    profiles,
    safety,
    stages,
    statements,
    traces,
)
from headrace.dsl.checks.dialects import Dialects
from headrace.dsl.checks.metrics import metrics
from headrace.dsl.checks.names import gather
from headrace.dsl.checks.rules import Rules, rules
from headrace.dsl.checks.stages import Declares
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import Diagnostic, PolicyError, Problems
from headrace.dsl.problems.suppress import suppress
from headrace.dsl.program import Profile, Program, Use
from headrace.dsl.source import Source, Span
from headrace.dsl.syntax import declarations as said
from headrace.dsl.syntax.reading import (
    CHARS_MAX,
    EDITION,
    Loader,
    Reader,
    read_source,
    read_sources,
)
from headrace.dsl.unperformed import unperformed
from headrace.dsl.vocabulary import STAGES

__all__ = ["CHARS_MAX", "EDITION", "built_in_profile", "check_policy", "compile_policy", "digest"]

B = TypeVar("B", bound=said.Block)
Settled = Sequence[said.Block | said.Unreadable]


@dataclass(frozen=True, slots=True)
class World:
    """What a policy is compiled against: what its author does not write.

    stages    the names of the stages that are installed
    loader    brings the files that are imported
    declares  package and attribute -> what that stage can be told, or why there is none
    """

    stages: frozenset[str] = STAGES
    loader: Loader | None = None
    declares: Declares | None = None


def compile_policy(
    sources: Sequence[Source],
    stages: frozenset[str] = STAGES,
    *,
    loader: Loader | None = None,
    declares: Declares | None = None,
) -> Program:
    """Return the program that *sources* make together, in the world of those arguments.

    Raises:
        PolicyError: with every error found in all of them, and the warnings beside.
    """
    program, found = _compile(sources, World(stages, loader, declares), "")
    if any(d.level is Level.ERROR for d in found):
        raise PolicyError(found)
    return program


def check_policy(
    sources: Sequence[Source],
    stages: frozenset[str] = STAGES,
    today: str = "",
    *,
    loader: Loader | None = None,
    declares: Declares | None = None,
) -> tuple[Diagnostic, ...]:
    """Return every error and warning in *sources*, by file and position.

    *today* is an ISO date: what is allowed until an earlier day is allowed no more. If it is
    empty, nothing expires.
    """
    return _compile(sources, World(stages, loader, declares), today)[1]


def digest(sources: Sequence[Source]) -> str:
    """Return the SHA-256 of the texts one after the other, in hex: of one file, the file's."""
    sha = hashlib.sha256()
    for source in sources:
        sha.update(source.text.encode("utf-8", "surrogatepass"))
    return sha.hexdigest()


def _compile(
    sources: Sequence[Source], world: World, today: str
) -> tuple[Program, tuple[Diagnostic, ...]]:
    assert sources, "a policy has at least one source"
    problems = Problems()
    reader = read_sources(sources, world.loader, problems)
    if any(d.code == "S111" for d in problems.found):
        return Program(digest(sources)), problems.sorted([s.name for s in reader.sources])
    program = _assemble(reader, world, problems)
    # A rule of the library is right in general; for this policy it may be always true, say.
    problems.found = [
        d for d in problems.found if d.level is Level.ERROR or not library.is_of(d.span)
    ]
    problems.found += unperformed(program)
    suppress(problems, reader.sources, today)
    return program, problems.sorted([s.name for s in reader.sources])


def _assemble(reader: Reader, world: World, problems: Problems) -> Program:
    blocks = overrides.settle(reader.declarations, problems)
    names = gather(blocks, problems)
    known = rules(names, problems)
    rule_blocks = _only(blocks, said.RuleBlock)
    known.read(rule_blocks)
    objectives = models.objectives(_only(blocks, said.ObjectiveBlock), problems)
    found = Dialects(reader, problems)
    pools = places.pools(_only(blocks, said.PoolBlock), names, found, problems)
    used = stages.stages(_only(blocks, said.StageBlock), world.declares, problems)
    found_guards = guards.guards(_only(blocks, said.GuardBlock), known)
    program = Program(
        digest(reader.sources),
        pools,
        models.models(_only(blocks, said.ModelBlock), objectives, names, problems),
        statements.classes(_only(blocks, said.ClassBlock), known),
        profiles.profiles(_only(blocks, said.ProfileBlock), known, built_in_profile()),
        statements.overloads(_only(blocks, said.OverloadBlock), known),
        found_guards,
        statements.trusts(_only(blocks, said.TrustBlock), known),
        stages.chains(_only(blocks, said.ChainBlock), world.stages, names),
        objectives,
        traces.trace(_only(blocks, said.TraceBlock), known),
        used,
        given.tests(_only(blocks, said.TestBlock), known, found_guards),
        tuple(s.name for s in reader.sources),
        tuple(known.compiled),
        tuple(_uses(blocks)),
        metrics(known.compiled, problems),
        safety.safety(_only(blocks, said.SafetyBlock), found_guards, names),
    )
    models.passing(_only(blocks, said.ModelBlock), bool(found_guards), problems)
    if not program.picks_alone:
        _without_model(reader, names.of("model"), problems)
    lints.lint(lints.Subject(blocks, names, known, program))
    return program


def _without_model(reader: Reader, models_: set[str], problems: Problems) -> None:
    unread = any(
        isinstance(d, said.Unreadable) and d.keyword == "import" for d in reader.declarations
    )
    if models_ or unread:
        return
    source = reader.sources[0]
    span = Span(source, 0, len(source.text.partition("\n")[0]))
    help_ = "add `model NAME { route POOL }`"
    message = "this policy has no model, so every request would be turned away"
    problems.add("S222", span, message, "no `model` in this policy", help_)


def _uses(blocks: Settled) -> Iterator[Use]:
    """Yield every statement that the blocks have, inherited ones once."""
    seen: set[tuple[str, int, str]] = set()
    for block in blocks:
        if isinstance(block, said.Unreadable):
            continue
        kind = said.keyword(block)
        named = [(kind, block.span), *((f"{kind}.{verb}", s) for verb, s in block.spans.items())]
        for what, span in named:
            place = (span.source.name, span.start, what)
            if place not in seen:
                seen.add(place)
                yield Use(what, span)


@functools.cache
def built_in_profile() -> Profile:
    """Return the profile `default` that a policy without one has."""
    problems = Problems()
    blocks = overrides.settle(read_source(profiles.BUILT_IN, problems), problems)
    known: Rules = rules(gather(blocks, problems), problems)
    known.read(_only(blocks, said.RuleBlock))
    found = profiles.profiles(_only(blocks, said.ProfileBlock), known, None)
    assert not problems.found, problems.found
    return found["default"]


def _only(blocks: Settled, kind: type[B]) -> list[B]:
    return [b for b in blocks if isinstance(b, kind)]
