"""From a block's text to its declaration."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import lark

from headrace.dsl import literals, tree
from headrace.dsl.blocks import Block
from headrace.dsl.build_expr import ExprBuilder, TooDeep
from headrace.dsl.diagnostic import Problems, Related
from headrace.dsl.grammar import Misfit, Tree, parse
from headrace.dsl.source import Span
from headrace.dsl.syntax import explain
from headrace.dsl.tree import Number, Word

_HEAD_NAMES = re.compile(
    r"""\w+[ \t]+((?:["'][^"'\n]*["']|[\w.*-]+)(?:[ \t]*,[ \t]*(?:["'][^"'\n]*["']|[\w.*-]+))*)"""
)
_DEFINED = re.compile(r"""["']([^"'\n]*)["']|([\w.*-]+)""")


def read(block: Block, problems: Problems) -> tree.Declaration:
    """Return the declaration in *block*, or an Unreadable one after adding what is wrong."""
    parsed = parse(block.span.text, "item")
    if isinstance(parsed, Misfit):
        explain(block, parsed, problems)
        return unreadable(block)
    try:
        return _Builder(block, ExprBuilder(block.span, problems), problems).declaration(parsed)
    except TooDeep as deep:
        message = "this expression is nested too deeply"
        problems.add(
            "S110", deep.span, message, "50 levels are too many", "name parts of it with `let`"
        )
        return unreadable(block)


def unreadable(block: Block) -> tree.Unreadable:
    """Return what *block* would have defined, as far as its first words tell."""
    head = _HEAD_NAMES.match(block.span.text)
    names = _DEFINED.findall(head.group(1)) if head else []
    return tree.Unreadable(block.keyword, frozenset(quoted or bare for quoted, bare in names))


@dataclass(frozen=True, slots=True)
class _Builder:
    """Builds the declaration of one block."""

    block: Block
    exprs: ExprBuilder
    problems: Problems

    def declaration(self, node: Tree) -> tree.Declaration:
        build: dict[str, Callable[[Tree], tree.Declaration]] = {
            "pool": self._pool,
            "model": self._model,
            "class_": self._class,
            "filter_": self._rule,
            "scorer": self._rule,
            "let_": self._rule,
            "profile": self._profile,
            "overload": self._overload,
            "guard": self._guard,
            "trust": self._trust,
            "chain": self._chain,
        }
        return build[node.data](node)

    def _pool(self, node: Tree) -> tree.PoolBlock:
        name, *rest = _trees(node)
        settings = self._settings(rest)
        endpoints, metrics = settings.get("endpoints"), settings.get("metrics")
        stale, adapters = settings.get("stale"), settings.get("adapters")
        return tree.PoolBlock(
            self._name(name),
            self._head(node),
            tuple(self.exprs.text(t) for t in _tokens(endpoints)),
            self._name(_trees(metrics)[0]) if metrics else None,
            self._number(_tokens(stale)[0]) if stale else None,
            self._number(_tokens(adapters)[0]) if adapters else None,
            self._used_profile(settings),
        )

    def _model(self, node: Tree) -> tree.ModelBlock:
        names, *rest = _trees(node)
        settings = self._settings(rest)
        route, adapter = settings.get("route"), settings.get("adapter_of")
        return tree.ModelBlock(
            self._names(names),
            self._head(node),
            self._priority(settings),
            tuple(self._target(t) for t in _trees(route)),
            self.exprs.span(route) if route else None,
            self._name(_trees(adapter)[0]) if adapter else None,
            self._used_profile(settings),
        )

    def _target(self, node: Tree) -> tree.Target:
        share, name, rewrite = node.children
        return tree.Target(
            self._name(cast(Tree, name)),
            self._number(share) if isinstance(share, lark.Token) else None,
            self.exprs.text(rewrite) if isinstance(rewrite, lark.Token) else None,
        )

    def _class(self, node: Tree) -> tree.ClassBlock:
        when, *rest = _trees(node)
        settings = self._settings(rest)
        return tree.ClassBlock(
            self.exprs.word(_tokens(node)[0]),
            self.exprs.written(when),
            self._head(node),
            self._priority(settings),
            self._used_profile(settings),
            "also" in settings,
        )

    def _rule(self, node: Tree) -> tree.RuleBlock:
        name, value = node.children
        return tree.RuleBlock(
            node.data.rstrip("_"),
            self.exprs.word(cast(lark.Token, name)),
            self.exprs.written(cast(Tree, value)),
            self.exprs.span(node),
        )

    def _profile(self, node: Tree) -> tree.ProfileBlock:
        name, parent, *rest = node.children
        settings = self._settings([cast(Tree, r) for r in rest])
        score, otherwise = settings.get("score"), settings.get("otherwise")
        return tree.ProfileBlock(
            self._name(cast(Tree, name)),
            self._head(node),
            self._name(parent) if isinstance(parent, lark.Tree) else None,
            self._list(settings.get("require")),
            self._list(settings.get("prefer")),
            tuple(self._term(t) for t in _trees(score)),
            self.exprs.span(score) if score else None,
            self._pick(settings.get("pick")),
            self._name(_trees(otherwise)[0]) if otherwise else None,
        )

    def _list(self, node: Tree | None) -> tree.Names | None:
        if node is None:
            return None
        also, *words = node.children
        found = tuple(self.exprs.word(w) for w in words if isinstance(w, lark.Token))
        return tree.Names(found, isinstance(also, lark.Token))

    def _term(self, node: Tree) -> tree.Weighted:
        weight, name = node.children
        number = self._number(weight) if isinstance(weight, lark.Token) else None
        return tree.Weighted(number, self.exprs.word(cast(lark.Token, name)))

    def _pick(self, node: Tree | None) -> tree.Picked | None:
        if node is None:
            return None
        how, *rest = _tokens(node)
        ties = _trees(node)
        return tree.Picked(
            str(how),
            self.exprs.span(node),
            self._number(rest[0]) if rest else None,
            self.exprs.written(ties[0]) if ties else None,
        )

    def _overload(self, node: Tree) -> tree.OverloadBlock:
        pools, when, *sheds = node.children
        return tree.OverloadBlock(
            self._names(pools) if isinstance(pools, lark.Tree) else (),
            self.exprs.written(cast(Tree, when)),
            tuple(self._shed(cast(Tree, s)) for s in sheds),
            self._head(node),
        )

    def _shed(self, node: Tree) -> tree.ShedRule:
        any_, when, status, message, retry = node.children
        return tree.ShedRule(
            self.exprs.written(cast(Tree, when)),
            self.exprs.span(node),
            isinstance(any_, lark.Token),
            self._number(status) if isinstance(status, lark.Token) else None,
            self.exprs.text(message) if isinstance(message, lark.Token) else None,
            self._number(retry) if isinstance(retry, lark.Token) else None,
        )

    def _guard(self, node: Tree) -> tree.GuardBlock:
        name, when, *rest = node.children
        settings = self._settings([cast(Tree, r) for r in rest])
        action = _tokens(settings.get("on_match"))
        return tree.GuardBlock(
            self.exprs.word(cast(lark.Token, name)),
            self._head(node),
            self.exprs.written(when) if isinstance(when, lark.Tree) else None,
            tuple(self._verbatim(t) for t in _tokens(settings.get("patterns"))),
            str(action[0]) if action else None,
            self._number(action[1]) if len(action) > 1 else None,
            self.exprs.text(action[2]) if len(action) > 2 else None,
        )

    def _trust(self, node: Tree) -> tree.TrustBlock:
        entries = [
            tree.TrustedNames(
                tuple(self.exprs.word(t) for t in _tokens(entry)),
                self.exprs.written(_trees(entry)[0]),
            )
            for entry in _trees(node)
        ]
        return tree.TrustBlock(tuple(entries), self._head(node))

    def _chain(self, node: Tree) -> tree.ChainBlock:
        stages = tuple(self.exprs.word(t) for t in _tokens(node))
        return tree.ChainBlock(self._name(_trees(node)[0]), stages, self._head(node))

    # ---- parts

    def _settings(self, nodes: Sequence[Tree]) -> dict[str, Tree]:
        """Return the settings of a block by verb; a second one of the same verb is an error."""
        found: dict[str, Tree] = {}
        for node in nodes:
            first = found.setdefault(node.data, node)
            if first is not node:
                span = self.exprs.span(node)
                verb = span.text.split()[0]
                self.problems.add(
                    "S208",
                    span,
                    f"`{verb}` is given twice in one `{self.block.keyword}`",
                    "second time",
                    "keep one of them",
                    (Related(self.exprs.span(first), "first time"),),
                )
        return found

    def _head(self, node: Tree) -> Span:
        """Return the span of the block up to its brace: what an error about all of it points at."""
        span = self.exprs.span(node)
        return span.inner(0, len(span.text.partition("{")[0].rstrip()))

    def _name(self, node: Tree) -> Word:
        token = _tokens(node)[0]
        return self.exprs.text(token) if token.type == "STRING" else self.exprs.word(token)

    def _names(self, node: Tree) -> tuple[Word, ...]:
        return tuple(self._name(n) for n in _trees(node))

    def _priority(self, settings: dict[str, Tree]) -> Number | None:
        node = settings.get("priority")
        return self._number(_tokens(node)[0]) if node else None

    def _used_profile(self, settings: dict[str, Tree]) -> Word | None:
        node = settings.get("use_profile")
        return self._name(_trees(node)[0]) if node else None

    def _verbatim(self, token: lark.Token) -> Word:
        return Word(literals.verbatim(str(token)), self.exprs.span(token))

    def _number(self, token: lark.Token) -> Number:
        span = self.exprs.span(token)
        try:
            return Number(_quantity(token.type, str(token)), span)
        except literals.LiteralFault as fault:
            self.problems.add("S109", span, str(fault), "here", fault.help)
            return Number(1, span)


def _quantity(terminal: str, text: str) -> float:
    match terminal:
        case "DURATION":
            return literals.duration_s(text)
        case "SHARE":
            return literals.ratio(text)
        case "NUMBER":
            return literals.double(text)
        case _:
            return literals.integer(text)


def _trees(node: Tree | None) -> list[Tree]:
    return [c for c in node.children if isinstance(c, lark.Tree)] if node else []


def _tokens(node: Tree | None) -> list[lark.Token]:
    return [c for c in node.children if isinstance(c, lark.Token)] if node else []
