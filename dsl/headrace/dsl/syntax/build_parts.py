"""The pieces that all blocks are built of: names, numbers, lists, statements by verb."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import lark

from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.source import Span
from headrace.dsl.syntax import literals
from headrace.dsl.syntax.build_expr import ExprBuilder
from headrace.dsl.syntax.declarations import Said
from headrace.dsl.syntax.grammar import Tree
from headrace.dsl.syntax.tree import Number, Word, Written

_SETTING_KINDS = {
    "STRING": "string", "DURATION": "duration", "SIZE": "bytes", "SHARE": "ratio", "IDENT": "word",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parts:
    """Builds the pieces of one block that opens with *keyword*."""

    keyword: str
    exprs: ExprBuilder
    problems: Problems

    def settings(self, nodes: Sequence[Tree]) -> dict[str, Tree]:
        """Return the statements of a block by rule; a second one of the same rule is an error."""
        found: dict[str, Tree] = {}
        for node in nodes:
            first = found.setdefault(node.data, node)
            if first is not node:
                self.twice(self.span(node), self.span(first))
        return found

    def twice(self, second: Span, first: Span, verb: str = "") -> None:
        """Report that a statement is given twice."""
        message = f"`{verb or second.text.split()[0]}` is given twice in one `{self.keyword}`"
        related = (Related(first, "first time"),)
        self.problems.add("S208", second, message, "second time", "keep one of them", related)

    def spans(self, settings: dict[str, Tree]) -> dict[str, Span]:
        """Return where each statement stands."""
        return {verb: self.span(node) for verb, node in settings.items()}

    def first_span(self, verb: str, nodes: Sequence[Tree]) -> dict[str, Span]:
        """Return where the first of *nodes* stands, as *verb*."""
        return {verb: self.span(nodes[0])} if nodes else {}

    def span(self, node: Tree | lark.Token) -> Span:
        """Return where *node* stands."""
        return self.exprs.span(node)

    def head(self, node: Tree) -> Span:
        """Return the span of the block up to its brace: what an error about all of it points at."""
        span = self.span(node)
        return span.inner(0, len(span.text.partition("{")[0].rstrip()))

    def written(self, node: object) -> Written:
        """Return the expression *node*."""
        return self.exprs.written(cast(Tree, node))

    def maybe_written(self, node: object) -> Written | None:
        """Return the expression *node*, if there is one."""
        return self.exprs.written(cast(Tree, node)) if isinstance(node, lark.Tree) else None

    def word(self, token: object) -> Word:
        """Return the bare word *token*."""
        return self.exprs.word(cast(lark.Token, token))

    def words(self, node: Tree | None) -> tuple[Word, ...]:
        """Return the bare words directly in *node*."""
        return tuple(self.exprs.word(t) for t in tokens(node))

    def text(self, token: object) -> Word:
        """Return the string *token*, its escapes read."""
        return self.exprs.text(cast(lark.Token, token))

    def maybe_word(self, token: object) -> Word | None:
        """Return the bare word *token*, if there is one."""
        return self.exprs.word(token) if isinstance(token, lark.Token) else None

    def maybe_text(self, token: object) -> Word | None:
        """Return the string *token*, if there is one."""
        return self.exprs.text(token) if isinstance(token, lark.Token) else None

    def texts(self, node: Tree | None) -> tuple[Word, ...]:
        """Return the strings directly in *node*."""
        return tuple(self.exprs.text(t) for t in tokens(node))

    def verbatim(self, node: Tree | None) -> tuple[Word, ...]:
        """Return the strings directly in *node* as they stand between their quotes."""
        return tuple(Word(literals.verbatim(str(t)), self.span(t)) for t in tokens(node))

    def name(self, node: object) -> Word:
        """Return the name *node*, bare or quoted."""
        token = tokens(cast(Tree, node))[0]
        return self.exprs.text(token) if token.type == "STRING" else self.exprs.word(token)

    def maybe_name(self, node: object) -> Word | None:
        """Return the name *node*, if there is one."""
        return self.name(cast(Tree, node)) if isinstance(node, lark.Tree) else None

    def first_name(self, node: Tree | None) -> Word | None:
        """Return the first name in the statement *node*, if there is such a statement."""
        return self.name(trees(node)[0]) if node else None

    def names(self, node: object) -> tuple[Word, ...]:
        """Return the names of the list *node*; none if it is left out."""
        found = cast(Tree, node) if isinstance(node, lark.Tree) else None
        return tuple(self.name(n) for n in trees(found))

    def first_number(self, node: Tree | None) -> Number | None:
        """Return the first number in the statement *node*, if there is such a statement."""
        return self.number(tokens(node)[0]) if node else None

    def maybe_number(self, token: object) -> Number | None:
        """Return the number *token*, if there is one."""
        return self.number(token) if isinstance(token, lark.Token) else None

    def number(self, token: object) -> Number:
        """Return the number *token* in base units; 1 after reporting one that means nothing."""
        found = cast(lark.Token, token)
        span = self.span(found)
        try:
            return Number(_quantity(found.type, str(found)), span)
        except literals.LiteralFault as fault:
            self.problems.add("S109", span, str(fault), "here", fault.help)
            return Number(1, span)

    def said(self, nodes: Sequence[Tree]) -> tuple[Said, ...]:
        """Return the settings of a stage or a plugin; a second one of the same name is an error."""
        found: dict[str, Said] = {}
        for node in nodes:
            setting = self._setting(node)
            first = found.setdefault(setting.name.text, setting)
            if first is not setting:
                self.twice(setting.span, first.span)
        return tuple(found.values())

    def _setting(self, node: Tree) -> Said:
        name, value, *unit = cast(list[lark.Token | None], node.children)
        assert name is not None
        assert value is not None
        return self.one_said(name, value, self.span(node), tokens=any(unit))

    def one_said(
        self, name: lark.Token, value: lark.Token, span: Span | None, *, tokens: bool = False
    ) -> Said:
        """Return the setting *name* with that value, at *span* or where the value stands."""
        word, span, text = self.word(name), span or self.span(value), str(value)
        if value.type == "STRING":
            return Said(word, "string", self.text(value).text, span)
        if value.type == "IDENT":
            return Said(word, "word", text, span)
        number = self.number(value).value
        kind = _SETTING_KINDS.get(value.type, "double" if "." in text else "int")
        if kind == "int":
            kind, number = ("tokens" if tokens else "int"), int(number)
        return Said(word, kind, number, span)


def trees(node: Tree | None) -> list[Tree]:
    """Return the subtrees directly in *node*."""
    return [c for c in node.children if isinstance(c, lark.Tree)] if node else []


def tokens(node: Tree | None) -> list[lark.Token]:
    """Return the tokens directly in *node*."""
    return [c for c in node.children if isinstance(c, lark.Token)] if node else []


def _quantity(terminal: str, text: str) -> float:
    match terminal:
        case "DURATION":
            return literals.duration_s(text)
        case "SIZE":
            return literals.size_bytes(text)
        case "SHARE":
            return literals.ratio(text)
        case "PERCENTILE":
            return literals.double(text[1:]) / 100
        case "NUMBER":
            return literals.double(text)
        case _:
            return literals.integer(text)
