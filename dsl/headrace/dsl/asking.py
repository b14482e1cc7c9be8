"""An expression that stands in no policy, checked as if it stood in one.

For tools that answer questions about a policy: its `let`s and its named rules are values here.
"""

from collections.abc import Sequence
from dataclasses import replace

from headrace.dsl.cel.typed import Typed
from headrace.dsl.checks import overrides
from headrace.dsl.checks.names import gather
from headrace.dsl.checks.rules import AFTERWARDS, ALL, Rules, rules
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import PolicyError, Problems
from headrace.dsl.source import Source, Span
from headrace.dsl.syntax import declarations as said
from headrace.dsl.syntax.build_expr import ExprBuilder, TooDeep
from headrace.dsl.syntax.grammar import Misfit, parse
from headrace.dsl.syntax.reading import CHARS_MAX, Loader, read_sources
from headrace.dsl.syntax.tree import Expr, Written

WHERE = "an expression"
NAME = "<expression>"


def ask(text: str, sources: Sequence[Source] = (), loader: Loader | None = None) -> Typed:
    """Return the expression *text* checked in the policy that *sources* make, or in none.

    It may read everything of the vocabulary, whatever place knows it.

    Raises:
        PolicyError: with every problem found, in the policy or in *text*.
    """
    known, problems = _known(sources, loader)
    _stop(problems, [*(s.name for s in sources), NAME])
    span = Span(Source(NAME, text), 0, len(text))
    written = _written(span, problems)
    _stop(problems, [NAME])
    assert written is not None, "what cannot be read is a problem"
    typed = known.check(written, WHERE, ALL | AFTERWARDS)
    _stop(problems, [NAME])
    return typed


def named(
    name: str, sources: Sequence[Source], loader: Loader | None = None
) -> tuple[Expr, dict[str, Expr]] | None:
    """Return the named expression *name* and all `let`s by name, as they are written.

    None if the policy defines no expression of that name.

    Raises:
        PolicyError: with every problem found in the policy.
    """
    problems = Problems()
    blocks = _blocks(sources, loader, problems)
    _stop(problems, [s.name for s in sources])
    found = [block for block in blocks if block.name.text == name]
    lets = {b.name.text: b.value.expr for b in blocks if b.kind == "let"}
    return (found[-1].value.expr, lets) if found else None


def _known(sources: Sequence[Source], loader: Loader | None) -> tuple[Rules, Problems]:
    """Return the rules of the policy, its named ones as if each were a `let`."""
    problems = Problems()
    reader = read_sources(sources, loader, problems) if sources else None
    blocks = overrides.settle(reader.declarations if reader else [], problems)
    known = rules(gather(blocks, problems), problems)
    named_ = [block for block in blocks if isinstance(block, said.RuleBlock)]
    known.read(named_)
    silent = replace(known, problems=Problems())
    for block in named_:
        if block.kind != "let":
            known.lets[block.name.text] = silent.check(block.value, WHERE, ALL)
    return known, problems


def _blocks(
    sources: Sequence[Source], loader: Loader | None, problems: Problems
) -> list[said.RuleBlock]:
    reader = read_sources(sources, loader, problems)
    blocks = overrides.settle(reader.declarations, problems)
    return [block for block in blocks if isinstance(block, said.RuleBlock)]


def _written(span: Span, problems: Problems) -> Written | None:
    text = span.text
    if len(text) > CHARS_MAX:
        problems.add("S111", span.inner(0, 0), f"an expression has at most {CHARS_MAX} characters")
        return None
    tree = parse(text, "expr")
    if isinstance(tree, Misfit):
        end = min(len(text), tree.at + 1)
        word = text[tree.at : end]
        message = f"unexpected `{word}`" if word else "the expression ends too early"
        problems.add("S101", span.inner(tree.at, end), message, "cannot go on from here")
        return None
    try:
        return ExprBuilder(span, problems).written(tree)
    except TooDeep as deep:
        problems.add("S110", deep.span, "this expression is nested too deeply", "too deep")
        return None


def _stop(problems: Problems, names: Sequence[str]) -> None:
    """Raise what was found so far if an error is among it."""
    if any(d.level is Level.ERROR for d in problems.found):
        raise PolicyError(problems.sorted(list(dict.fromkeys(names))))
