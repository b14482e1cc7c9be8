"""`override` and `extends` of pools and models: who says what in the end.

Both are shallow: a statement replaces the one of the same verb, all others stand.
Profiles resolve their `extends` themselves, because a parent of theirs may be built in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from headrace.dsl.checks.names import DEFAULT
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.source import Span
from headrace.dsl.syntax.choosing import Names
from headrace.dsl.syntax.declarations import (
    Block,
    Declaration,
    GuardBlock,
    ModelBlock,
    OverloadBlock,
    Override,
    PoolBlock,
    SafetyBlock,
    TraceBlock,
    TrustBlock,
    Unreadable,
    keyword,
)
from headrace.dsl.syntax.declarations import ImportBlock as _Import
from headrace.dsl.syntax.tree import Word

B = TypeVar("B", bound=Block)
Extending = PoolBlock | ModelBlock
E = TypeVar("E", PoolBlock, ModelBlock)
# Of each group a block says one: who says one says that the others no longer hold.
_GROUPS = (
    frozenset({"endpoints", "members", "inference_pool", "labels"}),
    frozenset({"priority", "objective"}),
    frozenset({"route", "adapter_of"}),
    *(
        frozenset({here, there})
        for here in ("patterns", "detect", "deny")
        for there in ("templates", "response_templates", "ask")
    ),
    frozenset({"templates", "ask"}),
    frozenset({"response_templates", "ask"}),
    frozenset({"score", "multiply", "tiers", "minimize"}),
)
_FOLLOW = {
    "endpoints": ("port", "namespace"),
    "members": ("port", "namespace"),
    "labels": ("namespace",),
    "inference_pool": (),
    "gpu": ("gpu_port",),
    "stale": ("dead",),
    "wait": ("wait_length",),
}
_VERBS = {
    "members": "endpoint",
    "inference_pool": "inferencepool",
    "labels": "select",
    "objective": "aim",
    "wait": "room",
    "templates": "template",
    "response_templates": "response_template",
}
_ITS_OWN = frozenset({"name", "names", "span", "spans"})


def settle(declarations: Sequence[Declaration], problems: Problems) -> list[Block | Unreadable]:
    """Return the blocks as they are in the end, in their order."""
    blocks = [d for d in declarations if not isinstance(d, Override)]
    overrides = [d for d in declarations if isinstance(d, Override)]
    if overrides:
        places = _Places.of(blocks, problems)
        for override in overrides:
            places.put(override)
        blocks = [block for place in places.places for block in place]
    return _extended(_extended(blocks, PoolBlock, problems), ModelBlock, problems)


@dataclass(frozen=True, slots=True)
class _Places:
    """The blocks of a policy while they are overridden, which `put` does.

    places  what stands where each block stood
    at      kind and name -> the place of the block that defines it
    firsts  kind and name -> where it is overridden
    unread  whether a file that might define anything could not be read
    """

    problems: Problems
    places: list[list[Block | Unreadable]]
    at: dict[tuple[str, str], int]
    firsts: dict[tuple[str, str], Span]
    unread: bool

    @classmethod
    def of(cls, blocks: Sequence[Block | Unreadable], problems: Problems) -> "_Places":
        """Return the places of *blocks*, nothing overridden."""
        at: dict[tuple[str, str], int] = {}
        for i, block in enumerate(blocks):
            if isinstance(block, Unreadable):
                names, kind = [*block.names], block.keyword
            else:
                names, kind = [w.text for w in _names(block)], keyword(block)
            for name in names:
                at.setdefault((kind, name), i)
        unread = any(isinstance(b, Unreadable) and b.keyword == "import" for b in blocks)
        return cls(problems, [[block] for block in blocks], at, {}, unread)

    def put(self, override: Override) -> None:
        """Put what *override* says into the blocks that it means."""
        kind, names = keyword(override.block), _names(override.block)
        if not names:
            message = f"`{kind}` has no name that an `override` could mean"
            help_ = f"write another `{kind}` block beside the first"
            self.problems.add("S226", override.word, message, "", help_)
        for word in names:
            first = self.firsts.setdefault((kind, word.text), word.span)
            if first is not word.span:
                message = f"{kind} `{word.text}` is overridden twice"
                related = (Related(first, "first override"),)
                self.problems.add("S207", word.span, message, "second override", "", related)
            elif (kind, word.text) in self.at:
                place = self.at[kind, word.text]
                self.places[place] = list(_overridden(self.places[place], override.block, word))
            elif not self.unread:
                self._missing(kind, word)

    def _missing(self, kind: str, word: Word) -> None:
        known = [name for k, name in self.at if k == kind]
        message = f"there is no {kind} `{word.text}` to override"
        help_ = did_you_mean(word.text, known, f"the {kind} blocks are") or "remove `override`"
        if kind == "profile" and word.text == DEFAULT:
            help_ = "the built-in `default` is replaced by writing `profile default { ... }`"
        self.problems.add("S226", word.span, message, "not defined", help_)


def _names(block: Block) -> tuple[Word, ...]:
    match block:
        case OverloadBlock() | SafetyBlock() | TrustBlock() | TraceBlock() | _Import():
            return ()
        case ModelBlock():
            return block.names
        case _:
            return (block.name,)


def _overridden(
    place: Sequence[Block | Unreadable], over: Block, word: Word
) -> Iterator[Block | Unreadable]:
    """Yield what stands in the *place* when the block that defines *word* is changed."""
    for block in place:
        if isinstance(block, Unreadable) or word.text not in {w.text for w in _names(block)}:
            yield block
        elif isinstance(block, ModelBlock) and isinstance(over, ModelBlock):
            yield from _one_of_several(block, over, word)
        else:
            yield merged(block, over)


def _one_of_several(base: ModelBlock, over: ModelBlock, word: Word) -> Iterator[ModelBlock]:
    """Yield the block without the name *word*, and that name's own block."""
    at = [w.text for w in base.names].index(word.text)
    names = base.names[:at] + base.names[at + 1 :]
    aliases = base.aliases[:at] + base.aliases[at + 1 :]
    if names:
        yield replace(base, names=names, aliases=aliases)
    said = over.aliases[[w.text for w in over.names].index(word.text)]
    one = replace(base, names=(base.names[at],), aliases=(said or base.aliases[at],))
    yield replace(merged(one, over), aliases=one.aliases)


