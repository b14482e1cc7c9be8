"""Parts of checked expressions: which are the same, and what they read."""

from collections.abc import Iterator

from headrace.dsl.cel.kinds import Base
from headrace.dsl.cel.typed import Op, Typed, Variable


def key(typed: Typed) -> str:
    """Return a text that is the same for parts that always have the same value."""
    match typed.op:
        case Op.READ:
            assert isinstance(typed.value, Variable)
            return typed.value.name
        case Op.CONST:
            value = typed.value
            shown = value + 0.0 if isinstance(value, float) else value  # -0.0 is 0.0
            return f"{typed.type.base.value} {shown!r}"
        case _:
            inner = ", ".join(key(arg) for arg in typed.args)
            return f"{typed.op.name} {typed.value!r}({inner})"


def parts(typed: Typed) -> Iterator[Typed]:
    """Yield *typed* and everything in it, from the outside in."""
    yield typed
    for arg in typed.args:
        yield from parts(arg)


def variables(typed: Typed) -> dict[str, Variable]:
    """Return what *typed* reads, by name."""
    reads = (p.value for p in parts(typed) if p.op is Op.READ)
    return {v.name: v for v in reads if isinstance(v, Variable)}


def subjects(typed: Typed) -> frozenset[str]:
    """Return what *typed* is about: the names it reads, of headers and labels each one."""
    if typed.op is Op.CALL and typed.value in ("header", "cookie"):
        return frozenset({key(typed)})
    if typed.op is Op.READ:
        return frozenset({key(typed)})
    return frozenset[str]().union(*(subjects(arg) for arg in typed.args))


def measured(typed: Typed) -> bool:
    """Return whether *typed* has an interval: it is a number or a duration."""
    return typed.type.numeric or typed.type.base is Base.DURATION


def whole(typed: Typed) -> bool:
    """Return whether *typed* is an int."""
    return typed.type.base is Base.INT


def conjuncts(typed: Typed) -> list[Typed]:
    """Return what all has to hold for *typed* to hold."""
    if typed.op is not Op.AND:
        return [typed]
    return [part for arg in typed.args for part in conjuncts(arg)]
