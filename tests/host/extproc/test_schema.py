"""The vendored `.proto` files, what is generated from them, and Envoy's own."""

import mmap
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.message import DecodeError

from headrace.host.extproc.proto import generate
from headrace.host.extproc.proto import messages as pb

ENVOY_FILES = {
    "base.proto": "envoy/config/core/v3/base.proto",
    "http_status.proto": "envoy/type/v3/http_status.proto",
    "processing_mode.proto": "envoy/extensions/filters/http/ext_proc/v3/processing_mode.proto",
    "external_processor.proto": "envoy/service/ext_proc/v3/external_processor.proto",
}
VARINTS = {FieldDescriptorProto.TYPE_ENUM, FieldDescriptorProto.TYPE_INT32}


def test_the_committed_schema_and_types_are_what_the_proto_files_generate() -> None:
    fresh = generate.schema()

    assert generate.SCHEMA.read_bytes() == fresh, "run `make protos`"
    assert generate.TYPES.read_text() == generate.types(fresh), "run `make protos`"


def test_every_typed_message_exists_with_its_fields_and_no_other_does() -> None:
    text = generate.TYPES.read_text()
    typed = set(re.findall(r"^class (\w+)\(Message\)", text, re.MULTILINE))
    exported = {name for name, value in vars(pb).items() if hasattr(value, "DESCRIPTOR")}

    assert typed == exported - {"Message", "FileDescriptorSet"}


def test_messages_live_in_a_pool_of_their_own() -> None:
    from google.protobuf import struct_pb2

    assert pb.Struct is not struct_pb2.Struct
    assert pb.Struct.DESCRIPTOR.full_name == "google.protobuf.Struct"


@pytest.mark.parametrize("ours", ENVOY_FILES)
def test_every_field_has_the_number_and_type_that_envoy_gives_it(ours: str) -> None:
    files = FileDescriptorSet.FromString(generate.SCHEMA.read_bytes()).file
    mine = next(f for f in files if f.name == ours)
    envoys = _carve(ENVOY_FILES[ours])
    known = dict(_fields(envoys.message_type, envoys.package))

    assert mine.package == envoys.package
    for name, field in _fields(mine.message_type, mine.package):
        theirs = known[name]
        assert (field.number, field.label) == (theirs.number, theirs.label), name
        assert field.type == theirs.type or {field.type, theirs.type} == VARINTS, name
        if field.type == theirs.type:
            assert field.type_name == theirs.type_name, name


def _fields(
    messages: Any, scope: str
) -> Iterator[tuple[str, FieldDescriptorProto]]:  # a repeated field has no type to name
    message: DescriptorProto
    for message in messages:
        name = f"{scope}.{message.name}"
        yield from ((f"{name}.{field.name}", field) for field in message.field)
        yield from _fields(message.nested_type, name)


def _carve(name: str) -> FileDescriptorProto:
    """Return the descriptor of the file *name* that is embedded in the Envoy binary."""
    found = import_module("envoy").__file__
    assert found is not None
    start = b"\x0a" + bytes([len(name)]) + name.encode()
    with (
        (Path(found).parent / "_bin" / "envoy").open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as binary,
    ):
        at = binary.find(start)
        while at >= 0:
            descriptor = _parse(binary[at : at + 200_000])
            if descriptor.message_type:
                return descriptor
            at = binary.find(start, at + 1)
    raise AssertionError(f"`{name}` is not in the Envoy binary")


def _parse(data: bytes) -> FileDescriptorProto:
    """Parse a descriptor whose length is unknown: up to the last field that makes sense."""
    end = 0
    while end < len(data):
        tag, at = _varint(data, end)
        number, kind = tag >> 3, tag & 7
        if number not in range(1, 15) or kind not in (0, 2) or (number == 1 and end):
            break
        size, at = _varint(data, at)
        end = at + (size if kind == 2 else 0)
    try:
        return FileDescriptorProto.FromString(data[:end])
    except DecodeError:
        return FileDescriptorProto()


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while data[at] >= 0x80:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
    return value | data[at] << shift, at + 1
