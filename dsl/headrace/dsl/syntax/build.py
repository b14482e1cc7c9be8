"""From a block's text to its declaration."""

import re
from collections.abc import Callable, Mapping

from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.syntax import build_guards, build_places, build_rules, build_watch
from headrace.dsl.syntax.blocks import Block
from headrace.dsl.syntax.build_expr import ExprBuilder, TooDeep
from headrace.dsl.syntax.build_parts import Parts, trees
from headrace.dsl.syntax.declarations import Block as Built
from headrace.dsl.syntax.declarations import Declaration, Override, Unreadable
from headrace.dsl.syntax.grammar import Tree
from headrace.dsl.syntax.recover import read_block

BUILDERS: Mapping[str, Callable[[Tree, Parts], Built]] = {
    "import_": build_places.import_,
    "pool": build_places.pool,
    "model": build_places.model,
    "objective": build_places.objective,
    "stage": build_places.stage,
    "chain": build_places.chain,
    "class_": build_rules.class_,
    "filter_": build_rules.rule,
    "scorer": build_rules.rule,
    "cost": build_rules.rule,
    "let_": build_rules.rule,
    "profile": build_rules.profile,
    "overload": build_rules.overload,
    "guard": build_guards.guard,
    "safety": build_guards.safety,
    "trace": build_watch.trace,
    "trust": build_watch.trust,
    "test": build_watch.test,
}
_WORD = re.compile(r"[A-Za-z_]+")
_HEAD_NAMES = re.compile(
    r"""\w+[ \t]+((?:["'][^"'\n]*["']|[\w.*-]+)(?:[ \t]*,[ \t]*(?:["'][^"'\n]*["']|[\w.*-]+))*)"""
)
_DEFINED = re.compile(r"""["']([^"'\n]*)["']|([\w.*-]+)""")


def read(block: Block, problems: Problems) -> Declaration:
    """Return the declaration in *block*, or an Unreadable one after adding what is wrong."""
    parsed = read_block(block, problems)
    if parsed is None:
        return unreadable(block)
    try:
        return _declaration(parsed, block, problems)
    except TooDeep as deep:
        message = "this expression is nested too deeply"
        problems.add(
            "S110", deep.span, message, "50 levels are too many", "name parts of it with `let`"
        )
        return unreadable(block)


def unreadable(block: Block) -> Unreadable:
    """Return what *block* would have defined, as far as its first words tell."""
    text, keyword = block.span.text, block.keyword
    if keyword == "override":
        text = text[len(keyword) :].lstrip()
        opens = _WORD.match(text)
        keyword = opens.group() if opens else keyword
    head = _HEAD_NAMES.match(text)
    names = _DEFINED.findall(head.group(1)) if head else []
    return Unreadable(keyword, frozenset(quoted or bare for quoted, bare in names))


def _declaration(node: Tree, block: Block, problems: Problems) -> Declaration:
    keyword = block.keyword
    over = node.data == "override"
    inner = trees(node)[0] if over else node
    if over:
        keyword = inner.data.rstrip("_")
    parts = Parts(keyword, ExprBuilder(block.span, problems), problems)
    built = BUILDERS[inner.data](inner, parts)
    return Override(built, block.span.inner(0, len("override"))) if over else built
