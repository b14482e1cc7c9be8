"""How values are written on a page: in the units of the language."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import cast

from headrace.dsl.cel.kinds import Base, Type, Unit
from headrace.dsl.cel.values import Duration, Optional, Timestamp
from headrace.dsl.program import RuleFault

ITEMS_MAX = 4
CHARS_MAX = 48


def shown(value: object, type_: Type) -> str:
    """Return *value* as one would write it in a policy, short and on one line."""
    text = _shown(value, type_)
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= CHARS_MAX else f"{text[: CHARS_MAX - 3]}..."


def fault_words(fault: RuleFault) -> str:
    """Return what went wrong, in words."""
    return f"error: {fault.kind.replace('-', ' ')}"


def _shown(value: object, type_: Type) -> str:
    match value:
        case RuleFault():
            return fault_words(value)
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case float() if type_.base is Base.DURATION:
            return seconds(value)
        case float() if type_.unit is Unit.RATIO:
            return f"{value * 100:.4g}%"
        case float():
            return number(value)
        case str():
            return f'"{value}"'
        case Mapping():
            return f"a map of {len(cast(Mapping[object, object], value))}"
        case Sequence() if not isinstance(value, bytes):
            return _listed(cast(Sequence[object], value), type_)
        case Optional():
            item = type_.item or type_
            return _shown(value.value, item) if value.present else "nothing"
        case Duration():
            return seconds(value.nanos / 1e9)
        case Timestamp() | Enum():
            return str(value)
        case _:
            return str(value)


def _listed(values: Sequence[object], type_: Type) -> str:
    item = type_.item or type_
    parts = [_shown(value, item) for value in values[:ITEMS_MAX]]
    if len(values) > ITEMS_MAX:
        parts.append(f"{len(values) - ITEMS_MAX} more")
    return f"[{', '.join(parts)}]"


def number(value: float) -> str:
    """Return a number that is no ratio, with a point so that it is seen to be no count."""
    text = f"{value:.4g}"
    return text if set(text) & set(".einf") else f"{text}.0"


def seconds(value: float) -> str:
    """Return a duration in the unit that suits it."""
    if value == float("inf"):
        return "∞"
    if value and abs(value) < 1:
        return f"{value * 1000:.4g}ms"
    return f"{value:.4g}s"
