"""Where each name of a policy is defined and used."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headrace.dsl.checks.answers import MATCHED
from headrace.dsl.checks.names import EXPRESSIONS
from headrace.dsl.source import Span
from headrace.dsl.syntax import declarations as said
from headrace.dsl.syntax import tree
from headrace.dsl.syntax.tree import Word, Written

RULE = "rule"  # filters, scorers, costs and lets share their names
# A text that is compared with one of these, or given for it, is a name.
_NAMED_BY = {
    "decision.pool": "pool",
    "decision.model": "model",
    "decision.profile": "profile",
    "decision.class": "class",
    "decision.guard": "guard",
    "request.model": "model",
    "model.name": "model",
    "pool.name": "pool",
}


@dataclass(frozen=True, slots=True)
class Mention:
    """A name at one place.

    kind     ``pool``, ``model``, ...; RULE for all named expressions
    span     the name itself, without quotes
    quoted   whether it stands in quotes
    defines  whether it is defined there
    """

    kind: str
    name: str
    span: Span
    quoted: bool
    defines: bool = False


def mentions(declarations: Iterable[said.Declaration]) -> Iterator[Mention]:
    """Yield the names in *declarations*."""
    for declaration in declarations:
        if isinstance(declaration, said.Override):
            yield from _block(declaration.block, defines=False)
        elif not isinstance(declaration, said.Unreadable):
            yield from _block(declaration, defines=True)


def _block(block: said.Block, *, defines: bool) -> Iterator[Mention]:
    match block:
        case said.PoolBlock():
            yield from _all("pool", block.name, defines=defines)
            yield from _all("pool", block.parent)
            yield from _all("profile", block.profile)
        case said.ModelBlock():
            yield from _all("model", *block.names, *block.aliases, defines=defines)
            yield from _all("model", block.parent)
            targets = (target.pool for target in (*block.route, *block.mirrors))
            yield from _all("pool", *targets, block.adapter_of)
            yield from _all("profile", block.profile)
            yield from _all("objective", block.objective)
        case said.ObjectiveBlock():
            yield from _all("objective", block.name, defines=defines)
        case said.ClassBlock():
            yield from _all("class", block.name, defines=defines)
            yield from _all("profile", block.profile)
            yield from _written(block.when, block.fairness, block.session)
        case said.RuleBlock():
            yield from _all(RULE, block.name, defines=defines)
            yield from _written(block.value)
        case said.ProfileBlock():
            yield from _profile(block, defines=defines)
        case _:
            yield from _other(block, defines=defines)


def _profile(block: said.ProfileBlock, *, defines: bool) -> Iterator[Mention]:
    yield from _all("profile", block.name, defines=defines)
    yield from _all("profile", block.parent, block.otherwise)
    for names in (block.require, block.prefer):
        yield from _all(RULE, *(names.words if names else ()))
    terms = (*block.score, *block.multiply, *block.tiers, *block.minimize)
    yield from _all(RULE, *(term.rule for term in terms))
    yield from _written(block.pick.ties if block.pick else None)
    yield from _all("profile", *(one.profile for one in block.beside))
    yield from _written(*(one.when for one in block.beside))
    yield from _written(*(one.when for one in block.refusals))


def _other(block: said.Block, *, defines: bool) -> Iterator[Mention]:
    match block:
        case said.OverloadBlock():
            yield from _all("pool", *block.pools)
            queue = block.queue
            yield from _written(block.when, *(shed.when for shed in block.sheds), block.evict)
            yield from _written(*(shed.chance for shed in block.sheds))
            yield from _written(*((queue.by, *queue.fair) if queue else ()))
        case said.GuardBlock():
            yield from _all("guard", block.name, defines=defines)
            yield from _written(block.when)
            yield from _all("model", *_models(block))
        case said.SafetyBlock():
            yield from _written(block.block)
        case said.TraceBlock():
            yield from _written(*block.always, *(value for _, value in block.attributes))
        case said.TrustBlock():
            yield from _written(*(entry.when for entry in block.entries))
        case said.StageBlock():
            yield from _all("stage", block.name, defines=defines)
        case said.ChainBlock():
            yield from _all("chain", block.name, defines=defines)
            yield from _all("stage", *block.stages)
        case said.TestBlock():
            yield from _all("pool", *(given.pool for given in block.pools))
            yield from _all("guard", *(given.guard for given in block.guards))
            yield from _test(block)
        case _:
            pass


def _models(block: said.GuardBlock) -> Iterator[Word]:
    """Yield the models that templates are for."""
    templates = [*block.templates, *block.response_templates]
    if block.ask:
        templates += [*block.ask.templates, *block.ask.response_templates]
    for template in templates:
        yield from template.models


def _test(block: said.TestBlock) -> Iterator[Mention]:
    yield from _written(block.request)
    for case in block.cases:
        yield from _written(case.request, *case.expects)


def _all(kind: str, *words: Word | None, defines: bool = False) -> Iterator[Mention]:
    for word in words:
        if word is not None:
            yield _mention(kind, word.text, word.span, defines=defines)


def _mention(kind: str, name: str, span: Span, *, defines: bool = False) -> Mention:
    quoted = span.text[:1] in ("'", '"')
    inner = span.inner(1, len(span.text) - 1) if quoted else span
    return Mention(kind, name, inner, quoted, defines)


def _written(*found: Written | None) -> Iterator[Mention]:
    """Yield the names in expressions: lets, and what texts name."""
    left: list[tree.Expr] = [written.expr for written in found if written is not None]
    while left:
        expr = left.pop()
        left += tree.parts_of(expr)
        match expr:
            case tree.Name(text=text):
                yield Mention(RULE, text, expr.span, quoted=False)
            case tree.Call(of=None, name=name, args=(arg,)) if name.text == MATCHED:
                yield from _text("guard", arg)
            case tree.Binary(op=op, left=a, right=b) if op.text in ("==", "!="):
                yield from (*_named(a, b), *_named(b, a))
            case tree.MapOf(entries=entries):
                for key, value in entries:
                    if isinstance(key, tree.Literal) and key.value == "model":
                        yield from _text("model", value)
            case _:
                pass


def _named(of: tree.Expr, text: tree.Expr) -> Iterator[Mention]:
    kind = _NAMED_BY.get(of.span.text)
    if kind is not None:
        yield from _text(kind, text)


def _text(kind: str, expr: tree.Expr) -> Iterator[Mention]:
    if isinstance(expr, tree.Literal) and isinstance(expr.value, str):
        plain = expr.span.text[1:-1] == expr.value  # no escapes, not raw
        if plain:
            yield _mention(kind, expr.value, expr.span)


def kinds_of(kind: str) -> frozenset[str]:
    """Return the kinds of blocks that define names of *kind*."""
    return frozenset(EXPRESSIONS) if kind == RULE else frozenset((kind,))
