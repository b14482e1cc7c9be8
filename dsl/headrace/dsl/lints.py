"""What is well formed and still cannot be meant."""

import re
from collections.abc import Sequence

from headrace.dsl import tree
from headrace.dsl.diagnostic import Problems
from headrace.dsl.names import DEFAULT, Names
from headrace.dsl.program import DEFAULT_CHAIN, Program
from headrace.dsl.source import Source, Span

_UNUSED = {
    "pool": "no model routes to it",
    "profile": "no model, pool, class or profile names it",
    "filter": "no profile requires or prefers it",
    "scorer": "no profile scores by it",
    "let": "no expression uses it",
}
# Characters that make text appear in another order than it is read in.
_BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def unused(names: Names, problems: Problems) -> None:
    """Warn of what is defined and never used; unread blocks may use anything."""
    if names.broken:
        return
    for kind, why in _UNUSED.items():
        for word in names.unused(kind):
            if kind == "profile" and word.text == DEFAULT:
                continue
            message = f"{kind} `{word.text}` is never used"
            problems.add("S307", word.span, message, why, "use it or remove it")


def bidirectional(source: Source, problems: Problems) -> None:
    """Warn of the first character that changes the direction of text."""
    found = _BIDI.search(source.text)
    if found is not None:
        span = Span(source, found.start(), found.end())
        message = f"an invisible character (U+{ord(found.group()):04X}) turns the text round"
        problems.add("S321", span, message, "here", "remove it: the text does not read as it looks")


def adapters(blocks: Sequence[tree.Declaration], problems: Problems) -> None:
    """Warn of adapters on a pool that does not say how many it can hold."""
    pools = {b.name.text: b for b in blocks if isinstance(b, tree.PoolBlock)}
    for block in blocks:
        if not isinstance(block, tree.ModelBlock) or block.adapter_of is None:
            continue
        pool = pools.get(block.adapter_of.text)
        if pool is not None and pool.adapters is None:
            word = block.adapter_of
            message = f"pool `{word.text}` does not say that it has adapters"
            help_ = f"add `adapters up to 4` to pool `{word.text}`"
            problems.add("S322", word.span, message, "an adapter of it", help_)


def without_stage(blocks: Sequence[tree.Declaration], program: Program, problems: Problems) -> None:
    """Report blocks that no chain has a stage for: they could never take effect."""
    chains = {DEFAULT_CHAIN.name: DEFAULT_CHAIN, **program.chains}
    stages = {stage for chain in chains.values() for stage in chain.stages}
    for block in blocks:
        match block:
            case tree.GuardBlock():
                what, stage = f"guard `{block.name.text}`", "safety"
            case tree.OverloadBlock():
                what, stage = "this overload", "picker"
            case tree.ModelBlock():
                what, stage = f"model `{block.names[0].text}`", "body_router"
            case _:
                continue
        if stage not in stages:
            message = f"{what} has no effect: no chain has the stage `{stage}`"
            problems.add("S333", block.span, message, "no effect", f"add `{stage}` to a `chain`")
