"""Which part may follow which, per direction. The table is the documentation.

A direction may begin with any part, because Envoy skips headers and bodies that it is
configured not to send. The two directions know nothing of each other.
"""

from enum import Enum

from msgspec import Struct

from headrace.host.exchange.part import Kind, Part


class Stand(Enum):
    """How far one direction has come."""

    NEW = "new"
    BODY = "body"
    ENDED = "ended"  # by end_of_stream
    CLOSED = "closed"  # by trailers

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a Python function


# stand -> kind -> (stand if the part ends the stream, stand if more may follow)
NEXT: dict[Stand, dict[Kind, tuple[Stand, Stand]]] = {
    Stand.NEW: {
        Kind.HEAD: (Stand.ENDED, Stand.BODY),
        Kind.CHUNK: (Stand.ENDED, Stand.BODY),
        Kind.TRAILERS: (Stand.CLOSED, Stand.CLOSED),
    },
    Stand.BODY: {
        Kind.CHUNK: (Stand.ENDED, Stand.BODY),
        Kind.TRAILERS: (Stand.CLOSED, Stand.CLOSED),
    },
    # Envoy 1.35 to 1.37 may deliver the last chunk twice (envoy#46237): it is ignored.
    Stand.ENDED: {Kind.CHUNK: (Stand.ENDED, Stand.ENDED)},
    Stand.CLOSED: {},
}


class ProtocolFault(Exception):
    """Envoy sent a part that may not come now: a bug of theirs or ours, never the client's."""


class Order(Struct):
    """The stand of one direction of one exchange. Written by its Exchange only."""

    stand: Stand = Stand.NEW

    def advance(self, part: Part) -> bool:
        """Move to the stand after *part*; return False if the part is a repetition to ignore.

        Raises:
            ProtocolFault: *part* may not come now; the stand stays.
        """
        stand = self.stand
        steps = NEXT[stand].get(part.kind)
        if steps is None:
            raise ProtocolFault(
                f"{part.direction.value} {part.kind.value} came while {stand.value}"
            )
        self.stand = steps[0] if part.end_of_stream else steps[1]
        return stand is not Stand.ENDED
