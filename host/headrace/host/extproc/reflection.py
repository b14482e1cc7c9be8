"""gRPC server reflection: which services are here, and of which messages. Off unless asked for.

Knows no transport: each asks `answer`. Both names of the service have the same messages.
Source: gRPC's `reflection.proto`, v1 and v1alpha.
"""

from collections.abc import Iterable, Iterator, Sequence

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import DecodeError

from headrace.host.extproc.proto import messages as pb
from headrace.host.extproc.proto.schema import files

SERVICES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
METHOD = "ServerReflectionInfo"
REQUEST_BYTES_MAX = 4096  # it has nothing but a name
QUESTIONS_MAX = 1000  # of one stream; a tool that reads all there is asks some fifty
STREAMS_MAX = 16
UNREAD_BYTES_MAX = 1 << 20  # of answers to one stream: a question of ten bytes gets thousands

_NOT_FOUND, _INVALID_ARGUMENT = 5, 3


class ReflectionFault(Exception):
    """A question that ends its stream with the gRPC status *code*."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Reflection:
    """What is told of *services*, and of all that their files speak of. Immutable."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = sorted({*services, *SERVICES})
        described = files()
        self._files = {file.name: file for file in described}
        self._homes = {name: file for file in described for name in _names(file)}
        self._messages = {
            name for file in described for name in _nested(file.package, file.message_type)
        }

    def answer(self, message: bytes) -> bytes:
        """Return the answer to *message*, a ServerReflectionRequest, as a serialized response.

        Raises:
            ReflectionFault: it is none.
        """
        try:
            asked = pb.ServerReflectionRequest.FromString(message)
        except DecodeError:
            raise ReflectionFault("INVALID_ARGUMENT", "no `ServerReflectionRequest`") from None
        out = pb.ServerReflectionResponse(valid_host=asked.host, original_request=asked)
        match asked.WhichOneof("message_request"):
            case "list_services":
                for name in self._services:
                    out.list_services_response.service.add(name=name)
            case "file_by_filename":
                self._tell(out, self._files.get(asked.file_by_filename))
            case "file_containing_symbol":
                self._tell(out, self._homes.get(asked.file_containing_symbol.removeprefix(".")))
            case "all_extension_numbers_of_type":
                self._extensions(out, asked.all_extension_numbers_of_type.removeprefix("."))
            case "file_containing_extension":
                _refuse(out, _NOT_FOUND, "nothing here is extended")
            case _:
                _refuse(out, _INVALID_ARGUMENT, "nothing that we know was asked")
        return out.SerializeToString()

    def _tell(self, out: pb.ServerReflectionResponse, file: FileDescriptorProto | None) -> None:
        if file is None:
            _refuse(out, _NOT_FOUND, "no such file or name")
            return
        told = dict.fromkeys(self._with_imports(file))
        pieces = [self._files[name].SerializeToString() for name in told]
        out.file_descriptor_response.file_descriptor_proto.extend(pieces)

    def _with_imports(self, file: FileDescriptorProto) -> Iterator[str]:
        yield file.name
        for name in file.dependency:
            yield from self._with_imports(self._files[name])

    def _extensions(self, out: pb.ServerReflectionResponse, name: str) -> None:
        if name in self._messages:
            out.all_extension_numbers_response.base_type_name = name
        else:
            _refuse(out, _NOT_FOUND, "no such message")


def _refuse(out: pb.ServerReflectionResponse, code: int, text: str) -> None:
    out.error_response.error_code = code
    out.error_response.error_message = text


def _names(file: FileDescriptorProto) -> Iterator[str]:
    """Yield the full name of all that *file* defines."""
    yield from _in_messages(file.package, file.message_type)
    yield from _in_enums(file.package, file.enum_type)
    for service in file.service:
        name = f"{file.package}.{service.name}"
        yield name
        yield from (f"{name}.{method.name}" for method in service.method)


def _in_messages(scope: str, messages: Sequence[DescriptorProto]) -> Iterator[str]:
    for message in messages:
        name = f"{scope}.{message.name}"
        yield name
        yield from (f"{name}.{field.name}" for field in message.field)
        yield from (f"{name}.{oneof.name}" for oneof in message.oneof_decl)
        yield from _in_enums(name, message.enum_type)
        yield from _in_messages(name, message.nested_type)


def _in_enums(scope: str, enums: Sequence[EnumDescriptorProto]) -> Iterator[str]:
    for enum in enums:
        yield f"{scope}.{enum.name}"
        yield from (f"{scope}.{value.name}" for value in enum.value)  # siblings of their enum


def _nested(scope: str, messages: Sequence[DescriptorProto]) -> Iterator[str]:
    for message in messages:
        name = f"{scope}.{message.name}"
        yield name
        yield from _nested(name, message.nested_type)
