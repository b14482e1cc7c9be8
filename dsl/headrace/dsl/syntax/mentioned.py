"""Which bare names a piece of a policy has in it."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from headrace.dsl.syntax import choosing, tree
from headrace.dsl.syntax import declarations as said
from headrace.dsl.syntax.tree import Written

_HERE = frozenset({said.__name__, choosing.__name__})


def mentioned(declaration: said.Declaration) -> frozenset[str]:
    """Return the names by which *declaration* may mean a named expression.

    Those that it requires, prefers or weighs, those in its expressions, and the one that it
    overrides.
    """
    if isinstance(declaration, said.Override):
        block = declaration.block
        own = {block.name.text} if isinstance(block, said.RuleBlock) else set[str]()
        return frozenset(_names(block)) | own
    return frozenset(_names(declaration))


def _names(part: object) -> Iterator[str]:
    match part:
        case Written():
            yield from names_in(part)
        case choosing.Names():
            yield from (word.text for word in part.words)
        case choosing.Weighted():
            yield part.rule.text
        case tuple():
            for one in part:  # pyright: ignore[reportUnknownVariableType] - of whatever kinds
                yield from _names(one)  # pyright: ignore[reportUnknownArgumentType]
        case _ if is_dataclass(part) and type(part).__module__ in _HERE:
            for field in fields(part):
                yield from _names(getattr(part, field.name))
        case _:
            pass


def names_in(written: Written) -> set[str]:
    """Return the bare names in *written*."""
    found: set[str] = set()
    left: list[object] = [written.expr]
    while left:
        match left.pop():
            case tree.Name(text=text):
                found.add(text)
            case tree.Select(of=of):
                left.append(of)
            case tree.Index(of=of, at=at):
                left += [of, at]
            case tree.Call(of=of, args=args):
                left += [of, *args]
            case tree.Unary(arg=arg):
                left.append(arg)
            case tree.Binary(left=a, right=b):
                left += [a, b]
            case tree.Ternary(test=test, yes=yes, no=no):
                left += [test, yes, no]
            case tree.ListOf(items=items):
                left += items
            case tree.MapOf(entries=entries):
                left += [part for entry in entries for part in entry]
            case _:
                pass
    return found
