"""Which trace an exchange is part of: W3C Trace Context, level 1, the `traceparent` header."""

import re
from dataclasses import dataclass
from random import Random

from xxhash import xxh3_64_intdigest

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
SAMPLED = 0x01


@dataclass(frozen=True, slots=True)
class Parent:
    """The client's span. *sampled*: the client keeps this trace."""

    trace_id: int
    span_id: int
    sampled: bool


def parse(traceparent: str) -> Parent | None:
    """Return the parent that *traceparent* names, None if it is absent or not valid.

    Of a later version than 00 the fields known today count; what follows is ignored.
    """
    match = _TRACEPARENT.fullmatch(traceparent.strip())
    if match is None:
        return None
    version, trace, span, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest is not None):
        return None
    trace_id, span_id = int(trace, 16), int(span, 16)
    if not trace_id or not span_id:
        return None
    return Parent(trace_id, span_id, bool(int(flags, 16) & SAMPLED))


def traceparent(trace_id: int, span_id: int) -> str:
    """Return the header that names a sampled span: the inverse of `parse`."""
    return f"00-{trace_id:032x}-{span_id:016x}-{SAMPLED:02x}"


@dataclass(frozen=True, slots=True)
class Sampler:
    """Keeps what the client keeps; of traces that begin here, *ratio* (0..1).

    As OpenTelemetry's ParentBased with a ratio: by a hash of the request's id, so that a
    replay, and every host that sees the request again, keeps the same ones.
    """

    ratio: float = 1.0

    def keeps(self, parent: Parent | None, request_id: str, ratio: float | None = None) -> bool:
        """Return whether the spans of the exchange *request_id* are kept.

        ratio  what the policy says, which goes before what the operator says
        """
        if parent is not None:
            return parent.sampled
        key = f"trace\0{request_id}".encode("utf-8", "surrogateescape")
        asked = self.ratio if ratio is None else ratio
        return xxh3_64_intdigest(key) < round(asked * (1 << 64))


@dataclass(slots=True)
class Ids:
    """Makes ids of traces and spans. Written from the event loop's thread."""

    chance: Random

    def trace(self) -> int:
        """Return a new trace id, never 0."""
        return self.chance.getrandbits(128) or 1

    def span(self) -> int:
        """Return a new span id, never 0."""
        return self.chance.getrandbits(64) or 1
