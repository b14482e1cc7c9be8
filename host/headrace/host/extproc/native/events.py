"""What a Connection tells of what it received, in order."""

from typing import NamedTuple

from headrace.host.extproc.native.faults import Refusal
from headrace.host.extproc.native.fields import RequestHead
from headrace.host.extproc.native.frames import ErrorCode
from headrace.host.extproc.native.stream import Stream


class Opened(NamedTuple):
    """A stream began."""

    stream: Stream
    head: RequestHead


class Data(NamedTuple):
    """A DATA frame came, with some content."""

    stream: Stream
    payload: bytes


class Ended(NamedTuple):
    """The peer sends no more on this stream."""

    stream: Stream


class Reset(NamedTuple):
    """The stream is dead, by the peer's will or for its fault."""

    stream: Stream


class Refused(NamedTuple):
    """A limit was hit."""

    kind: Refusal


class Closed(NamedTuple):
    """The connection is over: what is left to send is the GOAWAY. Always the last event."""

    code: ErrorCode
    text: str


Event = Opened | Data | Ended | Reset | Refused | Closed
