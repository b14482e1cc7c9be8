"""Who waits: one request, what it asks of the queue, and how its wait ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from headrace.extensions.picker.snapshot import PoolState

Blocked = Callable[[PoolState, float], bool]


class How(Enum):
    """How a wait ended, or why there was none; the values are metric labels."""

    SERVED = "served"
    FULL = "full"
    EXPIRED = "expired"
    NO_ENDPOINTS = "no-endpoints"
    DRAINING = "draining"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Lane:
    """What the requests of one `queue` statement, or of one pool's waiting room, have in common.

    name        counts them apart from those of other lanes
    strict      nobody of a lower rank is served while one of these waits
    length_max  of them may wait at once, with *bytes_max* of bodies
    uniform     what keeps one of them waiting keeps all: it does not look at the request
    late        how a wait that was too long is called
    """

    name: str
    length_max: int
    bytes_max: int
    strict: bool = False
    uniform: bool = False
    late: How = How.EXPIRED


@dataclass(frozen=True, slots=True)
class Turned:
    """The end of a wait. *retry_after_s* is set if it was no success."""

    how: How
    now_s: float
    waited_s: float
    retry_after_s: float | None = None


@dataclass(slots=True, eq=False)
class Waiter:
    """One request that waits. Written by the FlowControl that it has entered.

    rank       higher is served first
    key        requests of different keys take turns among those of equal rank
    cost       what its service takes of its key's share: 1, or tokens
    order      among those of the same key the lowest goes first, then who came first
    expires_s  when it has waited for too long
    blocked    whether a pool in that state, at that time, has no room for it yet
    number     the how manyeth it was to enter; 0 before that
    tell       called once, with `turned`
    """

    lane: Lane
    rank: float
    expires_s: float
    blocked: Blocked = field(repr=False)
    key: str = ""
    cost: float = 1.0
    order: float = 0.0
    size_bytes: int = 0
    number: int = 0
    entered_s: float = 0.0
    turned: Turned | None = None
    tell: Callable[[Turned], None] | None = field(default=None, repr=False)

    @property
    def alive(self) -> bool:
        """Whether it still waits."""
        return self.turned is None
