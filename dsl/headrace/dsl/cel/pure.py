"""The plain CEL of an expression, for use elsewhere: what policies add is spelled out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headrace.dsl.syntax.tree import (
    Binary,
    Call,
    Expr,
    Index,
    ListOf,
    Literal,
    MapOf,
    Name,
    Select,
    Ternary,
    Unary,
)

_TERNARY, _OR, _AND, _RELATION, _SUM, _PRODUCT, _UNARY, _MEMBER = range(8)
_LEVELS = {"||": _OR, "&&": _AND, "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "%": _PRODUCT}
_COOKIE = (
    '(("cookie" in request.headers ? request.headers["cookie"] : "").split(";")'
    '.map(c, c.trim()).filter(c, c.startsWith({0} + "=") && {0} != "")'
    '.map(c, c.substring(({0} + "=").size()).trim()) + [""])[0]'
)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def pure_cel(expr: Expr, lets: Mapping[str, Expr] | None = None) -> str:
    """Return *expr* in plain CEL: percents, durations and sizes written out, *lets* put in.

    `request.header(x)` and `request.cookie(x)` become look-ups in `request.headers`, and
    `endpoint.metric(x)` an optional one in `endpoint.metrics`; `request.uncached_tokens(endpoint)`
    is a field of it.
    """
    return _Writer(lets or {}).write(expr, _TERNARY)


@dataclass(frozen=True, slots=True)
class _Writer:
    lets: Mapping[str, Expr]

    def write(self, expr: Expr, level: int) -> str:
        """Return *expr* as text, in parentheses if it binds less than *level* asks for."""
        text, own = self._text(expr)
        return text if own >= level else f"({text})"

    def _text(self, expr: Expr) -> tuple[str, int]:
        match expr:
            case Literal():
                return literal(expr)
            case Name():
                return self._name(expr)
            case Select():
                mark = "?" if expr.optional else ""
                member = f"`{expr.member.text}`" if expr.quoted else expr.member.text
                return f"{self.write(expr.of, _MEMBER)}.{mark}{member}", _MEMBER
            case Index():
                mark, at = "?" if expr.optional else "", self.write(expr.at, _TERNARY)
                return f"{self.write(expr.of, _MEMBER)}[{mark}{at}]", _MEMBER
            case Call():
                return self._call(expr), _MEMBER
            case Unary():
                return f"{expr.op}{self.write(expr.arg, _UNARY)}", _UNARY
            case Binary():
                return self._binary(expr)
            case Ternary():
                test, yes = self.write(expr.test, _OR), self.write(expr.yes, _OR)
                return f"{test} ? {yes} : {self.write(expr.no, _TERNARY)}", _TERNARY
            case ListOf():
                marks = ["?" if i in expr.optional else "" for i in range(len(expr.items))]
                items = zip(marks, self._all(expr.items), strict=True)
                return f"[{', '.join(mark + item for mark, item in items)}]", _MEMBER
            case MapOf():
                return f"{{{', '.join(self._entries(expr))}}}", _MEMBER

    def _all(self, parts: Sequence[Expr]) -> list[str]:
        return [self.write(part, _TERNARY) for part in parts]

    def _entries(self, expr: MapOf) -> list[str]:
        rows: list[str] = []
        for i, (key, value) in enumerate(expr.entries):
            mark = "?" if i in expr.optional else ""
            rows.append(f"{mark}{self.write(key, _TERNARY)}: {self.write(value, _TERNARY)}")
        return rows

    def _name(self, expr: Name) -> tuple[str, int]:
        if expr.text in self.lets and not expr.rooted:
            return self._text(self.lets[expr.text])
        return f"{'.' if expr.rooted else ''}{expr.text}", _MEMBER

    def _binary(self, expr: Binary) -> tuple[str, int]:
        op = expr.op.text
        level = _LEVELS.get(op, _RELATION)
        associative = level in (_OR, _AND)
        left = self.write(expr.left, level)
        right = self.write(expr.right, level if associative else level + 1)
        return f"{left} {op} {right}", level

    def _call(self, expr: Call) -> str:
        args = self._all(expr.args)
        name = expr.name.text
        if expr.of is None:
            return f"{'.' if expr.rooted else ''}{name}({', '.join(args)})"
        of = self.write(expr.of, _MEMBER)
        known = isinstance(expr.of, Name) and len(args) == 1
        if known and (of, name) in (("request", "header"), ("response", "header")):
            constant = isinstance(expr.args[0], Literal)
            key = (
                args[0].lower() if constant else f"{self.write(expr.args[0], _MEMBER)}.lowerAscii()"
            )
            return f'({key} in {of}.headers ? {of}.headers[{key}] : "")'
        if known and (of, name) == ("request", "cookie"):
            return _COOKIE.format(args[0])
        if known and (of, name) == ("endpoint", "metric"):
            return f"endpoint.metrics[?{args[0]}]"
        if known and (of, name, args[0]) == ("request", "uncached_tokens", "endpoint"):
            return "endpoint.uncached_tokens"
        return f"{of}.{name}({', '.join(args)})"


def literal(expr: Literal) -> tuple[str, int]:
    """Return a constant in plain CEL, and how tightly its text binds."""
    value = expr.value
    match expr.kind, value:
        case "null", _:
            return "null", _MEMBER
        case "bool", _:
            return "true" if value else "false", _MEMBER
        case "octets", bytes():
            return _octets(value), _MEMBER
        case "string", str():
            return _string(value), _MEMBER
        case "duration", float():
            return f'duration("{_seconds(value)}s")', _MEMBER
        case "uint", int():
            return f"{value}u", _MEMBER
        case _, float():
            assert math.isfinite(value)
            return repr(value), _UNARY if value < 0 else _MEMBER
        case _:
            assert isinstance(value, int), value
            return str(value), _UNARY if value < 0 else _MEMBER


def _seconds(value: float) -> str:
    return f"{value:.9f}".rstrip("0").removesuffix(".")


def _string(value: str) -> str:
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _octets(value: bytes) -> str:
    plain = (chr(b) if 32 <= b < 127 and b not in b'\\"' else f"\\x{b:02x}" for b in value)
    return f'b"{"".join(plain)}"'
