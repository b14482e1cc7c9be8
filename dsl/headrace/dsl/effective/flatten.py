"""Flatten a policy: imports, overrides and `extends` resolved, defaults written out."""

from collections.abc import Iterable, Iterator, Sequence

from headrace.dsl.checks import overrides
from headrace.dsl.checks.names import EXPRESSIONS, gather
from headrace.dsl.checks.profiles import BUILT_IN
from headrace.dsl.effective import choosing, guarding, routing, watching
from headrace.dsl.effective.form import Section
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.dsl.syntax import declarations as given
from headrace.dsl.syntax.reading import Loader, read_sources


def flatten(
    sources: Sequence[Source], program: Program, loader: Loader | None = None
) -> tuple[Section, ...]:
    """Return the blocks that *sources*, which compile to *program*, come to, in their order."""
    problems = Problems()
    blocks = overrides.settle(read_sources(sources, loader, problems).declarations, problems)
    names = gather(blocks, problems)
    profiles = {b.name.text: b for b in blocks if isinstance(b, given.ProfileBlock)}
    taken = {name for kind in EXPRESSIONS for name in names.of(kind)}
    rules = {block.name.text: block for block in _built_in_rules()}
    writer = choosing.Profiles(program, profiles, rules, _renamed(rules, taken))
    found = [*writer.built_in()]
    for block in blocks:
        assert not isinstance(block, given.Unreadable), "what compiles can be read"
        found += _sections(block, program, writer)
    return tuple(found)


def _renamed(rules: Iterable[str], taken: set[str]) -> dict[str, str]:
    """Return other names for the built-in *rules* whose own are *taken* by the policy."""
    renamed: dict[str, str] = {}
    for name in taken & set(rules):
        other = f"built_in_{name}"
        while other in taken:
            other += "_"
        renamed[name] = other
    return renamed


def _built_in_rules() -> Iterator[given.RuleBlock]:
    problems = Problems()
    for block in read_sources([BUILT_IN], None, problems).declarations:
        if isinstance(block, given.RuleBlock):
            yield block


def _sections(block: given.Block, program: Program, writer: choosing.Profiles) -> Iterator[Section]:
    match block:
        case given.PoolBlock():
            yield routing.pool(block, program)
        case given.ModelBlock():
            yield routing.model(block, program)
        case given.ObjectiveBlock():
            yield routing.objective(block, program)
        case given.ClassBlock():
            yield routing.class_(block, program)
        case given.RuleBlock():
            yield choosing.rule(block, program)
        case given.ProfileBlock():
            yield writer.section(block)
        case given.OverloadBlock():
            yield watching.overload(block, program)
        case given.GuardBlock():
            yield guarding.guard(block, program)
        case given.SafetyBlock():
            yield guarding.safety(block)
        case given.TraceBlock():
            yield watching.trace(block, program)
        case given.TrustBlock():
            yield watching.trust(block, program)
        case given.StageBlock():
            yield watching.stage(block, program)
        case given.ChainBlock():
            yield watching.chain(block, program)
        case given.TestBlock():
            yield watching.test(block, program)
        case given.ImportBlock():
            pass  # what it brings stands in its place
