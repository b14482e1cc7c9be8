"""Compile policies: texts in, a Program or every problem out."""

import functools
import hashlib
from collections.abc import Sequence
from typing import TypeVar

from headrace.dsl import blocks, build, lints, places, profiles, statements, syntax, tree
from headrace.dsl.codes import Level
from headrace.dsl.diagnostic import Diagnostic, PolicyError, Problems
from headrace.dsl.grammar import Misfit, parse
from headrace.dsl.names import gather
from headrace.dsl.program import Profile, Program
from headrace.dsl.rules import Rules, rules
from headrace.dsl.source import Source, Span
from headrace.dsl.vocabulary import STAGES

EDITION = 1
CHARS_MAX = 512 * 1024  # of all files of one policy; thirty times the largest we have seen
D = TypeVar("D", bound=tree.Declaration)


def compile_policy(sources: Sequence[Source], stages: frozenset[str] = STAGES) -> Program:
    """Return the program that *sources* make together; *stages* are those installed.

    Raises:
        PolicyError: with every error found in all of them, and the warnings beside.
    """
    program, found = _compile(sources, stages)
    if any(d.level is Level.ERROR for d in found):
        raise PolicyError(found)
    return program


def check_policy(
    sources: Sequence[Source], stages: frozenset[str] = STAGES
) -> tuple[Diagnostic, ...]:
    """Return every error and warning in *sources*, by file and position."""
    return _compile(sources, stages)[1]


def digest(sources: Sequence[Source]) -> str:
    """Return the SHA-256 of the texts one after the other, in hex: of one file, the file's."""
    sha = hashlib.sha256()
    for source in sources:
        sha.update(source.text.encode("utf-8", "surrogatepass"))
    return sha.hexdigest()


def _compile(
    sources: Sequence[Source], stages: frozenset[str]
) -> tuple[Program, tuple[Diagnostic, ...]]:
    assert sources, "a policy has at least one source"
    problems = Problems()
    order = [s.name for s in sources]
    if sum(len(s.text) for s in sources) > CHARS_MAX:
        span = Span(sources[0], 0, 0)
        message = f"a policy has at most {CHARS_MAX // 1024} KiB of text"
        problems.add("S111", span, message, "", "split it into several policies")
        return Program(digest(sources)), problems.sorted(order)
    declarations: list[tree.Declaration] = []
    for source in sources:
        lints.bidirectional(source, problems)
        declarations += _read(source, problems)
    program = _assemble(sources, declarations, stages, problems)
    return program, problems.sorted(order)


def _read(source: Source, problems: Problems) -> list[tree.Declaration]:
    """Return the declarations of one file; unreadable ones for blocks with syntax errors."""
    found = blocks.split(source)
    declarations: list[tree.Declaration] = []
    if not found or found[0].keyword != "sched":
        span = found[0].span.inner(0, len(found[0].keyword)) if found else Span(source, 0, 0)
        help_ = f"write `sched {EDITION}` before it"
        problems.add(
            "S104", span, "the first line must be `sched 1`", "the file begins here", help_
        )
    for i, block in enumerate(found):
        if block.keyword == "sched":
            _header(block, problems, first=i == 0)
        elif block.known:
            declarations.append(build.read(block, problems))
        else:
            syntax.unknown_block(block, problems)
    return declarations


def _header(block: blocks.Block, problems: Problems, *, first: bool) -> None:
    word = block.span.inner(0, len(block.keyword))
    if not first:
        problems.add("S104", word, "`sched` stands once, in the first line", "", "remove it")
        return
    parsed = parse(block.span.text, "header")
    if isinstance(parsed, Misfit):
        syntax.explain(block, parsed, problems)
        return
    edition = str(parsed.children[0])
    if edition != str(EDITION):
        message = f"edition {edition} of the language is not known here"
        problems.add("S104", word, message, "", f"this program knows `sched {EDITION}`")


def _assemble(
    sources: Sequence[Source],
    declarations: Sequence[tree.Declaration],
    stages: frozenset[str],
    problems: Problems,
) -> Program:
    names = gather(declarations, problems)
    known = rules(names, problems)
    rule_blocks = _only(declarations, tree.RuleBlock)
    known.read(rule_blocks)
    lets = [b for b in rule_blocks if b.kind == "let"]
    program = Program(
        digest(sources),
        places.pools(_only(declarations, tree.PoolBlock), names, problems),
        places.models(_only(declarations, tree.ModelBlock), names, problems),
        statements.classes(_only(declarations, tree.ClassBlock), known),
        profiles.profiles(_only(declarations, tree.ProfileBlock), known, built_in_profile()),
        statements.overloads(_only(declarations, tree.OverloadBlock), known, lets),
        statements.guards(_only(declarations, tree.GuardBlock), known),
        statements.trusts(_only(declarations, tree.TrustBlock), known),
        statements.chains(_only(declarations, tree.ChainBlock), stages, problems),
    )
    if not names.of("model"):
        span = Span(sources[0], 0, len(sources[0].text.partition("\n")[0]))
        help_ = "add `model NAME { route POOL }`"
        message = "this policy has no model, so every request would be turned away"
        problems.add("S222", span, message, "no `model` in this policy", help_)
    lints.unused(names, problems)
    lints.adapters(declarations, problems)
    lints.without_stage(declarations, program, problems)
    return program


@functools.cache
def built_in_profile() -> Profile:
    """Return the profile `default` that a policy without one has."""
    problems = Problems()
    declarations = _read(profiles.BUILT_IN, problems)
    known: Rules = rules(gather(declarations, problems), problems)
    known.read(_only(declarations, tree.RuleBlock))
    found = profiles.profiles(_only(declarations, tree.ProfileBlock), known, None)
    assert not problems.found, problems.found
    return found["default"]


def _only(declarations: Sequence[tree.Declaration], kind: type[D]) -> list[D]:
    return [d for d in declarations if isinstance(d, kind)]
