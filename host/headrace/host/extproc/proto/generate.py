"""Writes `schema.binpb` and `messages.pyi` from the `.proto` files: ``make protos``.

Needs the development dependencies grpcio-tools and ruff.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorSet,
)

HERE = Path(__file__).parent
SCHEMA = HERE / "schema.binpb"
TYPES = HERE / "messages.pyi"

F = FieldDescriptorProto
SCALARS = {
    F.TYPE_BOOL: "bool",
    F.TYPE_BYTES: "bytes",
    F.TYPE_DOUBLE: "float",
    F.TYPE_ENUM: "int",
    F.TYPE_FLOAT: "float",
    F.TYPE_INT32: "int",
    F.TYPE_INT64: "int",
    F.TYPE_STRING: "str",
    F.TYPE_UINT32: "int",
    F.TYPE_UINT64: "int",
}
HEAD = '''"""The types of `messages.py`. Written by generate.py; run ``make protos``."""

from collections.abc import Iterable, Mapping

from google.protobuf.internal.containers import (
    MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer,
)
from google.protobuf.message import Message

'''


def schema() -> bytes:
    """Return the serialized descriptors of our `.proto` files and of all they import."""
    tools = find_spec("grpc_tools")
    if tools is None or tools.origin is None:
        raise SystemExit("grpcio-tools is missing: install the `dev` extra")
    well_known = Path(tools.origin).parent / "_proto"
    sources = sorted(p.name for p in HERE.glob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "schema.binpb"
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{HERE}", f"-I{well_known}"]
        command += ["--include_imports", f"--descriptor_set_out={out}", *sources]
        subprocess.run(command, check=True)  # noqa: S603 - our own tool on our own files
        return out.read_bytes()


def types(descriptors: bytes) -> str:
    """Return the source of `messages.pyi` for *descriptors*."""
    messages = [m for f in FileDescriptorSet.FromString(descriptors).file for m in f.message_type]
    used = {_name(f) for m in messages for f in m.field}
    lines: list[str] = []
    for message in messages:  # of Google's wrappers, only those that we use
        if not message.name.endswith("Value") or message.name in used:
            lines += _message(message, "")
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TYPES), "-"]
    text = HEAD + "\n".join(lines)
    done = subprocess.run(  # noqa: S603 - our own tool on our own text
        command, input=text, text=True, capture_output=True, check=True
    )
    return done.stdout


def _message(message: DescriptorProto, indent: str) -> Iterator[str]:
    yield f"{indent}class {message.name}(Message):"
    inner = indent + "    "
    maps = {n.name: n for n in message.nested_type if n.options.map_entry}
    for nested in message.nested_type:
        if nested.name not in maps:
            yield from _message(nested, inner)
    given: list[str] = []
    for field in message.field:
        kept, taken = _types(field, maps)
        repeated = field.label == F.LABEL_REPEATED or field.type == F.TYPE_MESSAGE
        if repeated:  # upb lets nobody assign these
            yield f"{inner}@property"
            yield f"{inner}def {field.name}(self) -> {kept}: ..."
        else:
            yield f"{inner}{field.name}: {kept}"
        given.append(f"{field.name}: {taken} = ...")
    arguments = ["self", "*", *given] if given else ["self"]
    yield f"{inner}def __init__({', '.join(arguments)}) -> None: ..."


def _types(field: FieldDescriptorProto, maps: dict[str, DescriptorProto]) -> tuple[str, str]:
    """Return the type to read a field and the type to give it to the constructor."""
    own = _name(field)
    if own in maps:
        key, value = (_name(f) for f in maps[own].field)
        return f"MessageMap[{key}, {value}]", f"Mapping[{key}, {value}] | None"
    if field.label == F.LABEL_REPEATED:
        kind = "Composite" if field.type == F.TYPE_MESSAGE else "Scalar"
        return f"Repeated{kind}FieldContainer[{own}]", f"Iterable[{own}] | None"
    return own, f"{own} | None"


def _name(field: FieldDescriptorProto) -> str:
    if field.type == F.TYPE_MESSAGE:
        return field.type_name.rpartition(".")[2]
    return SCALARS[field.type]


def main() -> None:
    """Write both files."""
    descriptors = schema()
    SCHEMA.write_bytes(descriptors)
    TYPES.write_text(types(descriptors))


if __name__ == "__main__":
    main()