def merged(base: B, over: Block) -> B:
    """Return *base* with what *over* says in the place of what it said."""
    # Any: the fields of all kinds of blocks; both are of one kind, so each fits its own.
    said: dict[str, Any] = {}
    for f in fields(over):
        value = getattr(over, f.name)
        if f.name not in _ITS_OWN and value not in (None, (), False, {}):
            said[f.name] = _added(getattr(base, f.name), value)
    if isinstance(base, GuardBlock) and isinstance(over, GuardBlock):
        said["on"] = {**base.on, **over.on}
    dropped: set[str] = set()
    for group in _GROUPS:
        if group & said.keys():
            dropped |= group - said.keys()
    for name in said.keys() & _FOLLOW.keys():
        dropped |= set(_FOLLOW[name]) - said.keys()
    empty = {n: () if isinstance(getattr(base, n), tuple) else None for n in _of(base, dropped)}
    gone = {_VERBS.get(name, name) for name in dropped}
    spans = {k: s for k, s in base.spans.items() if k not in gone} | dict(over.spans)
    return replace(base, **{**empty, **said, "spans": spans})


def _of(base: Block, names: set[str]) -> set[str]:
    return names & {f.name for f in fields(base)}


def _added(before: object, value: object) -> object:
    """Return *value*, or if it only adds to what was said, both."""
    if isinstance(value, Names) and value.also and isinstance(before, Names):
        return Names((*before.words, *value.words), before.also)
    return value


def _extended(
    blocks: Sequence[Block | Unreadable], kind: type[E], problems: Problems
) -> list[Block | Unreadable]:
    """Return *blocks* with every pool or model that extends another made whole."""
    by_name: dict[str, E] = {}
    for block in blocks:
        if isinstance(block, kind):
            for word in _names(block):
                by_name.setdefault(word.text, block)
    whole: dict[int, E] = {}
    for block in by_name.values():
        line = _ancestry(block, by_name, whole, problems)
        for each in reversed(line):
            parent = by_name.get(each.parent.text) if each.parent else None
            elder = whole.get(id(parent))
            whole[id(each)] = _child(elder, each) if elder is not None else each
    return [whole.get(id(b), b) if isinstance(b, kind) else b for b in blocks]


def _ancestry(
    block: E, by_name: Mapping[str, E], whole: Mapping[int, E], problems: Problems
) -> list[E]:
    """Return *block* and its ancestors that are not made whole yet, eldest last."""
    line: list[E] = []
    seen: set[int] = set()
    at: E | None = block
    while at is not None and id(at) not in whole:
        if id(at) in seen:
            _circle(line, at, problems)
            break
        line.append(at)
        seen.add(id(at))
        at = by_name.get(at.parent.text) if at.parent else None
    return line


def _child(elder: E, block: E) -> E:
    """Return *block* with all that *elder* says and it does not."""
    found = merged(replace(elder, span=block.span), block)
    if isinstance(block, ModelBlock):
        return replace(found, names=block.names, aliases=block.aliases)
    return replace(found, name=block.name)


def _circle(line: Sequence[Extending], again: Extending, problems: Problems) -> None:
    """Report a circle once, at its link that stands first in the file."""
    start = next(i for i, block in enumerate(line) if block is again)
    links = list(line[start:])
    first = min(links, key=lambda block: block.span.start)
    at = next(i for i, block in enumerate(links) if block is first)
    circle = links[at:] + links[:at]
    names = [_names(block)[0].text for block in (*circle, circle[0])]
    parent = circle[0].parent
    assert parent is not None, "a link of a circle leads on"
    message = f"{keyword(circle[0])} `{names[0]}` extends itself"
    label = " → ".join(names) if len(names) < 8 else f"a circle of {len(names) - 1}"
    problems.add("S221", parent.span, message, label)
