"""Any record as span attributes: what a stage decided, without knowing the stage."""

import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, cast

import msgspec

Attribute = str | bool | int | float | Sequence[str] | Sequence[int] | Sequence[float]
Attributes = dict[str, Attribute]

TEXT_CHARS_MAX = 1024
ITEMS_MAX = 256
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ENCODER = msgspec.json.Encoder(enc_hook=str)


def kind_of(record: object) -> str:
    """Return the word for the kind of *record*, e.g. ``shed_record``."""
    return _WORD.sub("_", type(record).__name__).lower()


def describe(record: object) -> Attributes:
    """Return the fields of *record* as attributes, nested ones joined by dots.

    Of a record with `as_json` that. Of any other what its `repr` shows, for what that hides
    is large or holds a prompt: a dataclass's fields save those with ``repr=False``, and the
    fields of a struct that has no `repr` of its own. Nothing else is looked into.
    """
    found: Attributes = {}
    for name, value in plain(record).items():
        flatten(name, value, found)
    return found


def plain(record: object) -> dict[str, object]:
    """Return *record* as a JSON object; empty if it is of no known shape."""
    # Any: looked up by name, since a check against a protocol takes longer than all the rest.
    tell: Any = getattr(record, "as_json", None)
    if callable(tell):
        return cast("dict[str, object]", tell())
    if is_dataclass(record) and not isinstance(record, type):
        return {f.name: _plain_value(getattr(record, f.name)) for f in fields(record) if f.repr}
    if isinstance(record, msgspec.Struct) and type(record).__repr__ is msgspec.Struct.__repr__:
        return {n: _plain_value(getattr(record, n)) for n in record.__struct_fields__}
    return {}


def flatten(name: str, value: object, into: Attributes) -> None:
    """Put *value* under *name* *into* attributes; null and what is empty is left out."""
    if isinstance(value, str):
        if value:
            into[name] = text(value)
    elif isinstance(value, (bool, int, float)):
        into[name] = value
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            flatten(f"{name}.{key}", inner, into)
    elif isinstance(value, (list, tuple)) and value:
        into[name] = sequence(cast("Sequence[object]", value))


def sequence(values: Sequence[object]) -> Sequence[str] | Sequence[int] | Sequence[float]:
    """Return *values* as one attribute: as they are if all are of one plain type, else as JSON."""
    shown = values[:ITEMS_MAX]
    for kind in (int, float):
        if all(type(value) is kind for value in shown):
            return cast("list[int] | list[float]", list(shown))
    return [v if isinstance(v, str) else as_text(v) for v in shown]


def as_text(value: object) -> str:
    """Return *value* as compact JSON."""
    return _ENCODER.encode(value).decode()


def text(value: str) -> str:
    """Return *value* cut to a bound, and without bytes that are no text."""
    if len(value) > TEXT_CHARS_MAX:
        value = f"{value[:TEXT_CHARS_MAX]}..."
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def _plain_value(value: object) -> object:
    if isinstance(value, Enum):
        return cast(object, value.value)
    if isinstance(value, msgspec.Struct) or (is_dataclass(value) and not isinstance(value, type)):
        return plain(value) or type(value).__name__
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value).items()
        return {str(key): _plain_value(inner) for key, inner in pairs}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain_value(inner) for inner in cast("list[object]", value)]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return type(value).__name__  # what it holds is not ours to tell
