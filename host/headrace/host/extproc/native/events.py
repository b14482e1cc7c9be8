"""What a Connection tells of what it received, in order.

Structs, for the reason given in `host/exchange/part`: every read makes some.
"""

from msgspec import Struct

from headrace.host.extproc.native.faults import Refusal
from headrace.host.extproc.native.fields import RequestHead
from headrace.host.extproc.native.frames import ErrorCode
from headrace.host.extproc.native.stream import Stream


class Opened(Struct, frozen=True, gc=False):
    """A stream began."""

    stream: Stream
    head: RequestHead


class Data(Struct, frozen=True, gc=False):
    """A DATA frame came, with some content."""

    stream: Stream
    payload: bytes


class Ended(Struct, frozen=True, gc=False):
    """The peer sends no more on this stream."""

    stream: Stream


class Reset(Struct, frozen=True, gc=False):
    """The stream is dead, by the peer's will or for its fault."""

    stream: Stream


class Refused(Struct, frozen=True, gc=False):
    """A limit was hit."""

    kind: Refusal


class Closed(Struct, frozen=True, gc=False):
    """The connection is over: what is left to send is the GOAWAY. Always the last event."""

    code: ErrorCode
    text: str


Event = Opened | Data | Ended | Reset | Refused | Closed
