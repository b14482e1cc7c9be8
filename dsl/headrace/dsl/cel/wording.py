"""`format`: values put into a text by %s, %d, %f, %e, %x, %X, %o and %b."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import cast

from headrace.dsl.cel import calendar, convert
from headrace.dsl.cel.kinds import Base
from headrace.dsl.cel.values import TEXT_MAX, Duration, Fault, Timestamp, TypeName, base_of, key_out

_CLAUSE = re.compile(r"%(?:(%)|(?:\.([0-9]+))?(.)|$)", re.DOTALL)
_PRECISION_MAX = 100
_NUMBERS = (Base.INT, Base.UINT, Base.DOUBLE)


def formatted(text: str, values: Sequence[object]) -> str:
    """Return *text* with its clauses replaced by *values*, in their order."""
    parts: list[str] = []
    at, used, length = 0, 0, 0
    for found in _CLAUSE.finditer(text):
        parts.append(text[at : found.start()])
        at = found.end()
        if found[1]:
            parts.append("%")
            continue
        if found[3] is None or used >= len(values):
            raise Fault("range", "`format` has more clauses than values")
        parts.append(_clause(found[3], found[2], values[used]))
        used += 1
        length += len(parts[-1])
        if length > TEXT_MAX:
            raise Fault("range", "the text grows too long")
    return "".join([*parts, text[at:]])


def _clause(verb: str, digits: str | None, value: object) -> str:
    precision = 6 if digits is None else int(digits)
    if precision > _PRECISION_MAX:
        raise Fault("range", "a precision is at most 100")
    match verb:
        case "s":
            return shown(value)
        case "d":
            return _decimal(value)
        case "f" | "e":
            return _floating(value, verb, precision)
        case "x" | "X" | "o" | "b":
            return _digits(value, verb)
        case _:
            raise Fault("type", "`format` has no such clause")


def _wrong() -> Fault:
    return Fault("type", "no such overload: the clause is not for this type")


def _decimal(value: object) -> str:
    match base_of(value):
        case Base.INT | Base.UINT:
            return str(int(cast(int, value)))
        case Base.DOUBLE:
            return _double(cast(float, value))
        case _:
            raise _wrong()


def _double(value: float) -> str:
    if math.isfinite(value):
        return convert.text_of_double(value)
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _floating(value: object, verb: str, precision: int) -> str:
    if base_of(value) not in _NUMBERS:
        raise _wrong()
    number = float(cast(float, value))
    if not math.isfinite(number):
        return _double(number)
    return f"{number:.{precision}{verb}}"


def _digits(value: object, verb: str) -> str:
    base = base_of(value)
    if base is Base.BOOL and verb == "b":
        return str(int(cast(bool, value)))
    if base in (Base.INT, Base.UINT):
        return format(int(cast(int, value)), verb)
    if verb not in "xX" or base not in (Base.STRING, Base.OCTETS):
        raise _wrong()
    data = value if isinstance(value, bytes) else convert.octets_of_text(str(value))
    return data.hex() if verb == "x" else data.hex().upper()


def shown(value: object) -> str:
    """Return *value* as `%s` shows it."""
    match base_of(value):
        case Base.STRING:
            return cast(str, value)
        case Base.BOOL:
            return convert.text_of_bool(cast(bool, value))
        case Base.INT | Base.UINT | Base.DOUBLE:
            return _decimal(value)
        case Base.OCTETS:
            return convert.text_of_octets(cast(bytes, value))
        case Base.NULL:
            return "null"
        case Base.TYPE:
            return cast(TypeName, value).name
        case Base.TIMESTAMP:
            return calendar.timestamp_text(cast(Timestamp, value))
        case Base.DURATION:
            return calendar.duration_text(cast(Duration, value))
        case Base.LIST:
            return f"[{', '.join(shown(item) for item in cast(Sequence[object], value))}]"
        case Base.MAP:
            entries = cast(Mapping[object, object], value).items()
            rows = sorted((shown(key_out(key)), shown(item)) for key, item in entries)
            return f"{{{', '.join(f'{key}: {item}' for key, item in rows)}}}"
        case _:
            raise _wrong()
