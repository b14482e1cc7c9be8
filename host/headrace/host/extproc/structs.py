"""Google's `Struct` to plain JSON values and back."""

from collections.abc import Mapping
from typing import cast

from headrace.extensions.stage import Json
from headrace.host.exchange.reply import Metadata
from headrace.host.extproc.proto import messages as pb


def plain(struct: pb.Struct) -> dict[str, Json]:
    """Return *struct* as a dict."""
    fields = struct.fields
    return {key: _plain(fields[key]) for key in fields}


def fill(struct: pb.Struct, values: Mapping[str, Json]) -> None:
    """Add *values* to *struct*: the inverse of `plain`, except that numbers become floats."""
    fields = struct.fields
    for key, value in values.items():
        _fill(fields[key], value)


def fill_metadata(struct: pb.Struct, metadata: Metadata) -> None:
    """Add *metadata* to *struct*: one Struct per namespace."""
    for namespace, values in metadata.items():
        inner = struct.fields[namespace].struct_value
        inner.SetInParent()
        fill(inner, values)


def _plain(value: pb.Value) -> Json:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "number_value":
        return value.number_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "struct_value":
        return plain(value.struct_value)
    if kind == "list_value":
        return [_plain(v) for v in value.list_value.values]
    return None


def _fill(slot: pb.Value, value: Json) -> None:
    match value:
        case str():
            slot.string_value = value
        case bool():
            slot.bool_value = value
        case int() | float():
            slot.number_value = value
        case None:
            slot.null_value = 0
        case Mapping():
            slot.struct_value.SetInParent()
            fill(slot.struct_value, cast(Mapping[str, Json], value))
        case list() | tuple():
            slot.list_value.SetInParent()
            for item in cast(list[Json], value):
                _fill(slot.list_value.values.add(), item)
        case _:
            raise TypeError(f"`{type(value).__name__}` is no JSON value")
