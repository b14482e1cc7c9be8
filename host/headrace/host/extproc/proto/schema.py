"""The descriptors of every message that we speak, as `generate.py` wrote them."""

from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet


def files() -> list[FileDescriptorProto]:
    """Return the files of `schema.binpb`, each after those that it imports."""
    schema = Path(__file__).with_name("schema.binpb").read_bytes()
    return list(FileDescriptorSet.FromString(schema).file)
