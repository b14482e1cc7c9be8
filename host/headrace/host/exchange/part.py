"""What arrives: the parts of an exchange, in the words of ext_proc, without protobuf.

Parts are msgspec structs, not dataclasses: a frozen dataclass takes ten times as long to
make, and every message makes one.
"""

from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import ClassVar

from msgspec import Struct

from headrace.extensions.headers import Headers
from headrace.extensions.stage import Json


class Direction(Enum):
    """Which way a part travels. The two directions of an exchange run concurrently."""

    REQUEST = "request"
    RESPONSE = "response"

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a Python function


class Kind(Enum):
    """The kinds of part."""

    HEAD = "headers"
    CHUNK = "body"
    TRAILERS = "trailers"

    __hash__ = object.__hash__


class BodyMode(IntEnum):
    """How Envoy sends a body. Numbers as in `ProcessingMode.BodySendMode`; 5 (GRPC) is refused."""

    NONE = 0
    STREAMED = 1
    BUFFERED = 2
    BUFFERED_PARTIAL = 3
    FULL_DUPLEX_STREAMED = 4


class Modes(Struct, frozen=True):
    """The body modes in force: from the first message's `protocol_config`, else configured."""

    request: BodyMode = BodyMode.FULL_DUPLEX_STREAMED
    response: BodyMode = BodyMode.FULL_DUPLEX_STREAMED

    def of(self, direction: Direction) -> BodyMode:
        return self.request if direction is Direction.REQUEST else self.response


class Context(Struct, frozen=True):
    """What may come beside a part: Envoy attributes, and metadata (namespace -> key -> value)."""

    attributes: Mapping[str, Json] = {}
    metadata: Mapping[str, Mapping[str, Json]] = {}


class Head(Struct, frozen=True, gc=False):
    """Request or response headers. *end_of_stream*: no body and no trailers follow."""

    kind: ClassVar[Kind] = Kind.HEAD
    direction: Direction
    headers: Headers
    end_of_stream: bool = False
    context: Context | None = None


class Chunk(Struct, frozen=True, gc=False):
    """A piece of a body, perhaps empty."""

    kind: ClassVar[Kind] = Kind.CHUNK
    direction: Direction
    data: bytes
    end_of_stream: bool = False
    context: Context | None = None

    def __repr__(self) -> str:
        end = ", end" if self.end_of_stream else ""
        return f"Chunk({self.direction.value}, {len(self.data)} bytes{end})"


class Trailers(Struct, frozen=True, gc=False):
    """Trailers: the end of their direction."""

    kind: ClassVar[Kind] = Kind.TRAILERS
    end_of_stream: ClassVar[bool] = True
    direction: Direction
    headers: Headers
    context: Context | None = None


Part = Head | Chunk | Trailers
